import { sha256Hex } from '../sha256.ts'
import { GeppettoError } from '../errors.ts'
import { canonicalJson, isJsonObject, tryParseJson } from '../json.ts'
import type { Block } from '../turns/block.ts'
import { decodeBlock } from '../turns/decode.ts'
import { turnDelta } from '../turns/delta.ts'
import { encodeBlock } from '../turns/encode.ts'
import { createTurn, type Turn } from '../turns/turn.ts'
import type { Snapshot, Store, StoredBlock } from './store.ts'

// A turn costs what is new in it: its blocks are appended to the session's block log once, and a snapshot names ranges
// of that log. The data of a turn is a piece of the log too, for it seldom changes; its metadata always does.

type Ranges = Snapshot['ranges']
/** A snapshot without what only the log knows. */
export type TurnReference = Pick<Snapshot, 'ranges' | 'metadata' | 'data' | 'hash'>
type Labels = Pick<Snapshot, 'turnId' | 'inferenceId' | 'phase'>

interface Piece {
  readonly place: number
  readonly hash: string
}
interface Bag extends Piece {
  readonly value: Pick<Turn, 'data' | 'extra'>
}
/** A turn on its way into the log. */
export interface TurnToWrite {
  readonly turn: Turn
  readonly labels: Labels
}
/** What writing turns adds to the log. Nothing is remembered of it until `accept`. */
export interface TurnWrite {
  readonly from: number
  readonly rows: readonly StoredBlock[]
  /** One for each turn, in their order. */
  readonly references: readonly TurnReference[]
  /** Call it when the rows are in the log. */
  accept(): void
}

/** The log's end, and the last turn that is in it. */
interface Written {
  readonly length: number
  readonly hash: string
  readonly turn: Turn
  readonly ranges: Ranges
  readonly data?: Bag
}

/** Writes the turns of one session to its block log; remembers the last one, so that a turn costs what is new in it. */
export class BlockLog {
  #written: Written = { length: 0, hash: '', turn: createTurn(), ranges: [] }
  readonly #places = new WeakMap<Block, Piece>()
  /** Places of the blocks that were read when the log was opened, by their text; for blocks that came another way. */
  #read: ReadonlyMap<string, Piece> = new Map()

  /** The log as it is in the store, `length` pieces long, with its last turn. */
  static async open(store: Store, sessionId: string, length: number, last: Snapshot | undefined): Promise<BlockLog> {
    const log = new BlockLog()
    if (last === undefined || length === 0) return log
    const pieces = await store.blocks(sessionId, [...last.ranges, [last.data, last.data + 1], [length - 1, length]])
    const turn = turnOf(sessionId, last, pieces)
    log.#written = {
      length,
      hash: pieces.at(-1)?.hash ?? '',
      turn,
      ranges: last.ranges,
      data: { place: last.data, hash: pieces.at(-2)?.hash ?? '', value: turn },
    }
    const places = last.ranges.flatMap(([from, to]) => Array.from({ length: to - from }, (_, at) => from + at))
    const read = new Map<string, Piece>()
    for (const [at, block] of turn.blocks.entries()) {
      const piece = { place: places[at] ?? 0, hash: pieces[at]?.hash ?? '' }
      log.#places.set(block, piece)
      read.set(pieces[at]?.body ?? '', piece)
    }
    log.#read = read
    return log
  }

  /** How many pieces the log has. */
  get length(): number {
    return this.#written.length
  }

  /** The turn that was written last; empty when none was. */
  get turn(): Turn {
    return this.#written.turn
  }

  write(turns: readonly TurnToWrite[]): TurnWrite {
    const rows: StoredBlock[] = []
    const fresh = new Map<Block, Piece>()
    const references: TurnReference[] = []
    let end: Written = this.#written
    for (const { turn, labels } of turns) {
      const written = this.#add(end, turn, rows, fresh)
      end = written
      const { ranges, data } = written
      const last = turn.blocks.at(-1)
      const lastHash = last === undefined ? '' : (this.#places.get(last) ?? fresh.get(last))?.hash
      const reference = { ranges, metadata: JSON.stringify(turn.metadata), data: data.place }
      references.push({ ...reference, hash: snapshotHash({ ...labels, ...reference }, lastHash ?? '', data.hash) })
    }
    const accept = () => {
      this.#written = end
      this.#read = new Map()
      for (const [block, piece] of fresh) this.#places.set(block, piece)
    }
    return { from: this.#written.length, rows, references, accept }
  }

  /** What `turn` makes of the log; its new pieces are added to `rows`. */
  #add(before: Written, turn: Turn, rows: StoredBlock[], fresh: Map<Block, Piece>): Written & { readonly data: Bag } {
    let { hash, length } = before
    const add = (body: string): Piece => {
      hash = chainHash(hash, body)
      rows.push({ hash, body })
      length += 1
      return { place: length - 1, hash }
    }
    const placeOf = (block: Block): number => {
      const known = this.#places.get(block) ?? fresh.get(block)
      if (known !== undefined) return known.place
      const body = JSON.stringify(encodeBlock(block))
      const piece = this.#read.get(body) ?? add(body)
      fresh.set(block, piece)
      return piece.place
    }
    const delta = turnDelta(before.turn, turn)
    const count = before.turn.blocks.length
    const ranges = joined([
      ...slice(before.ranges, 0, delta.head),
      ...delta.add.map((block): Ranges[number] => [placeOf(block), placeOf(block) + 1]),
      ...slice(before.ranges, count - delta.tail, count),
    ])
    const last = before.data
    const isSame = last !== undefined && (isSameBag(last.value, turn) || bagText(last.value) === bagText(turn))
    const data = { ...(isSame ? last : add(bagText(turn))), value: turn }
    return { length, hash, turn, ranges, data }
  }
}

function isSameBag(before: Pick<Turn, 'data' | 'extra'>, now: Turn): boolean {
  return before.data === now.data && before.extra === now.extra
}

/** A turn's data, and what else it has that this version does not know, as a piece of the log. */
function bagText({ data, extra }: Pick<Turn, 'data' | 'extra'>): string {
  return canonicalJson({ data, ...(extra !== undefined && { extra }) })
}

/** The turn of a snapshot. Throws STORE_CORRUPT when the block log does not have what it names. */
export async function readTurn(store: Store, sessionId: string, snapshot: Snapshot): Promise<Turn> {
  const { ranges, data } = snapshot
  const pieces = await store.blocks(sessionId, [...ranges, [data, data + 1]])
  return turnOf(sessionId, snapshot, pieces)
}

/** The hash of the piece `body` behind a piece that has the hash `before`; the first has '' before it. */
export function chainHash(before: string, body: string): string {
  return sha256Hex(`${before}\n${body}`)
}

/** The hash of a snapshot; the others are those of its last block ('' when it has none) and of its data. */
export function snapshotHash(
  snapshot: Labels & Omit<TurnReference, 'hash'>,
  lastHash: string,
  dataHash: string,
): string {
  const { turnId, inferenceId, phase, ranges, metadata, data } = snapshot
  const places = ranges.map((range) => [...range])
  const said = [turnId, inferenceId ?? null, phase, places, metadata, data, lastHash, dataHash]
  return sha256Hex(canonicalJson(said))
}

function turnOf(sessionId: string, { turnId, ranges, metadata: bag }: Snapshot, pieces: readonly StoredBlock[]): Turn {
  const count = ranges.reduce((sum, [from, to]) => sum + to - from, 0)
  const values = pieces.map(({ body }): unknown => JSON.parse(body))
  const [metadata, piece] = [tryParseJson(bag), values[count]]
  const { data, extra } = isJsonObject(piece) ? piece : {}
  if (!isJsonObject(metadata) || !isJsonObject(data)) {
    throw new GeppettoError(
      'STORE_CORRUPT',
      `The snapshot of turn ${turnId} in session ${sessionId} names content that is not in the store; run geppetto doctor.`,
      { details: { sessionId, turnId } },
    )
  }
  const blocks = values.slice(0, count).map((value) => decodeBlock(value))
  return { id: turnId, blocks, metadata, data, ...(isJsonObject(extra) && { extra }) }
}

/** The places of the items from `from` up to and without `to`, counted over all ranges. */
function slice(ranges: Ranges, from: number, to: number): Ranges {
  const result: (readonly [number, number])[] = []
  let passed = 0
  for (const [start, end] of ranges) {
    const length = end - start
    const first = Math.max(from - passed, 0)
    const last = Math.min(to - passed, length)
    if (first < last) result.push([start + first, start + last])
    passed += length
  }
  return result
}

function joined(ranges: Ranges): Ranges {
  const result: [number, number][] = []
  for (const [from, to] of ranges) {
    const last = result.at(-1)
    if (last?.[1] === from) last[1] = to
    else result.push([from, to])
  }
  return result
}
