import type { Dispatcher } from 'undici'

type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2]

/** How much of a body may wait for its reader before the server is held up. */
const mostBytes = 65_536

/**
 * One request as undici carries it out: what it answers, and the body at the pace of whoever reads. undici's own readers
 * are streams, which cost a token as much again as the way through the network.
 */
export class HttpReply implements Dispatcher.DispatchHandler, AsyncIterableIterator<Uint8Array, undefined> {
  readonly #signal: AbortSignal
  readonly #head = Promise.withResolvers<{ readonly status: number; readonly headers: Headers }>()
  #controller: Dispatcher.DispatchController | undefined
  #chunks: Uint8Array[] = []
  #bytes = 0
  #end: { readonly error?: Error } | undefined
  #reader: { resolve(step: IteratorResult<Uint8Array, undefined>): void; reject(error: Error): void } | undefined

  /** Ends with the signal's reason when `signal` aborts. */
  constructor(signal: AbortSignal) {
    this.#signal = signal
    this.#head.promise.catch(() => {}) // it may end before anybody asks
    signal.addEventListener('abort', this.#abort, { once: true })
    if (signal.aborted) this.#abort()
  }

  /** What the server answered. Rejects with the error of the connection. */
  get head(): Promise<{ readonly status: number; readonly headers: Headers }> {
    return this.#head.promise
  }

  /** All of the body that waits, in one piece. */
  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const [first] = this.#chunks
    if (first !== undefined) {
      const value = this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks)
      this.#chunks = []
      this.#bytes = 0
      // Only now that there is room for much: a parser that is stopped keeps what it has not read by copying it.
      if (this.#controller?.paused === true) this.#controller.resume()
      return Promise.resolve({ done: false, value })
    }
    if (this.#end?.error !== undefined) return Promise.reject(this.#end.error)
    if (this.#end !== undefined) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject }
    })
  }

  /** Nothing more is read: the connection is given up, unless all of the body has come. */
  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#chunks = []
    if (this.#end === undefined) {
      this.#close({})
      this.#controller?.abort(new Error('the reply is no longer read'))
    }
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#end !== undefined) controller.abort(this.#end.error ?? new Error('nobody reads the reply'))
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    if (status >= 200) this.#head.resolve({ status, headers })
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#end !== undefined) return
    if (this.#reader !== undefined) {
      this.#reader.resolve({ done: false, value: chunk })
      this.#reader = undefined
      return
    }
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes >= mostBytes) controller.pause()
  }

  onResponseEnd(): void {
    this.#close({})
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#close({ error })
  }

  readonly #abort = (): void => {
    this.#close({ error: this.#signal.reason as Error }) // passed on as it is, whatever the caller chose
    this.#chunks = []
    this.#controller?.abort(this.#signal.reason as Error)
  }

  #close(end: { readonly error?: Error }): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#signal.removeEventListener('abort', this.#abort)
    if (end.error === undefined) this.#reader?.resolve({ done: true, value: undefined })
    else this.#reader?.reject(end.error)
    this.#reader = undefined
    this.#head.reject(end.error ?? new Error('the connection ended without an answer'))
  }
}
