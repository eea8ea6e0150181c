import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import { GeppettoError } from '../errors.ts'
import { canonicalJson, isJsonObject, jsonEqual, type JsonObject } from '../json.ts'
import type { Block } from '../turns/block.ts'
import { decodeBlock } from '../turns/decode.ts'
import { turnDelta } from '../turns/delta.ts'
import { encodeBlock } from '../turns/encode.ts'
import { createTurn, type Turn } from '../turns/turn.ts'
import type { Snapshot, Store, StoredBlock } from './store.ts'

// A turn costs what is new in it: its blocks are appended to the session's block log once, and a snapshot names ranges
// of that log. The two bags of a turn are pieces of the log too, and are written again only when they changed.

type Ranges = Snapshot['ranges']
/** A snapshot without what only the log knows. */
export type TurnReference = Pick<Snapshot, 'ranges' | 'metadata' | 'data' | 'hash'>
type Labels = Pick<Snapshot, 'turnId' | 'inferenceId' | 'phase'>

interface Piece {
  readonly place: number
  readonly hash: string
}
interface Bag extends Piece {
  readonly value: JsonObject
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
  readonly metadata?: Bag
  readonly data?: Bag
}

/** Writes the turns of one session to its block log; remembers the last one, so that a turn costs what is new in it. */
export class BlockLog {
  #written: Written = { length: 0, hash: '', turn: createTurn(), ranges: [] }
  readonly #places = new WeakMap<Block, number>()
  /** Places of the blocks that were read when the log was opened, by their text; for blocks that came another way. */
  #read: ReadonlyMap<string, number> = new Map()

  /** The log as it is in the store, `length` pieces long, with its last turn. */
  static async open(store: Store, sessionId: string, length: number, last: Snapshot | undefined): Promise<BlockLog> {
    const log = new BlockLog()
    if (last === undefined || length === 0) return log
    const ranges: Ranges = [...last.ranges, [last.metadata, last.metadata + 1], [last.data, last.data + 1]]
    const pieces = await store.blocks(sessionId, [...ranges, [length - 1, length]])
    const turn = turnOf(sessionId, last, pieces)
    const bag = (place: number, at: number, value: JsonObject) => ({ place, hash: pieces.at(at)?.hash ?? '', value })
    log.#written = {
      length,
      hash: pieces.at(-1)?.hash ?? '',
      turn,
      ranges: last.ranges,
      metadata: bag(last.metadata, -3, turn.metadata),
      data: bag(last.data, -2, turn.data),
    }
    const places = last.ranges.flatMap(([from, to]) => Array.from({ length: to - from }, (_, at) => from + at))
    for (const [at, block] of turn.blocks.entries()) log.#places.set(block, places[at] ?? 0)
    log.#read = new Map(places.map((place, at) => [pieces[at]?.body ?? '', place]))
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
    const fresh = new Map<Block, number>()
    const references: TurnReference[] = []
    let written = this.#written
    for (const { turn, labels } of turns) {
      written = this.#add(written, turn, rows, fresh)
      const { ranges, metadata = missingBag, data = missingBag } = written
      const reference = { ranges, metadata: metadata.place, data: data.place }
      references.push({ ...reference, hash: snapshotHash({ ...labels, ...reference }, metadata.hash) })
    }
    const accept = () => {
      this.#written = written
      this.#read = new Map()
      for (const [block, place] of fresh) this.#places.set(block, place)
    }
    return { from: this.#written.length, rows, references, accept }
  }

  /** What `turn` makes of the log; its new pieces are added to `rows`. */
  #add(before: Written, turn: Turn, rows: StoredBlock[], fresh: Map<Block, number>): Written {
    let { hash, length } = before
    const add = (body: string): Piece => {
      hash = chainHash(hash, body)
      rows.push({ hash, body })
      length += 1
      return { place: length - 1, hash }
    }
    const placeOf = (block: Block): number => {
      const known = this.#places.get(block) ?? fresh.get(block)
      if (known !== undefined) return known
      const body = JSON.stringify(encodeBlock(block))
      const place = this.#read.get(body) ?? add(body).place
      fresh.set(block, place)
      return place
    }
    const bag = (last: Bag | undefined, value: JsonObject): Bag =>
      last !== undefined && (last.value === value || jsonEqual(last.value, value))
        ? { ...last, value }
        : { ...add(JSON.stringify(value)), value }
    const delta = turnDelta(before.turn, turn)
    const count = before.turn.blocks.length
    const ranges = joined([
      ...slice(before.ranges, 0, delta.head),
      ...delta.add.map((block): Ranges[number] => [placeOf(block), placeOf(block) + 1]),
      ...slice(before.ranges, count - delta.tail, count),
    ])
    const data = bag(before.data, turn.data)
    const metadata = bag(before.metadata, turn.metadata)
    return { length, hash, turn, ranges, metadata, data }
  }
}

const missingBag: Piece = { place: 0, hash: '' }

/** The turn of a snapshot. Throws STORE_CORRUPT when the block log does not have what it names. */
export async function readTurn(store: Store, sessionId: string, snapshot: Snapshot): Promise<Turn> {
  const { ranges, metadata, data } = snapshot
  const pieces = await store.blocks(sessionId, [...ranges, [metadata, metadata + 1], [data, data + 1]])
  return turnOf(sessionId, snapshot, pieces)
}

/** The hash of the piece `body` behind a piece that has the hash `before`; the first has '' before it. */
export function chainHash(before: string, body: string): string {
  return bytesToHex(sha256(utf8ToBytes(`${before}\n${body}`)))
}

/** The hash of a snapshot; `metadataHash` is that of the piece that its metadata is. */
export function snapshotHash(snapshot: Labels & Omit<TurnReference, 'hash'>, metadataHash: string): string {
  const { turnId, inferenceId, phase, ranges, metadata, data } = snapshot
  const said = [turnId, inferenceId ?? null, phase, ranges.map((range) => [...range]), metadata, data, metadataHash]
  return bytesToHex(sha256(utf8ToBytes(canonicalJson(said))))
}

function turnOf(sessionId: string, { turnId, ranges }: Snapshot, pieces: readonly StoredBlock[]): Turn {
  const count = ranges.reduce((sum, [from, to]) => sum + to - from, 0)
  const values = pieces.map(({ body }): unknown => JSON.parse(body))
  const [metadata, data] = [values[count], values[count + 1]]
  if (!isJsonObject(metadata) || !isJsonObject(data)) {
    throw new GeppettoError(
      'STORE_CORRUPT',
      `The snapshot of turn ${turnId} in session ${sessionId} names content that is not in the store; run geppetto doctor.`,
      { details: { sessionId, turnId } },
    )
  }
  return { id: turnId, blocks: values.slice(0, count).map((value) => decodeBlock(value)), metadata, data }
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
