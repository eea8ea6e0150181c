import { inferenceIdKey, inferenceResultKey } from '../turns/keys.ts'
import type { Turn } from '../turns/turn.ts'

/** What the next turn begins with: the turn without what names and tells of its own inference. */
export function contextOf(turn: Turn): Turn {
  return inferenceResultKey.delete(inferenceIdKey.delete(turn))
}
