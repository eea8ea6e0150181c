/**
 * Hands over what comes from outside one at a time, in the order it came; between two the program comes to rest. That
 * is why a replay needs to know the order and nothing else.
 */
export class Arrivals {
  readonly #waiting: (() => void)[] = []
  #isScheduled = false

  push(deliver: () => void): void {
    this.#waiting.push(deliver)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiting.length === 0) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      try {
        this.#waiting.shift()?.()
      } finally {
        this.#schedule()
      }
    })
  }
}
