import type { Clock } from '../clock.ts'
import type { ReadKind, Tape } from './tape.ts'

interface Timer {
  readonly at: number
  readonly run: () => void
}

/** Gives the recorded readings again. A timer goes off when the recording says so; nothing waits in real time. */
export class ReplayedClock implements Clock {
  readonly taken: Record<ReadKind, number> = { now: 0, monotonic: 0, ids: 0 }
  readonly #tape: Tape
  /** Hears of everything that the program asks for. */
  readonly #onRead: (isRecorded: boolean) => void
  readonly #timers = new Map<number, Timer>()
  #timerCount = 0
  /** How far time went beyond the recording. */
  #beyond = 0

  constructor(tape: Tape, onRead: (isRecorded: boolean) => void) {
    this.#tape = tape
    this.#onRead = onRead
  }

  now(): number {
    return this.#read('now')
  }

  monotonic(): number {
    return this.#read('monotonic')
  }

  newId(): string {
    const index = this.#take('ids')
    return this.#tape.ids[index] ?? `beyond-the-recording-${index + 1}`
  }

  schedule(ms: number, run: () => void): () => void {
    const number = (this.#timerCount += 1)
    const last = this.#tape.monotonic[Math.min(this.taken.monotonic, this.#tape.monotonic.length) - 1] ?? 0
    this.#timers.set(number, { at: last + this.#beyond + ms, run })
    return () => this.#timers.delete(number)
  }

  /** Lets the nth timer that was set go off. */
  fire(number: number): void {
    const timer = this.#timers.get(number)
    this.#timers.delete(number)
    timer?.run()
  }

  get hasTimers(): boolean {
    return this.#timers.size > 0
  }

  has(timer: number): boolean {
    return this.#timers.has(timer)
  }

  /** Beyond the recording time is virtual: it goes on to the next timer. */
  fireNext(): void {
    const [next] = [...this.#timers].toSorted(([, left], [, right]) => left.at - right.at)
    if (next === undefined) return
    const [number, { at }] = next
    this.#beyond = Math.max(this.#beyond, at - (this.#tape.monotonic.at(-1) ?? 0))
    this.fire(number)
  }

  #read(kind: 'now' | 'monotonic'): number {
    const readings = this.#tape[kind]
    const index = this.#take(kind)
    return readings[index] ?? (readings.at(-1) ?? 0) + this.#beyond
  }

  #take(kind: ReadKind): number {
    const index = this.taken[kind]
    this.taken[kind] += 1
    this.#onRead(index < this.#tape[kind].length)
    return index
  }
}
