import { newUuid, systemClock, type Clock, type NewId } from '../clock.ts'
import { GeppettoError, isGeppettoError } from '../errors.ts'
import type { InferenceEvent, InferenceScope, UnknownEvent } from '../events/event.ts'
import type { EventSink } from '../events/sink.ts'
import type { ApprovalDecision, Engine } from '../inference/engine.ts'
import type { Inference } from '../inference/run.ts'
import { jsonEqual, type Json } from '../json.ts'
import { readTurn } from '../store/block-log.ts'
import { toEntry } from '../store/entry.ts'
import type { Commit, Committed, Head, Store, Submission } from '../store/store.ts'
import { userText, type ImagePart } from '../turns/block.ts'
import type { Turn } from '../turns/turn.ts'
import { withIds, type PromptContext } from './context.ts'
import { follow, type FollowOptions } from './follow.ts'
import { latestTurn, readEvents } from './past.ts'
import { busy, goneOn, nothingSaid, otherApproval, queueFull, unknownApproval, unknownInference } from './refusals.ts'
import { applyToState, endsWork, hasWork, type SessionState } from './state.ts'
import { StoredInference } from './stored-inference.ts'
import { answeredIds, keyReused, submissionOf } from './submission.ts'
import { SessionWorker } from './worker.ts'
import { stateOf, unknownSession } from './writer.ts'

export interface StoredSessionOptions {
  readonly engine: Engine
  readonly sinks?: readonly EventSink[]
  /** Prompts that may wait while one is answered. Default 16. */
  readonly maxQueued?: number
  /**
   * What becomes of an inference whose process died: `resume` goes on from its last whole step, `interrupt` ends it and
   * keeps what it had. Default `resume`.
   */
  readonly recovery?: 'resume' | 'interrupt'
  /** How often an inference may be resumed without finishing a step before it is given up. Default 3. */
  readonly maxRestarts?: number
  /** Hears of what goes wrong with the store while no caller waits; it is tried again. */
  readonly onError?: (error: unknown) => void
  readonly clock?: Clock
  readonly newId?: NewId
}

export interface SubmitOptions extends PromptContext {
  readonly images?: readonly ImagePart[]
  /** Which runtime is to answer, as `geppetto.runtime@v1` of the turn says it to the engine. Default: that of the turn before,
   * and its profile alone when `runtime` says things but names none. */
  readonly runtime?: Json
  /**
   * What becomes of it while another prompt is answered or waits: it waits in its turn, is refused (SESSION_BUSY), or takes
   * the place of all of these, which are cancelled. Default `queue`.
   */
  readonly whileRunning?: 'queue' | 'refuse' | 'replace'
  /** What the client calls its message: the id of the prompt's block. Default: a new one. */
  readonly messageId?: string
  /** The turn that it is to follow: refused (SESSION_BUSY) when another one has come after that. */
  readonly follows?: string
  /** The same key gives the same inference, however often and from wherever it is submitted. */
  readonly idempotencyKey?: string
}

/** A decision on an approval, and which request it answers. */
export interface ApprovalAnswer extends Omit<ApprovalDecision, 'decision'> {
  readonly decision: 'approved' | 'denied'
  /** The hash of the request that was looked at: refused when the call is another by now. */
  readonly hash?: string
}

/**
 * A conversation that is kept in a store: prompts are accepted durably and answered in their order, one at a time, by
 * one process. Closing every viewer changes nothing; a crash loses nothing that was accepted, and no tool runs twice.
 */
export class StoredSession {
  readonly id: string
  readonly #store: Store
  readonly #options: StoredSessionOptions
  readonly #clock: Clock
  readonly #newId: NewId
  readonly #worker: SessionWorker
  /** Which of the sessions that were made under this id it is; undefined while there was none. */
  #incarnation: string | undefined

  private constructor(store: Store, id: string, options: StoredSessionOptions) {
    this.id = id
    this.#store = store
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#newId = options.newId ?? newUuid
    this.#worker = new SessionWorker(store, id, options)
  }

  /**
   * Opens a session, or begins one: it is in the store from its first prompt on. An inference that a dead process left
   * behind is taken up at once, and what waits is answered. When the session is deleted, its commands throw
   * SESSION_UNKNOWN, whatever is made under its id: open that one.
   */
  static async open(store: Store, id: string, options: StoredSessionOptions): Promise<StoredSession> {
    if (id.trim() === '') {
      throw new GeppettoError('SESSION_ID_EMPTY', 'session has empty SessionID: give the id of the session to open.')
    }
    const session = new StoredSession(store, id, options)
    const head = await session.#head()
    session.#incarnation = head?.incarnation
    if (head?.hasWork === true) session.#worker.wake()
    return session
  }

  /** Which of the sessions that were made under this id it is; undefined while there was none. */
  get incarnation(): string | undefined {
    return this.#incarnation
  }

  /** Whether this process does anything for it now, or waits for another one that has it. */
  get isWorking(): boolean {
    return this.#worker.isWorking
  }

  /** Looks whether there is something to do that nobody does, as what a dead process has left. */
  wake(): void {
    this.#worker.wake()
  }

  /** The inference that this process runs now. */
  get active(): Inference | undefined {
    return this.#worker.active
  }

  /** The turn that the session is at: what the model would see next, without the prompt. */
  async latest(): Promise<Turn | undefined> {
    const head = await this.#head()
    return head && latestTurn(this.#store, head)
  }

  /** The turns as their inferences left them, in order. */
  async turns(): Promise<readonly Turn[]> {
    const snapshots = await this.#store.snapshots(this.id)
    const finals = snapshots.filter(({ phase }) => phase === 'final')
    return Promise.all(finals.map((snapshot) => readTurn(this.#store, this.id, snapshot)))
  }

  /** What runs, what waits, and which approvals are asked for. */
  async state(): Promise<SessionState> {
    return stateOf(await this.#head())
  }

  /** The session's events, those to come too; see `follow`. */
  events(options: FollowOptions = {}): AsyncIterable<InferenceEvent | UnknownEvent> {
    const incarnation = this.#incarnation
    return follow(this.#store, this.id, this.#clock, { ...(incarnation !== undefined && { incarnation }), ...options })
  }

  /**
   * Accepts a prompt: when this resolves it is in the store, and it will be answered. Throws SESSION_QUEUE_FULL when too
   * many wait, and IDEMPOTENCY_KEY_REUSED when the key came with another prompt before; then nothing has changed.
   */
  async submit(prompt: string, options: SubmitOptions = {}): Promise<StoredInference> {
    const { images = [], runtime, whileRunning = 'queue', follows, messageId, idempotencyKey, ...around } = options
    const ids = { sessionId: this.id, inferenceId: this.#newId(), turnId: this.#newId() }
    const block = { ...userText(prompt, images), id: messageId ?? this.#newId() }
    const submission =
      idempotencyKey === undefined
        ? undefined
        : submissionOf(idempotencyKey, { text: prompt, images, runtime, ...around }, ids)
    const accepted: InferenceEvent = {
      ...this.#stamp(ids),
      type: 'prompt-accepted',
      block,
      ...(idempotencyKey !== undefined && { key: idempotencyKey }),
      ...(runtime !== undefined && { runtime }),
      ...withIds(around, this.#newId),
    }
    let replaced: string | undefined
    const result = await this.#change(
      (state) => {
        const running = state.active ?? state.queue[0]
        if (whileRunning === 'refuse' && running !== undefined) return { refused: busy(this.id, running.inferenceId) }
        const last = state.queue.at(-1)?.turnId ?? state.active?.turnId ?? state.turnId
        if (follows !== undefined && follows !== last) return { refused: goneOn(this.id, follows) }
        replaced = whileRunning === 'replace' ? state.active?.inferenceId : undefined
        if (whileRunning === 'replace') return { events: [...this.#replacing(state), accepted] }
        const isFull = state.queue.length >= (this.#options.maxQueued ?? 16)
        return isFull ? { refused: queueFull(this.id, state.queue.length) } : { events: [accepted] }
      },
      { mayCreate: true, ...(submission && { submission }) },
    )
    if (result.status !== 'duplicate' && replaced !== undefined) this.#worker.cancel(replaced, replacedReason)
    this.#worker.wake()
    if (result.status !== 'duplicate') return this.#inference(ids, result.ordinal)
    if (result.submission.hash !== submission?.hash) throw keyReused(this.id, result.submission.key)
    return this.#inference(answeredIds(this.id, result.submission), result.ordinal)
  }

  /** The handle of an inference of this session. Throws INFERENCE_UNKNOWN. */
  async inference(inferenceId: string): Promise<StoredInference> {
    const [place] = (await this.#store.find(inferenceId)).filter(({ sessionId }) => sessionId === this.id)
    const at = place?.ordinal ?? 0
    for await (const { inferenceId: named, turnId } of readEvents(this.#store, this.id, Math.max(at - 1, 0), at)) {
      if (named === inferenceId) return this.#inference({ sessionId: this.id, inferenceId, turnId }, at)
    }
    throw unknownInference(this.id, inferenceId)
  }

  /**
   * Asks an inference to stop, by default the one that runs; it is in the store when this resolves, and the end follows.
   * What it produced stays. Gives false when it had ended. Throws INFERENCE_UNKNOWN for one that was never there.
   */
  async cancel(inferenceId?: string, reason = 'cancelled'): Promise<boolean> {
    const places = inferenceId === undefined ? undefined : await this.#store.find(inferenceId)
    if (inferenceId !== undefined && places?.every(({ sessionId }) => sessionId !== this.id) === true)
      throw unknownInference(this.id, inferenceId)
    let target: string | undefined
    let hasEnded = false
    await this.#change((state) => {
      const { active } = state
      target = inferenceId ?? active?.inferenceId
      if (active !== undefined && active.inferenceId === target) {
        if (active.cancel !== undefined) return { events: [] }
        return { events: [{ ...this.#stamp({ sessionId: this.id, ...active }), type: 'cancel-requested', reason }] }
      }
      const queued = state.queue.find((waiting) => waiting.inferenceId === target)
      hasEnded = queued === undefined
      return { events: queued === undefined ? [] : [this.#stopped(queued, reason)] }
    })
    if (hasEnded) return false
    this.#worker.cancel(target, reason)
    this.#worker.wake() // who ran it may be dead
    return true
  }

  /**
   * Decides on an approval; it is in the store when this resolves. The same answer again changes nothing. Throws
   * APPROVAL_UNKNOWN when it is not waited for (any more), and APPROVAL_MISMATCH when `hash` is not that of the request.
   */
  async decide(approvalId: string, answer: ApprovalAnswer): Promise<void> {
    try {
      await this.#decide(approvalId, answer)
    } catch (error) {
      const isAnswered = isGeppettoError(error, 'APPROVAL_UNKNOWN') && (await this.#isDecided(approvalId, answer))
      if (!isAnswered) throw error
    }
  }

  /** Whether the approval was decided on in these words. */
  async #isDecided(approvalId: string, { hash: _hash, by: _by, ...answer }: ApprovalAnswer): Promise<boolean> {
    const [place] = (await this.#store.find(approvalId)).filter(({ sessionId }) => sessionId === this.id)
    if (place === undefined) return false
    for await (const event of readEvents(this.#store, this.id, place.ordinal)) {
      if (event.type !== 'approval-decided' || event.approvalId !== approvalId) continue
      const { decision, input, result, message } = event
      return jsonEqual({ decision, input, result, message }, answer)
    }
    return false
  }

  async #decide(approvalId: string, { hash, ...answer }: ApprovalAnswer): Promise<void> {
    let isLate = false
    await this.#change((state) => {
      const approval = state.approvals.find((pending) => pending.approvalId === approvalId)
      const turnId = state.active?.turnId
      if (approval === undefined || turnId === undefined) return { refused: unknownApproval(this.id, approvalId) }
      if (hash !== undefined && hash !== approval.hash) return { refused: otherApproval(this.id, approvalId) }
      isLate = approval.expiresAt !== undefined && Date.parse(approval.expiresAt) <= this.#clock.now()
      const { inferenceId, toolCallId } = approval
      const decided = isLate ? { decision: 'expired' as const } : answer
      const stamp = this.#stamp({ sessionId: this.id, inferenceId, turnId })
      return { events: [{ ...stamp, type: 'approval-decided', toolCallId, approvalId, ...decided }] }
    })
    this.#worker.wake()
    if (isLate) throw unknownApproval(this.id, approvalId)
  }

  /** Gives the session a name. Throws SESSION_EMPTY_TURN while nothing has been said in it. */
  async rename(title: string): Promise<void> {
    await this.#change((state) => {
      const turnId = state.turnId ?? state.queue[0]?.turnId
      if (turnId === undefined) return { refused: nothingSaid(this.id) }
      if (state.title === title) return { events: [] }
      const at = new Date(this.#clock.now()).toISOString()
      return { events: [{ type: 'session-renamed', ordinal: 0, at, sessionId: this.id, turnId, title }] }
    })
  }

  /** Lets the inference that runs come to its end, and begins no other; what waits is answered when it is opened again. */
  async close(): Promise<void> {
    await this.#worker.close()
  }

  /**
   * Closes the session and leaves the inference that runs to the process that opens it next, as a server does that is
   * told to end. It stops before its next step; when none comes within `withinMs`, where it is, as if the
   * process had died. What it produced is in the store when this resolves, and the session is free.
   */
  async handOver(withinMs = 5_000): Promise<void> {
    await this.#worker.handOver(withinMs)
  }

  /** Commits what `decide` makes of the state; when somebody else changes it in the meantime, it is asked again. */
  async #change(
    decide: (
      state: SessionState,
    ) => { readonly events: readonly InferenceEvent[] } | { readonly refused: GeppettoError },
    { mayCreate = false, submission }: { readonly mayCreate?: boolean; readonly submission?: Submission } = {},
  ): Promise<Extract<Committed, { status: 'committed' | 'duplicate' }>> {
    let head = await this.#head()
    while (true) {
      if (head === undefined && (!mayCreate || this.#incarnation !== undefined)) throw unknownSession(this.id)
      const state = stateOf(head)
      const decision = decide(state)
      const events = 'refused' in decision ? [] : decision.events
      if ('events' in decision && events.length === 0 && head !== undefined) {
        return { status: 'committed', ordinal: head.ordinal, version: head.version }
      }
      const change = stateChange(head, events.reduce(applyToState, state))
      const create = head === undefined ? this.#creation() : undefined
      const { incarnation = '' } = head ?? create ?? {}
      const result = await this.#store.commit({
        sessionId: this.id,
        ...(create === undefined ? { incarnation } : { create }),
        // A version that never is: what is refused must change nothing, and still give the answer to a known key.
        state: 'refused' in decision ? { ...change, after: -1 } : change,
        entries: events.map(toEntry),
        ...(endsWork(events) && { endsWork: true }),
        ...(submission && { submission }),
      })
      switch (result.status) {
        case 'committed':
          this.#incarnation = incarnation
          return result
        case 'duplicate':
          return result
        case 'conflict':
          if ('refused' in decision) throw decision.refused
          head = result.head
          break
        case 'missing':
          head = undefined
          break
        case 'fenced':
          throw new Error('a commit without an epoch cannot be fenced')
      }
    }
  }

  #creation(): NonNullable<Commit['create']> {
    return { incarnation: this.#newId(), createdAt: new Date(this.#clock.now()).toISOString() }
  }

  /** Undefined for another session that was made under the id, too. */
  async #head(): Promise<Head | undefined> {
    const head = await this.#store.head(this.id)
    return this.#incarnation === undefined || head?.incarnation === this.#incarnation ? head : undefined
  }

  /** The end of a prompt that nobody has begun to answer. */
  #stopped(queued: SessionState['queue'][number], reason: string): InferenceEvent {
    const result = { finish_class: 'interrupted' as const, stop_reason: 'cancelled' }
    return { ...this.#stamp({ sessionId: this.id, ...queued }), type: 'inference-stopped', reason, result }
  }

  /** What makes room for another prompt. */
  #replacing({ active, queue }: SessionState): readonly InferenceEvent[] {
    const stopped = queue.map((queued) => this.#stopped(queued, replacedReason))
    if (active === undefined || active.cancel !== undefined) return stopped
    const { inferenceId, turnId } = active
    const stamp = this.#stamp({ sessionId: this.id, inferenceId, turnId })
    return [{ ...stamp, type: 'cancel-requested', reason: replacedReason }, ...stopped]
  }

  #stamp({ sessionId, inferenceId, turnId }: InferenceScope) {
    return { ordinal: 0, at: new Date(this.#clock.now()).toISOString(), sessionId, inferenceId, turnId }
  }

  #inference(ids: InferenceScope, ordinal: number): StoredInference {
    const follows = (options: FollowOptions) => this.events(options)
    return new StoredInference(this.#store, ids, ordinal, follows, (reason) => this.cancel(ids.inferenceId, reason))
  }
}

/** Why what ran or waited was stopped for a prompt that took its place. */
const replacedReason = 'replaced by another prompt'

function stateChange(head: Head | undefined, state: SessionState): NonNullable<Commit['state']> {
  return { after: head?.version ?? 0, value: JSON.stringify(state), hasWork: hasWork(state) }
}
