import type { Clock } from '../clock.ts'
import { GeppettoError } from '../errors.ts'
import type { ServerMessage } from './message.ts'

/** A way to hear of sessions. */
export interface Link {
  /**
   * What the server says of a session after `after`, over one connection. Throws when the connection ends, with the
   * server's reason if it gave one; ends when the signal aborts.
   */
  follow(sessionId: string, after: number | 'snapshot', signal: AbortSignal): AsyncIterable<ServerMessage>
  /** Drops connections that have been silent for too long, or all of them when the network is another one now. */
  check(isNetworkNew: boolean): void
}

/** How often a server lets hear of itself when there is nothing to say, and how long it may be silent. */
export const heartbeatMs = 15_000
export const silenceMs = 2 * heartbeatMs

/** Notices that a connection is dead though nobody said so. */
export class Watchdog {
  readonly #clock: Clock
  readonly #onDead: (error: GeppettoError) => void
  #heard: { readonly at: number; readonly monotonic: number }
  #cancelTimer: () => void = () => {}

  constructor(clock: Clock, onDead: (error: GeppettoError) => void) {
    this.#clock = clock
    this.#onDead = onDead
    this.#heard = { at: clock.now(), monotonic: clock.monotonic() }
    this.#watch(silenceMs)
  }

  heard(): void {
    this.#heard = { at: this.#clock.now(), monotonic: this.#clock.monotonic() }
  }

  check(isNetworkNew: boolean): void {
    if (isNetworkNew) this.#die('The network has changed')
    else if (this.#silence() >= silenceMs) this.#die('The server is silent')
  }

  stop(): void {
    this.#cancelTimer()
  }

  // One timer for a whole silence, however much is heard: it looks again when it is due.
  #watch(ms: number): void {
    this.#cancelTimer = this.#clock.schedule(ms, () => {
      const left = silenceMs - this.#silence()
      if (left > 0) this.#watch(left)
      else this.#die('The server is silent')
    })
  }

  // A machine that slept may not have counted it on the one clock, and a clock that was set back is behind on the other.
  #silence(): number {
    return Math.max(this.#clock.now() - this.#heard.at, this.#clock.monotonic() - this.#heard.monotonic)
  }

  #die(what: string): void {
    this.stop()
    this.#onDead(lost(what))
  }
}

/** No answer, or no more of it: whoever has a reason to come back can. */
export function lost(what: string, cause?: unknown, details: Readonly<Record<string, unknown>> = {}): GeppettoError {
  return new GeppettoError('SERVER_UNREACHABLE', `${what}; the connection is tried again.`, { cause, details })
}
