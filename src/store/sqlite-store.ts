import type { DatabaseSync } from 'node:sqlite'
import { systemClock, type Clock } from '../clock.ts'
import { RecentEvents } from './recent-events.ts'
import { isBusy, isFull, storeClosed, storeError, storeFull } from './sqlite-error.ts'
import { giveUpReserve, hasReserve, hasRoom, keepReserve, openingBytes, reserveOf } from './sqlite-reserve.ts'
import { Leases } from './sqlite-leases.ts'
import { openDatabase } from './sqlite-schema.ts'
import {
  insertBlocks,
  insertEvents,
  insertSnapshots,
  prepareAll,
  type PlaceRow,
  type SessionRow,
  snapshotOf,
} from './sqlite-statements.ts'
import type { Claimed, Commit, Committed, Head, LogEntry, Snapshot, Store, StoredBlock } from './store.ts'
import { updatedAtOf } from './updated-at.ts'
import { Watchers } from './watchers.ts'
import { WriteQueue } from './write-queue.ts'

/** How long a call waits for another process before it throws STORE_BUSY. */
const busyMs = 5_000
/** How much of that SQLite waits by itself, in which this process does nothing else. */
const blockingMs = 5

/**
 * Keeps sessions in an SQLite file, which several processes of one host may use. A commit is on the disk when its
 * promise resolves (WAL, `synchronous=FULL`).
 */
export class SqliteStore implements Store {
  readonly #file: string
  readonly #reserve: string | undefined
  readonly #clock: Clock
  readonly #database: DatabaseSync
  readonly #sql: ReturnType<typeof prepareAll>
  readonly #writes: WriteQueue
  readonly #recent: RecentEvents
  readonly #leases: Leases
  readonly #watchers = new Watchers()
  /** The last transaction that was found to have room: its other writes need not look. */
  #hadRoomIn = 0

  /** Opens the store in `file`, or makes one. `:memory:` is one that nobody else sees and nothing remains of. */
  static async open(file: string, { clock = systemClock }: { readonly clock?: Clock } = {}): Promise<SqliteStore> {
    try {
      return new SqliteStore(file, openDatabase(file, busyMs), clock)
    } catch (error) {
      if (!isFull(error, file)) throw storeError(error, file)
    }
    // Even reading takes some space: SQLite's index of the log is a file, made when the first process opens the database.
    giveUpReserve(reserveOf(file))
    try {
      return new SqliteStore(file, openDatabase(file, busyMs), clock)
    } catch (error) {
      throw storeError(error, file)
    }
  }

  private constructor(file: string, database: DatabaseSync, clock: Clock) {
    this.#file = file
    this.#clock = clock
    this.#database = database
    database.exec(`PRAGMA busy_timeout = ${blockingMs}`)
    this.#sql = prepareAll(database)
    this.#leases = new Leases(this.#sql, clock)
    this.#reserve = reserveOf(file)
    this.#writes = new WriteQueue(database, file, clock, busyMs)
    this.#recent = new RecentEvents(this.#sql, this.#writes)
  }

  async commit(commit: Commit): Promise<Committed> {
    const committed = await this.#write(commit.sessionId, () => this.#commit(commit), commit.endsWork === true)
    if (committed.status === 'committed') this.#watchers.tell(commit, committed.ordinal)
    return committed
  }

  #commit(commit: Commit): Committed {
    const { sessionId, create, incarnation, epoch, submission } = commit
    if (isEventsAlone(commit)) return this.#commitEvents(commit)
    const existing = this.#sql.session.get(sessionId)
    const session = existing ?? (create && this.#newSession(sessionId, create))
    if (session === undefined || session.incarnation !== (incarnation ?? session.incarnation))
      return { status: 'missing' }
    const before = submission && this.#sql.submission.get(session.number, submission.key)
    if (before) {
      const { ordinal, ...answered } = before
      return { status: 'duplicate', submission: answered, ordinal }
    }
    if (epoch !== undefined && session.epoch !== epoch) return { status: 'fenced', epoch: session.epoch }
    if ((existing && create) || isElsewhere(session, commit)) {
      return { status: 'conflict', head: this.#leases.headOf(session) }
    }
    if (commit.endsWork !== true) this.#requireRoom()
    return this.#append(existing ?? this.#add(session), commit)
  }

  /** As for any commit, with what most of them need. */
  #commitEvents(commit: Commit): Committed {
    const { sessionId, incarnation, epoch, entries } = commit
    const session = this.#sql.place.get(sessionId)
    if (session === undefined || session.incarnation !== (incarnation ?? session.incarnation))
      return { status: 'missing' }
    if (epoch !== undefined && session.epoch !== epoch) return { status: 'fenced', epoch: session.epoch }
    if (commit.endsWork !== true) this.#requireRoom()
    const { number, version } = session
    const first = session.ordinal + 1
    const ordinal = session.ordinal + entries.length
    const updatedAt = updatedAtOf(session.updated_at, commit, this.#clock.now())
    if (this.#writes.isCrowded && entries.every(({ names }) => names === undefined)) {
      this.#recent.add(number, first, entries)
    } else {
      this.#requireSettled(session)
      insertEvents(this.#sql, number, first, entries)
      this.#sql.moveOrdinal.run(ordinal, number)
    }
    if (updatedAt !== session.updated_at) this.#sql.touchSession.run(updatedAt, number)
    return { status: 'committed', ordinal, version }
  }

  #requireSettled({ number, ordinal, settled }: PlaceRow): void {
    if (settled < ordinal) this.#recent.settleSession(number)
    if (!this.#writes.isCrowded) this.#recent.settle()
  }

  #requireRoom(): void {
    const { transaction } = this.#writes
    if (transaction === this.#hadRoomIn) return
    // In this order: what was given up for a write is not to be taken back before it is done.
    if (!(hasReserve(this.#reserve) || hasRoom(this.#database) || keepReserve(this.#reserve)))
      throw storeFull(this.#file)
    this.#hadRoomIn = transaction
  }

  #append(session: SessionRow, commit: Commit): Committed {
    const { number } = session
    const { entries, state, blocks, snapshots = [], submission } = commit
    const first = session.ordinal + 1
    const ordinal = session.ordinal + entries.length
    const version = session.version + (state ? 1 : 0)
    this.#requireSettled(session)
    insertEvents(this.#sql, number, first, entries)
    insertBlocks(this.#sql, number, session.blocks, blocks?.rows ?? [])
    insertSnapshots(this.#sql, number, session.snapshots, first, snapshots)
    if (submission) this.#sql.addSubmission.run(number, submission.key, submission.hash, submission.answer, ordinal)
    this.#sql.moveSession.run(
      updatedAtOf(session.updated_at, commit, this.#clock.now()),
      ordinal,
      version,
      state?.value ?? session.state,
      state ? Number(state.hasWork) : session.has_work,
      session.blocks + (blocks?.rows.length ?? 0),
      session.snapshots + snapshots.length,
      number,
    )
    return { status: 'committed', ordinal, version }
  }

  async head(sessionId: string): Promise<Head | undefined> {
    return this.#read(() => {
      const session = this.#sql.session.get(sessionId)
      return session && this.#leases.headOf(session)
    })
  }

  async list({ limit = -1, before, hasWork, tenant }: Parameters<Store['list']>[0] = {}): Promise<readonly Head[]> {
    // '~' sorts after every time.
    const { updatedAt, sessionId } = before ?? { updatedAt: '~', sessionId: '' }
    const { sessions, sessionsOfTenant, sessionsWithWork, sessionsWithWorkOfTenant } = this.#sql
    return this.#read(() => {
      const rows =
        tenant === undefined
          ? (hasWork ? sessionsWithWork : sessions).all(updatedAt, sessionId, limit)
          : (hasWork ? sessionsWithWorkOfTenant : sessionsOfTenant).all(tenant, updatedAt, sessionId, limit)
      return rows.map((session) => this.#leases.headOf(session))
    })
  }

  async read(
    sessionId: string,
    { after, limit = 256, maxChars = 1_000_000 }: Parameters<Store['read']>[1],
  ): Promise<readonly LogEntry[]> {
    return this.#read(() => {
      const entries: LogEntry[] = []
      let chars = 0
      for (const { ordinal, type, body } of this.#sql.events.iterate(sessionId, after, limit)) {
        chars += body.length
        if (chars > maxChars && entries.length > 0) break
        entries.push({ ordinal, type, body })
      }
      return entries
    })
  }

  async blocks(sessionId: string, ranges: Snapshot['ranges']): Promise<readonly StoredBlock[]> {
    return this.#read(() =>
      ranges.flatMap(([from, to]) =>
        this.#sql.blocks.all(sessionId, from, to).map(({ hash, body }) => ({ hash, body })),
      ),
    )
  }

  async snapshots(
    sessionId: string,
    { turnId, from = 0, limit = -1 }: Parameters<Store['snapshots']>[1] = {},
  ): Promise<readonly Snapshot[]> {
    return this.#read(() =>
      turnId === undefined
        ? this.#sql.snapshots.all(sessionId, from, limit).map(snapshotOf)
        : this.#sql.snapshotsOfTurn.all(sessionId, turnId, limit, from).map(snapshotOf),
    )
  }

  async find(name: string): Promise<readonly { readonly sessionId: string; readonly ordinal: number }[]> {
    return this.#read(() => this.#sql.find.all(name).map(({ sessionId, ordinal }) => ({ sessionId, ordinal })))
  }

  async claim(sessionId: string, owner: string, ttlMs: number): Promise<Claimed> {
    return this.#write(sessionId, () => this.#leases.claim(sessionId, owner, ttlMs))
  }

  async renew(sessionId: string, epoch: number, ttlMs: number): Promise<Head | undefined> {
    return this.#write(sessionId, () => this.#leases.renew(sessionId, epoch, ttlMs))
  }

  async release(sessionId: string, epoch: number): Promise<void> {
    await this.#write(sessionId, () => this.#leases.release(sessionId, epoch))
  }

  async trim(sessionId: string, before: number): Promise<void> {
    try {
      await this.#trim(sessionId, before)
    } catch (error) {
      // What is removed is written too, and there may be less space than that takes: half of it, then the rest.
      const { firstOrdinal = 0, ordinal = 0 } = isFull(error, this.#file) ? ((await this.head(sessionId)) ?? {}) : {}
      const half = Math.floor((Math.min(before, ordinal + 1) - firstOrdinal) / 2)
      if (half < 1) throw error
      await this.trim(sessionId, firstOrdinal + half)
      await this.trim(sessionId, before)
    }
  }

  async #trim(sessionId: string, before: number): Promise<void> {
    await this.#write(sessionId, () => {
      const session = this.#sql.session.get(sessionId)
      if (session === undefined || before <= session.first_ordinal) return
      const first = Math.min(before, session.ordinal + 1)
      this.#requireSettled(session)
      this.#sql.deleteEvents.run(session.number, first)
      this.#sql.setFirstOrdinal.run(first, session.number)
    })
  }

  async delete(sessionId: string): Promise<boolean> {
    try {
      return await this.#delete(sessionId)
    } catch (error) {
      if (!isFull(error, this.#file)) throw error
      await this.trim(sessionId, Infinity)
      return this.#delete(sessionId)
    }
  }

  async #delete(sessionId: string): Promise<boolean> {
    const wasThere = await this.#write(sessionId, () => {
      const session = this.#sql.session.get(sessionId)
      if (session === undefined) return false
      this.#sql.raiseFirstEpoch.run(session.epoch + 1)
      this.#sql.deleteRecent.run(session.number)
      this.#sql.deleteSession.run(session.number)
      return true
    })
    if (wasThere) this.#watchers.wake(sessionId)
    return wasThere
  }

  watch(...[sessionId, wake]: Parameters<Store['watch']>): () => void {
    return this.#watchers.watch(sessionId, wake)
  }

  async integrity(): Promise<readonly string[]> {
    return this.#read(() => {
      const { integrityCheck, foreignKeyCheck, strayRecent, sessionsWithGaps } = this.#sql
      const damage = integrityCheck.all().map((row) => row.integrity_check)
      if (damage.join() !== 'ok') return damage.map((sentence) => `${this.#file} is damaged: ${sentence}.`)
      return [
        ...foreignKeyCheck.all().map((row) => `A row of ${row.table} belongs to no ${row.parent}.`),
        ...strayRecent.all().map(({ session }) => `An event belongs to no session (${session}).`),
        ...sessionsWithGaps.all().map((row) => `Session ${row.session_id} lacks some of its rows.`),
      ]
    })
  }

  async close(): Promise<void> {
    if (!this.#database.isOpen) return
    try {
      this.#writes.close()
      this.#database.close()
      keepReserve(this.#reserve, openingBytes) // the files that are gone now may have stood in its place
    } catch (error) {
      throw storeError(error, this.#file)
    }
  }

  #newSession(
    sessionId: string,
    { incarnation, createdAt, firstOrdinal = 1, tenant = '' }: NonNullable<Commit['create']>,
  ) {
    const ids = { number: 0, session_id: sessionId, incarnation, tenant, created_at: createdAt, updated_at: createdAt }
    const last = firstOrdinal - 1
    const position = { ordinal: last, settled: last, first_ordinal: firstOrdinal, blocks: 0, snapshots: 0 }
    const lease = { epoch: this.#sql.firstEpoch.get()?.first_epoch ?? 0, owner: null, lease_until: 0, lease_ms: 0 }
    return { ...ids, ...position, version: 0, state: '{}', has_work: 0, ...lease }
  }

  #add(session: SessionRow): SessionRow {
    const { session_id, incarnation, tenant, created_at, updated_at, ordinal, first_ordinal, state, epoch } = session
    const values = [
      session_id,
      incarnation,
      tenant,
      created_at,
      updated_at,
      ordinal,
      first_ordinal,
      state,
      epoch,
    ] as const
    return { ...session, number: this.#sql.addSession.get(...values)?.number ?? 0 }
  }

  /** All is urgent but a commit that does not end work. */
  #write<Result>(sessionId: string, write: () => Result, isUrgent = true): Promise<Result> {
    if (!this.#database.isOpen) return Promise.reject(storeClosed(this.#file))
    return this.#writes.run(write, sessionId, isUrgent)
  }

  async #read<Result>(read: () => Result): Promise<Result> {
    const start = this.#clock.monotonic()
    for (;;) {
      this.#checkOpen()
      try {
        return read()
      } catch (error) {
        // A reader waits in rare cases only, as when another process closes the file.
        if (!isBusy(error) || this.#clock.monotonic() - start >= busyMs) throw storeError(error, this.#file)
        await new Promise<void>((resolve) => void this.#clock.schedule(blockingMs, resolve))
      }
    }
  }

  #checkOpen(): void {
    if (!this.#database.isOpen) throw storeClosed(this.#file)
  }
}

/** Whether the commit adds events to a session that is there, and nothing else. */
function isEventsAlone({ create, state, blocks, snapshots, submission }: Commit): boolean {
  return !create && !state && !blocks && !snapshots && !submission
}

/** Whether the session is not where a commit takes it to be. */
function isElsewhere(session: SessionRow, { state, blocks }: Commit): boolean {
  return (
    (state !== undefined && state.after !== session.version) || (blocks !== undefined && blocks.from !== session.blocks)
  )
}
