import { sha256Hex } from '../sha256.ts'
import { canonicalJson } from '../json.ts'
import type { Block } from './block.ts'
import { encodeBlock } from './encode.ts'

/**
 * The SHA-256 (hex) of what a block says: kind, role, payload and metadata, not its id. Equal content gives an equal
 * hash, whatever the order of keys.
 */
export function blockHash(block: Block): string {
  const { id: _id, ...content } = encodeBlock(block)
  return sha256Hex(canonicalJson(content))
}
