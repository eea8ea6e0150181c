import type { Clock } from '../clock.ts'
import { isToken, type InferenceEvent } from '../events/event.ts'

/** Makes events durable, in their order, and gives the ordinal of the first; the others follow it without a gap. */
export type Recorder = (events: readonly InferenceEvent[]) => Promise<number>

const maxEvents = 20
/** Little enough that nobody sees it, long enough for two tokens of a fast model. */
const maxDelayMs = 25
/** Events that may wait while others are being recorded. */
const maxWaiting = 256

/**
 * Events between a run and its log: they wait for company, at most 25 ms or until 20 have come, are recorded, and only
 * then are shown. Those that come while others are being recorded are recorded together, and tokens that wait together
 * are one piece of text. Events that could not be recorded stay, and are tried again with the next flush.
 */
export class RecordQueue {
  readonly #record: Recorder
  readonly #show: (event: InferenceEvent) => void
  readonly #clock: Clock
  #waiting: InferenceEvent[] = []
  /** How many events wait, each token counted. */
  #count = 0
  #last: Promise<void> = Promise.resolve()
  #cancelTimer: (() => void) | undefined

  constructor(record: Recorder, show: (event: InferenceEvent) => void, clock: Clock) {
    this.#record = record
    this.#show = show
    this.#clock = clock
  }

  /** Whether so many events wait that no more should come before a flush. */
  get isFull(): boolean {
    return this.#count >= maxWaiting
  }

  add(event: InferenceEvent): void {
    this.#count += 1
    if (!addText(this.#waiting.at(-1), event)) this.#waiting.push(event)
    if (this.#count === maxEvents) this.#flushSoon()
    else this.#cancelTimer ??= this.#clock.schedule(maxDelayMs, () => this.#flushSoon())
  }

  // What fails here stays, and is heard of with the flush that the run waits for.
  #flushSoon(): void {
    void this.flush().catch(() => {})
  }

  /** Resolves when all events are recorded and shown. Rejects with the recorder's error. */
  flush(): Promise<void> {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#last = this.#last.then(this.#write, this.#write)
    return this.#last
  }

  readonly #write = (): Promise<void> | undefined => {
    const events = this.#waiting
    if (events.length === 0) return undefined
    const count = this.#count
    this.#waiting = []
    this.#count = 0
    return this.#record(events).then(
      (first) => this.#place(events, first),
      (error: unknown) => {
        this.#waiting = [...events, ...this.#waiting]
        this.#count += count
        throw error
      },
    )
  }

  #place(events: readonly InferenceEvent[], first: number): void {
    let ordinal = first
    for (const event of events) {
      const placed = event as { ordinal: number } // nobody has seen the event before it has its place
      placed.ordinal = ordinal
      ordinal += 1
      this.#show(event)
    }
  }
}

/** Adds the text of `event` to `last`, which nobody has seen yet, when it goes on with that. */
function addText(last: InferenceEvent | undefined, event: InferenceEvent): boolean {
  if (!isToken(event)) return false
  if (last?.type !== event.type || last.segmentId !== event.segmentId) return false
  const open: { delta: string } = last
  open.delta += event.delta
  return true
}
