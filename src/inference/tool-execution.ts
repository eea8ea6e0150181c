import { sleep } from '../clock.ts'
import { GeppettoError, messageOf } from '../errors.ts'
import type { EngineEvent } from '../events/event.ts'
import type { Json } from '../json.ts'
import { toolArguments, toolError, toolResult, type ToolCallBlock, type ToolUseBlock } from '../turns/block.ts'
import type { InferenceContext } from './engine.ts'
import { boundedText, toStoredJson } from './tool-result.ts'
import type { Tool } from './tool.ts'

export interface RetryOptions {
  /** Executions after the first one. Default 2. */
  readonly maxRetries?: number
  /** The wait before the first retry, in milliseconds. Default 1000. */
  readonly backoffMs?: number
  /** Each wait is this many times the one before. Default 2. */
  readonly backoffFactor?: number
}

/** How calls are executed. */
export interface ToolExecutionSettings {
  readonly tools: ReadonlyMap<string, Tool>
  isAllowed(name: string): boolean
  /** For each attempt of a tool that names no time of its own. */
  readonly timeoutMs: number
  /** Characters of JSON; what is longer is cut. */
  readonly maxResultChars: number
  readonly retry: Required<RetryOptions>
}

/** What the calls of one run have in common. */
export interface ToolExecution extends ToolExecutionSettings {
  readonly context: InferenceContext
  /** Hears of starts and of progress, at once. */
  emit(event: EngineEvent): void
}

/**
 * Executes one call and gives the block that answers it. Whatever goes wrong with the call is an error result; only a
 * cancelled run rejects.
 */
export async function executeToolCall(call: ToolCallBlock, execution: ToolExecution): Promise<ToolUseBlock> {
  const { id, name } = call.payload
  const { maxResultChars, context } = execution
  try {
    const tool = findTool(name, execution)
    const input = await validInput(tool, call, execution)
    emitStart(tool, input, call, execution)
    const returned = await withRetries(execution, () => attempt(tool, input, id, execution))
    return toolResult(id, toStoredJson('the result', returned, maxResultChars))
  } catch (error) {
    context.signal.throwIfAborted()
    return toolError(id, boundedText(messageOf(error), maxResultChars))
  }
}

function findTool(name: string, execution: ToolExecution): Tool {
  const tool = execution.tools.get(name)
  if (tool === undefined) throw failure(`tool not found: ${name}`)
  if (!execution.isAllowed(name)) throw failure(`tool not allowed: ${name}`)
  return tool
}

// Arguments that are cut off are never mended: half of a list of files to delete is not what the model asked for.
async function validInput(tool: Tool, call: ToolCallBlock, execution: ToolExecution): Promise<unknown> {
  const given = toolArguments(call)
  if (given === undefined)
    throw failure('the tool was not run: its arguments are not a valid JSON object, or were cut off')
  const validated = tool.input['~standard'].validate(given)
  const result = validated instanceof Promise ? await inTime(tool, execution, () => validated) : validated
  if (result.issues === undefined) return result.value
  const problems = result.issues.map(({ path, message }) => {
    const at = (path ?? []).map((step) => String(typeof step === 'object' ? step.key : step)).join('.')
    return at === '' ? message : `${at}: ${message}`
  })
  throw failure(`the tool was not run: its arguments do not fit its schema: ${problems.join('; ')}`)
}

function emitStart(tool: Tool, input: unknown, call: ToolCallBlock, { emit, maxResultChars }: ToolExecution): void {
  const shown = tool.mask === undefined ? toolArguments(call) : tool.mask(input)
  emit({
    type: 'tool-execution-started',
    toolCallId: call.payload.id,
    toolName: tool.name,
    input: toStoredJson('the masked input', shown, maxResultChars),
  })
}

async function attempt(tool: Tool, input: unknown, toolCallId: string, execution: ToolExecution): Promise<unknown> {
  const { context, emit, maxResultChars } = execution
  let hasEnded = false
  const execute = (signal: AbortSignal) => {
    const report = (given: Json) => {
      if (hasEnded || signal.aborted) return
      const progress = toStoredJson('the progress', given, maxResultChars)
      emit({ type: 'tool-progress', toolCallId, toolName: tool.name, progress })
    }
    return tool.execute(input, { signal, ids: { ...context.ids, toolCallId }, clock: context.clock, report })
  }
  try {
    return await inTime(tool, execution, execute)
  } finally {
    hasEnded = true
  }
}

/**
 * What `work` gives, unless the tool's time is up or the run is cancelled before. Work that ignores its signal is left
 * behind: how it ends is not heard.
 */
async function inTime<T>(
  tool: Tool,
  { context, timeoutMs: defaultMs }: ToolExecution,
  work: (signal: AbortSignal) => T | Promise<T>,
): Promise<T> {
  const timeoutMs = tool.timeoutMs ?? defaultMs
  const abort = new AbortController()
  const stopWithRun = () => abort.abort(context.signal.reason)
  context.signal.throwIfAborted()
  context.signal.addEventListener('abort', stopWithRun, { once: true })
  const cancelTimer = context.clock.schedule(timeoutMs, () =>
    abort.abort(failure(`the tool did not finish within ${timeoutMs} ms`)),
  )
  try {
    return await Promise.race([aborted(abort.signal), startOf(() => work(abort.signal))])
  } finally {
    cancelTimer()
    context.signal.removeEventListener('abort', stopWithRun)
  }
}

// The signal is one attempt's own, so what waits for it goes when the attempt does.
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }) // whatever it was aborted with
  })
}

// A function that throws at once fails in the same way as one that throws later.
async function startOf<T>(work: () => T | Promise<T>): Promise<T> {
  return work()
}

async function withRetries<T>({ retry, context }: ToolExecution, run: () => Promise<T>): Promise<T> {
  for (let retries = 0; ; retries += 1) {
    try {
      return await run()
    } catch (error) {
      if (retries >= retry.maxRetries) throw error
      await sleep(context.clock, retry.backoffMs * retry.backoffFactor ** retries, context.signal)
    }
  }
}

function failure(message: string): GeppettoError {
  return new GeppettoError('TOOL_FAILED', message)
}
