import type { Clock } from '../../src/clock.ts'

interface Timer {
  readonly at: number
  readonly run: () => void
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #ms: number
  readonly #start: number
  readonly #timers = new Set<Timer>()

  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#ms = start
    this.#start = start
  }

  now(): number {
    return this.#ms
  }

  monotonic(): number {
    return this.#ms - this.#start
  }

  schedule(ms: number, run: () => void): () => void {
    const timer = { at: this.#ms + ms, run }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** How many timers wait: 0 when nothing was left behind. */
  get pending(): number {
    return this.#timers.size
  }

  /** Moves time on by `ms` and calls what is due, each at its time; what a timer sets off is done before the next. */
  async advance(ms: number): Promise<void> {
    const until = this.#ms + ms
    await settle()
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.#timers.delete(next)
      this.#ms = next.at
      next.run()
      await settle()
    }
    this.#ms = until
  }

  #next(until: number): Timer | undefined {
    const due = [...this.#timers].filter((timer) => timer.at <= until)
    return due.toSorted((left, right) => left.at - right.at)[0]
  }
}

/** Lets everything run that waits for nothing but promises. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
