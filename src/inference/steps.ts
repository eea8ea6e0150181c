import { newUuid, systemClock, type Clock, type NewId } from '../clock.ts'
import type { JsonObject } from '../json.ts'

/** A session whose runs pause at each step, and who asked for that. */
export interface StepScope {
  readonly sessionId: string
  readonly owner?: string
  /** Goes into `extra` of each pause. */
  readonly extra?: JsonObject
}

export type StepPhase = 'after_inference' | 'after_tools'

/** A run that waits for someone to look. */
export interface StepPause {
  readonly pauseId: string
  readonly scope: StepScope
  readonly phase: StepPhase
  /** What there is to look at, for people. */
  readonly summary: string
  /** When it goes on by itself, in milliseconds since 1970. */
  readonly deadlineMs: number
  readonly extra: JsonObject
}

export interface StepControllerOptions {
  /** After this many milliseconds a pause ends by itself. Default 30 000. */
  readonly timeoutMs?: number
  readonly clock?: Clock
  readonly newId?: NewId
}

interface OpenPause {
  readonly pause: StepPause
  readonly ended: Promise<void>
  /** Ends the pause. */
  release(): void
}

/**
 * Lets a person hold the runs of a session between their steps. One controller serves any number of sessions; a session
 * pauses only while it is enabled, and a pause always ends: someone continues it, its time is up, its session is
 * disabled, or its run is cancelled.
 */
export class StepController {
  readonly #timeoutMs: number
  readonly #clock: Clock
  readonly #newId: NewId
  readonly #enabled = new Map<string, StepScope>()
  readonly #open = new Map<string, OpenPause>()

  constructor({ timeoutMs = 30_000, clock = systemClock, newId = newUuid }: StepControllerOptions = {}) {
    this.#timeoutMs = timeoutMs
    this.#clock = clock
    this.#newId = newId
  }

  /** Makes the session's runs pause; a later call replaces the scope. */
  enable(scope: StepScope): void {
    this.#enabled.set(scope.sessionId, scope)
  }

  /** Lets the session's runs go on, those that wait now among them. */
  disable(sessionId: string): void {
    this.#enabled.delete(sessionId)
    for (const { pause, release } of [...this.#open.values()]) {
      if (pause.scope.sessionId === sessionId) release()
    }
  }

  isEnabled(sessionId: string): boolean {
    return this.#enabled.has(sessionId)
  }

  /** Begins a pause, whose time runs from now; undefined when the session is not enabled. */
  pause(step: { sessionId: string; phase: StepPhase; summary: string; extra?: JsonObject }): StepPause | undefined {
    const scope = this.#enabled.get(step.sessionId)
    if (scope === undefined) return undefined
    const pause = {
      pauseId: this.#newId(),
      scope,
      phase: step.phase,
      summary: step.summary,
      deadlineMs: this.#clock.now() + this.#timeoutMs,
      extra: { ...scope.extra, ...step.extra },
    }
    this.#add(pause)
    return pause
  }

  /** The pause of this id, while it lasts. */
  lookup(pauseId: string): StepPause | undefined {
    return this.#open.get(pauseId)?.pause
  }

  /** Ends a pause and gives it back; undefined when there is none of this id. */
  continue(pauseId: string): StepPause | undefined {
    const open = this.#open.get(pauseId)
    open?.release()
    return open?.pause
  }

  /** Resolves when the pause has ended, at once when it has; an abort ends it, and rejects with the signal's reason. */
  async wait(pauseId: string, signal: AbortSignal): Promise<void> {
    const open = this.#open.get(pauseId)
    if (open === undefined) return signal.throwIfAborted()
    signal.addEventListener('abort', open.release, { once: true })
    if (signal.aborted) open.release()
    await open.ended
    signal.removeEventListener('abort', open.release)
    signal.throwIfAborted()
  }

  #add(pause: StepPause): void {
    const { promise: ended, resolve } = Promise.withResolvers<void>()
    const release = () => {
      cancelTimer()
      this.#open.delete(pause.pauseId)
      resolve()
    }
    const cancelTimer = this.#clock.schedule(this.#timeoutMs, release)
    this.#open.set(pause.pauseId, { pause, ended, release })
  }
}
