import { isJsonObject, type JsonObject } from '../../json.ts'
import type { Block } from '../../turns/block.ts'
import { blockResultKey, partialKey, responseIdKey, sidecarKey } from '../../turns/keys.ts'
import { list, object, text } from '../wire.ts'
import type { Note } from './content.ts'
import type { Draft } from './draft.ts'
import { providerName } from './item.ts'
import { replayable } from './replay.ts'

// What a block keeps of the item that it came as. It is read as what it is, stored text: any turn must be sendable.

/** Where a block stands, and who hears of its repairs. */
export interface Said {
  readonly index: number
  /** Whether the server keeps items, so that an id alone names one. */
  readonly store: boolean
  readonly note: Note
}

export interface OwnItem {
  readonly item: JsonObject
  /** Reasoning that only its id stood for. */
  readonly precededBy: readonly JsonObject[]
}

/** The names under which this provider's items are stored. */
const ownNames: ReadonlySet<string> = new Set([providerName, 'open-responses', 'openai_responses', 'open_responses'])

/** The item that this provider gave, under `provider`, `item` and `preceded_by` of a sidecar or of a payload. */
export function ownItemIn(record: JsonObject): OwnItem | undefined {
  const item = object(record, 'item')
  if (item === undefined || !ownNames.has(text(record, 'provider') ?? '')) return undefined
  return { item, precededBy: list(record, 'preceded_by').filter(isJsonObject) }
}

/** The item that a block came as, if this provider gave it. */
export function ownItem(block: Block): OwnItem | undefined {
  return ownItemIn(stored(block, sidecarKey.id) ?? {})
}

/** Whether another provider made the block, as far as it says who did. */
export function isForeign(block: Block): boolean {
  const writer = text(stored(block, blockResultKey.id) ?? {}, 'provider')
  const isSealedElsewhere = stored(block, sidecarKey.id) !== undefined && ownItem(block) === undefined
  return isSealedElsewhere || (writer !== undefined && !ownNames.has(writer))
}

function stored(block: Block, key: string): JsonObject | undefined {
  return object(block.metadata ?? {}, key)
}

/** The response that a block came in. */
export function responseOf(block: Block): string | undefined {
  return text(block.metadata ?? {}, responseIdKey.id)
}

export function isCut(block: Block): boolean {
  return block.metadata?.[partialKey.id] === true
}

export type Place = Pick<Draft, 'block' | 'response'>

export function placeOf(block: Block, said: Said): Place {
  const response = responseOf(block)
  return { block: said.index, ...(response !== undefined && { response }) }
}

/** Reasoning of which only the id came: the server has the rest of it where it keeps items, and nobody where it does not. */
export function bareDrafts({ precededBy }: OwnItem, said: Said, place: Place): readonly Draft[] {
  if (precededBy.length === 0) return []
  if (said.store)
    return precededBy.map((item) => ({ ...place, role: 'reasoning', item: replayable(item, true) ?? item }))
  said.note('unsealed-reasoning', 'the reasoning before it was not sealed')
  return [{ ...place, role: 'reasoning' }]
}

/** An id that the provider gave, for fields that have nothing else. An id of another kind is refused. */
export function idOf(id: string | undefined, prefix: string): { readonly id?: string } {
  return id?.startsWith(prefix) === true ? { id } : {}
}
