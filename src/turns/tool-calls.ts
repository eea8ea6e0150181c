import type { ToolCallBlock } from './block.ts'
import type { Turn } from './turn.ts'

/**
 * The tool calls that have no result, in order. Only blocks from index `from` on are looked at: give the number of
 * blocks that a run began with, so that a call which an earlier run left unanswered is not run again.
 */
export function pendingToolCalls(turn: Turn, from = 0): readonly ToolCallBlock[] {
  const answered = new Set<string>()
  const calls: ToolCallBlock[] = []
  for (let index = from; index < turn.blocks.length; index += 1) {
    const block = turn.blocks[index]
    if (block?.kind === 'tool_use') answered.add(block.payload.id)
    if (block?.kind === 'tool_call' && block.payload.id !== '') calls.push(block)
  }
  return calls.filter((call) => !answered.has(call.payload.id))
}
