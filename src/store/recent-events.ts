import type { prepareAll } from './sqlite-statements.ts'
import type { NewEntry } from './store.ts'
import type { WriteQueue } from './write-queue.ts'

/** How many may lie here, and how many go to their places at a time: in a moment, and with room left in the reserve. */
const mostRecent = 8_192
const atATime = 256

/**
 * Events of a crowd, in the order in which they came. The log of a session has its own place in the database, so when a
 * hundred sessions write a token each, a hundred places change; here they lie side by side, and go to their places many
 * at a time. They are the end of their session's log: those that count are above the ordinal in the session's row, and
 * whoever raises that has them put in place before. Readers look here too, so it makes no difference to anyone when that is.
 */
export class RecentEvents {
  readonly #sql: ReturnType<typeof prepareAll>
  readonly #writes: WriteQueue
  /** Whether there may be any. At first that is not known: another process may have left some. */
  #mayHave = true
  /** About where they begin. What is moved is looked for from the start: a transaction may be undone behind this. */
  #first = 0
  #isSettling = false

  constructor(sql: ReturnType<typeof prepareAll>, writes: WriteQueue) {
    this.#sql = sql
    this.#writes = writes
  }

  /** Adds the events of the session `number` from `first` on, inside the transaction of the caller. */
  add(number: number, first: number, entries: readonly NewEntry[]): void {
    this.#mayHave = true
    let place = 0
    for (const [index, { type, body }] of entries.entries()) {
      place = Number(this.#sql.addRecent.run(number, first + index, type, body).lastInsertRowid)
    }
    if (place - this.#first >= mostRecent) this.settle()
  }

  /** Puts those of one session in place, inside the transaction of the caller. Gives how many there were. */
  settleSession(number: number): number {
    const { changes } = this.#sql.copyRecent.run(number)
    this.#sql.moveToRecent.run(number)
    return Number(changes)
  }

  /** Has some put where they belong with the next writes; all of them, a few at a time, when there is no crowd. */
  settle(): void {
    if (this.#isSettling || !this.#mayHave) return
    this.#isSettling = true
    void this.#settle()
  }

  async #settle(): Promise<void> {
    try {
      do await this.#writes.run(() => this.#settleOldest(), '')
      while (this.#mayHave && !this.#writes.isCrowded)
    } catch {
      this.#mayHave = true // as on a full disk: they stay where they are, and are tried again
    } finally {
      this.#isSettling = false
    }
  }

  #settleOldest(): void {
    let count = 0
    let oldest = this.#sql.oldestRecent.get(0)
    while (oldest !== undefined && count < atATime) {
      count += this.settleSession(oldest.session)
      oldest = this.#sql.oldestRecent.get(oldest.place)
    }
    this.#mayHave = oldest !== undefined
    this.#first = oldest?.place ?? 0
    this.#sql.dropRecent.run(oldest?.place ?? Infinity)
  }
}
