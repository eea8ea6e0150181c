import type { InferenceEvent } from '../events/event.ts'
import type { EventSink } from '../events/sink.ts'
import { printable, textPrinter } from '../events/text-printer.ts'
import { tell } from './exit.ts'
import type { Io } from './io.ts'
import { Progress } from './progress.ts'
import { styleFor, type StyleOptions } from './style.ts'

// How a run's end is told is the command's; how its text comes is this view's.
const notShown: ReadonlySet<InferenceEvent['type']> = new Set([
  'inference-finished',
  'inference-stopped',
  'inference-failed',
])

/**
 * Shows a run as it comes: the answer's text, and nothing else, on standard output; reasoning and tools on standard
 * error where that is a terminal. A line of the answer is never broken by a note.
 */
export class AnswerView {
  readonly #io: Io
  readonly #progress: Progress
  readonly #printNote: EventSink
  /** Notes that wait for the end of the line on the terminal that both streams share. */
  #waiting: InferenceEvent[] = []
  #segmentId: string | undefined
  #isLineOpen = false
  #isNoteOpen = false
  #hasText = false

  constructor(io: Io, options: StyleOptions) {
    this.#io = io
    this.#progress = new Progress(io, () => !this.#sharesLine && !this.#isNoteOpen)
    this.#printNote = textPrinter((text) => this.#writeNote(text), { color: styleFor(io.stderr, io.env, options).isOn })
  }

  readonly show = (event: InferenceEvent): void => {
    this.#progress.count(event)
    if (event.type === 'text-delta') this.#speak(event.segmentId, event.delta)
    else if (event.type === 'text-segment-finished') this.#endSegment(event.segmentId, event.block.payload.text)
    else if (!notShown.has(event.type) && event.type !== 'text-segment-started') this.#note(event)
  }

  end(): void {
    this.#endLine()
    this.#progress.stop()
  }

  get #sharesLine(): boolean {
    return this.#isLineOpen && this.#io.stdout.isTTY === true
  }

  #speak(segmentId: string, text: string): void {
    if (segmentId !== this.#segmentId) {
      this.#endLine()
      if (this.#hasText) this.#write('\n')
      this.#segmentId = segmentId
    }
    if (text === '') return
    this.#write(text)
    this.#hasText = true
    this.#isLineOpen = !text.endsWith('\n')
  }

  #endSegment(segmentId: string, text: string): void {
    if (segmentId !== this.#segmentId) this.#speak(segmentId, text)
    this.#endLine()
  }

  #endLine(): void {
    if (this.#isLineOpen) this.#write('\n')
    this.#isLineOpen = false
    const waiting = this.#waiting
    this.#waiting = []
    for (const event of waiting) this.#note(event)
  }

  #write(text: string): void {
    this.#progress.clear()
    this.#io.stdout.write(this.#io.stdout.isTTY ? printable(text) : text)
  }

  #note(event: InferenceEvent): void {
    if (!this.#io.stderr.isTTY) return warn(this.#io, event)
    if (this.#sharesLine) return void this.#waiting.push(event)
    void this.#printNote(event)
  }

  #writeNote(text: string): void {
    this.#progress.clear()
    this.#io.stderr.write(text)
    this.#isNoteOpen = !/\n(?:\u001b\[\d+m)?$/.test(text)
  }
}

/** Tells of what a run warns of. */
export function warn(io: Io, event: InferenceEvent): void {
  if (event.type !== 'log' || (event.level !== 'warn' && event.level !== 'error')) return
  tell(io, `${event.level === 'warn' ? 'warning' : 'error'}: ${event.message}`)
}
