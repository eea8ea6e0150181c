import type { JsonObject } from '../json.ts'
import type { Block } from './block.ts'
import type { Turn } from './turn.ts'

/**
 * The stored form of a turn: `id`, `blocks`, `metadata`, `data`, always in this order, empty ones left out but `blocks`.
 * The order of keys inside a payload is kept: it is part of what a provider saw.
 */
export function encodeTurn(turn: Turn): JsonObject {
  return {
    ...(turn.id !== '' && { id: turn.id }),
    blocks: turn.blocks.map(encodeBlock),
    ...(!isEmpty(turn.metadata) && { metadata: sortedByKey(turn.metadata) }),
    ...(!isEmpty(turn.data) && { data: sortedByKey(turn.data) }),
    ...turn.extra,
  }
}

export function encodeBlock(block: Block): JsonObject {
  return {
    ...(block.id !== undefined && block.id !== '' && { id: block.id }),
    kind: block.kind === 'other' ? (block.rawKind ?? 'other') : block.kind,
    ...(block.role !== undefined && block.role !== '' && { role: block.role }),
    ...(!isEmpty(block.payload) && { payload: block.payload as JsonObject }), // payloads hold JSON by construction
    ...(block.metadata !== undefined && !isEmpty(block.metadata) && { metadata: sortedByKey(block.metadata) }),
    ...block.extra,
  }
}

function sortedByKey(entries: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(entries).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function isEmpty(record: object): boolean {
  for (const _key in record) return false
  return true
}
