import type { Block, Turn } from 'geppetto/turns'
import { diffTurns } from '../../../../src/turns/diff.ts'
import { blockHash } from '../../../../src/turns/hash.ts'

/** A row of a comparison of two turns, in the order of the second. Indexes count from 0 in the turn they name. */
export type BlockRow =
  | {
      /** `moved`: it says the same in another place. */
      readonly change: 'same' | 'changed' | 'moved'
      readonly before: number
      readonly after: number
      readonly from: Block
      readonly to: Block
    }
  | { readonly change: 'removed'; readonly before: number; readonly from: Block }
  | { readonly change: 'added'; readonly after: number; readonly to: Block }
export type RowChange = BlockRow['change']

export interface Comparison {
  readonly rows: readonly BlockRow[]
  /** The keys whose value differs. */
  readonly metadata: readonly string[]
  readonly data: readonly string[]
}

/** Compares any two turns, of one session or of two. A block is the same when it says the same, whatever its id. */
export function compareTurns(before: Turn, after: Turn): Comparison {
  const { blocks, metadata, data } = diffTurns(before, after)
  const rows = blocks.flatMap((row): readonly BlockRow[] => {
    if (row.change !== 'same') return [row]
    const from = before.blocks[row.before]
    const to = after.blocks[row.after]
    return from === undefined || to === undefined ? [] : [{ ...row, from, to }]
  })
  return { rows: withMoves(rows), metadata, data }
}

/** How many rows there are of each change. */
export function countChanges(rows: readonly BlockRow[]): Readonly<Record<RowChange, number>> {
  const counts = { same: 0, changed: 0, moved: 0, removed: 0, added: 0 }
  for (const { change } of rows) counts[change] += 1
  return counts
}

// What was taken out and comes back elsewhere was moved, whether or not it was given the same id.
function withMoves(rows: readonly BlockRow[]): readonly BlockRow[] {
  const removed = new Map<string, Extract<BlockRow, { change: 'removed' }>>()
  for (const row of rows) if (row.change === 'removed') removed.set(blockHash(row.from), row)
  const settled = new Set<BlockRow>()
  const result = rows.map((row): BlockRow => {
    if (row.change === 'changed' && blockHash(row.from) === blockHash(row.to)) return { ...row, change: 'moved' }
    if (row.change !== 'added') return row
    const hash = blockHash(row.to)
    const source = removed.get(hash)
    if (source === undefined) return row
    removed.delete(hash)
    settled.add(source)
    return { change: 'moved', before: source.before, after: row.after, from: source.from, to: row.to }
  })
  return result.filter((row) => !settled.has(row))
}

export interface TextPart {
  readonly change: 'same' | 'removed' | 'added'
  readonly text: string
}

/** The most pairs of words that are compared; what is larger is shown as a whole. */
const mostPairs = 400_000

/** What became of a text, word by word. */
export function compareTexts(before: string, after: string): readonly TextPart[] {
  const left = wordsOf(before)
  const right = wordsOf(after)
  let head = 0
  while (head < left.length && head < right.length && left[head] === right[head]) head += 1
  let tail = 0
  while (tail < Math.min(left.length, right.length) - head && left.at(-1 - tail) === right.at(-1 - tail)) tail += 1
  const middle = compareWords(left.slice(head, left.length - tail), right.slice(head, right.length - tail))
  const same = (words: readonly string[]): TextPart => ({ change: 'same', text: words.join('') })
  return joined([same(left.slice(0, head)), ...middle, same(left.slice(left.length - tail))])
}

function wordsOf(text: string): readonly string[] {
  return text.split(/(?<=\s)(?=\S)/)
}

function compareWords(left: readonly string[], right: readonly string[]): readonly TextPart[] {
  if (left.length * right.length > mostPairs) {
    return [
      { change: 'removed', text: left.join('') },
      { change: 'added', text: right.join('') },
    ]
  }
  const width = right.length + 1
  const lengths = new Uint32Array((left.length + 1) * width)
  const lengthAt = (row: number, column: number) => lengths[row * width + column] ?? 0
  for (let row = left.length - 1; row >= 0; row -= 1) {
    for (let column = right.length - 1; column >= 0; column -= 1) {
      lengths[row * width + column] =
        left[row] === right[column]
          ? lengthAt(row + 1, column + 1) + 1
          : Math.max(lengthAt(row + 1, column), lengthAt(row, column + 1))
    }
  }
  const parts: TextPart[] = []
  let row = 0
  let column = 0
  while (row < left.length || column < right.length) {
    const [from, to] = [left[row], right[column]]
    if (from !== undefined && from === to) {
      parts.push({ change: 'same', text: from })
      row += 1
      column += 1
    } else if (from !== undefined && (to === undefined || lengthAt(row + 1, column) >= lengthAt(row, column + 1))) {
      parts.push({ change: 'removed', text: from })
      row += 1
    } else {
      parts.push({ change: 'added', text: to ?? '' })
      column += 1
    }
  }
  return parts
}

function joined(parts: readonly TextPart[]): readonly TextPart[] {
  const result: TextPart[] = []
  for (const part of parts) {
    const last = result.at(-1)
    if (part.text === '') continue
    if (last?.change === part.change) result[result.length - 1] = { ...last, text: last.text + part.text }
    else result.push(part)
  }
  return result
}
