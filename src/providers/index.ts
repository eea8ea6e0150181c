// Providers: engines that call a model, what they share, and one that needs no model.
export type { NetworkPolicy } from './address-guard.ts'
export { anthropic } from './anthropic/protocol.ts'
export { providerEngine } from './engine.ts'
export type { ProviderSettings, RetryPolicy } from './provider-settings.ts'
export { ProviderError, type ProviderErrorDetails } from './error.ts'
export {
  createEngine,
  defaultModels,
  engineNameOf,
  engineNames,
  type EngineName,
  type EngineSettings,
} from './factory.ts'
export { gemini } from './gemini/protocol.ts'
export { openai } from './openai/protocol.ts'
export { openaiResponses } from './openai-responses/protocol.ts'
export type { CallOutcome, Emit, Protocol, ProviderRequest, StreamDecoder } from './protocol.ts'
export { scripted, type ScriptedSettings } from './scripted/engine.ts'
export type { Fetch, FetchInit, FetchReply } from './transport.ts'
export type { CallTimeouts } from './watchdog.ts'
