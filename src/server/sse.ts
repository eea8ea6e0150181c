import type { Clock } from '../clock.ts'

/** One message of an event stream. */
export interface SseMessage {
  readonly id?: string | number
  readonly event?: string
  readonly data: string
}

/**
 * The message as it goes over the wire. No text that a model, a tool or a caller wrote can begin another message or
 * field: line breaks of the data begin a data line each, and ids and names have none.
 */
export function sseFrame({ id, event, data }: SseMessage): string {
  const lines = /[\r\n]/.test(data) ? data.split(/\r\n|\r|\n/) : [data]
  return `${field('id', id)}${field('event', event)}${lines.map((line) => `data: ${line}\n`).join('')}\n`
}

function field(name: string, value: string | number | undefined): string {
  return value === undefined ? '' : `${name}: ${String(value).replaceAll(/[\r\n\0]/g, ' ')}\n`
}

/** A comment that keeps proxies from cutting a silent stream. Without a blank line, for some clients take that for a message. */
const heartbeat = ': ping\n'
const heartbeatMs = 15_000

const sseHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  // Asks proxies such as nginx not to collect what belongs on the screen now.
  'x-accel-buffering': 'no',
}

export interface SseOptions {
  readonly clock: Clock
  /** Ends the stream. */
  readonly signal?: AbortSignal
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * Streams frames at the pace of whoever reads: the next is asked for when the last one is on its way, so a client that
 * does not read holds one batch and no more. `frames` gets a signal that aborts when the client has gone or the stream
 * is to end; when it throws, the stream breaks off, which a client takes for a reason to come back.
 */
export function sseResponse(
  frames: (signal: AbortSignal) => AsyncIterable<string>,
  { clock, signal, headers = {} }: SseOptions,
): Response {
  const stream = new FrameStream(frames, clock, signal)
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const frame = await stream.read()
        if (frame === undefined) controller.close()
        else controller.enqueue(encoder.encode(frame))
      },
      cancel: () => stream.cancel(),
    },
    { highWaterMark: 0 },
  )
  streams.set(body, stream)
  return new Response(body, { headers: { ...sseHeaders, ...headers } })
}

const streams = new WeakMap<object, FrameStream>()

/**
 * The frames of a response that `sseResponse` made, for a host that can send text as it is: a web stream between the two
 * would cost more than the frames. Undefined for any other response. Who takes them leaves the body alone.
 */
export function framesOf({ body }: Response): Pick<FrameStream, 'read' | 'cancel'> | undefined {
  return body === null ? undefined : streams.get(body)
}

/** Frames as one reader asks for them, with heartbeats where none come. */
class FrameStream {
  readonly #frames: AsyncIterator<string>
  readonly #clock: Clock
  readonly #abort = new AbortController()
  /** The frame that was asked for. It stays until somebody has read it. */
  #next: Promise<IteratorResult<string, unknown>> | undefined
  /** Tells whoever waits for it that all is well. */
  #beat: (() => void) | undefined
  #isEnded = false
  #lastRead: number
  #cancelTimer: (() => void) | undefined

  constructor(frames: (signal: AbortSignal) => AsyncIterable<string>, clock: Clock, signal: AbortSignal | undefined) {
    const ended = signal === undefined ? this.#abort.signal : AbortSignal.any([signal, this.#abort.signal])
    this.#frames = frames(ended)[Symbol.asyncIterator]()
    this.#clock = clock
    this.#lastRead = clock.monotonic()
  }

  /** The next frame; undefined at the end. Throws what the frames throw. Not to be called again before it has answered. */
  read(): Promise<string | undefined> {
    if (this.#isEnded) return Promise.resolve(undefined)
    this.#cancelTimer ??= this.#clock.schedule(heartbeatMs, () => this.#checkSilence())
    this.#next ??= this.#frames.next()
    const next = this.#next
    return new Promise((resolve, reject) => {
      const beat = () => resolve(heartbeat)
      this.#beat = beat
      next.then(
        (step) => {
          if (this.#beat === beat) resolve(this.#taken(step))
        },
        (error: unknown) => {
          this.#end()
          reject(error)
        },
      )
    })
  }

  /** The reader has gone: what makes the frames is told, and has tidied up when this resolves. */
  async cancel(): Promise<void> {
    this.#abort.abort()
    this.#end()
    try {
      // One that was asked for nothing yet would not even tidy up.
      await (this.#next ?? this.#frames.next())
      await this.#frames.return?.()
    } catch {
      // it has been told to end
    }
  }

  #taken({ done, value }: IteratorResult<string, unknown>): string | undefined {
    this.#next = undefined
    this.#beat = undefined
    this.#lastRead = this.#clock.monotonic()
    if (done !== true) return value
    this.#end()
    return undefined
  }

  #end(): void {
    this.#isEnded = true
    this.#cancelTimer?.()
  }

  // One timer that sets itself again: one for each frame would cost more than the frame.
  #checkSilence(): void {
    const now = this.#clock.monotonic()
    const leftMs = this.#lastRead + heartbeatMs - now
    if (leftMs <= 0) {
      this.#lastRead = now
      this.#beat?.()
      this.#beat = undefined
    }
    this.#cancelTimer = this.#clock.schedule(leftMs > 0 ? leftMs : heartbeatMs, () => this.#checkSilence())
  }
}
