import { systemClock, type Clock } from '../clock.ts'
import { GeppettoError } from '../errors.ts'
import type { Claimed, Commit, Committed, Head, LogEntry, Snapshot, Store, StoredBlock, Submission } from './store.ts'
import { updatedAtOf } from './updated-at.ts'
import { Watchers } from './watchers.ts'

/**
 * Keeps sessions in this process, for as long as it lives. It is the shortest statement of what a store does, and does
 * each thing at once: nothing is seen half done.
 */
export class MemoryStore implements Store {
  readonly #clock: Clock
  readonly #sessions = new Map<string, Session>()
  readonly #watchers = new Watchers()
  /** Above every epoch of a deleted session, so that who held one of those holds nothing of a session made anew. */
  #firstEpoch = 0
  #isClosed = false

  constructor({ clock = systemClock }: { readonly clock?: Clock } = {}) {
    this.#clock = clock
  }

  async commit(commit: Commit): Promise<Committed> {
    const { sessionId, create, incarnation, submission } = commit
    const sessions = this.#open()
    const session = sessions.get(sessionId) ?? (create && newSession(create, this.#firstEpoch))
    if (session === undefined || session.incarnation !== (incarnation ?? session.incarnation))
      return { status: 'missing' }
    const before = submission && session.submissions.get(submission.key)
    if (before !== undefined) return { status: 'duplicate', ...before }
    if (commit.epoch !== undefined && commit.epoch !== session.epoch) return { status: 'fenced', epoch: session.epoch }
    if ((create && sessions.has(sessionId)) || isElsewhere(session, commit)) {
      return { status: 'conflict', head: this.#head(sessionId, session) }
    }
    sessions.set(sessionId, session)
    this.#append(session, commit)
    this.#watchers.tell(commit, session.ordinal)
    return { status: 'committed', ordinal: session.ordinal, version: session.version }
  }

  #append(session: Session, commit: Commit): void {
    const { entries, state, blocks, snapshots = [], submission } = commit
    const first = session.ordinal + 1
    for (const { type, body, names = [] } of entries) {
      session.ordinal += 1
      session.log.push({ ordinal: session.ordinal, type, body })
      if (names.length > 0) session.names.set(session.ordinal, new Set(names))
    }
    if (state !== undefined) {
      session.version += 1
      session.state = state.value
      session.hasWork = state.hasWork
    }
    for (const { hash, body } of blocks?.rows ?? []) session.blocks.push({ hash, body })
    session.snapshots.push(
      ...snapshots.map(({ entry, ...rest }) => structuredClone({ ...rest, ordinal: first + entry })),
    )
    if (submission !== undefined) {
      session.submissions.set(submission.key, { submission: { ...submission }, ordinal: session.ordinal })
    }
    session.updatedAt = updatedAtOf(session.updatedAt, commit, this.#clock.now())
  }

  async head(sessionId: string): Promise<Head | undefined> {
    const session = this.#open().get(sessionId)
    return session && this.#head(sessionId, session)
  }

  async list({ limit, before, hasWork, tenant }: Parameters<Store['list']>[0] = {}): Promise<readonly Head[]> {
    const heads = [...this.#open()]
      .filter(([, session]) => hasWork === undefined || session.hasWork)
      .filter(([, session]) => tenant === undefined || session.tenant === tenant)
      .map(([sessionId, session]) => this.#head(sessionId, session))
      .toSorted(byChange)
    return heads.filter((head) => before === undefined || byChange(before, head) < 0).slice(0, limit)
  }

  async read(
    sessionId: string,
    { after, limit = 256, maxChars = 1_000_000 }: Parameters<Store['read']>[1],
  ): Promise<readonly LogEntry[]> {
    const session = this.#open().get(sessionId)
    const entries: LogEntry[] = []
    if (session === undefined) return entries
    let chars = 0
    const start = Math.max(after + 1 - session.firstOrdinal, 0)
    for (const entry of session.log.slice(start, start + limit)) {
      chars += entry.body.length
      if (chars > maxChars && entries.length > 0) break
      entries.push({ ...entry })
    }
    return entries
  }

  async blocks(sessionId: string, ranges: Snapshot['ranges']): Promise<readonly StoredBlock[]> {
    const blocks = this.#open().get(sessionId)?.blocks ?? []
    return ranges.flatMap(([from, to]) => blocks.slice(from, to)).map((block) => ({ ...block }))
  }

  async snapshots(
    sessionId: string,
    { turnId, from = 0, limit = Infinity }: Parameters<Store['snapshots']>[1] = {},
  ): Promise<readonly Snapshot[]> {
    const snapshots = this.#open().get(sessionId)?.snapshots ?? []
    const wanted = snapshots.filter((snapshot) => turnId === undefined || snapshot.turnId === turnId)
    return structuredClone(wanted.slice(from, from + limit))
  }

  async find(name: string): Promise<readonly { readonly sessionId: string; readonly ordinal: number }[]> {
    const sessions = this.#open()
    const own = sessions.has(name) ? [{ sessionId: name, ordinal: 0 }] : []
    const named = [...sessions].flatMap(([sessionId, { names }]) =>
      [...names].filter(([, given]) => given.has(name)).map(([ordinal]) => ({ sessionId, ordinal })),
    )
    return [...own, ...named]
  }

  async claim(sessionId: string, owner: string, ttlMs: number): Promise<Claimed> {
    const session = this.#open().get(sessionId)
    if (session === undefined) return { status: 'missing' }
    const forMs = this.#claimedFor(session)
    if (session.claim !== undefined && forMs > 0 && session.claim.owner !== owner) {
      return { status: 'held', owner: session.claim.owner, forMs }
    }
    session.epoch += 1
    session.claim = { owner, until: this.#clock.monotonic() + ttlMs }
    return { status: 'claimed', head: this.#head(sessionId, session) }
  }

  async renew(sessionId: string, epoch: number, ttlMs: number): Promise<Head | undefined> {
    const session = this.#open().get(sessionId)
    if (session?.claim === undefined || session.epoch !== epoch) return undefined
    session.claim = { ...session.claim, until: this.#clock.monotonic() + ttlMs }
    return this.#head(sessionId, session)
  }

  async release(sessionId: string, epoch: number): Promise<void> {
    const session = this.#open().get(sessionId)
    if (session?.epoch === epoch) delete session.claim
  }

  async trim(sessionId: string, before: number): Promise<void> {
    const session = this.#open().get(sessionId)
    if (session === undefined) return
    const first = Math.max(session.firstOrdinal, Math.min(before, session.ordinal + 1))
    for (let ordinal = session.firstOrdinal; ordinal < first; ordinal += 1) session.names.delete(ordinal)
    session.log.splice(0, first - session.firstOrdinal)
    session.firstOrdinal = first
  }

  async delete(sessionId: string): Promise<boolean> {
    const session = this.#open().get(sessionId)
    if (session === undefined) return false
    this.#firstEpoch = Math.max(this.#firstEpoch, session.epoch + 1)
    this.#sessions.delete(sessionId)
    this.#watchers.wake(sessionId)
    return true
  }

  watch(...[sessionId, wake]: Parameters<Store['watch']>): () => void {
    return this.#watchers.watch(sessionId, wake)
  }

  async integrity(): Promise<readonly string[]> {
    this.#open()
    return []
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#sessions.clear()
  }

  #open(): Map<string, Session> {
    if (this.#isClosed) throw new GeppettoError('STORE_CLOSED', 'The store in memory has been closed; make another.')
    return this.#sessions
  }

  #claimedFor({ claim }: Session): number {
    return claim === undefined ? 0 : claim.until - this.#clock.monotonic()
  }

  #head(sessionId: string, session: Session): Head {
    const { log: _log, names: _names, submissions: _submissions, claim, ...rest } = session
    const owner = claim !== undefined && this.#claimedFor(session) > 0 ? { owner: claim.owner } : {}
    return { sessionId, ...rest, blocks: session.blocks.length, snapshots: session.snapshots.length, ...owner }
  }
}

interface Session {
  readonly incarnation: string
  readonly tenant: string
  readonly createdAt: string
  updatedAt: string
  ordinal: number
  firstOrdinal: number
  version: number
  state: string
  hasWork: boolean
  epoch: number
  claim?: { readonly owner: string; readonly until: number }
  readonly log: LogEntry[]
  /** By ordinal, what each entry was named. */
  readonly names: Map<number, ReadonlySet<string>>
  readonly blocks: StoredBlock[]
  readonly snapshots: Snapshot[]
  readonly submissions: Map<string, { readonly submission: Submission; readonly ordinal: number }>
}

function newSession(
  { incarnation, createdAt, firstOrdinal = 1, tenant = '' }: NonNullable<Commit['create']>,
  epoch: number,
): Session {
  const position = { ordinal: firstOrdinal - 1, firstOrdinal, version: 0, state: '{}', hasWork: false, epoch }
  const logs = { log: [], names: new Map(), blocks: [], snapshots: [], submissions: new Map() }
  return { incarnation, tenant, createdAt, updatedAt: createdAt, ...position, ...logs }
}

/** Whether the session is not where the commit takes it to be. */
function isElsewhere(session: Session, { state, blocks }: Commit): boolean {
  return (
    (state !== undefined && state.after !== session.version) ||
    (blocks !== undefined && blocks.from !== session.blocks.length)
  )
}

/** The newest first; those of one time by their ids. */
function byChange(left: Pick<Head, 'sessionId' | 'updatedAt'>, right: typeof left): number {
  return compare(right.updatedAt, left.updatedAt) || compare(right.sessionId, left.sessionId)
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}
