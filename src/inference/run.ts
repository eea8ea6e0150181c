import { newUuid, systemClock, type Clock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import { applyEvent } from '../events/apply.ts'
import {
  isTerminal,
  isToken,
  type EngineEvent,
  type InferenceEvent,
  type InferenceScope,
  type Phase,
} from '../events/event.ts'
import { SinkGroup } from '../events/sink.ts'
import { inferenceIdKey, sessionIdKey } from '../turns/keys.ts'
import type { Turn } from '../turns/turn.ts'
import type { InferenceResult } from '../turns/values.ts'
import type { ApprovalDecision, Engine } from './engine.ts'
import { Approvals } from './approvals.ts'
import {
  errorInfo,
  InferenceCancelledError,
  InferenceHandedOverError,
  InferenceInterruptedError,
} from './inference-error.ts'
import { OpenParts } from './open-parts.ts'
import { positionOf } from './position.ts'
import { RecordQueue } from './record-queue.ts'
import { Replay } from './replay.ts'
import { statusOf, type InferenceStatus, type RunOptions } from './run-options.ts'
import { requireJsonResult, ResultLedger } from './result.ts'
import { Stamper, type LifecycleEvent } from './stamp.ts'
import { RunStop } from './stop.ts'

type Terminal = Extract<LifecycleEvent, { readonly result: InferenceResult }>

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
 * all of them from the first on, whenever it comes. Of a run that is recorded the log has them: a reader gets what comes
 * after the first reader came, and a run that nobody reads keeps none. Nothing that was produced is lost to an error: it
 * is in `turn`.
 */
export class Inference implements AsyncIterable<InferenceEvent> {
  readonly id: string
  readonly input: Turn
  /**
   * The finished turn. Rejects with InferenceCancelledError when cancelled, with the engine's error when it failed, and
   * with InferenceHandedOverError when another process goes on with it.
   */
  readonly result: Promise<Turn>
  readonly #engine: Engine
  readonly #options: RunOptions
  readonly #clock: Clock
  readonly #events: Replay<InferenceEvent>
  readonly #sinks: SinkGroup
  readonly #stamper: Stamper
  readonly #ledger = new ResultLedger()
  readonly #open = new OpenParts()
  readonly #stop: RunStop
  readonly #approvals: Approvals
  readonly #queue: RecordQueue | undefined
  /** What watchers of this run did wrong and nobody has heard of yet. */
  readonly #watcherFailures: string[] = []
  #blocksBeforeCall = 0
  /** Whom the open call asked. */
  #called: Pick<InferenceResult, 'provider' | 'model'> = {}
  #turn: Turn
  #status: InferenceStatus = 'running'
  /** Whether the terminal event is on its way: nothing follows it. */
  #isEnding = false
  #cancelReason = ''

  constructor(engine: Engine, input: Turn, options: RunOptions) {
    this.id = options.ids.inferenceId
    this.#engine = engine
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.input = withIds(input, options.ids)
    this.#turn = this.input
    this.#events = new Replay(options.record === undefined)
    this.#queue = options.record && new RecordQueue(options.record, (event) => this.#publish(event), this.#clock)
    this.#approvals = new Approvals(this.#clock, (event) => this.#emit(event))
    this.#sinks = new SinkGroup(options.sinks ?? [], (message) => this.#watcherFailures.push(message))
    const nextOrdinal = options.record ? () => 0 : options.nextOrdinal
    this.#stamper = new Stamper(options.ids, this.#clock, options.newId ?? newUuid, nextOrdinal)
    for (const event of options.past?.events ?? []) this.#recall(event)
    this.#stop = new RunStop(this.id, this.#clock, options.handOver)
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

  /**
   * Stops the run; what it has produced stays. Tools that run get their signal and 5 seconds to end: what they give then
   * counts. Does nothing when the run has ended.
   */
  cancel(reason = 'cancelled'): void {
    if (this.#status !== 'running' || this.#stop.signal.aborted) return
    this.#cancelReason = reason
    this.#stop.cancel(new InferenceCancelledError(this.id, reason), this.#open.areToolsRunning)
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
      this.#stop.release()
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
    const { plan } = past
    if (plan.do === 'stop') this.cancel(plan.reason)
    if (plan.do === 'fail') throw plan.error
    if (plan.do !== 'resume') throw new InferenceInterruptedError(this.id, plan.reason)
    this.#discardOpenAttempt()
    this.#show(this.#stamper.lifecycle({ type: 'inference-resumed', restarts: plan.restarts }))
    await this.#queue?.flush()
    return positionOf(past.events).next !== 'nothing'
  }

  /** What a dead process had received of a reply is void: the model is asked again. */
  #discardOpenAttempt(): void {
    if (!this.#stamper.isCallOpen) return
    const blocks = Math.max(this.#turn.blocks.length - this.#blocksBeforeCall, 0)
    const error = { code: 'INFERENCE_INTERRUPTED', message: 'the process ended in the middle of the reply' }
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
    const { signal, leaving } = this.#stop
    const ask = this.#options.decision ?? ((approvalId: string) => this.#approvals.wait(approvalId))
    const context = {
      ids: this.#options.ids,
      signal,
      leaving,
      tools: [],
      clock: this.#clock,
      newId: this.#options.newId ?? newUuid,
      past: this.#options.past?.events ?? [],
      decision: (approvalId: string) => this.#stop.unlessStopping(ask(approvalId, signal)),
    }
    signal.throwIfAborted()
    const events = this.#engine(this.#turn, context)[Symbol.asyncIterator]()
    try {
      // Raced once for the whole run: racing what lives on for every event would leak a callback each time.
      await this.#stop.unlessOver(this.#pump(events))
    } catch (error) {
      // Not awaited: an engine that ignores the signal must not hold the session.
      void events.return?.().catch(() => {})
      throw error
    }
  }

  async #pump(events: AsyncIterator<EngineEvent>): Promise<void> {
    const stop = this.#stop
    while (!stop.isOver) {
      const step = await events.next()
      if (stop.isOver || step.done === true) break
      const event = step.value
      // What an engine yields after a cancel is no part of the run any more, but for the ends of the tools that run.
      if (stop.isCancelled && !this.#open.isToolEnd(event)) continue
      if (event.type === 'provider-call-started' && !this.#open.areToolsRunning) stop.leaving.throwIfAborted()
      this.#emit(event)
      if (this.#queue !== undefined && (awaited.has(event.type) || this.#queue.isFull)) await this.#queue.flush()
      if (stop.isCancelled && !this.#open.areToolsRunning) break
    }
    stop.signal.throwIfAborted()
  }

  #emit(event: EngineEvent): void {
    this.#track(event)
    const stamped = this.#stamper.stamp(event, this.#turn)
    if (isToken(stamped)) this.#pass(stamped)
    else this.#show(stamped)
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
    this.#pass(event)
  }

  #pass(event: InferenceEvent): void {
    if (this.#queue === undefined) this.#publish(event)
    else this.#queue.add(event)
  }

  #publish(event: InferenceEvent): void {
    if (isTerminal(event)) this.#settle(statusOf[event.type])
    this.#events.push(event)
    this.#sinks.show(event)
  }

  #settle(status: InferenceStatus): void {
    this.#status = status
    this.#options.onEnd?.(this.#turn)
  }

  #track(event: EngineEvent | InferenceEvent): void {
    // The call that an event opens, with or without saying so, begins where the turn ends now.
    if (!this.#stamper.isCallOpen) this.#blocksBeforeCall = this.#turn.blocks.length
    if (this.#open.track(event)) return
    switch (event.type) {
      case 'provider-call-started':
        this.#blocksBeforeCall = this.#turn.blocks.length
        this.#called = { provider: event.provider, model: event.model }
        break
      case 'provider-call-finished':
        requireJsonResult(event.result)
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
    this.#close(this.#open.segmentEnds())
    this.#stop.signal.throwIfAborted() // a sink may have cancelled just now
    const terminal = () => ({ type: 'inference-finished' as const, result: this.#ledger.finished(durationMs) })
    try {
      // A cancel ends the wait for a store that hangs; the inference is finished all the same.
      await this.#stop.unlessAborted(Promise.resolve(this.#options.persist?.(this.#preview(terminal().result))))
    } catch (error) {
      this.#emit({ type: 'persist-failed', error: errorInfo(error) })
    }
    return this.#end(terminal())
  }

  /** Ends the run for `error` and gives the error that its caller sees. */
  async #fail(error: unknown, durationMs: number): Promise<unknown> {
    if (this.#isEnding) {
      this.#settle('failed')
      return error
    }
    if (error instanceof InferenceHandedOverError && !this.#stop.isCancelled) return this.#leave(error)
    const info = errorInfo(error)
    this.#approvals.clear()
    this.#close([...this.#open.segmentEnds(), ...this.#open.toolEnds()])
    if (this.#stop.isCancelled) {
      this.#closeCall({ finish_class: 'interrupted', stop_reason: 'cancelled' })
      const result = this.#ledger.stopped('cancelled', durationMs)
      await this.#endAnyway({ type: 'inference-stopped', reason: this.#cancelReason, result })
      return this.#stop.signal.reason
    }
    if (error instanceof InferenceInterruptedError) {
      this.#closeCall({ finish_class: 'interrupted', stop_reason: 'interrupted' })
      const result = this.#ledger.stopped('interrupted', durationMs)
      await this.#endAnyway({ type: 'inference-interrupted', reason: error.reason, result })
      return error
    }
    this.#closeCall({ finish_class: 'error', error: { ...info } })
    await this.#endAnyway({ type: 'inference-failed', error: info, result: this.#ledger.failed(info, durationMs) })
    return error
  }

  /** Leaves what is open as it is. Gives the error that the caller sees: the log's own when the log does not say so. */
  async #leave(error: InferenceHandedOverError): Promise<unknown> {
    this.#stop.abandon(error)
    this.#approvals.clear()
    this.#isEnding = true
    this.#show(this.#stamper.lifecycle({ type: 'inference-handed-over' }))
    try {
      await this.#queue?.flush()
      return error
    } catch (refused) {
      return refused
    } finally {
      this.#settle('handed-over')
    }
  }

  // A run whose log refuses its end has ended all the same: whoever opens the session next will record that.
  async #endAnyway(terminal: Terminal): Promise<void> {
    try {
      await this.#end(terminal)
    } catch {
      this.#settle(statusOf[terminal.type])
    }
  }

  async #end(terminal: Terminal): Promise<Turn> {
    this.#snapshot(this.#preview(terminal.result), 'final')
    this.#reportWatchers()
    this.#isEnding = true
    this.#show(this.#stamper.lifecycle(terminal))
    await this.#queue?.flush()
    return this.#turn
  }

  #close(ends: readonly EngineEvent[]): void {
    for (const event of ends) this.#emit(event)
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

/** Runs `engine` on `input`. The run begins after the caller has the handle. */
export function run(engine: Engine, input: Turn, options: RunOptions): Inference {
  return new Inference(engine, input, options)
}

function withIds(turn: Turn, ids: InferenceScope): Turn {
  return inferenceIdKey.set(sessionIdKey.set({ ...turn, id: ids.turnId }, ids.sessionId), ids.inferenceId)
}
