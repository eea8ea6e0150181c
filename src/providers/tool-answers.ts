import { tryParseJson } from '../json.ts'
import type { Block, ToolUsePayload } from '../turns/block.ts'

/** What a call is answered with when the turn has no result for it, so that a provider accepts the turn. */
export const missingResult = 'interrupted: no result was recorded'

/**
 * Which result answers which call: from the index of a call to that of its result, where it has one. A result answers a
 * call before it, and of calls that share an id the first unanswered one of the latest run of calls: ids are used again,
 * by models and after a compaction, and an old call must not take a new one's result.
 */
export function answersByCall(blocks: readonly Block[]): ReadonlyMap<number, number> {
  const answers = new Map<number, number>()
  const open = new Map<string, { readonly call: number; readonly run: number }[]>()
  let run = 0
  for (const [index, block] of blocks.entries()) {
    if (block.kind === 'tool_call') {
      open.set(block.payload.id, [...(open.get(block.payload.id) ?? []), { call: index, run }])
    } else if (block.kind === 'tool_use') {
      run += 1
      const waiting = open.get(block.payload.id) ?? []
      const latest = waiting.at(-1)?.run
      const answered = waiting.find((entry) => entry.run === latest)
      if (answered === undefined) continue
      answers.set(answered.call, index)
      open.set(
        block.payload.id,
        waiting.filter((entry) => entry !== answered),
      )
    } else if (block.kind === 'user' || block.kind === 'system') {
      run += 1
    }
  }
  return answers
}

/** A tool result as the text that a model reads: the result alone, or the error and what else there is, as JSON. */
export function resultText({ result, error }: ToolUsePayload): string {
  if (error !== undefined && error !== '') {
    const parsed = typeof result === 'string' ? (tryParseJson(result) ?? result) : result
    return JSON.stringify(parsed === undefined || parsed === null ? { error } : { error, result: parsed })
  }
  if (result === undefined) return ''
  return typeof result === 'string' ? result : JSON.stringify(result)
}
