import type { Clock } from '../clock.ts'
import { InferenceHandedOverError } from './inference-error.ts'

/** How long tools that run when their run is cancelled may take to come to an end. */
export const cancelGraceMs = 5_000

/** How a process that is to end gives up the run, for another process to go on with. */
export interface HandOver {
  /** Aborted: the run stops before its next step. */
  readonly beforeNextStep: AbortSignal
  /** Aborted: it stops where it is, as if its process had died. */
  readonly now: AbortSignal
}

/** What ends one run before its engine has: somebody cancels it, or its process gives it up. */
export class RunStop {
  readonly #inferenceId: string
  readonly #clock: Clock
  readonly #handOver: HandOver | undefined
  readonly #abort = new AbortController()
  readonly #leaving = new AbortController()
  readonly #aborted = rejection()
  readonly #stopping = rejection()
  readonly #over = rejection()
  #cancelGrace: () => void = () => {}
  /** As the signals say, but a field is read for every event at no cost. */
  isCancelled = false
  /** Whether what the engine yields is no part of the run any more. */
  isOver = false

  constructor(inferenceId: string, clock: Clock, handOver: HandOver | undefined) {
    this.#inferenceId = inferenceId
    this.#clock = clock
    this.#handOver = handOver
    handOver?.beforeNextStep.addEventListener('abort', this.#leave)
    handOver?.now.addEventListener('abort', this.#giveUp)
    if (handOver?.beforeNextStep.aborted === true) this.#leave()
    if (handOver?.now.aborted === true) this.#giveUp()
  }

  /** Aborted when the run is cancelled or given up. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Aborted when the run is to stop before its next step. */
  get leaving(): AbortSignal {
    return this.#leaving.signal
  }

  /** The run ends with `reason`: at once, or, while tools run, when they have ended or their grace is over. */
  cancel(reason: Error, areToolsRunning: boolean): void {
    this.isCancelled = true
    this.#abortFor(reason)
    if (areToolsRunning) this.#cancelGrace = this.#clock.schedule(cancelGraceMs, () => this.end(reason))
    else this.end(reason)
  }

  /** Nothing of the run is waited for any more; whoever still works for it is told so. */
  abandon(reason: InferenceHandedOverError): void {
    this.#abortFor(reason)
    this.end(reason)
  }

  end(reason: Error): void {
    this.isOver = true
    this.#over.reject(reason)
  }

  /** What `work` gives, unless the run is cancelled or given up before. */
  unlessAborted<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#aborted.promise])
  }

  /** What `work` gives, unless the run is to stop, however soon. */
  unlessStopping<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#stopping.promise])
  }

  /** What `work` gives, unless the run is over before. */
  unlessOver<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#over.promise])
  }

  /** Takes back what waits for time or for a signal. */
  release(): void {
    this.#cancelGrace()
    this.#handOver?.beforeNextStep.removeEventListener('abort', this.#leave)
    this.#handOver?.now.removeEventListener('abort', this.#giveUp)
  }

  readonly #leave = () => {
    const reason = new InferenceHandedOverError(this.#inferenceId)
    this.#leaving.abort(reason)
    this.#stopping.reject(reason)
  }

  readonly #giveUp = () => this.abandon(new InferenceHandedOverError(this.#inferenceId))

  #abortFor(reason: Error): void {
    this.#abort.abort(reason)
    this.#aborted.reject(reason)
    this.#stopping.reject(reason)
  }
}

/** A promise that only ever rejects, and is heard where it is raced. */
function rejection(): PromiseWithResolvers<never> {
  const made = Promise.withResolvers<never>()
  made.promise.catch(() => {})
  return made
}
