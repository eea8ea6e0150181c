import type { EngineEvent } from '../events/event.ts'
import { type ToolCallBlock, type ToolUseBlock } from '../turns/block.ts'
import type { InferenceContext } from './engine.ts'
import { Replay } from './replay.ts'
import { executeToolCall, isStopping, type ToolExecutionSettings } from './tool-execution.ts'

export interface ToolBatchSettings extends Omit<ToolExecutionSettings, 'past'> {
  /** Calls that are executed at the same time. */
  readonly maxParallel: number
  /** Whether calls that have not begun when one fails stay undone; each gets an error result that says so. */
  readonly stopOnError: boolean
}

/**
 * Executes `calls`. Starts and progress are told as they happen, results in the order of the calls: what a turn holds
 * does not depend on which tool was faster. When the run stops no call begins any more, and those that end are told at
 * once; it rejects with the reason while a call is without its answer.
 */
export async function* executeToolCalls(
  calls: readonly ToolCallBlock[],
  settings: ToolBatchSettings & ToolExecutionSettings,
  context: InferenceContext,
): AsyncIterable<EngineEvent> {
  const events = new Replay<{ readonly event: EngineEvent; taken(): void }>()
  // Whoever takes an event and comes back for the next has done with it all that was to be done: it is in the log.
  const emit = (event: EngineEvent) => new Promise<void>((taken) => events.push({ event, taken }))
  const places = new Places(settings.maxParallel)
  const begin = async () => {
    await places.take()
    return failed !== undefined && settings.stopOnError ? `${failed} failed before it` : undefined
  }
  const execution = { ...settings, context, emit, begin, end: () => places.giveBack() }
  const results = new Map<ToolCallBlock, ToolUseBlock>()
  const untold = new Set(calls)
  let failed: string | undefined

  const tellResults = () => {
    for (const call of untold) {
      const block = results.get(call)
      if (block === undefined && !isStopping(context)) return
      if (block === undefined) continue
      for (const event of resultEvents(call.payload.name, block)) void emit(event)
      untold.delete(call)
    }
  }
  // What a person or a client has to say to a call is asked for all of them at once; only those that run take places.
  const work = async (call: ToolCallBlock) => {
    const block = await executeToolCall(call, execution)
    if (block === undefined) return
    if (block.payload.error !== undefined) failed ??= call.payload.name
    results.set(call, block)
    tellResults()
  }

  context.signal.addEventListener('abort', tellResults)
  context.leaving.addEventListener('abort', tellResults)
  const workers = Promise.all(calls.map(work))
  workers
    .finally(() => {
      context.signal.removeEventListener('abort', tellResults)
      context.leaving.removeEventListener('abort', tellResults)
      events.end()
    })
    .catch(() => {}) // awaited below
  for await (const { event, taken } of events) {
    yield event
    taken()
  }
  await workers
  context.signal.throwIfAborted()
  if (untold.size > 0) context.leaving.throwIfAborted()
}

/** So many may run at a time; who comes first is first. */
class Places {
  readonly #waiting: (() => void)[] = []
  #free: number

  constructor(count: number) {
    this.#free = count
  }

  async take(): Promise<void> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  giveBack(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free += 1
    else next()
  }
}

function resultEvents(toolName: string, block: ToolUseBlock): readonly EngineEvent[] {
  const toolCallId = block.payload.id
  const failed = block.payload.outcome_unknown === true ? 'unknown' : 'error'
  const status = block.payload.error === undefined ? 'success' : failed
  return [
    { type: 'tool-result-ready', toolCallId, toolName, status, block },
    { type: 'tool-call-finished', toolCallId, toolName, status },
  ]
}
