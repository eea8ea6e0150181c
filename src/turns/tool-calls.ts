import type { ToolCallBlock } from './block.ts'
import type { Turn } from './turn.ts'

/**
 * The tool calls that have no result, in order. Each result answers one call of its id: some models use an id again.
 * Only blocks from index `from` on are looked at: give the number of blocks that a run began with, so that a call which
 * an earlier run left unanswered is not run again.
 */
export function pendingToolCalls(turn: Turn, from = 0): readonly ToolCallBlock[] {
  const results = new Map<string, number>()
  const calls: ToolCallBlock[] = []
  for (let index = from; index < turn.blocks.length; index += 1) {
    const block = turn.blocks[index]
    if (block?.kind === 'tool_use') results.set(block.payload.id, (results.get(block.payload.id) ?? 0) + 1)
    if (block?.kind === 'tool_call' && block.payload.id !== '') calls.push(block)
  }
  return calls.filter(({ payload }) => {
    const left = results.get(payload.id) ?? 0
    results.set(payload.id, left - 1)
    return left <= 0
  })
}
