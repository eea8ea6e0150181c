import type { Clock } from '../clock.ts'
import { isGone } from './owner.ts'
import type { prepareAll, SessionRow } from './sqlite-statements.ts'
import type { Claimed, Head } from './store.ts'

/** Which process has a session, and until when. What writes is to be called inside a transaction. */
export class Leases {
  readonly #sql: ReturnType<typeof prepareAll>
  readonly #clock: Clock
  /** What to add to the monotonic clock: leases do not move when the system's time is set. */
  readonly #epochMs: number

  constructor(sql: ReturnType<typeof prepareAll>, clock: Clock) {
    this.#sql = sql
    this.#clock = clock
    this.#epochMs = clock.now() - clock.monotonic()
  }

  claim(sessionId: string, owner: string, ttlMs: number): Claimed {
    const session = this.#sql.session.get(sessionId)
    if (session === undefined) return { status: 'missing' }
    const holder = this.#ownerOf(session)
    if (holder !== undefined && holder !== owner) {
      // More than it was given for was set by a clock that was ahead of ours: from now on it is as long as it was.
      const forMs = Math.min(session.lease_until - this.#now(), session.lease_ms)
      if (this.#now() + forMs < session.lease_until) this.#sql.shortenLease.run(this.#now() + forMs, session.number)
      return { status: 'held', owner: holder, forMs }
    }
    return { status: 'claimed', head: this.#set(session, session.epoch + 1, owner, ttlMs) }
  }

  renew(sessionId: string, epoch: number, ttlMs: number): Head | undefined {
    const session = this.#sql.session.get(sessionId)
    if (session === undefined || session.owner === null || session.epoch !== epoch) return undefined
    return this.#set(session, epoch, session.owner, ttlMs)
  }

  release(sessionId: string, epoch: number): void {
    const session = this.#sql.session.get(sessionId)
    if (session?.epoch === epoch) this.#sql.setLease.run(epoch, null, 0, 0, session.number)
  }

  #set(session: SessionRow, epoch: number, owner: string, ttlMs: number): Head {
    const until = this.#now() + Math.ceil(ttlMs)
    this.#sql.setLease.run(epoch, owner, until, Math.ceil(ttlMs), session.number)
    return this.headOf({ ...session, epoch, owner, lease_until: until })
  }

  #ownerOf({ owner, lease_until }: SessionRow): string | undefined {
    return owner === null || lease_until <= this.#now() || isGone(owner) ? undefined : owner
  }

  /** Where the session of a row stands. */
  headOf(row: SessionRow): Head {
    const { incarnation, tenant, ordinal, version, state, blocks, snapshots, epoch } = row
    const owner = this.#ownerOf(row)
    return {
      sessionId: row.session_id,
      incarnation,
      tenant,
      createdAt: row.created_at,
      updatedAt: row.updated_at,
      ordinal,
      firstOrdinal: row.first_ordinal,
      version,
      state,
      hasWork: row.has_work === 1,
      blocks,
      snapshots,
      epoch,
      ...(owner !== undefined && { owner }),
    }
  }

  /** Whole milliseconds since 1970, by the monotonic clock. */
  #now(): number {
    return Math.floor(this.#epochMs + this.#clock.monotonic())
  }
}
