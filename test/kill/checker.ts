import { createHash } from 'node:crypto'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { applyEvent } from '../../src/events/apply.ts'
import { decodeEvent } from '../../src/events/codec.ts'
import { isTerminal, type InferenceEvent } from '../../src/events/event.ts'
import { canonicalJson, type Json, type JsonObject } from '../../src/json.ts'
import { encodeBlock } from '../../src/turns/encode.ts'
import { createTurn, type Turn } from '../../src/turns/turn.ts'
import { violations, type Effect } from '../support/history.ts'

// Reads the file of a store by itself, with nothing of the code that wrote it but the meaning of an event, and holds it
// to what was promised to those who used it.

/** What callers were told, what tools did and what viewers saw, in any number of processes. */
export interface Told {
  readonly acks: readonly Ack[]
  readonly effects: readonly Effect[]
  readonly seen: readonly Seen[]
}
/** One answer that somebody was given. */
export interface Ack {
  readonly session: string
  readonly inferenceId?: string
  readonly key?: string
  readonly cancelled?: string
  readonly decided?: string
  readonly forked?: string
}
export interface Seen {
  readonly session: string
  readonly viewer: string
  readonly after: number
  readonly event: JsonObject
}

export interface Report {
  /** What is wrong, a sentence each. */
  readonly found: readonly string[]
  readonly sessions: number
  /** How many events of each type there are; how an inference failed is a type of its own. */
  readonly events: ReadonlyMap<string, number>
  /** How each inference ended. */
  readonly ends: ReadonlyMap<string, string>
}

interface SessionRow {
  readonly number: number
  readonly session_id: string
  /** Its last event, as it says. */
  readonly last: number
  readonly first_ordinal: number
  readonly state: string
  readonly has_work: number
  readonly blocks: number
  readonly snapshots: number
}
interface EventRow {
  readonly ordinal: number
  readonly type: string
  readonly body: string
}
interface BlockRow {
  readonly position: number
  readonly hash: string
  readonly body: string
}
interface SnapshotRow {
  readonly number: number
  readonly turn_id: string
  readonly inference_id: string | null
  readonly phase: string
  readonly ordinal: number
  readonly ranges: string
  readonly metadata: string
  readonly data: number
  readonly hash: string
}
interface SubmissionRow {
  readonly key: string
  readonly answer: string
  readonly ordinal: number
}

interface Log {
  readonly session: SessionRow
  /** As stored, and as they are read. */
  readonly stored: readonly JsonObject[]
  readonly events: readonly InferenceEvent[]
  readonly blocks: readonly BlockRow[]
  readonly snapshots: readonly SnapshotRow[]
  readonly submissions: readonly SubmissionRow[]
}

// What a crowd wrote may not be in its place yet.
const everyEvent = '(SELECT * FROM event UNION ALL SELECT session, ordinal, type, body FROM recent)'
const lastRecent = '(SELECT coalesce(max(recent.ordinal), 0) FROM recent WHERE recent.session = number)'

/** Checks the file when nobody uses it any more and all inferences should have come to an end. */
export function checkFile(file: string, told: Told): Report {
  const database = new DatabaseSync(file)
  const all = <Row>(sql: string, ...values: SQLInputValue[]) =>
    database.prepare(sql).all(...values) as unknown as readonly Row[] // the schema says what the columns hold
  try {
    const damage = all<{ integrity_check: string }>('PRAGMA integrity_check').map((row) => row.integrity_check)
    if (damage.join() !== 'ok') return { found: damage, sessions: 0, events: new Map(), ends: new Map() }
    const found = all('PRAGMA foreign_key_check').map((row) => `a row belongs to nothing: ${JSON.stringify(row)}`)
    const sessions = all<SessionRow>(`SELECT *, max(ordinal, ${lastRecent}) AS last FROM session`)
    const counts = new Map<string, number>()
    const ends = new Map<string, string>()
    for (const session of sessions) {
      const of = (table: string, order: string) =>
        [`SELECT * FROM ${table} WHERE session = ? ORDER BY ${order}`] as const
      const rows = all<EventRow>(...of(everyEvent, 'ordinal'), session.number)
      const stored = rows.map((row) => storedEvent(session.session_id, row))
      const log: Log = {
        session,
        stored,
        events: stored.map((event) => decodeEvent(event)).filter((event) => event.type !== 'unknown'),
        blocks: all<BlockRow>(...of('block', 'position'), session.number),
        snapshots: all<SnapshotRow>(...of('snapshot', 'number'), session.number),
        submissions: all<SubmissionRow>(...of('submission', 'ordinal'), session.number),
      }
      for (const event of log.events) {
        const type = event.type === 'inference-failed' ? `${event.type} ${event.error.code}` : event.type
        counts.set(type, (counts.get(type) ?? 0) + 1)
        if (isTerminal(event)) ends.set(event.inferenceId, type)
      }
      found.push(...checkLog(log, told).map((problem) => `${session.session_id}: ${problem}`))
    }
    return { found: [...found, ...lostSessions(sessions, told)], sessions: sessions.length, events: counts, ends }
  } finally {
    database.close()
  }
}

function storedEvent(sessionId: string, { ordinal, type, body }: EventRow): JsonObject {
  return { ...(JSON.parse(body) as JsonObject), type, ordinal, session_id: sessionId } // a body is an object
}

function lostSessions(sessions: readonly SessionRow[], { acks }: Told): readonly string[] {
  const known = new Set(sessions.map((session) => session.session_id))
  const lost = new Set(acks.map(({ session }) => session).filter((id) => !known.has(id)))
  return [...lost].map((id) => `session ${id} was acknowledged and is gone`)
}

function checkLog(log: Log, { acks, effects, seen }: Told): readonly string[] {
  const { session, stored, events } = log
  const id = session.session_id
  const ids = new Set(events.map(({ inferenceId }) => inferenceId))
  const own = acks.filter((ack) => ack.session === id)
  const viewers = Object.values(Object.groupBy(seen, (line) => `${line.session}/${line.viewer}`)).flatMap(
    (lines = []) => {
      const [first] = lines
      return first?.session === id ? [{ after: first.after, events: lines.map(({ event }) => event) }] : []
    },
  )
  return [
    ...violations({
      events: stored,
      isHealed: true,
      accepted: own.flatMap(({ inferenceId, key }) =>
        inferenceId === undefined ? [] : [{ inferenceId, ...(key !== undefined && { key }) }],
      ),
      cancelled: own.flatMap(({ cancelled }) => cancelled ?? []),
      decided: own.flatMap(({ decided }) => decided ?? []),
      effects: effects.filter(({ inferenceId }) => ids.has(inferenceId)),
      viewers,
    }),
    ...counted(log),
    ...forks(log, own),
    ...submissions(log),
    ...state(log),
    ...chain(log),
    ...snapshots(log),
  ]
}

function counted({ session, stored, blocks, snapshots: taken }: Log): readonly string[] {
  const found: string[] = []
  const last = session.first_ordinal + stored.length - 1
  if (session.last !== last) found.push(`its last event is ${last}, and the session says ${session.last}`)
  if (blocks.length !== session.blocks || blocks.some(({ position }, at) => position !== at))
    found.push(`it has ${blocks.length} pieces, and the session says ${session.blocks}`)
  if (taken.length !== session.snapshots || taken.some(({ number }, at) => number !== at))
    found.push(`it has ${taken.length} snapshots, and the session says ${session.snapshots}`)
  return found
}

function forks({ events }: Log, acks: readonly Ack[]): readonly string[] {
  const origin = events.find((event) => event.type === 'turn-opened')?.origin?.sessionId
  return acks
    .filter(({ forked }) => forked !== undefined && forked !== origin)
    .map(({ forked }) => `it was forked from ${forked}, and says ${origin}`)
}

/** A key, its row and its prompt belong together. */
function submissions({ events, submissions: rows }: Log): readonly string[] {
  const found: string[] = []
  const prompts = events.filter((event) => event.type === 'prompt-accepted')
  for (const { key, answer, ordinal } of rows) {
    const prompt = prompts.find((event) => event.ordinal === ordinal)
    const said = JSON.parse(answer) as JsonObject // an object, as it was submitted
    if (prompt?.key !== key || prompt.inferenceId !== said['inference_id'])
      found.push(`the key ${key} is answered with ${String(said['inference_id'])}, which is not its prompt`)
  }
  const known = new Set(rows.map(({ key }) => key))
  for (const { key } of prompts)
    if (key !== undefined && !known.has(key)) found.push(`the key ${key} was forgotten: it could be accepted again`)
  return found
}

/** Everything has ended: nothing runs, waits or is asked for. */
function state({ session }: Log): readonly string[] {
  const found: string[] = []
  const said = JSON.parse(session.state) as JsonObject // the session's own
  if (session.has_work !== 0) found.push('it is said to have work')
  if (said['active'] !== undefined) found.push(`it is said to run ${JSON.stringify(said['active'])}`)
  for (const list of ['queue', 'approvals'])
    if (canonicalJson(said[list]) !== '[]') found.push(`its ${list} should be empty: ${JSON.stringify(said[list])}`)
  return found
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function chain({ blocks }: Log): readonly string[] {
  let before = ''
  return blocks.flatMap(({ position, hash, body }) => {
    const isWhole = hash === sha256(`${before}\n${body}`)
    before = hash
    return isWhole ? [] : [`piece ${position} is not what its hash says`]
  })
}

/** Each snapshot is what its hash says and what the events make; each inference that began has its last one. */
function snapshots({ events, blocks, snapshots: taken }: Log): readonly string[] {
  const found: string[] = []
  const bodies = blocks.map(({ body }) => JSON.parse(body) as Json) // as JSON.stringify wrote it
  const turns = foldAt(events, new Set(taken.map(({ ordinal }) => ordinal)))
  for (const { turn_id, inference_id, phase, ordinal, hash, ...row } of taken) {
    const where = `the snapshot ${phase} at ${ordinal}`
    const ranges = JSON.parse(row.ranges) as readonly [number, number][] // as JSON.stringify wrote it
    const places = ranges.map(([from, to]) => [from, to])
    const lastHash = blocks[(ranges.at(-1)?.[1] ?? 0) - 1]?.hash ?? ''
    const said = [turn_id, inference_id, phase, places, row.metadata, row.data, lastHash, blocks[row.data]?.hash ?? '']
    if (hash !== sha256(canonicalJson(said))) found.push(`${where} is not what its hash says`)
    const turn = turns.get(ordinal)
    const stored = {
      id: turn_id,
      blocks: ranges.flatMap(([from, to]) => bodies.slice(from, to)),
      metadata: JSON.parse(row.metadata) as Json, // as JSON.stringify wrote it
      ...(bodies[row.data] as { readonly data: Json }), // and the fields that no version of today knows
    }
    if (canonicalJson(stored) !== canonicalJson(turn && plain(turn))) found.push(`${where} is not what the events make`)
  }
  const finals = new Set(taken.filter(({ phase }) => phase === 'final').map(({ inference_id }) => inference_id))
  for (const event of events)
    if (event.type === 'inference-started' && !finals.has(event.inferenceId))
      found.push(`${event.inferenceId} has no last snapshot`)
  return found
}

function foldAt(events: readonly InferenceEvent[], ordinals: ReadonlySet<number>): ReadonlyMap<number, Turn> {
  const turns = new Map<number, Turn>()
  let turn = createTurn()
  for (const event of events) {
    if (event.type === 'turn-opened' || event.turnId === turn.id) turn = applyEvent(turn, event)
    if (ordinals.has(event.ordinal)) turns.set(event.ordinal, turn)
  }
  return turns
}

function plain({ id, blocks, metadata, data, extra }: Turn): Json {
  return { id, blocks: blocks.map(encodeBlock), metadata, data, ...(extra !== undefined && { extra }) }
}
