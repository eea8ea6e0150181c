/** Takes in what comes at its own time, and gives it to one reader at theirs. */
export class Inbox<T> implements AsyncIterable<T> {
  readonly #items: T[] = []
  #end: { readonly error?: Error } | undefined
  #wake: () => void = () => {}

  push(item: T): void {
    if (this.#end !== undefined) return
    this.#items.push(item)
    this.#wake()
  }

  /** Nothing more comes: the reader is told when they have read the rest. The first end counts. */
  end(error?: Error): void {
    this.#end ??= error === undefined ? {} : { error }
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    for (;;) {
      yield* this.#items.splice(0)
      if (this.#items.length > 0) continue
      if (this.#end?.error !== undefined) throw this.#end.error
      if (this.#end !== undefined) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
