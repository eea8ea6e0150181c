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
  const abort = new AbortController()
  const ended = signal === undefined ? abort.signal : AbortSignal.any([signal, abort.signal])
  const iterator = frames(ended)[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  let next: Promise<IteratorResult<string>> | undefined
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        next ??= iterator.next()
        const step = await unlessQuiet(next, heartbeatMs, clock)
        if (step === undefined) return controller.enqueue(encoder.encode(heartbeat))
        next = undefined
        if (step.done === true) controller.close()
        else controller.enqueue(encoder.encode(step.value))
      },
      async cancel() {
        abort.abort()
        try {
          // One that was asked for nothing yet would not even tidy up.
          await (next ?? iterator.next())
          await iterator.return?.()
        } catch {
          // it has been told to end
        }
      },
    },
    { highWaterMark: 0 },
  )
  return new Response(body, { headers: { ...sseHeaders, ...headers } })
}

/** What `step` gives, or undefined when it takes longer than `ms` milliseconds. */
export async function unlessQuiet<T>(step: Promise<T>, ms: number, clock: Clock): Promise<T | undefined> {
  let cancelTimer: () => void = () => {}
  const quiet = new Promise<undefined>((resolve) => {
    cancelTimer = clock.schedule(ms, () => resolve(undefined))
  })
  try {
    return await Promise.race([step, quiet])
  } finally {
    cancelTimer()
  }
}
