import type { Clock, NewId } from '../clock.ts'
import type { GeppettoError } from '../errors.ts'
import type { InferenceEvent, InferenceScope, Phase, TerminalEvent } from '../events/event.ts'
import type { EventSink } from '../events/sink.ts'
import type { Turn } from '../turns/turn.ts'
import type { ApprovalDecision } from './engine.ts'
import type { Recorder } from './record-queue.ts'
import type { HandOver } from './stop.ts'

export type InferenceStatus = 'running' | 'finished' | 'stopped' | 'failed' | 'interrupted' | 'handed-over'

export const statusOf = {
  'inference-finished': 'finished',
  'inference-stopped': 'stopped',
  'inference-failed': 'failed',
  'inference-interrupted': 'interrupted',
} as const satisfies Record<TerminalEvent['type'], InferenceStatus>

/** What an earlier process recorded of an inference, and what is to become of it. */
export interface Past {
  readonly events: readonly InferenceEvent[]
  readonly plan:
    | { readonly do: 'resume'; readonly restarts: number }
    | { readonly do: 'interrupt' | 'stop'; readonly reason: string }
    | { readonly do: 'fail'; readonly error: GeppettoError }
}

export interface RunOptions {
  readonly ids: InferenceScope
  /** Aborting it cancels the run. */
  readonly signal?: AbortSignal
  readonly sinks?: readonly EventSink[]
  /** Called with the turn as it stands at each phase of the loop, and at the end (`final`). */
  readonly onSnapshot?: (turn: Turn, phase: Phase) => void
  /** Called once with the finished turn, before the terminal event; its failure is an event and fails nothing. */
  readonly persist?: (turn: Turn) => void | Promise<void>
  /** Gives the next place in the session's log. Default: counts from 1. Not asked when there is a recorder. */
  readonly nextOrdinal?: () => number
  /**
   * Makes events durable before anyone sees them. Deltas wait for company (25 ms, 20 events); an intent (a request, a
   * tool's start), a result and the end are recorded before the run goes on. The run fails when it fails.
   */
  readonly record?: Recorder
  /** The run goes on from here, or is ended, as it says; `input` is the turn before the first of its events. */
  readonly past?: Past
  /** Lets the process give the run up without ending it; only a run that is recorded can be gone on with. */
  readonly handOver?: HandOver
  /** Waits for what is decided on an approval. Default: for `decide` of the handle. */
  readonly decision?: (approvalId: string, signal: AbortSignal) => Promise<ApprovalDecision>
  /** Called when the run has ended, before anyone hears of it. */
  readonly onEnd?: (turn: Turn) => void
  readonly clock?: Clock
  readonly newId?: NewId
}
