import { messageOf } from '../errors.ts'
import type { InferenceEvent } from './event.ts'

/**
 * Watches events: called once for each, in order, never awaited. What it throws, now or later, cannot harm the run; its
 * first failure is reported as a `log` event.
 */
export type EventSink = (event: InferenceEvent) => void | Promise<void>

/** Calls the sinks and hears of their failures: `onFailure` once for each sink that ever fails. */
export class SinkGroup {
  readonly #sinks: readonly EventSink[]
  readonly #onFailure: (message: string) => void
  readonly #failed = new Set<EventSink>()

  constructor(sinks: readonly EventSink[], onFailure: (message: string) => void) {
    this.#sinks = [...new Set(sinks)]
    this.#onFailure = onFailure
  }

  show(event: InferenceEvent): void {
    for (const sink of this.#sinks) {
      try {
        sink(event)?.catch((error: unknown) => this.#report(sink, error))
      } catch (error) {
        this.#report(sink, error)
      }
    }
  }

  #report(sink: EventSink, error: unknown): void {
    if (this.#failed.has(sink)) return
    this.#failed.add(sink)
    this.#onFailure(`an event sink failed: ${messageOf(error)}`)
  }
}
