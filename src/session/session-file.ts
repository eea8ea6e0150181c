import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import { newUuid, type NewId } from '../clock.ts'
import { GeppettoError, messageOf } from '../errors.ts'
import { decodeEvent, encodeEvent } from '../events/codec.ts'
import type { InferenceEvent, UnknownEvent } from '../events/event.ts'
import { isJsonObject, jsonEqual, tryParseJson, type Json, type JsonObject } from '../json.ts'
import { chainHash, snapshotHash } from '../store/block-log.ts'
import { toEntry } from '../store/entry.ts'
import type { Commit, Head, NewEntry, NewSnapshot, Snapshot, Store, StoredBlock } from '../store/store.ts'
import { checkPieces } from './doctor.ts'
import { journalOf } from './journal.ts'
import { readLog } from './past.ts'
import { SpelledSecrets, withoutSecrets } from './secrets.ts'
import { applyToState, emptyState, hasWork, type SessionState } from './state.ts'
import { unknownSession } from './writer.ts'

// A session as a file: JSON lines, one thing in each, its kind first. What is in the file is all that the session is,
// but for idempotency keys, which mean something only where they were given.

const format = 'geppetto-session'
const version = 1

/** The size of a page of what is read and written at a time. */
const pageSize = 500

/**
 * A session as lines, line breaks included: a header, its events, the pieces of its block log, its snapshots, its journal
 * for people to read, and an end that vouches for the whole. Keys of providers that somebody wrote into it are taken out,
 * and the end says how many things that changed. Reads page by page; what is committed meanwhile is left out. Throws
 * SESSION_UNKNOWN, also when the session is deleted on the way: the file then has no end, and nobody takes it in.
 */
export async function* exportSession(store: Store, sessionId: string): AsyncGenerator<string, void> {
  const head = await store.head(sessionId)
  if (head === undefined) throw unknownSession(sessionId)
  const sum = sha256.create()
  let count = 0
  let cleaned = 0
  const line = (value: JsonObject): string => {
    const text = `${JSON.stringify(value)}\n`
    sum.update(utf8ToBytes(text))
    count += 1
    return text
  }
  const clean = <T extends Json>(value: T): T => {
    const plain = withoutSecrets(value)
    if (plain !== value) cleaned += 1
    return plain
  }
  const spelled = new SpelledSecrets()
  const events = () => readLog(store, sessionId, head.firstOrdinal - 1, head.ordinal)
  for await (const event of events()) spelled.add(event)

  yield line(headerOf(head))
  const steps: (InferenceEvent | UnknownEvent)[] = []
  let ordinal = head.firstOrdinal - 1
  for await (const event of events()) {
    ordinal = event.ordinal
    const stored = encodeEvent(event)
    yield line({ kind: 'event', event: clean(spelled.spells(event) ? { ...stored, delta: '' } : stored) })
    if (isStep(event)) steps.push(event)
  }
  const hashes: string[] = []
  for (let from = 0; from < head.blocks; from += pageSize) {
    for (const { hash, body } of await store.blocks(sessionId, [[from, Math.min(from + pageSize, head.blocks)]])) {
      const value = JSON.parse(body) as Json // the contract says so
      const plain = clean(value)
      const text = plain === value ? body : JSON.stringify(plain)
      // What was taken out is no damage: the pieces behind it vouch for what is left.
      hashes.push(cleaned === 0 ? hash : chainHash(hashes.at(-1) ?? '', text))
      yield line({ kind: 'block', hash: hashes.at(-1) ?? '', body: text })
    }
  }
  for (let from = 0; from < head.snapshots; from += pageSize) {
    const limit = Math.min(pageSize, head.snapshots - from)
    for (const snapshot of await store.snapshots(sessionId, { from, limit })) {
      const metadata = JSON.stringify(clean(tryParseJson(snapshot.metadata) ?? {}))
      yield line(snapshotLine(cleaned === 0 ? snapshot : rehashed({ ...snapshot, metadata }, hashes)))
    }
  }
  const now = await store.head(sessionId)
  if (now?.incarnation !== head.incarnation || ordinal !== head.ordinal) throw unknownSession(sessionId)
  for (const step of journalOf(steps)) yield line({ kind: 'step', derived: true, ...clean(step) })
  const end = { kind: 'end', lines: count, ...(cleaned > 0 && { cleaned }), sha256: bytesToHex(sum.digest()) }
  yield `${JSON.stringify(end)}\n`
}

function rehashed(snapshot: Snapshot, hashes: readonly string[]): Snapshot {
  const last = snapshot.ranges.at(-1)
  const lastHash = last === undefined ? '' : (hashes[last[1] - 1] ?? '')
  return { ...snapshot, hash: snapshotHash(snapshot, lastHash, hashes[snapshot.data] ?? '') }
}

export interface ImportOptions {
  /** Another id for the session; default: its own. */
  readonly id?: string
  readonly newId?: NewId
}

/**
 * Makes the session of a file in the store, as it was, and gives its id. Throws SESSION_FILE_INVALID, naming the line,
 * for a file that is cut, damaged or of a newer version, and SESSION_EXISTS when the id is taken; then nothing is left.
 */
export async function importSession(
  store: Store,
  lines: Iterable<string> | AsyncIterable<string>,
  { id, newId = newUuid }: ImportOptions = {},
): Promise<string> {
  const file = await readFile(lines)
  const sessionId = id ?? file.header.sessionId
  const entries = file.events.map((event) => toEntry({ ...event, sessionId }))
  const state = file.events.reduce(applyToState, file.header.firstOrdinal === 1 ? emptyState : file.header.state)
  const commit: Commit = {
    sessionId,
    create: { incarnation: newId(), createdAt: file.header.createdAt, firstOrdinal: file.header.firstOrdinal },
    state: { after: 0, value: JSON.stringify(state), hasWork: hasWork(state) },
    entries,
    blocks: { from: 0, rows: file.blocks },
    snapshots: file.snapshots.map(({ ordinal, ...snapshot }) =>
      newSnapshot(snapshot, ordinal - file.header.firstOrdinal, entries),
    ),
  }
  const result = await store.commit(commit)
  if (result.status === 'committed') return sessionId
  throw new GeppettoError(
    'SESSION_EXISTS',
    `There is a session ${sessionId} in this store already; delete it, or import under another id.`,
    { details: { sessionId } },
  )
}

interface Header {
  readonly sessionId: string
  readonly createdAt: string
  readonly firstOrdinal: number
  readonly ordinal: number
  readonly state: SessionState
}

interface SessionFile {
  readonly header: Header
  readonly events: readonly (InferenceEvent | UnknownEvent)[]
  readonly blocks: readonly StoredBlock[]
  readonly snapshots: readonly Snapshot[]
}

function headerOf({ sessionId, createdAt, firstOrdinal, ordinal, state }: Head): JsonObject {
  return {
    kind: 'session',
    format,
    version,
    session_id: sessionId,
    created_at: createdAt,
    first_ordinal: firstOrdinal,
    ordinal,
    state: tryParseJson(state) ?? {},
  }
}

// The journal tells of steps; a token is none, and an export must not hold all of them.
function isStep({ type }: InferenceEvent | UnknownEvent): boolean {
  return !type.endsWith('-delta')
}

function snapshotLine(snapshot: Snapshot): JsonObject {
  const { turnId, inferenceId, phase, ordinal, at, ranges, metadata, data, hash } = snapshot
  return {
    kind: 'snapshot',
    turn_id: turnId,
    ...(inferenceId !== undefined && { inference_id: inferenceId }),
    phase,
    ordinal,
    at,
    ranges: ranges.map((range) => [...range]),
    metadata: tryParseJson(metadata) ?? {},
    data,
    hash,
  }
}

function newSnapshot(snapshot: Omit<Snapshot, 'ordinal'>, entry: number, entries: readonly NewEntry[]): NewSnapshot {
  if (entry < 0 || entry >= entries.length) {
    throw invalid('a snapshot', `it belongs to an event that the file does not have`)
  }
  return { ...snapshot, entry }
}

async function readFile(lines: Iterable<string> | AsyncIterable<string>): Promise<SessionFile> {
  const sum = sha256.create()
  let header: Header | undefined
  let hasEnd = false
  let number = 0
  const events: (InferenceEvent | UnknownEvent)[] = []
  const blocks: StoredBlock[] = []
  const snapshots: Snapshot[] = []
  const steps: JsonObject[] = []
  for await (const text of lines) {
    const line = text.endsWith('\n') ? text : `${text}\n`
    number += 1
    const where = `line ${number}`
    const value = tryParseJson(line)
    if (!isJsonObject(value)) throw invalid(where, 'it is no JSON object; the file is cut or damaged')
    if (hasEnd) throw invalid(where, 'there is nothing to come behind the end')
    if (header === undefined && value['kind'] !== 'session') throw invalid(where, 'it is no session file')
    switch (value['kind']) {
      case 'session':
        if (header !== undefined) throw invalid(where, 'there is a second header')
        header = readHeader(value, where)
        break
      case 'event':
        events.push(readEvent(value, where, (header?.firstOrdinal ?? 1) + events.length))
        break
      case 'block':
        blocks.push(readBlock(value, where))
        break
      case 'snapshot':
        snapshots.push(readSnapshot(value, where))
        break
      case 'step':
        steps.push(value)
        break
      case 'end':
        if (value['lines'] !== number - 1 || value['sha256'] !== bytesToHex(sum.clone().digest())) {
          throw invalid(where, 'the file is not what was written: lines are missing or changed')
        }
        hasEnd = true
        break
      default:
        throw invalid(where, `its kind ${JSON.stringify(value['kind'] ?? null)} is unknown`)
    }
    sum.update(utf8ToBytes(line))
  }
  if (header === undefined || !hasEnd) throw invalid(`line ${number + 1}`, 'the file is cut: its end is missing')
  requireConsistent({ header, events, blocks, snapshots }, steps)
  return { header, events, blocks, snapshots }
}

/** What the lines say of each other must hold, whoever wrote them and their sum. */
function requireConsistent({ header, events, blocks, snapshots }: SessionFile, steps: readonly JsonObject[]): void {
  const last = header.firstOrdinal + events.length - 1
  if (header.ordinal !== last) throw invalid('line 1', `the last event is ${last}, and not ${header.ordinal}`)
  checkPieces(blocks, snapshots, (_code, message) => {
    throw invalid('its blocks and snapshots', message)
  })
  const journal = journalOf(events).map((step) => withoutSecrets({ kind: 'step', derived: true, ...step }))
  if (!jsonEqual(journal, steps)) throw invalid('its steps', 'they are not what the events say')
}

function readHeader(value: JsonObject, where: string): Header {
  const { session_id: sessionId, created_at: createdAt, first_ordinal: firstOrdinal, ordinal, state } = value
  if (value['format'] !== format) throw invalid(where, 'it is no session file')
  if (value['version'] !== version) {
    throw invalid(
      where,
      `it is of version ${JSON.stringify(value['version'] ?? null)}, and this Geppetto reads ${version}: use a newer one`,
    )
  }
  if (
    typeof sessionId !== 'string' ||
    typeof createdAt !== 'string' ||
    typeof firstOrdinal !== 'number' ||
    typeof ordinal !== 'number'
  ) {
    throw invalid(where, 'session_id, created_at, first_ordinal or ordinal is missing')
  }
  const kept = isJsonObject(state) ? { ...emptyState, ...(state as unknown as SessionState) } : emptyState // headerOf wrote it
  return { sessionId, createdAt, firstOrdinal, ordinal, state: kept }
}

function readEvent(value: JsonObject, where: string, ordinal: number): InferenceEvent | UnknownEvent {
  try {
    const event = decodeEvent(value['event'])
    if (event.ordinal === ordinal) return event
  } catch (error) {
    throw invalid(where, messageOf(error))
  }
  throw invalid(where, `the event should have the ordinal ${ordinal}`)
}

function readBlock({ hash, body }: JsonObject, where: string): StoredBlock {
  if (typeof hash === 'string' && typeof body === 'string') return { hash, body }
  throw invalid(where, 'a block has a hash and a body')
}

const phases: readonly unknown[] = [
  'pre_inference',
  'post_inference',
  'post_tools',
  'final',
] satisfies Snapshot['phase'][]

function readSnapshot(value: JsonObject, where: string): Snapshot {
  const { turn_id: turnId, inference_id: inferenceId, phase, ordinal, at, ranges, metadata, data, hash } = value
  const isWhole =
    typeof turnId === 'string' &&
    typeof ordinal === 'number' &&
    typeof at === 'string' &&
    isJsonObject(metadata) &&
    typeof data === 'number' &&
    typeof hash === 'string' &&
    phases.includes(phase) &&
    Array.isArray(ranges)
  if (!isWhole) throw invalid(where, 'a field of the snapshot is missing or wrong')
  return {
    turnId,
    phase: phase as Snapshot['phase'], // it is one of them
    ordinal,
    at,
    ranges: ranges.map((range) => readRange(range, where)),
    metadata: JSON.stringify(metadata),
    data,
    hash,
    ...(typeof inferenceId === 'string' && { inferenceId }),
  }
}

function readRange(range: unknown, where: string): readonly [number, number] {
  const [from, to]: readonly unknown[] = Array.isArray(range) ? range : []
  if (typeof from === 'number' && typeof to === 'number') return [from, to]
  throw invalid(where, 'a range is two numbers')
}

function invalid(where: string, problem: string): GeppettoError {
  return new GeppettoError('SESSION_FILE_INVALID', `The session file cannot be read at ${where}: ${problem}.`)
}
