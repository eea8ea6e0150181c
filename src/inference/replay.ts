/** A sequence that any number of readers follow, each from its beginning and at its own pace, while it still grows. */
export class Replay<T> implements AsyncIterable<T> {
  readonly #items: T[] = []
  #ended = false
  #waiting: (() => void)[] = []

  push(item: T): void {
    this.#items.push(item)
    this.#wake()
  }

  end(): void {
    this.#ended = true
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    let at = 0
    while (true) {
      while (at < this.#items.length) {
        yield this.#items[at] as T // `at` is below the length
        at += 1
      }
      if (this.#ended) return
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  #wake(): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }
}
