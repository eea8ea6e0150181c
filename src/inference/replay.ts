/**
 * A sequence that any number of readers follow, each from its beginning and at its own pace, while it still grows. One
 * that keeps nothing unread begins when its first reader comes.
 */
export class Replay<T> implements AsyncIterable<T> {
  readonly #items: T[] = []
  #keeps: boolean
  #ended = false
  #waiting: (() => void)[] = []

  constructor(keepsUnread = true) {
    this.#keeps = keepsUnread
  }

  push(item: T): void {
    if (!this.#keeps) return
    this.#items.push(item)
    this.#wake()
  }

  end(): void {
    this.#ended = true
    this.#wake()
  }

  [Symbol.asyncIterator](): AsyncIterator<T> {
    this.#keeps = true
    return this.#read()
  }

  async *#read(): AsyncGenerator<T, void> {
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
