import { newUuid, systemClock, type Clock, type NewId } from '../clock.ts'
import type { TurnEdit } from '../events/event.ts'
import type { JsonObject } from '../json.ts'
import type { Block } from '../turns/block.ts'
import { sidecarKey } from '../turns/keys.ts'
import { pendingToolCalls } from '../turns/tool-calls.ts'
import type { Turn } from '../turns/turn.ts'

/** A session whose runs pause at each step, and who asked for that. */
export interface StepScope {
  readonly sessionId: string
  readonly owner?: string
  /** Where it pauses. Default `after_inference` and `after_tools`. */
  readonly phases?: readonly StepPhase[]
  /** After this many milliseconds a pause ends by itself. Default: what the controller has. */
  readonly timeoutMs?: number
  /** Goes into `extra` of each pause. */
  readonly extra?: JsonObject
}

/**
 * Where a run can wait: before a model call; after one that asked for tools; before a tool; after the tools; after a model
 * call that asked for none.
 */
export const stepPhases = ['before_inference', 'after_inference', 'before_tool', 'after_tools', 'after_answer'] as const
export type StepPhase = (typeof stepPhases)[number]

/** What somebody changed while a run waited. */
export interface StepEdit {
  /** A pure change of the turn. */
  readonly turn?: (turn: Turn) => Turn
  /** Other arguments of calls that have not run, by the ids of the calls. */
  readonly arguments?: Readonly<Record<string, JsonObject>>
}

/**
 * The turn as the edit makes it. A call that has run keeps what it ran with; one that is not what the provider has sealed
 * any more goes without the seal.
 */
export function applyStepEdit(turn: Turn, { turn: edit, arguments: given = {} }: StepEdit): Turn {
  const edited = edit === undefined ? turn : edit(turn)
  const open: ReadonlySet<Block> = new Set(pendingToolCalls(edited))
  const blocks = edited.blocks.map((block) => {
    if (block.kind !== 'tool_call' || !open.has(block)) return block
    const args = Object.hasOwn(given, block.payload.id) ? given[block.payload.id] : undefined
    if (args === undefined) return block
    return sidecarKey.delete({ ...block, payload: { ...block.payload, args } })
  })
  return blocks.every((block, index) => block === edited.blocks[index]) ? edited : { ...edited, blocks }
}

/** The edit as an event: what somebody changed is in the turn for good, and says so. */
export function editedBy(edit: StepEdit): TurnEdit {
  return { type: 'turn-edited', by: 'debugger', edit: (turn) => applyStepEdit(turn, edit) }
}

const defaultPhases: readonly StepPhase[] = ['after_inference', 'after_tools']

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
  readonly ended: Promise<StepEdit | undefined>
  /** Ends the pause. */
  release(edit?: StepEdit): void
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
    if (scope === undefined || !(scope.phases ?? defaultPhases).includes(step.phase)) return undefined
    const timeoutMs = scope.timeoutMs ?? this.#timeoutMs
    const pause = {
      pauseId: this.#newId(),
      scope,
      phase: step.phase,
      summary: step.summary,
      deadlineMs: this.#clock.now() + timeoutMs,
      extra: { ...scope.extra, ...step.extra },
    }
    this.#add(pause, timeoutMs)
    return pause
  }

  /** The pause of this id, while it lasts. */
  lookup(pauseId: string): StepPause | undefined {
    return this.#open.get(pauseId)?.pause
  }

  /** Ends a pause, with what was changed meanwhile, and gives it back; undefined when there is none of this id. */
  continue(pauseId: string, edit?: StepEdit): StepPause | undefined {
    const open = this.#open.get(pauseId)
    open?.release(edit)
    return open?.pause
  }

  /** The pauses of the session that last now. */
  pausesOf(sessionId: string): readonly StepPause[] {
    return [...this.#open.values()].map(({ pause }) => pause).filter(({ scope }) => scope.sessionId === sessionId)
  }

  /** The scope that the session is enabled with; undefined when it is not. */
  scopeOf(sessionId: string): StepScope | undefined {
    return this.#enabled.get(sessionId)
  }

  /**
   * Resolves when the pause has ended, at once when it has, with what was changed in it; an abort ends it, and rejects
   * with the signal's reason.
   */
  async wait(pauseId: string, signal: AbortSignal): Promise<StepEdit | undefined> {
    const open = this.#open.get(pauseId)
    if (open === undefined) {
      signal.throwIfAborted()
      return undefined
    }
    const release = () => open.release()
    signal.addEventListener('abort', release, { once: true })
    if (signal.aborted) open.release()
    const edit = await open.ended
    signal.removeEventListener('abort', release)
    signal.throwIfAborted()
    return edit
  }

  #add(pause: StepPause, timeoutMs: number): void {
    const { promise: ended, resolve } = Promise.withResolvers<StepEdit | undefined>()
    const release = (edit?: StepEdit) => {
      cancelTimer()
      this.#open.delete(pause.pauseId)
      resolve(edit)
    }
    const cancelTimer = this.#clock.schedule(timeoutMs, () => release())
    this.#open.set(pause.pauseId, { pause, ended, release })
  }
}
