import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import type { Phase } from '../events/event.ts'
import type { NewEntry, NewSnapshot, Snapshot, StoredBlock } from './store.ts'

/** A session's row. */
export interface SessionRow {
  readonly number: number
  readonly session_id: string
  readonly incarnation: string
  readonly tenant: string
  readonly created_at: string
  readonly updated_at: string
  readonly ordinal: number
  /** Up to here its events are in their place; those behind it are recent ones. */
  readonly settled: number
  readonly first_ordinal: number
  readonly version: number
  readonly state: string
  readonly has_work: number
  readonly blocks: number
  readonly snapshots: number
  readonly epoch: number
  readonly owner: string | null
  readonly lease_until: number
  readonly lease_ms: number
}

/** What an event alone must know of its session: a row of many columns costs more than the event. */
export type PlaceRow = Pick<
  SessionRow,
  'number' | 'incarnation' | 'epoch' | 'updated_at' | 'ordinal' | 'version' | 'settled'
>

export interface SnapshotRow {
  readonly turn_id: string
  readonly inference_id: string | null
  readonly phase: string
  readonly ordinal: number
  readonly at: string
  readonly ranges: string
  readonly metadata: string
  readonly data: number
  readonly hash: string
}

interface Statement<Row> {
  get(...values: SQLInputValue[]): Row | undefined
  all(...values: SQLInputValue[]): Row[]
  iterate(...values: SQLInputValue[]): Iterable<Row>
  run(...values: SQLInputValue[]): { readonly lastInsertRowid: number | bigint; readonly changes: number | bigint }
}

const numberOf = '(SELECT number FROM session WHERE session_id = ?1)'
const lastOrdinal =
  'max(session.ordinal, coalesce((SELECT max(recent.ordinal) FROM recent WHERE recent.session = number), 0))'
const sessionColumns = `number, session_id, incarnation, tenant, created_at, updated_at, ${lastOrdinal} AS ordinal,
  session.ordinal AS settled, first_ordinal, version, state, has_work, blocks, snapshots, epoch, owner, lease_until, lease_ms`
const events = `SELECT ordinal, type, body FROM event WHERE session = ${numberOf} AND ordinal > ?2`
const recentEvents = `SELECT ordinal, type, body FROM recent
  WHERE session = ${numberOf} AND ordinal > max(?2, (SELECT ordinal FROM session WHERE session_id = ?1))`
const countOf = (table: 'event' | 'block' | 'snapshot') =>
  `(SELECT count(*) FROM ${table} WHERE session = session.number)`
const page = '(updated_at, session_id) < (?, ?) ORDER BY updated_at DESC, session_id DESC LIMIT ?'
const snapshotColumns = 'turn_id, inference_id, phase, ordinal, at, ranges, metadata, data, hash'

/** Rows of one statement: going over to SQLite costs as much as writing a row. */
const eventsAtOnce = 16

/** Every statement of the store, prepared once. */
export function prepareAll(database: DatabaseSync) {
  // The tables are STRICT, so a row has the types that its columns say.
  const prepare = <Row>(sql: string) => database.prepare(sql) as unknown as Statement<Row>
  return {
    session: prepare<SessionRow>(`SELECT ${sessionColumns} FROM session WHERE session_id = ?`),
    place: prepare<PlaceRow>(
      `SELECT number, incarnation, epoch, updated_at, ${lastOrdinal} AS ordinal,
       session.ordinal AS settled, version FROM session WHERE session_id = ?`,
    ),
    sessions: prepare<SessionRow>(`SELECT ${sessionColumns} FROM session WHERE ${page}`),
    sessionsOfTenant: prepare<SessionRow>(`SELECT ${sessionColumns} FROM session WHERE tenant = ? AND ${page}`),
    sessionsWithWork: prepare<SessionRow>(`SELECT ${sessionColumns} FROM session WHERE has_work = 1 AND ${page}`),
    sessionsWithWorkOfTenant: prepare<SessionRow>(
      `SELECT ${sessionColumns} FROM session WHERE has_work = 1 AND tenant = ? AND ${page}`,
    ),
    firstEpoch: prepare<{ readonly first_epoch: number }>('SELECT first_epoch FROM store'),
    addSession: prepare<{ readonly number: number }>(
      `INSERT INTO session (session_id, incarnation, tenant, created_at, updated_at, ordinal, first_ordinal, state, epoch)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number`,
    ),
    moveSession: prepare<never>(
      `UPDATE session SET updated_at = ?, ordinal = ?, version = ?, state = ?, has_work = ?, blocks = ?, snapshots = ?
       WHERE number = ?`,
    ),
    moveOrdinal: prepare<never>('UPDATE session SET ordinal = ? WHERE number = ?'),
    touchSession: prepare<never>('UPDATE session SET updated_at = ? WHERE number = ?'),
    setLease: prepare<never>('UPDATE session SET epoch = ?, owner = ?, lease_until = ?, lease_ms = ? WHERE number = ?'),
    shortenLease: prepare<never>('UPDATE session SET lease_until = ? WHERE number = ?'),
    setFirstOrdinal: prepare<never>('UPDATE session SET first_ordinal = ? WHERE number = ?'),
    raiseFirstEpoch: prepare<never>('UPDATE store SET first_epoch = max(first_epoch, ?)'),
    deleteSession: prepare<never>('DELETE FROM session WHERE number = ?'),

    addEvent: prepare<never>('INSERT INTO event VALUES (?, ?, ?, ?)'),
    addEvents: prepare<never>(`INSERT INTO event VALUES ${Array(eventsAtOnce).fill('(?, ?, ?, ?)').join(', ')}`),
    addName: prepare<never>('INSERT INTO name VALUES (?, ?, ?)'),
    events: prepare<{ readonly ordinal: number; readonly type: string; readonly body: string }>(
      `${events} UNION ALL ${recentEvents} ORDER BY ordinal LIMIT ?3`,
    ),
    deleteEvents: prepare<never>('DELETE FROM event WHERE session = ? AND ordinal < ?'),

    addRecent: prepare<never>('INSERT INTO recent (session, ordinal, type, body) VALUES (?, ?, ?, ?)'),
    copyRecent: prepare<never>(
      `INSERT INTO event SELECT session, ordinal, type, body FROM recent
       WHERE session = ?1 AND ordinal > (SELECT ordinal FROM session WHERE number = ?1) ORDER BY ordinal`,
    ),
    moveToRecent: prepare<never>(`UPDATE session SET ordinal = ${lastOrdinal} WHERE number = ?`),
    oldestRecent: prepare<{ readonly place: number; readonly session: number }>(
      `SELECT place, session FROM recent JOIN session ON number = session
       WHERE place >= ? AND recent.ordinal > session.ordinal ORDER BY place LIMIT 1`,
    ),
    dropRecent: prepare<never>('DELETE FROM recent WHERE place < ?'),
    deleteRecent: prepare<never>('DELETE FROM recent WHERE session = ?'),
    strayRecent: prepare<{ readonly session: number }>(
      'SELECT DISTINCT session FROM recent WHERE session NOT IN (SELECT number FROM session)',
    ),
    find: prepare<{ readonly sessionId: string; readonly ordinal: number }>(
      `SELECT session_id AS sessionId, 0 AS ordinal FROM session WHERE session_id = ?1
       UNION ALL
       SELECT * FROM (
         SELECT session.session_id, name.ordinal FROM name JOIN session ON session.number = name.session
         WHERE name.name = ?1 ORDER BY name.session, name.ordinal
       )`,
    ),

    addBlock: prepare<never>('INSERT INTO block VALUES (?, ?, ?, ?)'),
    blocks: prepare<{ readonly hash: string; readonly body: string }>(
      `SELECT hash, body FROM block WHERE session = ${numberOf} AND position >= ?2 AND position < ?3 ORDER BY position`,
    ),

    addSnapshot: prepare<never>('INSERT INTO snapshot VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'),
    snapshots: prepare<SnapshotRow>(
      `SELECT ${snapshotColumns} FROM snapshot WHERE session = ${numberOf} AND number >= ?2 ORDER BY number LIMIT ?3`,
    ),
    snapshotsOfTurn: prepare<SnapshotRow>(
      `SELECT ${snapshotColumns} FROM snapshot WHERE session = ${numberOf} AND turn_id = ?2
       ORDER BY number LIMIT ?3 OFFSET ?4`,
    ),

    addSubmission: prepare<never>('INSERT INTO submission VALUES (?, ?, ?, ?, ?)'),
    submission: prepare<{
      readonly key: string
      readonly hash: string
      readonly answer: string
      readonly ordinal: number
    }>('SELECT key, hash, answer, ordinal FROM submission WHERE session = ? AND key = ?'),

    integrityCheck: prepare<{ readonly integrity_check: string }>('PRAGMA integrity_check(20)'),
    foreignKeyCheck: prepare<{ readonly table: string; readonly parent: string }>('PRAGMA foreign_key_check'),
    sessionsWithGaps: prepare<{ readonly session_id: string }>(
      `SELECT session_id FROM session WHERE
         ${lastOrdinal} - first_ordinal + 1 <> ${countOf('event')}
           + (SELECT count(*) FROM recent WHERE recent.session = number AND recent.ordinal > session.ordinal)
         OR blocks <> ${countOf('block')} OR snapshots <> ${countOf('snapshot')}`,
    ),
  }
}

/** Appends entries to the log of the session `number`; the first is the event `first`. */
export function insertEvents(
  { addEvent, addEvents, addName }: ReturnType<typeof prepareAll>,
  number: number,
  first: number,
  entries: readonly NewEntry[],
): void {
  let at = 0
  for (; at + eventsAtOnce <= entries.length; at += eventsAtOnce) {
    const values: SQLInputValue[] = []
    for (let index = at; index < at + eventsAtOnce; index += 1) {
      const entry = entries[index]
      if (entry !== undefined) values.push(number, first + index, entry.type, entry.body)
    }
    addEvents.run(...values)
  }
  let ordinal = first
  for (const { type, body, names } of entries) {
    if (ordinal >= first + at) addEvent.run(number, ordinal, type, body)
    if (names !== undefined) for (const name of new Set(names)) addName.run(name, number, ordinal)
    ordinal += 1
  }
}

/** Appends pieces to the block log of the session `number`, which has `length` of them. */
export function insertBlocks(
  { addBlock }: ReturnType<typeof prepareAll>,
  number: number,
  length: number,
  rows: readonly StoredBlock[],
): void {
  for (const [index, { hash, body }] of rows.entries()) addBlock.run(number, length + index, hash, body)
}

/** Adds snapshots to the session `number`, which has `count` of them; the entries that they name begin with event `first`. */
export function insertSnapshots(
  { addSnapshot }: ReturnType<typeof prepareAll>,
  number: number,
  count: number,
  first: number,
  snapshots: readonly NewSnapshot[],
): void {
  for (const [index, snapshot] of snapshots.entries()) {
    const { turnId, inferenceId = null, phase, entry, at, ranges, metadata, data, hash } = snapshot
    const place = [count + index, turnId, inferenceId, phase, first + entry, at] as const
    addSnapshot.run(number, ...place, JSON.stringify(ranges), metadata, data, hash)
  }
}

/** A snapshot as the store gives it. */
export function snapshotOf({ turn_id, inference_id, phase, ranges, ...rest }: SnapshotRow): Snapshot {
  return {
    ...rest,
    turnId: turn_id,
    ...(inference_id !== null && { inferenceId: inference_id }),
    phase: phase as Phase, // only phases are written
    ranges: JSON.parse(ranges) as Snapshot['ranges'], // as JSON.stringify wrote it
  }
}
