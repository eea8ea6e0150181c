import type { Clock } from '../clock.ts'

export interface CallTimeouts {
  /** Until the provider answers at all. Default 120 000 ms; 0 for no limit. */
  readonly firstByteMs?: number
  /** Between two pieces of content; keep-alives do not count. Default 120 000 ms; 0 for no limit. */
  readonly idleMs?: number
  /** For the whole call. Default 0: no limit. */
  readonly totalMs?: number
}

/**
 * Ends a call that hangs: `signal` aborts when the caller's does or when a limit is passed, and `fired` then says which.
 * Looking at the clock is all that it costs a token; its one timer checks back and sets itself again.
 */
export class Watchdog {
  readonly signal: AbortSignal
  readonly #clock: Clock
  readonly #limits: Required<CallTimeouts>
  readonly #abort = new AbortController()
  readonly #started: number
  #waitingForHeaders = true
  #lastContent: number
  #cancelTimer: () => void = () => {}
  #fired: string | undefined

  constructor(clock: Clock, outer: AbortSignal, timeouts: CallTimeouts) {
    this.#clock = clock
    this.#limits = { firstByteMs: 120_000, idleMs: 120_000, totalMs: 0, ...timeouts }
    this.signal = AbortSignal.any([outer, this.#abort.signal])
    this.#started = clock.monotonic()
    this.#lastContent = this.#started
    this.#schedule()
  }

  /** What was waited for in vain, as the end of a sentence; undefined while all is well. */
  get fired(): string | undefined {
    return this.#fired
  }

  headersArrived(): void {
    this.#waitingForHeaders = false
    this.#lastContent = this.#clock.monotonic()
    this.#schedule()
  }

  contentArrived(): void {
    this.#lastContent = this.#clock.monotonic()
  }

  stop(): void {
    this.#cancelTimer()
  }

  #schedule(): void {
    this.#cancelTimer()
    const waits = this.#deadlines().map(({ at }) => at - this.#clock.monotonic())
    if (waits.length > 0) this.#cancelTimer = this.#clock.schedule(Math.max(Math.min(...waits), 0), () => this.#check())
  }

  #check(): void {
    const now = this.#clock.monotonic()
    const passed = this.#deadlines().find(({ at }) => at <= now)
    if (passed === undefined) return this.#schedule()
    this.#fired = passed.what
    this.#abort.abort(new Error(passed.what))
  }

  #deadlines(): { readonly at: number; readonly what: string }[] {
    const { firstByteMs, idleMs, totalMs } = this.#limits
    const silent = this.#waitingForHeaders
      ? { ms: firstByteMs, from: this.#started, what: `did not answer within ${firstByteMs / 1000} s` }
      : { ms: idleMs, from: this.#lastContent, what: `sent nothing for ${idleMs / 1000} s` }
    const total = { ms: totalMs, from: this.#started, what: `took longer than ${totalMs / 1000} s` }
    return [silent, total].filter(({ ms }) => ms > 0).map(({ ms, from, what }) => ({ at: from + ms, what }))
  }
}
