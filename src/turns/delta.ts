import type { JsonObject } from '../json.ts'
import type { Block } from './block.ts'
import type { Turn } from './turn.ts'

/**
 * What changed from one turn to the next, as it is stored: keep the first `head` blocks, put `add` behind them, keep
 * the last `tail`. The bags are given only when they changed.
 */
export interface TurnDelta {
  readonly head: number
  readonly add: readonly Block[]
  readonly tail: number
  readonly metadata?: JsonObject
  readonly data?: JsonObject
  /** Fields of the turn that this version does not know. */
  readonly extra?: JsonObject
}

/** The delta from `base` to `next`. Blocks are compared by identity: an unchanged block keeps its own. */
export function turnDelta(base: Turn, next: Turn): TurnDelta {
  const most = Math.min(base.blocks.length, next.blocks.length)
  let head = 0
  while (head < most && base.blocks[head] === next.blocks[head]) head += 1
  let tail = 0
  while (tail < most - head && base.blocks.at(-1 - tail) === next.blocks.at(-1 - tail)) tail += 1
  return {
    head,
    add: next.blocks.slice(head, next.blocks.length - tail),
    tail,
    ...(next.metadata !== base.metadata && { metadata: next.metadata }),
    ...(next.data !== base.data && { data: next.data }),
    ...(next.extra !== undefined && next.extra !== base.extra && { extra: next.extra }),
  }
}

/** The turn that `turnDelta(turn, next)` describes. */
export function applyDelta(turn: Turn, delta: TurnDelta): Turn {
  const tail = delta.tail === 0 ? [] : turn.blocks.slice(-delta.tail)
  return {
    ...turn,
    blocks: [...turn.blocks.slice(0, delta.head), ...delta.add, ...tail],
    metadata: delta.metadata ?? turn.metadata,
    data: delta.data ?? turn.data,
    ...(delta.extra !== undefined && { extra: delta.extra }),
  }
}
