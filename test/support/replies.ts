import type { Clock } from '../../src/clock.ts'
import type { InferenceEvent } from '../../src/events/event.ts'
import type { Engine } from '../../src/inference/engine.ts'
import { run } from '../../src/inference/run.ts'
import type { Fetch } from '../../src/providers/transport.ts'
import type { Turn } from '../../src/turns/turn.ts'

export interface ReplyOptions {
  readonly status?: number
  readonly contentType?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Bytes in each chunk; default: all in one. */
  readonly chunkSize?: number
  /** What happens after the last byte: a clean end (default), a broken connection, or silence until the abort. */
  readonly then?: 'end' | 'break' | 'hang'
}

export interface SentRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A fetch that answers each request with the next of `replies` (the last one again and again) and keeps what was sent. */
export function replying(...replies: readonly (readonly [body: string | Uint8Array, options?: ReplyOptions])[]) {
  const sent: SentRequest[] = []
  const fetch: Fetch = (url, init) => {
    const [body, options = {}] = replies[Math.min(sent.length, replies.length - 1)] ?? ['']
    sent.push({ url, headers: init.headers, body: init.body })
    const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
    const headers = new Headers({ 'content-type': options.contentType ?? 'text/event-stream', ...options.headers })
    return Promise.resolve({ status: options.status ?? 200, headers, body: chunked(bytes, options, init.signal) })
  }
  return { fetch, sent }
}

function chunked(bytes: Uint8Array, options: ReplyOptions, signal: AbortSignal): ReadableStream<Uint8Array> {
  const size = options.chunkSize ?? Math.max(bytes.length, 1)
  let at = 0
  return new ReadableStream({
    pull(controller) {
      if (at < bytes.length) {
        controller.enqueue(bytes.subarray(at, at + size))
        at += size
        return
      }
      if (options.then === 'break') return controller.error(new Error('other side closed'))
      if (options.then !== 'hang') return controller.close()
      return new Promise<void>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }) // always an Error here
      })
    },
  })
}

/** How wire messages are framed on their way: Chat Completions, streams with event names, Gemini. */
export type Framing = 'chat' | 'named' | 'gemini'

/** The event stream whose messages are these JSON texts. */
export function sse(messages: readonly string[], framing: Framing): string {
  switch (framing) {
    case 'chat':
      return `${messages.map((message) => `data: ${message}\n\n`).join('')}data: [DONE]\n\n`
    case 'named':
      return messages.map((message) => `event: ${typeOf(message)}\ndata: ${message}\n\n`).join('')
    case 'gemini':
      return messages.map((message) => `data: ${message}\r\n\r\n`).join('')
  }
}

function typeOf(message: string): string {
  return String((JSON.parse(message) as { type?: unknown }).type)
}

export interface Outcome {
  readonly turn: Turn
  readonly events: readonly InferenceEvent[]
  readonly error?: unknown
}

/** Runs `engine` once to its end, well or not, with counted ids so that equal runs give equal events. */
export async function runToEnd(engine: Engine, turn: Turn, clock: Clock = frozen): Promise<Outcome> {
  const ids = { sessionId: 's', inferenceId: 'i', turnId: 't' }
  const inference = run(engine, turn, { ids, newId: countedIds(), clock })
  const error = await inference.result.then(
    () => undefined,
    (failure: unknown) => failure,
  )
  const events: InferenceEvent[] = []
  for await (const event of inference) events.push(event)
  return { turn: inference.turn, events, ...(error !== undefined && { error }) }
}

function countedIds(): () => string {
  let count = 0
  return () => {
    count += 1
    return `id-${count}`
  }
}

/** Time that stands still: pauses between attempts take none, and no watchdog ever fires. */
export const frozen: Clock = {
  now: () => Date.UTC(2026, 0, 1),
  monotonic: () => 0,
  schedule(ms, run) {
    if (ms > 60_000) return () => {}
    const handle = setImmediate(run)
    return () => clearImmediate(handle)
  },
}
