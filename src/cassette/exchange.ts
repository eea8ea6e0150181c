import type { FetchInit, FetchReply } from '../providers/transport.ts'

/**
 * The program's side of one request. Recorder and player feed it in the same way, so a program sees no difference. Once
 * it is closed (ended, broken, aborted, or no longer read) nothing more comes through.
 */
export class Exchange {
  readonly reply: Promise<FetchReply>
  readonly #signal: AbortSignal
  readonly #settle: { resolve(reply: FetchReply): void; reject(error: unknown): void }
  readonly #onClose: () => void
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #isOpen = true

  constructor({ signal }: FetchInit, onClose: () => void = () => {}) {
    const { promise, resolve, reject } = Promise.withResolvers<FetchReply>()
    this.reply = promise
    this.#settle = { resolve, reject }
    this.#signal = signal
    this.#onClose = onClose
    signal.addEventListener('abort', this.#abort, { once: true })
    if (signal.aborted) this.#abort()
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  answer(status: number, headers: Readonly<Record<string, string>>, hasBody: boolean): void {
    const body = hasBody
      ? new ReadableStream<Uint8Array>({
          start: (controller) => {
            this.#controller = controller
          },
          cancel: () => this.#close(),
        })
      : null
    this.#settle.resolve({ status, headers: { get: (name) => headers[name.toLowerCase()] ?? null }, body })
    if (!hasBody) this.#close()
  }

  push(bytes: Uint8Array): void {
    this.#controller?.enqueue(bytes)
  }

  end(): void {
    this.#close()
    this.#controller?.close()
  }

  fail(error: unknown): void {
    if (!this.#isOpen) return
    this.#close()
    if (this.#controller === undefined) this.#settle.reject(error)
    else this.#controller.error(error)
  }

  readonly #abort = () => this.fail(this.#signal.reason)

  #close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#signal.removeEventListener('abort', this.#abort)
    this.#onClose()
  }
}
