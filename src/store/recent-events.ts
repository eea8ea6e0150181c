import type { prepareAll } from './sqlite-statements.ts'
import type { NewEntry } from './store.ts'

/** So few that putting them in place takes a moment, and less of the disk than the reserve has. */
const mostRecent = 1_024

/**
 * Events of a crowd, in the order in which they came. The log of a session has its own place in the database, so when a
 * hundred sessions write a token each, a hundred places change; here they lie side by side, and go to their places many
 * at a time. Readers look here too, so it makes no difference to anyone when that is.
 */
export class RecentEvents {
  readonly #sql: ReturnType<typeof prepareAll>
  readonly #write: (write: () => void) => Promise<void>
  /** Whether there may be any. At first that is not known: another process may have left some. */
  #mayHave = true
  #isSettling = false

  /** `write` does what it is given in a transaction. */
  constructor(sql: ReturnType<typeof prepareAll>, write: (write: () => void) => Promise<void>) {
    this.#sql = sql
    this.#write = write
  }

  /** Adds the events of the session `number` from `first` on, inside the transaction of the caller. */
  add(number: number, first: number, entries: readonly NewEntry[]): void {
    this.#mayHave = true
    let place: number | bigint = 0
    for (const [index, { type, body }] of entries.entries()) {
      place = this.#sql.addRecent.run(number, first + index, type, body).lastInsertRowid
    }
    if (place >= mostRecent) this.settle()
  }

  /** Has all of them put where they belong with the next writes. */
  settle(): void {
    if (this.#isSettling || !this.#mayHave) return
    this.#isSettling = true
    void this.#settle()
  }

  async #settle(): Promise<void> {
    try {
      await this.#write(() => {
        this.#sql.copyRecent.run()
        this.#sql.moveToRecent.run()
        this.#sql.emptyRecent.run()
        this.#mayHave = false
      })
    } catch {
      this.#mayHave = true // as on a full disk: they stay where they are, and are tried again
    } finally {
      this.#isSettling = false
    }
  }
}
