// Middleware: what wraps an engine, to change what the model sees or to watch what it does.
export { log, type Logger } from './log.ts'
export { systemPrompt } from './system-prompt.ts'
export { toolResultOrder } from './tool-result-order.ts'
