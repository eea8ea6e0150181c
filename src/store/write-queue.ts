import type { DatabaseSync } from 'node:sqlite'
import { systemClock, type Clock } from '../clock.ts'
import { isBusy, isFull, storeError } from './sqlite-error.ts'
import { giveUpReserve, hasRoom, reserveOf } from './sqlite-reserve.ts'

interface Write {
  readonly run: () => void
  readonly accept: () => void
  readonly reject: (error: unknown) => void
  readonly since: number
  readonly isUrgent: boolean
}

/** How often we ask again for a lock that another process has. */
const retryMs = 25
/** So many sessions that write within so long are a crowd: then commits begin at least so far apart. */
const crowdSize = 8
const crowdMs = 20
const spacingMs = 8

/**
 * Runs writes one after the other, all that are asked for in one turn of the event loop in one transaction: fifty
 * sessions then wait for the disk once, not fifty times. In a crowd they wait a little for each other, for a disk takes as
 * long for one as for all; who writes alone waits for nobody. Each write is still done in whole or not at all.
 */
export class WriteQueue {
  readonly #database: DatabaseSync
  readonly #file: string
  readonly #reserve: string | undefined
  readonly #clock: Clock
  readonly #busyMs: number
  #waiting: Write[] = []
  #isScheduled = false
  #lastBusy: unknown
  /** Who has written lately, and how many had before. */
  readonly #crowd = new Set<string>()
  #crowdBefore = 0
  #crowdSince = Number.NEGATIVE_INFINITY
  #lastStart = Number.NEGATIVE_INFINITY
  #transaction = 0

  /** `busyMs` is how long a write may wait for another process. */
  constructor(database: DatabaseSync, file: string, clock: Clock, busyMs: number) {
    this.#database = database
    this.#file = file
    this.#reserve = reserveOf(file)
    this.#clock = clock
    this.#busyMs = busyMs
  }

  /** Whether so many sessions write that each commit should be as small as it can be. */
  get isCrowded(): boolean {
    return Math.max(this.#crowdBefore, this.#crowd.size) >= crowdSize
  }

  /** The number of the transaction that runs or ran last. */
  get transaction(): number {
    return this.#transaction
  }

  /**
   * What `write` returns, once that is durable. It runs inside the transaction, and may run more than once. On a full disk
   * the reserve is given up for one that is urgent, and for any when the database has room, which stands for it then.
   * Rejects with the store's error.
   */
  run<Result>(write: () => Result, sessionId: string, isUrgent = false): Promise<Result> {
    return new Promise((resolve, reject) => {
      let done: () => void = () => undefined
      const run = () => {
        const result = write()
        done = () => resolve(result)
      }
      this.#count(sessionId)
      const refuse = (error: unknown) => reject(storeError(error, this.#file))
      this.#waiting.push({ run, accept: () => done(), reject: refuse, since: this.#clock.monotonic(), isUrgent })
      this.#schedule()
    })
  }

  /** Runs what waits now. What the lock keeps from running is refused. */
  close(): void {
    this.#flush()
    for (const { reject } of this.#waiting.splice(0)) reject(this.#lastBusy)
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiting.length === 0) return
    this.#isScheduled = true
    const flush = () => {
      this.#isScheduled = false
      if (this.#database.isOpen) this.#flush()
    }
    // The system's clock: how long a disk takes is nothing that a test could hold still.
    const waitMs = this.isCrowded ? this.#lastStart + spacingMs - systemClock.monotonic() : 0
    if (waitMs > 0) systemClock.schedule(waitMs, flush)
    // Not a timer: it runs when this turn's callbacks have, so a lone write waits for nothing.
    else setImmediate(flush)
  }

  #count(sessionId: string): void {
    const now = systemClock.monotonic()
    if (now - this.#crowdSince >= crowdMs) {
      this.#crowdBefore = now - this.#crowdSince < 2 * crowdMs ? this.#crowd.size : 0
      this.#crowd.clear()
      this.#crowdSince = now
    }
    this.#crowd.add(sessionId)
  }

  #flush(): void {
    const writes = this.#waiting.splice(0)
    if (writes.length === 0) return
    this.#lastStart = systemClock.monotonic()
    this.#transact(writes, (error) => {
      const [write] = writes
      if (write === undefined || writes.length > 1) this.#oneByOne(writes)
      else if (isFull(error, this.#file) && (write.isUrgent || hasRoom(this.#database))) this.#makeRoomFor(write)
      else write.reject(error)
    })
  }

  #transact(writes: readonly Write[], onFailure: (error: unknown) => void): void {
    try {
      this.#database.exec('BEGIN IMMEDIATE')
      this.#transaction += 1
    } catch (error) {
      if (isBusy(error)) this.#askAgain(writes, error)
      else for (const { reject } of writes) reject(error)
      return
    }
    try {
      for (const { run } of writes) run()
      this.#database.exec('COMMIT')
    } catch (error) {
      this.#undo()
      onFailure(error)
      return
    }
    for (const { accept } of writes) accept()
  }

  /**
   * The log is written back before, so that the database has what it needs of the space and the log begins anew in its
   * place; and after, so that the next write finds it so.
   */
  #makeRoomFor(write: Write): void {
    giveUpReserve(this.#reserve)
    this.#writeBack()
    this.#transact([write], write.reject)
    this.#writeBack()
  }

  #writeBack(): void {
    try {
      this.#database.exec('PRAGMA wal_checkpoint(PASSIVE)')
    } catch {
      // It needs more space than there is, and will be done when there is some.
    }
  }

  /** One of the writes cannot be done; the others must not suffer. */
  #oneByOne(writes: readonly Write[]): void {
    const later = this.#waiting.splice(0)
    for (const write of writes) {
      this.#waiting = [...this.#waiting, write]
      this.#flush()
    }
    this.#waiting.push(...later)
    this.#schedule()
  }

  #undo(): void {
    // SQLite has done it by itself when the disk is full.
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
  }

  #askAgain(writes: readonly Write[], error: unknown): void {
    const now = this.#clock.monotonic()
    this.#lastBusy = error
    const isLate = ({ since }: Write) => now - since >= this.#busyMs
    for (const { reject } of writes.filter(isLate)) reject(error)
    this.#waiting.unshift(...writes.filter((write) => !isLate(write)))
    if (this.#waiting.length === 0 || this.#isScheduled) return
    this.#isScheduled = true
    this.#clock.schedule(retryMs, () => {
      this.#isScheduled = false
      if (this.#database.isOpen) this.#flush()
    })
  }
}
