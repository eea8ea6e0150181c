import type { Block } from '../turns/block.ts'
import { applyDelta, turnDelta, type TurnDelta } from '../turns/delta.ts'
import { blockResultKey, inferenceResultKey, middlewareKey } from '../turns/keys.ts'
import { append, createTurn, type Turn } from '../turns/turn.ts'
import type { InferenceResult } from '../turns/values.ts'
import type { EngineEvent, InferenceEvent, TurnEdit } from './event.ts'

/**
 * The turn after `event`. Folding a run's events over the turn that it began with gives the turn that it returned, live
 * and from the log alike: what an event does not say did not happen.
 */
export function applyEvent(turn: Turn, event: EngineEvent | InferenceEvent): Turn {
  switch (event.type) {
    case 'text-segment-finished':
    case 'reasoning-segment-finished':
    case 'block-received':
    case 'tool-call-requested':
    case 'tool-result-ready':
      return append(turn, event.block)
    case 'turn-opened':
      return { ...applyDelta(event.base === undefined ? createTurn() : turn, event.delta), id: event.turnId }
    case 'turn-edited':
      return applyDelta(turn, 'edit' in event ? editDelta(turn, event) : event.delta)
    case 'attempt-discarded':
      return event.blocks === 0 ? turn : { ...turn, blocks: turn.blocks.slice(0, -event.blocks) }
    case 'provider-call-finished':
      return inferenceResultKey.set(stampBlocks(turn, event.blocks, event.result), event.result)
    case 'inference-finished':
    case 'inference-stopped':
    case 'inference-failed':
    case 'inference-interrupted':
      return inferenceResultKey.set(turn, event.result)
    default:
      return turn
  }
}

/** What a live edit changes in `turn`; a block that it made or changed, and did not only move, says by whom. */
export function editDelta(turn: Turn, { by, edit }: TurnEdit): TurnDelta {
  const delta = turnDelta(turn, edit(turn))
  if (delta.add.length === 0) return delta
  const before = new Set(turn.blocks)
  return { ...delta, add: delta.add.map((block) => (before.has(block) ? block : middlewareKey.set(block, by))) }
}

// Each block that a call made says how that call ended, so that a later reader knows who wrote it. The raw usage
// stays with the call: a copy on every block would weigh more than the blocks.
function stampBlocks(turn: Turn, count: number, result: InferenceResult): Turn {
  const from = turn.blocks.length - count
  if (count === 0) return turn
  const { extra: { usage: _usage, ...extra } = {}, ...outcome } = result
  const stamped = Object.keys(extra).length === 0 ? outcome : { ...outcome, extra }
  const stamp = (block: Block) => blockResultKey.set(block, stamped)
  return { ...turn, blocks: [...turn.blocks.slice(0, from), ...turn.blocks.slice(from).map(stamp)] }
}
