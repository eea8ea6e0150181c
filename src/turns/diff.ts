import { canonicalJson, type JsonObject } from '../json.ts'
import type { Block } from './block.ts'
import { blockHash } from './hash.ts'
import type { Turn } from './turn.ts'

/** One row of a comparison, in the order of the second turn. Indexes count from 0 in the turn they name. */
export type BlockChange =
  | { readonly change: 'same'; readonly before: number; readonly after: number }
  | {
      readonly change: 'changed'
      readonly before: number
      readonly after: number
      readonly from: Block
      readonly to: Block
    }
  | { readonly change: 'removed'; readonly before: number; readonly from: Block }
  | { readonly change: 'added'; readonly after: number; readonly to: Block }

export interface TurnDiff {
  readonly blocks: readonly BlockChange[]
  /** The keys whose value differs. */
  readonly metadata: readonly string[]
  readonly data: readonly string[]
}

/** Compares two turns block by block. A block is the same when it says the same, whatever its id. */
export function diffTurns(before: Turn, after: Turn): TurnDiff {
  return {
    blocks: pairChanges(alignBlocks(before.blocks, after.blocks)),
    metadata: changedKeys(before.metadata, after.metadata),
    data: changedKeys(before.data, after.data),
  }
}

/** Whether the two turns say the same. */
export function isEmptyDiff(diff: TurnDiff): boolean {
  return diff.blocks.every((row) => row.change === 'same') && diff.metadata.length === 0 && diff.data.length === 0
}

function changedKeys(before: JsonObject, after: JsonObject): readonly string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...keys].filter((key) => canonicalJson(before[key]) !== canonicalJson(after[key])).toSorted()
}

// Longest common subsequence over content hashes; what the ends share is set aside first, which is nearly all of it.
function alignBlocks(before: readonly Block[], after: readonly Block[]): BlockChange[] {
  const left = before.map(blockHash)
  const right = after.map(blockHash)
  let head = 0
  while (head < left.length && head < right.length && left[head] === right[head]) head += 1
  let tail = 0
  while (tail < Math.min(left.length, right.length) - head && left.at(-1 - tail) === right.at(-1 - tail)) tail += 1
  const rows: BlockChange[] = []
  for (let at = 0; at < head; at += 1) rows.push({ change: 'same', before: at, after: at })
  rows.push(...alignMiddle(left, right, head, tail, before, after))
  for (let at = tail; at > 0; at -= 1) rows.push({ change: 'same', before: left.length - at, after: right.length - at })
  return rows
}

function alignMiddle(
  left: readonly string[],
  right: readonly string[],
  head: number,
  tail: number,
  before: readonly Block[],
  after: readonly Block[],
): BlockChange[] {
  const rows = left.length - head - tail
  const columns = right.length - head - tail
  const lengths = Array.from({ length: rows + 1 }, () => new Uint32Array(columns + 1))
  const lengthAt = (row: number, column: number) => lengths[row]?.[column] ?? 0
  for (let row = rows - 1; row >= 0; row -= 1) {
    for (let column = columns - 1; column >= 0; column -= 1) {
      const same = left[head + row] === right[head + column]
      const length = same
        ? lengthAt(row + 1, column + 1) + 1
        : Math.max(lengthAt(row + 1, column), lengthAt(row, column + 1))
      lengths[row]?.fill(length, column, column + 1)
    }
  }
  const changes: BlockChange[] = []
  let row = 0
  let column = 0
  while (row < rows || column < columns) {
    const from = before[head + row]
    const to = after[head + column]
    if (row < rows && column < columns && left[head + row] === right[head + column]) {
      changes.push({ change: 'same', before: head + row, after: head + column })
      row += 1
      column += 1
    } else if (
      row < rows &&
      from !== undefined &&
      (column >= columns || lengthAt(row + 1, column) >= lengthAt(row, column + 1))
    ) {
      changes.push({ change: 'removed', before: head + row, from })
      row += 1
    } else if (to !== undefined) {
      changes.push({ change: 'added', after: head + column, to })
      column += 1
    }
  }
  return changes
}

// A removed block that comes back under the same id, or in the same place with the same kind, was changed.
function pairChanges(rows: readonly BlockChange[]): readonly BlockChange[] {
  const result: BlockChange[] = []
  for (const row of rows) {
    const partner = row.change === 'added' ? result.findLastIndex((earlier) => isPair(earlier, row)) : -1
    const earlier = result[partner]
    if (row.change === 'added' && earlier?.change === 'removed') {
      result[partner] = { change: 'changed', before: earlier.before, after: row.after, from: earlier.from, to: row.to }
    } else {
      result.push(row)
    }
  }
  return result
}

function isPair(earlier: BlockChange, added: Extract<BlockChange, { change: 'added' }>): boolean {
  if (earlier.change !== 'removed' || earlier.from.kind !== added.to.kind) return false
  const sameId = earlier.from.id !== undefined && earlier.from.id === added.to.id
  return sameId || (earlier.from.id === undefined && earlier.before === added.after)
}
