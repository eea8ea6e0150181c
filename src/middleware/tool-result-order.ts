import { editTurn, type Middleware } from '../inference/engine.ts'
import type { Block } from '../turns/block.ts'
import type { Turn } from '../turns/turn.ts'

/**
 * Puts tool results where providers want them: directly behind the run of calls that they answer, in call order.
 * Everything else keeps its order, and no block is added or lost.
 */
export function toolResultOrder(): Middleware {
  return editTurn('tool-result-order', withResultsBehindCalls)
}

function withResultsBehindCalls(turn: Turn): Turn {
  const ordered: Block[] = []
  const placed = new Set<Block>()
  for (let at = 0; at < turn.blocks.length; at += 1) {
    const block = turn.blocks[at]
    if (block === undefined || placed.has(block)) continue
    ordered.push(block)
    placed.add(block)
    const runEnds = block.kind === 'tool_call' && turn.blocks[at + 1]?.kind !== 'tool_call'
    if (!runEnds) continue
    for (const result of resultsOfRun(turn.blocks, at)) {
      if (placed.has(result)) continue
      ordered.push(result)
      placed.add(result)
    }
  }
  return ordered.every((block, index) => block === turn.blocks[index]) ? turn : { ...turn, blocks: ordered }
}

/** The results of the run of calls that ends at `last`: for each call in order, those before the same id is called again. */
function resultsOfRun(blocks: readonly Block[], last: number): readonly Block[] {
  let first = last
  while (blocks[first - 1]?.kind === 'tool_call') first -= 1
  return blocks
    .slice(first, last + 1)
    .flatMap((call) => (call.kind === 'tool_call' ? resultsOf(blocks, last, call.payload.id) : []))
}

function resultsOf(blocks: readonly Block[], after: number, id: string): readonly Block[] {
  const rest = blocks.slice(after + 1)
  const again = rest.findIndex((block) => block.kind === 'tool_call' && block.payload.id === id)
  const reach = again === -1 ? rest : rest.slice(0, again)
  return reach.filter((block) => block.kind === 'tool_use' && block.payload.id === id)
}
