import { uuidv7 } from 'uuidv7'

/** Where time comes from. Nothing in the library reads the time or sets a timer by itself, so a test can hold it still. */
export interface Clock {
  /** Milliseconds since 1970, for what people read. */
  now(): number
  /** Milliseconds that only ever grow, for durations and deadlines. */
  monotonic(): number
  /** Calls `run` once after `ms`; the function returned takes that back. */
  schedule(ms: number, run: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  schedule(ms, run) {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}

let [lastMs, lastTime] = [Number.NaN, '']

/** The time as text, as events have it. Whoever asks again within the same millisecond gets it for nothing. */
export function timeText(ms: number): string {
  if (ms !== lastMs) [lastMs, lastTime] = [ms, new Date(ms).toISOString()]
  return lastTime
}

/** Waits `ms`; rejects with the signal's reason as soon as it aborts. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      cancel()
      reject(signal.reason as Error) // the reason is passed on as it is, whatever the caller chose
    }
    const cancel = clock.schedule(ms, () => {
      signal.removeEventListener('abort', abort)
      resolve()
    })
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
  })
}

/** Makes an id that no other call makes. */
export type NewId = () => string

/** UUIDs of version 7: they sort by the time they were made, and stay in order within one millisecond. */
export const newUuid: NewId = uuidv7
