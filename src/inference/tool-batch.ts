import type { EngineEvent } from '../events/event.ts'
import { toolError, type ToolCallBlock, type ToolUseBlock } from '../turns/block.ts'
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
  const execution = { ...settings, context, emit }
  const results = new Map<ToolCallBlock, ToolUseBlock>()
  const untold = new Set(calls)
  let begun = 0
  let failed: string | undefined

  const execute = (call: ToolCallBlock) =>
    failed !== undefined && settings.stopOnError
      ? Promise.resolve(toolError(call.payload.id, `the tool was not run: ${failed} failed before it`))
      : executeToolCall(call, execution)
  const tellResults = () => {
    for (const call of untold) {
      const block = results.get(call)
      if (block === undefined && !isStopping(context)) return
      if (block === undefined) continue
      for (const event of resultEvents(call.payload.name, block)) void emit(event)
      untold.delete(call)
    }
  }
  const work = async () => {
    for (let call = calls[begun]; call !== undefined && !isStopping(context); call = calls[begun]) {
      begun += 1
      const block = await execute(call)
      if (block === undefined) continue
      if (block.payload.error !== undefined) failed ??= call.payload.name
      results.set(call, block)
      tellResults()
    }
  }

  context.signal.addEventListener('abort', tellResults)
  context.leaving.addEventListener('abort', tellResults)
  const workers = Promise.all(Array.from({ length: Math.min(settings.maxParallel, calls.length) }, work))
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

function resultEvents(toolName: string, block: ToolUseBlock): readonly EngineEvent[] {
  const toolCallId = block.payload.id
  const failed = block.payload.outcome_unknown === true ? 'unknown' : 'error'
  const status = block.payload.error === undefined ? 'success' : failed
  return [
    { type: 'tool-result-ready', toolCallId, toolName, status, block },
    { type: 'tool-call-finished', toolCallId, toolName, status },
  ]
}
