import { newUuid, sleep, systemClock, type Clock, type NewId } from '../clock.ts'
import { GeppettoError, isGeppettoError, messageOf } from '../errors.ts'
import type { EventOf, InferenceEvent, InferenceScope } from '../events/event.ts'
import type { ApprovalDecision } from '../inference/engine.ts'
import { InferenceHandedOverError } from '../inference/inference-error.ts'
import { isWaiting, positionOf } from '../inference/position.ts'
import type { Past } from '../inference/run-options.ts'
import { run, type Inference } from '../inference/run.ts'
import type { Store } from '../store/store.ts'
import { newOwner } from '../store/owner.ts'
import { turnDelta } from '../turns/delta.ts'
import type { Turn } from '../turns/turn.ts'
import { promptedTurn } from './context.ts'
import { readEvents, readInference } from './past.ts'
import type { SessionState } from './state.ts'
import type { StoredSessionOptions } from './stored-session.ts'
import { SessionFencedError, SessionWriter } from './writer.ts'

const leaseMs = 15_000
const renewMs = leaseMs / 3
const heartbeatMs = 1_000
const retryMs = 1_000

type Queued = SessionState['queue'][number]
type Active = NonNullable<SessionState['active']>

/**
 * Answers the prompts of one session, one after the other, while this process has the claim on it. There is nothing in
 * it that is not in the store too: another process can take over between any two commits.
 */
export class SessionWorker {
  readonly #store: Store
  readonly #sessionId: string
  readonly #options: StoredSessionOptions
  readonly #clock: Clock
  readonly #newId: NewId
  readonly #owner: string
  readonly #closing = new AbortController()
  readonly #leaving = new AbortController()
  readonly #givingUp = new AbortController()
  readonly #decided = new Map<string, ApprovalDecision>()
  readonly #waiting = new Map<string, (decision: ApprovalDecision) => void>()
  /** Inferences of this process whose end could not be recorded, and why. */
  readonly #unrecorded = new Map<string, string>()
  #working: Promise<void> | undefined
  #isCalled = false
  #writer: SessionWriter | undefined
  /** The writer of the last claim: what it knows is not read again. */
  #before: SessionWriter | undefined
  #active: Inference | undefined

  constructor(store: Store, sessionId: string, options: StoredSessionOptions) {
    this.#store = store
    this.#sessionId = sessionId
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#newId = options.newId ?? newUuid
    this.#owner = newOwner(this.#newId)
  }

  get isWorking(): boolean {
    return this.#working !== undefined
  }

  get active(): Inference | undefined {
    return this.#active
  }

  /** There may be something to do, or to hear. */
  wake(): void {
    this.#isCalled = true
    if (this.#closing.signal.aborted) return
    if (this.#active !== undefined) void this.#listen()
    this.#working ??= this.#workUntilIdle().finally(() => {
      this.#working = undefined
      if (this.#isCalled) this.wake()
    })
  }

  cancel(inferenceId: string | undefined, reason: string): void {
    if (this.#active?.id === inferenceId) this.#active?.cancel(reason)
  }

  async close(): Promise<void> {
    this.#closing.abort(new GeppettoError('SESSION_CLOSED', `Session ${this.#sessionId} is closed.`))
    await this.#working
  }

  /** Gives the session up: the inference that runs stops before its next step, after `withinMs` wherever it is. */
  async handOver(withinMs: number): Promise<void> {
    const cancelTimer = this.#clock.schedule(withinMs, () => this.#givingUp.abort())
    this.#leaving.abort()
    await this.close()
    cancelTimer()
  }

  async #workUntilIdle(): Promise<void> {
    while (this.#isCalled && !this.#closing.signal.aborted) {
      this.#isCalled = false
      try {
        const heldForMs = await this.#work()
        if (heldForMs === undefined) continue
        this.#isCalled = true // another process has it: it may die
        await this.#rest(Math.min(heldForMs, retryMs))
      } catch (error) {
        this.#options.onError?.(error)
        this.#isCalled = true
        await this.#rest(retryMs)
      }
    }
  }

  async #rest(ms: number): Promise<void> {
    await sleep(this.#clock, ms, this.#closing.signal).catch(() => {})
  }

  /** Does what there is to do. Gives how long another process may keep the session, when one has it. */
  async #work(): Promise<number | undefined> {
    const head = await this.#store.head(this.#sessionId)
    if (head?.hasWork !== true) return undefined
    const claim = await this.#store.claim(this.#sessionId, this.#owner, leaseMs)
    if (claim.status === 'held') return claim.forMs
    if (claim.status === 'missing') return undefined
    const writer = await SessionWriter.open(this.#store, claim.head, this.#before, (event) => this.#hear(event))
    this.#writer = writer
    this.#before = writer
    const stopBeating = this.#beat(writer)
    try {
      while (!this.#closing.signal.aborted) {
        const { active, queue } = writer.state
        const next = queue[0]
        if (active !== undefined) await this.#takeUp(active, writer)
        else if (next !== undefined) await this.#answer(next, writer)
        else break
      }
    } finally {
      stopBeating()
      this.#writer = undefined
      await this.#store.release(this.#sessionId, writer.epoch)
    }
    // A prompt that another process accepted in the last moment is not to wait for the next one.
    if ((await this.#store.head(this.#sessionId))?.hasWork === true) this.#isCalled = true
    return undefined
  }

  /** Runs the inference of a prompt that waits. */
  async #answer(queued: Queued, writer: SessionWriter): Promise<void> {
    const base = writer.turn
    const ids = { sessionId: this.#sessionId, inferenceId: queued.inferenceId, turnId: queued.turnId }
    const next = promptedTurn(base, await this.#promptOf(queued.inferenceId))
    const inference = this.#run(next, ids, writer, (input, at) => ({
      type: 'turn-opened',
      ordinal: 0,
      at,
      ...ids,
      ...(base.id !== '' && { base: base.id }),
      delta: turnDelta(base, input),
    }))
    await this.#end(inference, writer)
  }

  /** Goes on with an inference whose process died, or ends it. */
  async #takeUp(active: Active, writer: SessionWriter): Promise<void> {
    const recorded = await readInference(this.#store, this.#sessionId, active.inferenceId)
    if (recorded === undefined) {
      throw new GeppettoError(
        'STORE_CORRUPT',
        `Inference ${active.inferenceId} of session ${this.#sessionId} runs, but its beginning is not in the log; run geppetto doctor.`,
      )
    }
    const ids = { sessionId: this.#sessionId, inferenceId: active.inferenceId, turnId: active.turnId }
    const past = { events: recorded.events, plan: this.#planFor(active, recorded.events) }
    const inference = this.#run(recorded.input, ids, writer, undefined, past)
    await this.#end(inference, writer)
  }

  #planFor({ inferenceId, restarts, cancel, handedOver }: Active, events: readonly InferenceEvent[]): Past['plan'] {
    const { recovery = 'resume', maxRestarts = 3 } = this.#options
    const unrecorded = this.#unrecorded.get(inferenceId)
    if (cancel !== undefined) return { do: 'stop', reason: cancel }
    if (unrecorded !== undefined) return { do: 'interrupt', reason: `its end could not be recorded: ${unrecorded}` }
    if (recovery === 'interrupt') return { do: 'interrupt', reason: 'its process ended' }
    // Only who dies at work may be what kills: not who waits for a person, nor who was told to end.
    const deaths = handedOver === true || isWaiting(positionOf(events)) ? restarts : restarts + 1
    if (deaths <= maxRestarts) return { do: 'resume', restarts: deaths }
    const message = `Inference ${inferenceId} ended its process ${deaths} times; it is given up. Look at its last step with geppetto trace.`
    return { do: 'fail', error: new GeppettoError('INFERENCE_POISONED', message, { details: { inferenceId } }) }
  }

  #run(
    input: Turn,
    ids: InferenceScope,
    writer: SessionWriter,
    opening: ((input: Turn, at: string) => InferenceEvent) | undefined,
    past?: Past,
  ): Inference {
    let toOpen = opening
    const { engine, sinks } = this.#options
    const inference = run(engine, input, {
      ids,
      clock: this.#clock,
      newId: this.#newId,
      onSnapshot: (turn, phase) => writer.take(turn, phase),
      handOver: { beforeNextStep: this.#leaving.signal, now: this.#givingUp.signal },
      decision: (approvalId, signal) => this.#decision(approvalId, signal),
      record: (events) => {
        if (toOpen === undefined) return writer.write(events)
        const opened = writer.write([toOpen(inference.input, events[0]?.at ?? ''), ...events])
        return opened.then((ordinal) => {
          toOpen = undefined
          return ordinal + 1
        })
      },
      ...(sinks && { sinks }),
      ...(past && { past }),
    })
    this.#active = inference
    return inference
  }

  /** Waits for the end. Throws when the log does not have it: whoever takes the session up next ends it there. */
  async #end(inference: Inference, writer: SessionWriter): Promise<void> {
    let failure: unknown
    try {
      await inference.result
    } catch (error) {
      failure = error // an inference that failed is an answer, as long as the log has it
    } finally {
      this.#active = undefined
      this.#decided.clear()
      this.#waiting.clear()
    }
    if (failure instanceof InferenceHandedOverError) return
    if (writer.isFenced) throw new SessionFencedError(this.#sessionId)
    const { active, queue } = writer.state
    const isOpen = active?.inferenceId === inference.id
    if (isOpen) this.#unrecorded.set(inference.id, messageOf(failure))
    if (!isOpen && queue.every(({ inferenceId }) => inferenceId !== inference.id)) return
    const message = `Inference ${inference.id} of session ${this.#sessionId} could not be recorded (${messageOf(failure)}); it is tried again.`
    throw new GeppettoError('STORE_FAILED', message, { cause: failure })
  }

  async #promptOf(inferenceId: string): Promise<EventOf<'prompt-accepted'>> {
    const [place] = (await this.#store.find(inferenceId)).filter(({ sessionId }) => sessionId === this.#sessionId)
    const after = (place?.ordinal ?? 1) - 1
    for await (const event of readEvents(this.#store, this.#sessionId, after, after + 1)) {
      if (event.type === 'prompt-accepted') return event
    }
    throw new GeppettoError(
      'STORE_CORRUPT',
      `The prompt of inference ${inferenceId} in session ${this.#sessionId} is not in the log; run geppetto doctor.`,
    )
  }

  /** Resolves when the log holds a decision; the run's end is the only other way out. */
  async #decision(approvalId: string, signal: AbortSignal): Promise<ApprovalDecision> {
    const { promise, resolve } = Promise.withResolvers<ApprovalDecision>()
    const known = this.#decided.get(approvalId)
    if (known !== undefined) return known
    this.#waiting.set(approvalId, resolve)
    const approval = this.#writer?.state.approvals.find((pending) => pending.approvalId === approvalId)
    const cancelTimer =
      approval?.expiresAt === undefined
        ? undefined
        : this.#clock.schedule(Math.max(Date.parse(approval.expiresAt) - this.#clock.now(), 0), () => {
            void this.#expire(approvalId).catch((error: unknown) => this.#options.onError?.(error))
          })
    signal.addEventListener('abort', () => cancelTimer?.(), { once: true })
    const decision = await promise
    cancelTimer?.()
    return decision
  }

  async #expire(approvalId: string): Promise<void> {
    const state = this.#writer?.state
    const approval = state?.approvals.find((pending) => pending.approvalId === approvalId)
    if (approval === undefined || state?.active === undefined) return
    const { inferenceId, toolCallId } = approval
    const { turnId } = state.active
    const event: InferenceEvent = {
      type: 'approval-decided',
      ordinal: 0,
      at: new Date(this.#clock.now()).toISOString(),
      sessionId: this.#sessionId,
      inferenceId,
      turnId,
      toolCallId,
      approvalId,
      decision: 'expired',
    }
    try {
      await this.#writer?.write([event])
      this.#hear(event)
    } catch (error) {
      if (!isGeppettoError(error, 'APPROVAL_UNKNOWN')) throw error // somebody was faster, and has been heard
    }
  }

  /** What others have said of the inference that runs here. */
  #hear(event: InferenceEvent): void {
    if (event.type === 'cancel-requested') this.cancel(event.inferenceId, event.reason)
    if (event.type !== 'approval-decided') return
    const { approvalId, decision, input, result, message, by } = event
    const answer: ApprovalDecision = {
      decision,
      ...(input !== undefined && { input }),
      ...(result !== undefined && { result }),
      ...(message !== undefined && { message }),
      ...(by !== undefined && { by }),
    }
    this.#decided.set(approvalId, answer)
    this.#waiting.get(approvalId)?.(answer)
    this.#waiting.delete(approvalId)
  }

  async #listen(): Promise<void> {
    try {
      await this.#writer?.catchUp()
    } catch (error) {
      if (error instanceof SessionFencedError) this.#active?.cancel('another process has taken the session over')
      else this.#options.onError?.(error)
    }
  }

  /** Keeps the claim while there is work, and hears what other processes say of it. */
  #beat(writer: SessionWriter): () => void {
    let cancelTimer: () => void
    let isStopped = false
    let renewed = this.#clock.monotonic()
    const beat = async () => {
      try {
        if (this.#clock.monotonic() - renewed >= renewMs) {
          const head = await this.#store.renew(this.#sessionId, writer.epoch, leaseMs)
          if (head === undefined) this.#active?.cancel('another process has taken the session over')
          renewed = this.#clock.monotonic()
        }
        if (this.#active !== undefined) await this.#listen()
      } catch (error) {
        this.#options.onError?.(error)
      }
      if (!isStopped) cancelTimer = this.#clock.schedule(heartbeatMs, () => void beat())
    }
    cancelTimer = this.#clock.schedule(heartbeatMs, () => void beat())
    return () => {
      isStopped = true
      cancelTimer()
    }
  }
}
