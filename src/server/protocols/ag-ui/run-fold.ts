import { isTerminal, type InferenceEvent, type TerminalEvent, type UnknownEvent } from '../../../events/event.ts'
import type { AgUiEvent } from './event.ts'
import { emptyProjection, project, type Projection } from './projection.ts'
import { unansweredResults } from './run.ts'

/** The inferences of a session, one after the other, up to the end of one of them. */
export class RunFold {
  projection: Projection = emptyProjection
  end: TerminalEvent | undefined
  readonly #target: string | undefined
  #running: string | undefined

  constructor(target: string | undefined) {
    this.#target = target
  }

  next(event: InferenceEvent | UnknownEvent): { readonly events: readonly AgUiEvent[]; readonly isVoid?: true } {
    if (event.type === 'unknown') return { events: [] }
    if (event.type === 'inference-started') {
      this.#running = event.inferenceId
      this.projection = emptyProjection
    }
    // A prompt that is cancelled while it waits has an end and no beginning.
    if (isTerminal(event) && event.inferenceId === this.#target) this.end = event
    if (event.inferenceId !== this.#running) return { events: [] }
    const { projection, events, isVoid } = project(this.projection, event)
    this.projection = projection
    if (!isTerminal(event)) return { events, ...(isVoid && { isVoid }) }
    const results = unansweredResults(projection)
    this.projection = emptyProjection
    return { events: [...events, ...results] }
  }
}
