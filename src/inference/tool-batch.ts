import type { EngineEvent } from '../events/event.ts'
import { toolError, type ToolCallBlock, type ToolUseBlock } from '../turns/block.ts'
import type { InferenceContext } from './engine.ts'
import { Replay } from './replay.ts'
import { executeToolCall, type ToolExecutionSettings } from './tool-execution.ts'

export interface ToolBatchSettings extends ToolExecutionSettings {
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
  settings: ToolBatchSettings,
  context: InferenceContext,
): AsyncIterable<EngineEvent> {
  const events = new Replay<EngineEvent>()
  const execution = { ...settings, context, emit: (event: EngineEvent) => events.push(event) }
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
      for (const event of resultEvents(calls[told]?.payload.name ?? '', block)) events.push(event)
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
  yield* events
  await workers
}

function resultEvents(toolName: string, block: ToolUseBlock): readonly EngineEvent[] {
  const toolCallId = block.payload.id
  const status = block.payload.error === undefined ? 'success' : 'error'
  return [
    { type: 'tool-result-ready', toolCallId, toolName, status, block },
    { type: 'tool-call-finished', toolCallId, toolName, status },
  ]
}
