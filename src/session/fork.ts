import { newUuid, systemClock, type Clock, type NewId } from '../clock.ts'
import { GeppettoError } from '../errors.ts'
import type { EventOf } from '../events/event.ts'
import { BlockLog, readTurn } from '../store/block-log.ts'
import { toEntry } from '../store/entry.ts'
import type { Head, Store } from '../store/store.ts'
import { turnDelta } from '../turns/delta.ts'
import { sessionIdKey } from '../turns/keys.ts'
import { createTurn, type Turn } from '../turns/turn.ts'
import { contextOf } from './context.ts'
import { latestTurn } from './past.ts'
import { applyToState, emptyState } from './state.ts'
import { unknownSession } from './writer.ts'

export interface NewSessionOptions {
  /** Default: a new UUID. */
  readonly id?: string
  /** Whose it is; default: nobody's in particular. */
  readonly tenant?: string
  readonly clock?: Clock
  readonly newId?: NewId
}

/**
 * Makes an empty session in the store, and gives its id. A session that is there already is left as it is when it is the
 * same tenant's; SESSION_EXISTS when it is another's.
 */
export async function createSession(
  store: Store,
  { id, tenant = '', clock = systemClock, newId = newUuid }: NewSessionOptions = {},
): Promise<string> {
  const sessionId = id ?? newId()
  const create = { incarnation: newId(), createdAt: new Date(clock.now()).toISOString(), tenant }
  const result = await store.commit({ sessionId, create, entries: [] })
  const isThere = result.status === 'conflict' && result.head.tenant === tenant
  if (result.status === 'committed' || isThere) return sessionId
  throw takenId(sessionId)
}

/**
 * Begins a session in the store that goes on from `turn`, and gives its id. The turn gets an id of its own, for it is
 * another session's now. Throws SESSION_EXISTS when the id is taken.
 */
export async function beginSession(
  store: Store,
  turn: Turn,
  { id, tenant, clock = systemClock, newId = newUuid }: NewSessionOptions = {},
  origin?: EventOf<'turn-opened'>['origin'],
): Promise<string> {
  const sessionId = id ?? newId()
  const at = new Date(clock.now()).toISOString()
  const first = sessionIdKey.set({ ...contextOf(turn), id: newId() }, sessionId)
  const opened: EventOf<'turn-opened'> = {
    type: 'turn-opened',
    ordinal: 1,
    at,
    sessionId,
    turnId: first.id,
    delta: turnDelta(createTurn(), first),
    ...(origin && { origin }),
  }
  const labels = { turnId: first.id, phase: 'final' as const }
  const { from, rows, references } = new BlockLog().write([{ turn: first, labels }])
  const result = await store.commit({
    sessionId,
    create: { incarnation: newId(), createdAt: at, ...(tenant !== undefined && { tenant }) },
    state: { after: 0, value: JSON.stringify(applyToState(emptyState, opened)), hasWork: false },
    entries: [toEntry(opened)],
    blocks: { from, rows },
    snapshots: references.map((reference) => ({ ...labels, ...reference, at, entry: 0 })),
  })
  if (result.status === 'committed') return sessionId
  throw takenId(sessionId)
}

function takenId(sessionId: string): GeppettoError {
  const message = `There is a session ${sessionId} in this store already; choose another id.`
  return new GeppettoError('SESSION_EXISTS', message, { details: { sessionId } })
}

/** Where a fork leaves a session: at the end of a turn, or before a block of it. */
export interface ForkPoint {
  readonly turnId?: string
  readonly before?: string
}

/**
 * Begins a session that goes on from a turn of another one, by default its latest, and gives its id. `before` is the id
 * of a block of that turn: what comes before it is taken over, which for the first may be nothing. Nothing of the other
 * session changes; whose it is, the fork is too, unless `tenant` says otherwise. Throws SESSION_UNKNOWN, TURN_UNKNOWN and
 * SESSION_EXISTS.
 */
export async function forkSession(
  store: Store,
  sessionId: string,
  { turnId, before, ...options }: NewSessionOptions & ForkPoint = {},
): Promise<string> {
  const head = await store.head(sessionId)
  if (head === undefined) throw unknownSession(sessionId)
  const turn = await turnOf(store, head, turnId)
  const made = { tenant: head.tenant, ...options }
  if (before === undefined) return beginSession(store, turn, made, { sessionId, turnId: turn.id })
  const end = turn.blocks.findIndex(({ id }) => id === before)
  if (end < 0) {
    throw new GeppettoError('TURN_UNKNOWN', `Turn ${turn.id} of session ${sessionId} has no block ${before}.`, {
      details: { sessionId, turnId: turn.id, before },
    })
  }
  const beginning = { ...turn, blocks: turn.blocks.slice(0, end) }
  return beginSession(store, beginning, made, { sessionId, turnId: turn.id, before })
}

async function turnOf(store: Store, head: Head, turnId: string | undefined): Promise<Turn> {
  const { sessionId } = head
  if (turnId === undefined) {
    const turn = await latestTurn(store, head)
    if (turn !== undefined) return turn
  } else {
    const last = (await store.snapshots(sessionId, { turnId })).at(-1)
    if (last !== undefined) return readTurn(store, sessionId, last)
  }
  throw new GeppettoError('TURN_UNKNOWN', `Session ${sessionId} has no turn ${turnId ?? 'yet'}.`, {
    details: { sessionId, turnId },
  })
}
