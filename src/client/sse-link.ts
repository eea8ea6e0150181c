import { createParser } from 'eventsource-parser'
import type { Clock } from '../clock.ts'
import type { Api } from './api.ts'
import { lost, Watchdog, type Link } from './link.ts'
import { readMessage, type ServerMessage } from './message.ts'

/** Characters of one message; more is no message of ours. */
const messageLimit = 64 * 1024 * 1024

/** Hears of each session over an event stream of its own. */
export class SseLink implements Link {
  readonly #api: Api
  readonly #clock: Clock
  readonly #watchdogs = new Set<Watchdog>()

  constructor(api: Api, clock: Clock) {
    this.#api = api
    this.#clock = clock
  }

  async *follow(sessionId: string, after: number | 'snapshot', signal: AbortSignal): AsyncGenerator<ServerMessage> {
    const dead = new AbortController()
    const ended = AbortSignal.any([signal, dead.signal])
    const watchdog = new Watchdog(this.#clock, (error) => dead.abort(error))
    this.#watchdogs.add(watchdog)
    try {
      const path = `/api/sessions/${encodeURIComponent(sessionId)}/events?after=${after}`
      const response = await this.#api.open(path, { signal: ended })
      const isStream = /^text\/event-stream\b/.test(response.headers.get('content-type') ?? '')
      if (!isStream || response.body === null) throw lost('Something else than the server answers')
      for await (const text of messagesOf(response.body, () => watchdog.heard())) yield readMessage(text)
      throw lost('The event stream has ended')
    } catch (error) {
      if (signal.aborted) return
      throw dead.signal.aborted ? dead.signal.reason : error
    } finally {
      watchdog.stop()
      this.#watchdogs.delete(watchdog)
      dead.abort()
    }
  }

  check(isNetworkNew: boolean): void {
    for (const watchdog of this.#watchdogs) watchdog.check(isNetworkNew)
  }
}

/** The data of each message, in their order; what the end of the stream cuts off is no message. */
async function* messagesOf(body: ReadableStream<Uint8Array>, onHeard: () => void): AsyncGenerator<string> {
  const messages: string[] = []
  let overflow: Error | undefined
  const parser = createParser({
    maxBufferSize: messageLimit,
    onEvent: ({ data }) => void messages.push(data),
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') overflow = error
    },
  })
  const decoder = new TextDecoder()
  // Not every browser iterates over a stream.
  const reader = body.getReader()
  for (;;) {
    const { done, value } = await reader.read().catch((error: unknown) => {
      throw lost('The event stream broke off', error)
    })
    if (done) return
    onHeard()
    parser.feed(decoder.decode(value, { stream: true }))
    if (overflow !== undefined) throw lost('The server sends a message that does not end', overflow)
    yield* messages.splice(0)
  }
}
