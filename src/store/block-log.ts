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
/** What writing a turn adds to the log. Nothing is remembered of it until `accept`. */
export interface TurnWrite {
  readonly from: number
  readonly rows: readonly StoredBlock[]
  readonly reference: TurnReference
  /** Call it when the rows are in the log. */
  accept(): void
}

/** Writes the turns of one session to its block log; remembers the last one, so that a turn costs what is new in it. */
export class BlockLog {
  #length = 0
  #hash = ''
  #turn: Turn = createTurn()
  #ranges: Ranges = []
  #metadata: Bag | undefined
  #data: Bag | undefined
  readonly #places = new WeakMap<Block, number>()

  /** The log as it is in the store, and its last turn. */
  static async open(store: Store, sessionId: string, length: number, last: Snapshot | undefined): Promise<BlockLog> {
    const log = new BlockLog()
    if (last === undefined || length === 0) return log
    const ranges: Ranges = [...last.ranges, [last.metadata, last.metadata + 1], [last.data, last.data + 1]]
    const pieces = await store.blocks(sessionId, [...ranges, [length - 1, length]])
    log.#turn = turnOf(sessionId, last, pieces)
    log.#length = length
    log.#hash = pieces.at(-1)?.hash ?? ''
    log.#ranges = last.ranges
    log.#metadata = { place: last.metadata, hash: pieces.at(-3)?.hash ?? '', value: log.#turn.metadata }
    log.#data = { place: last.data, hash: pieces.at(-2)?.hash ?? '', value: log.#turn.data }
    const places = last.ranges.flatMap(([from, to]) => Array.from({ length: to - from }, (_, at) => from + at))
    for (const [at, block] of log.#turn.blocks.entries()) log.#places.set(block, places[at] ?? 0)
    return log
  }

  /** The turn that was written last; empty when none was. */
  get turn(): Turn {
    return this.#turn
  }

  write(turn: Turn, labels: Labels): TurnWrite {
    const rows: StoredBlock[] = []
    let hash = this.#hash
    const add = (body: string): Piece => {
      hash = chainHash(hash, body)
      rows.push({ hash, body })
      return { place: this.#length + rows.length - 1, hash }
    }
    const delta = turnDelta(this.#turn, turn)
    const fresh = new Map<Block, number>()
    const placeOf = (block: Block): number => {
      const known = this.#places.get(block) ?? fresh.get(block)
      if (known !== undefined) return known
      const { place } = add(JSON.stringify(encodeBlock(block)))
      fresh.set(block, place)
      return place
    }
    const count = this.#turn.blocks.length
    const ranges = joined([
      ...slice(this.#ranges, 0, delta.head),
      ...delta.add.map((block): Ranges[number] => [placeOf(block), placeOf(block) + 1]),
      ...slice(this.#ranges, count - delta.tail, count),
    ])
    const bag = (before: Bag | undefined, value: JsonObject): Bag =>
      before !== undefined && (before.value === value || jsonEqual(before.value, value))
        ? { ...before, value }
        : { ...add(JSON.stringify(value)), value }
    const data = bag(this.#data, turn.data)
    const metadata = bag(this.#metadata, turn.metadata)
    const reference = { ranges, metadata: metadata.place, data: data.place }
    return {
      from: this.#length,
      rows,
      reference: { ...reference, hash: snapshotHash({ ...labels, ...reference }, metadata.hash) },
      accept: () => {
        this.#length += rows.length
        this.#hash = hash
        this.#turn = turn
        this.#ranges = ranges
        this.#metadata = metadata
        this.#data = data
        for (const [block, place] of fresh) this.#places.set(block, place)
      },
    }
  }
}

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
