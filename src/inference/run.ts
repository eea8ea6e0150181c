import { newUuid, systemClock, type Clock, type NewId } from '../clock.ts'
import { GeppettoError, isGeppettoError, messageOf } from '../errors.ts'
import { applyEvent } from '../events/apply.ts'
import {
  isTerminal,
  type EngineEvent,
  type ErrorInfo,
  type EventOf,
  type InferenceEvent,
  type InferenceScope,
  type Phase,
} from '../events/event.ts'
import { SinkGroup, type EventSink } from '../events/sink.ts'
import { findNonJson } from '../json.ts'
import { assistantText, reasoning, toolError } from '../turns/block.ts'
import { inferenceIdKey, partialKey, sessionIdKey } from '../turns/keys.ts'
import type { Turn } from '../turns/turn.ts'
import type { InferenceResult } from '../turns/values.ts'
import type { ApprovalDecision, Engine } from './engine.ts'
import { Approvals } from './approvals.ts'
import { positionOf } from './position.ts'
import { RecordQueue, type Recorder } from './record-queue.ts'
import { Replay } from './replay.ts'
import { ResultLedger } from './result.ts'
import { Stamper, type LifecycleEvent } from './stamp.ts'
import { unknownOutcome } from './tool-result.ts'

type Terminal = Extract<LifecycleEvent, { readonly result: InferenceResult }>

export type InferenceStatus = 'running' | 'finished' | 'stopped' | 'failed' | 'interrupted'

/** What an earlier process recorded of an inference, and what is to become of it. */
export interface Past {
  readonly events: readonly InferenceEvent[]
  readonly then:
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
   * Makes events durable before anyone sees them. Deltas wait for company (50 ms, 20 events); an intent (a request, a
   * tool's start), a result and the end are recorded before the run goes on. The run fails when it fails.
   */
  readonly record?: Recorder
  /** The run goes on from here, or is ended, as it says; `input` is the turn before the first of its events. */
  readonly past?: Past
  /** Waits for what is decided on an approval. Default: for `decide` of the handle. */
  readonly decision?: (approvalId: string, signal: AbortSignal) => Promise<ApprovalDecision>
  /** Called when the run has ended, before anyone hears of it. */
  readonly onEnd?: (turn: Turn) => void
  readonly clock?: Clock
  readonly newId?: NewId
}

/** A run was cancelled; `inference.turn` holds what it had produced. */
export class InferenceCancelledError extends GeppettoError {
  override readonly name = 'InferenceCancelledError'
}

/** The process that ran an inference died, and nothing goes on from there; what it had produced is in the turn. */
export class InferenceInterruptedError extends GeppettoError {
  override readonly name = 'InferenceInterruptedError'
  readonly reason: string
  constructor(inferenceId: string, reason: string) {
    super('INFERENCE_INTERRUPTED', `Inference ${inferenceId} was interrupted: ${reason}. Prompt again to go on.`, {
      details: { inferenceId, reason },
    })
    this.reason = reason
  }
}

/** The run goes on only when these are recorded. */
const awaited: ReadonlySet<InferenceEvent['type']> = new Set<InferenceEvent['type']>([
  'provider-call-started',
  'provider-call-finished',
  'attempt-discarded',
  'approval-requested',
  'tool-execution-started',
  'tool-result-ready',
])

/**
 * One run of an engine: from a prompt to exactly one terminal event. Iterating it gives its events; every reader gets
 * all of them from the first on, whenever it comes. Nothing that was produced is lost to an error: it is in `turn`.
 */
export class Inference implements AsyncIterable<InferenceEvent> {
  readonly id: string
  readonly input: Turn
  /** The finished turn. Rejects with InferenceCancelledError when cancelled and with the engine's error when it failed. */
  readonly result: Promise<Turn>
  readonly #engine: Engine
  readonly #options: RunOptions
  readonly #clock: Clock
  readonly #abort = new AbortController()
  readonly #events = new Replay<InferenceEvent>()
  readonly #sinks: SinkGroup
  readonly #stamper: Stamper
  readonly #ledger = new ResultLedger()
  /** Text of the segments that have begun and not ended, by their local id. */
  readonly #open = new Map<string, { readonly kind: 'text' | 'reasoning'; text: string }>()
  /** Tools that were let run and have given no result. */
  readonly #runningTools = new Map<string, Pick<EventOf<'tool-execution-started'>, 'toolName' | 'effect'>>()
  readonly #approvals: Approvals
  readonly #queue: RecordQueue | undefined
  /** What watchers of this run did wrong and nobody has heard of yet. */
  readonly #watcherFailures: string[] = []
  #blocksBeforeCall = 0
  /** Whom the open call asked. */
  #called: Pick<InferenceResult, 'provider' | 'model'> = {}
  #turn: Turn
  #status: InferenceStatus = 'running'
  /** As the signal says, but a field is read for every event at no cost. */
  #isCancelled = false
  #cancelReason = ''
  readonly #cancelled: Promise<never>

  constructor(engine: Engine, input: Turn, options: RunOptions) {
    this.id = options.ids.inferenceId
    this.#engine = engine
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.input = withIds(input, options.ids)
    this.#turn = this.input
    this.#queue = options.record && new RecordQueue(options.record, (event) => this.#publish(event), this.#clock)
    this.#approvals = new Approvals(this.#clock, (event) => this.#emit(event))
    this.#sinks = new SinkGroup(options.sinks ?? [], (message) => this.#watcherFailures.push(message))
    const nextOrdinal = options.record ? () => 0 : (options.nextOrdinal ?? counter())
    this.#stamper = new Stamper(options.ids, this.#clock, options.newId ?? newUuid, nextOrdinal)
    for (const event of options.past?.events ?? []) this.#recall(event)
    const { signal } = this.#abort
    this.#cancelled = new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }) // set by cancel()
    })
    this.#cancelled.catch(() => {}) // it is heard where it is raced
    this.result = this.#run()
    this.result.catch(() => {}) // a caller that only reads the events must not crash on a failed run
  }

  /** The turn as it stands: the fold of all events so far. */
  get turn(): Turn {
    return this.#turn
  }

  get status(): InferenceStatus {
    return this.#status
  }

  /** Stops the run; what it has produced stays. Does nothing when it has ended. */
  cancel(reason = 'cancelled'): void {
    if (this.#status !== 'running' || this.#isCancelled) return
    this.#isCancelled = true
    this.#cancelReason = reason
    this.#abort.abort(
      new InferenceCancelledError('INFERENCE_CANCELLED', `Inference ${this.id} was cancelled: ${reason}.`, {
        details: { inferenceId: this.id, reason },
      }),
    )
  }

  /**
   * Decides on an approval that the run waits for. Throws APPROVAL_UNKNOWN when it does not. In a stored session use
   * the session's `decide`.
   */
  decide(approvalId: string, decision: ApprovalDecision): void {
    this.#approvals.decide(approvalId, decision)
  }

  [Symbol.asyncIterator](): AsyncIterator<InferenceEvent> {
    return this.#events[Symbol.asyncIterator]()
  }

  async #run(): Promise<Turn> {
    const started = this.#clock.monotonic()
    const outer = this.#options.signal
    const abort = () => this.cancel(outer?.reason === undefined ? undefined : messageOf(outer.reason))
    await Promise.resolve() // the caller has the handle before the first event
    if (outer?.aborted === true) abort()
    outer?.addEventListener('abort', abort, { once: true })
    try {
      if (await this.#begin()) await this.#drive()
      return await this.#finish(this.#clock.monotonic() - started)
    } catch (error) {
      throw await this.#fail(error, this.#clock.monotonic() - started)
    } finally {
      outer?.removeEventListener('abort', abort)
      this.#events.end()
    }
  }

  /** Whether there is anything left for the engine to do. */
  async #begin(): Promise<boolean> {
    const past = this.#options.past
    if (past === undefined) {
      this.#show(this.#stamper.lifecycle({ type: 'inference-started' }))
      await this.#queue?.flush()
      return true
    }
    const { then } = past
    if (then.do === 'stop') this.cancel(then.reason)
    if (then.do === 'fail') throw then.error
    if (then.do !== 'resume') throw new InferenceInterruptedError(this.id, then.reason)
    this.#discardOpenAttempt()
    this.#show(this.#stamper.lifecycle({ type: 'inference-resumed', restarts: then.restarts }))
    await this.#queue?.flush()
    return positionOf(past.events).next !== 'nothing'
  }

  /** What a dead process had received of a reply is void: the model is asked again. */
  #discardOpenAttempt(): void {
    if (!this.#stamper.isCallOpen) return
    const blocks = Math.max(this.#turn.blocks.length - this.#blocksBeforeCall, 0)
    const error = { code: 'INFERENCE_INTERRUPTED', message: 'the process died in the middle of the reply' }
    this.#emit({ type: 'attempt-discarded', error, blocks, retryInMs: 0 })
  }

  /** Takes up an event of the past: everything but telling anyone. */
  #recall(event: InferenceEvent): void {
    this.#track(event)
    this.#stamper.observe(event)
    this.#turn = applyEvent(this.#turn, event)
    this.#events.push(event)
  }

  async #drive(): Promise<void> {
    const { signal } = this.#abort
    const ask = this.#options.decision ?? ((approvalId: string) => this.#approvals.wait(approvalId))
    const context = {
      ids: this.#options.ids,
      signal,
      tools: [],
      clock: this.#clock,
      newId: this.#options.newId ?? newUuid,
      past: this.#options.past?.events ?? [],
      decision: (approvalId: string) => this.#unlessCancelled(ask(approvalId, signal)),
    }
    signal.throwIfAborted()
    const events = this.#engine(this.#turn, context)[Symbol.asyncIterator]()
    try {
      await this.#unlessCancelled(this.#pump(events))
    } catch (error) {
      // Not awaited: an engine that ignores the signal must not hold the session.
      void events.return?.().catch(() => {})
      throw error
    }
  }

  // What an engine yields after a cancel is no part of the run any more.
  async #pump(events: AsyncIterator<EngineEvent>): Promise<void> {
    while (!this.#isCancelled) {
      const step = await events.next()
      if (this.#isCancelled || step.done === true) break
      this.#emit(step.value)
      if (this.#queue !== undefined && (awaited.has(step.value.type) || this.#queue.isFull)) await this.#queue.flush()
    }
    this.#abort.signal.throwIfAborted()
  }

  // Raced once for the whole run: racing a promise that lives on for every event would leak a callback each time.
  #unlessCancelled<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#cancelled])
  }

  #emit(event: EngineEvent): void {
    this.#track(event)
    this.#show(this.#stamper.stamp(event, this.#turn))
    if (event.type === 'phase-reached') this.#snapshot(this.#turn, event.phase)
    this.#reportWatchers()
  }

  #snapshot(turn: Turn, phase: Phase): void {
    try {
      this.#options.onSnapshot?.(turn, phase)
    } catch (error) {
      this.#watcherFailures.push(`the snapshot hook failed at ${phase}: ${messageOf(error)}`)
    }
  }

  #reportWatchers(): void {
    while (this.#watcherFailures.length > 0) {
      const message = this.#watcherFailures.shift() ?? ''
      this.#show(this.#stamper.stamp({ type: 'log', level: 'warn', message }, this.#turn))
    }
  }

  #show(event: InferenceEvent): void {
    this.#turn = applyEvent(this.#turn, event)
    if (this.#queue === undefined) this.#publish(event)
    else this.#queue.add(event)
  }

  #publish(event: InferenceEvent): void {
    if (isTerminal(event)) {
      this.#status = statusOf[event.type]
      this.#options.onEnd?.(this.#turn)
    }
    this.#events.push(event)
    this.#sinks.show(event)
  }

  #track(event: EngineEvent | InferenceEvent): void {
    // The call that an event opens, with or without saying so, begins where the turn ends now.
    if (!this.#stamper.isCallOpen) this.#blocksBeforeCall = this.#turn.blocks.length
    switch (event.type) {
      case 'text-delta':
      case 'reasoning-delta': {
        const open = this.#open.get(event.segmentId)
        if (open !== undefined) open.text += event.delta
        else
          this.#open.set(event.segmentId, {
            kind: event.type === 'text-delta' ? 'text' : 'reasoning',
            text: event.delta,
          })
        return
      }
      case 'text-segment-finished':
      case 'reasoning-segment-finished':
        this.#open.delete(event.segmentId)
        return
      case 'provider-call-started':
        this.#blocksBeforeCall = this.#turn.blocks.length
        this.#called = { provider: event.provider, model: event.model }
        break
      case 'provider-call-finished':
        requireJson(event.result)
        break
      case 'attempt-discarded':
        this.#open.clear()
        break
      case 'tool-execution-started':
        this.#runningTools.set(event.toolCallId, event)
        break
      case 'tool-result-ready':
        this.#runningTools.delete(event.toolCallId)
        break
      case 'approval-requested':
        this.#approvals.add(event)
        break
      case 'approval-decided':
        this.#approvals.remove(event.approvalId)
        break
      default:
    }
    this.#ledger.add(event)
  }

  async #finish(durationMs: number): Promise<Turn> {
    this.#closeSegments()
    this.#abort.signal.throwIfAborted() // a sink may have cancelled just now
    const terminal = () => ({ type: 'inference-finished' as const, result: this.#ledger.finished(durationMs) })
    try {
      // A cancel ends the wait for a store that hangs; the inference is finished all the same.
      await this.#unlessCancelled(Promise.resolve(this.#options.persist?.(this.#preview(terminal().result))))
    } catch (error) {
      this.#emit({ type: 'persist-failed', error: errorInfo(error) })
    }
    return this.#end(terminal())
  }

  /** Ends the run for `error` and gives the error that its caller sees. */
  async #fail(error: unknown, durationMs: number): Promise<unknown> {
    const info = errorInfo(error)
    this.#approvals.clear()
    this.#closeSegments()
    if (this.#isCancelled) {
      this.#closeTools()
      this.#closeCall({ finish_class: 'interrupted', stop_reason: 'cancelled' })
      const result = this.#ledger.stopped('cancelled', durationMs)
      await this.#endAnyway({ type: 'inference-stopped', reason: this.#cancelReason, result })
      return this.#abort.signal.reason
    }
    if (error instanceof InferenceInterruptedError) {
      this.#closeTools()
      this.#closeCall({ finish_class: 'interrupted', stop_reason: 'interrupted' })
      const result = this.#ledger.stopped('interrupted', durationMs)
      await this.#endAnyway({ type: 'inference-interrupted', reason: error.reason, result })
      return error
    }
    this.#closeTools()
    this.#closeCall({ finish_class: 'error', error: { ...info } })
    await this.#endAnyway({ type: 'inference-failed', error: info, result: this.#ledger.failed(info, durationMs) })
    return error
  }

  // A run whose log refuses its end has ended all the same: whoever opens the session next will record that.
  async #endAnyway(terminal: Terminal): Promise<void> {
    try {
      await this.#end(terminal)
    } catch {
      this.#status = statusOf[terminal.type]
      this.#options.onEnd?.(this.#turn)
    }
  }

  async #end(terminal: Terminal): Promise<Turn> {
    this.#snapshot(this.#preview(terminal.result), 'final')
    this.#reportWatchers()
    this.#show(this.#stamper.lifecycle(terminal))
    await this.#queue?.flush()
    return this.#turn
  }

  // Text that was shown is kept, marked as cut off.
  #closeSegments(): void {
    for (const [segmentId, { kind, text }] of this.#open) {
      if (text === '') continue
      if (kind === 'text') {
        const block = partialKey.set(assistantText(text), true)
        this.#emit({ type: 'text-segment-finished', segmentId, block, partial: true })
      } else {
        const block = partialKey.set(reasoning({ text }), true)
        this.#emit({ type: 'reasoning-segment-finished', segmentId, block, partial: true })
      }
    }
    this.#open.clear()
  }

  // What a tool did that nobody saw end cannot be said, unless it does nothing.
  #closeTools(): void {
    for (const [toolCallId, { toolName, effect }] of this.#runningTools) {
      const isRead = effect === 'read'
      const block = isRead ? toolError(toolCallId, 'interrupted') : unknownOutcome(toolCallId)
      const status = isRead ? ('error' as const) : ('unknown' as const)
      this.#emit({ type: 'tool-result-ready', toolCallId, toolName, status, block })
      this.#emit({ type: 'tool-call-finished', toolCallId, toolName, status })
    }
  }

  #closeCall(result: InferenceResult): void {
    if (!this.#stamper.isCallOpen) return
    const usage = this.#ledger.openUsage
    this.#emit({
      type: 'provider-call-finished',
      finishClass: result.finish_class,
      result: { ...this.#called, ...result, ...(usage !== undefined && { usage }) },
      blocks: Math.max(this.#turn.blocks.length - this.#blocksBeforeCall, 0),
    })
  }

  #preview(result: InferenceResult): Turn {
    return applyEvent(this.#turn, { type: 'inference-finished', ordinal: 0, at: '', ...this.#options.ids, result })
  }
}

const statusOf = {
  'inference-finished': 'finished',
  'inference-stopped': 'stopped',
  'inference-failed': 'failed',
  'inference-interrupted': 'interrupted',
} as const satisfies Record<Terminal['type'], InferenceStatus>

/** Runs `engine` on `input`. The run begins after the caller has the handle. */
export function run(engine: Engine, input: Turn, options: RunOptions): Inference {
  return new Inference(engine, input, options)
}

function withIds(turn: Turn, ids: InferenceScope): Turn {
  return inferenceIdKey.set(sessionIdKey.set({ ...turn, id: ids.turnId }, ids.sessionId), ids.inferenceId)
}

// Checked before the event takes its place in the log, for what JSON cannot say cannot be a fact there.
function requireJson(result: InferenceResult): void {
  const path = findNonJson(result)
  if (path === undefined) return
  throw new GeppettoError('EVENT_INVALID', `The engine gave a result that is not JSON at ${path}.`, {
    details: { path },
  })
}

/** An error as an event tells it; what is not ours has the code INTERNAL. */
function errorInfo(error: unknown): ErrorInfo {
  return { code: isGeppettoError(error) ? error.code : 'INTERNAL', message: messageOf(error) }
}

function counter(): () => number {
  let count = 0
  return () => {
    count += 1
    return count
  }
}
