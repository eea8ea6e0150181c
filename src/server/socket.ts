/** A WebSocket as the `ws` package and those like it have them. */
export interface RawSocket {
  readonly readyState: number
  readonly OPEN: number
  readonly bufferedAmount: number
  on(event: 'close' | 'pong', listen: () => void): unknown
  on(event: 'error', listen: (error: Error) => void): unknown
  on(event: 'message', listen: (data: Buffer | ArrayBuffer | Buffer[], isBinary: boolean) => void): unknown
  send(text: string, done: (error?: Error) => void): void
  close(code: number, reason: string): void
  ping(): void
  /** Where it is there, whoever sends is held back while a message is worked on. */
  pause?(): void
  resume?(): void
  terminate(): void
}

/** Bytes that may wait in a socket before whoever sends has to wait too. */
const sendBuffer = 262_144

/** A WebSocket as a dialect sees it: whole text messages, and a sender that waits for a slow client. */
export class Socket {
  readonly #socket: RawSocket
  readonly #closed = new AbortController()

  constructor(socket: RawSocket) {
    this.#socket = socket
    socket.on('close', () => this.#closed.abort())
    socket.on('error', () => socket.terminate())
  }

  /** Aborts when the socket is closed, by whomever. */
  get closed(): AbortSignal {
    return this.#closed.signal
  }

  /**
   * Calls `listen` with each text message, the next one when it is done with the last: no more are taken off the wire
   * meanwhile. Bytes are no message of ours. What comes while the socket is being closed is not heard.
   */
  onMessage(listen: (text: string) => Promise<void> | void): void {
    let waiting = 0
    let last = Promise.resolve()
    const hear = async (text: string) => {
      if (this.#isOpen) await listen(text)
    }
    const rest = () => {
      waiting -= 1
      if (waiting === 0) this.#socket.resume?.()
    }
    this.#socket.on('message', (data, isBinary) => {
      if (isBinary) return this.close(1003, 'text only')
      if (waiting === 0) this.#socket.pause?.()
      waiting += 1
      last = last
        .then(() => hear(textOf(data)))
        .catch(() => this.close(1011, 'the server failed'))
        .then(rest)
    })
  }

  get #isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN
  }

  /** Resolves when there is room for more; a message to a socket that is closed goes nowhere. */
  async send(text: string): Promise<void> {
    if (!this.#isOpen) return
    if (this.#socket.bufferedAmount < sendBuffer) return this.#socket.send(text, () => {})
    await new Promise<void>((resolve) => this.#socket.send(text, () => resolve()))
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason.slice(0, 120))
  }
}

function textOf(data: Buffer | ArrayBuffer | Buffer[]): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8')
  return Buffer.isBuffer(data) ? data.toString('utf8') : Buffer.from(data).toString('utf8')
}
