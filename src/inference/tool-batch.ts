import type { EngineEvent } from '../events/event.ts'
import { toolError, type ToolCallBlock, type ToolUseBlock } from '../turns/block.ts'
import type { InferenceContext } from './engine.ts'
import { Replay } from './replay.ts'
import { executeToolCall, type ToolExecutionSettings } from './tool-execution.ts'

export interface ToolBatchSettings extends Omit<ToolExecutionSettings, 'past'> {
  /** Calls that are executed at the same time. */
  readonly maxParallel: number
  /** Whether calls that have not begun when one fails stay undone; each gets an error result that says so. */
  readonly stopOnError: boolean
}

/**
 * Executes `calls`. Starts and progress are told as they happen, results in the order of the calls: what a turn holds
 * does not depend on which tool was faster.
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
  const results: ToolUseBlock[] = []
  let begun = 0
  let told = 0
  let failed: string | undefined

  const execute = (call: ToolCallBlock) =>
    failed !== undefined && settings.stopOnError
      ? Promise.resolve(toolError(call.payload.id, `the tool was not run: ${failed} failed before it`))
      : executeToolCall(call, execution)
  const tellResults = () => {
    for (let block = results[told]; block !== undefined; block = results[told]) {
      for (const event of resultEvents(calls[told]?.payload.name ?? '', block)) void emit(event)
      told += 1
    }
  }
  const work = async () => {
    for (let call = calls[begun]; call !== undefined; call = calls[begun]) {
      const place = begun
      begun += 1
      const block = await execute(call)
      if (block.payload.error !== undefined) failed ??= call.payload.name
      results[place] = block
      tellResults()
    }
  }

  const workers = Promise.all(Array.from({ length: Math.min(settings.maxParallel, calls.length) }, work))
  workers.finally(() => events.end()).catch(() => {}) // awaited below
  for await (const { event, taken } of events) {
    yield event
    taken()
  }
  await workers
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
