import type { NewId } from '../clock.ts'
import type { EventOf } from '../events/event.ts'
import { isJsonObject, type Json, type JsonObject } from '../json.ts'
import type { Block } from '../turns/block.ts'
import { inferenceIdKey, inferenceResultKey, runtimeKey } from '../turns/keys.ts'
import { append, type Turn } from '../turns/turn.ts'

/** What the next turn begins with: the turn without what names and tells of its own inference. */
export function contextOf(turn: Turn): Turn {
  return inferenceResultKey.delete(inferenceIdKey.delete(turn))
}

/** What a prompt brings along into its turn. */
export interface PromptContext {
  /** Blocks that come right before the prompt, and right behind it: what a client says of the conversation beside it. */
  readonly before?: readonly Block[]
  readonly after?: readonly Block[]
  /** Inputs of the turn under their keys, from here on; null takes one away. */
  readonly data?: JsonObject
}

/** The context with an id for each block that has none. */
export function withIds({ before, after, data }: PromptContext, newId: NewId): PromptContext {
  const named = (block: Block): Block => (block.id === undefined ? { ...block, id: newId() } : block)
  return {
    ...(before !== undefined && { before: before.map(named) }),
    ...(after !== undefined && { after: after.map(named) }),
    ...(data !== undefined && { data }),
  }
}

/** The turn that answers a prompt, which goes on from `base`. */
export function promptedTurn(
  base: Turn,
  { block, runtime, before = [], after = [], data }: EventOf<'prompt-accepted'>,
): Turn {
  const asked = append(contextOf(base), ...before, block, ...after)
  const next = data === undefined ? asked : { ...asked, data: withoutNull({ ...asked.data, ...data }) }
  return runtime === undefined ? next : runtimeKey.set(next, runtimeAfter(runtimeKey.get(base), runtime))
}

/** The runtime as it was asked for; one that names no profile goes on with that of the turn before. */
function runtimeAfter(before: Json | undefined, asked: Json): Json {
  if (!isJsonObject(asked) || asked['profile'] !== undefined) return asked
  const profile = isJsonObject(before) ? before['profile'] : before
  return typeof profile === 'string' ? { ...asked, profile } : asked
}

function withoutNull(data: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null))
}
