import { GeppettoError } from '../errors.ts'
import { isTerminal, isToken, type InferenceEvent, type Phase } from '../events/event.ts'
import { isJsonObject, tryParseJson } from '../json.ts'
import { BlockLog } from '../store/block-log.ts'
import { fromEntry, toEntry } from '../store/entry.ts'
import type { Commit, Head, NewSnapshot, Store } from '../store/store.ts'
import type { Turn } from '../turns/turn.ts'
import { unknownApproval } from './refusals.ts'
import { applyToState, emptyState, endsWork, hasWork, type SessionState } from './state.ts'

interface TakenSnapshot {
  readonly turn: Turn
  readonly phase: Phase
}

/** Somebody else runs the session now: what this process does with it is void. */
export class SessionFencedError extends GeppettoError {
  override readonly name = 'SessionFencedError'
  constructor(sessionId: string) {
    super(
      'SESSION_FENCED',
      `Another process has taken session ${sessionId} over; nothing was written. Follow its log to see what becomes of it.`,
      { details: { sessionId } },
    )
  }
}

/**
 * Writes to the log of a session under one claim: each commit carries the claim's epoch, and the state that the events
 * make. What others committed in between is handed to `onOthers`.
 */
export class SessionWriter {
  readonly #store: Store
  readonly #sessionId: string
  readonly #blockLog: BlockLog
  readonly #incarnation: string
  #snapshots: number
  readonly #onOthers: (event: InferenceEvent) => void
  readonly epoch: number
  #state: SessionState
  #version: number
  /** All events up to this one are known here. */
  #seen: number
  /** What others committed before one of these commits and could not be read yet: after the first, up to the second. */
  #unheard: (readonly [after: number, upTo: number])[] = []
  #isFenced = false
  #taken: TakenSnapshot[] = []
  /** One thing at a time: what is known here changes with each. */
  #last: Promise<unknown> = Promise.resolve()
  readonly #snapshotAt = new Map<InferenceEvent, TakenSnapshot>()

  private constructor(store: Store, head: Head, blockLog: BlockLog, onOthers: (event: InferenceEvent) => void) {
    this.#store = store
    this.#sessionId = head.sessionId
    this.#blockLog = blockLog
    this.#incarnation = head.incarnation
    this.#snapshots = head.snapshots
    this.#onOthers = onOthers
    this.epoch = head.epoch
    this.#state = stateOf(head)
    this.#version = head.version
    this.#seen = head.ordinal
  }

  /** A writer for the claim that `head` is of. What the one before it knows of the block log is used when it still holds. */
  static async open(
    store: Store,
    head: Head,
    before: SessionWriter | undefined,
    onOthers: (event: InferenceEvent) => void,
  ): Promise<SessionWriter> {
    const known = before?.blockLogFor(head)
    if (known !== undefined) return new SessionWriter(store, head, known, onOthers)
    const [last] = head.snapshots === 0 ? [] : await store.snapshots(head.sessionId, { from: head.snapshots - 1 })
    return new SessionWriter(store, head, await BlockLog.open(store, head.sessionId, head.blocks, last), onOthers)
  }

  /** The block log as it is here, when nobody has written to it since. */
  blockLogFor({ incarnation, snapshots, blocks }: Head): BlockLog | undefined {
    const isSame =
      incarnation === this.#incarnation && snapshots === this.#snapshots && blocks === this.#blockLog.length
    return isSame ? this.#blockLog : undefined
  }

  /** Whether somebody else has claimed the session since: nothing can be written any more. */
  get isFenced(): boolean {
    return this.#isFenced
  }

  get state(): SessionState {
    return this.#state
  }

  /** The turn of the last snapshot. */
  get turn(): Turn {
    return this.#blockLog.turn
  }

  /** Keeps a snapshot for the event that it belongs to: the next phase or end that is written. */
  take(turn: Turn, phase: Phase): void {
    this.#taken.push({ turn, phase })
  }

  /** Commits the events and gives the ordinal of the first. */
  write(events: readonly InferenceEvent[]): Promise<number> {
    const hasSnapshots = this.#taken.length > 0 || this.#snapshotAt.size > 0
    return this.#alone(() => (hasSnapshots ? this.#write(events) : this.#commit(events, {})))
  }

  async #write(events: readonly InferenceEvent[]): Promise<number> {
    for (const event of events) this.#place(event)
    const snapshots = events.flatMap((event, entry) => {
      const taken = this.#snapshotAt.get(event)
      return taken === undefined ? [] : [{ ...taken, event, entry }]
    })
    const write = this.#blockLog.write(
      snapshots.map(({ turn, phase, event }) => ({ turn, labels: labelsOf(event, phase) })),
    )
    const rows: NewSnapshot[] = write.references.flatMap((reference, at) => {
      const snapshot = snapshots[at]
      if (snapshot === undefined) return []
      const { event, phase, entry } = snapshot
      return [{ ...labelsOf(event, phase), ...reference, at: event.at, entry }]
    })
    const ordinal = await this.#commit(events, {
      ...(rows.length > 0 && { blocks: { from: write.from, rows: write.rows }, snapshots: rows }),
    })
    write.accept()
    this.#snapshots += rows.length
    for (const event of events) this.#snapshotAt.delete(event)
    return ordinal
  }

  /** Learns what others have committed. */
  catchUp(): Promise<void> {
    return this.#alone(() => this.#catchUp())
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => {})
    return done
  }

  async #catchUp(): Promise<void> {
    const head = await this.#store.head(this.#sessionId)
    if (head === undefined) throw unknownSession(this.#sessionId)
    if (head.epoch !== this.epoch) throw this.#fenced()
    await this.#hearMissed()
    await this.#learn(head.ordinal)
    if (head.version !== this.#version) this.#know(head)
  }

  // Snapshots are taken in the order of the phases and of the end that they belong to.
  #place(event: InferenceEvent): void {
    if (this.#snapshotAt.has(event) || !(event.type === 'phase-reached' || isTerminal(event))) return
    const taken = this.#taken.shift()
    if (taken !== undefined) this.#snapshotAt.set(event, taken)
  }

  async #commit(events: readonly InferenceEvent[], more: Pick<Commit, 'blocks' | 'snapshots'>): Promise<number> {
    const entries = events.map(toEntry)
    const areTokens = events.every(isToken)
    while (true) {
      this.#requireOpen(events[0])
      const next = areTokens ? this.#state : events.reduce(applyToState, this.#state)
      const changed = next !== this.#state
      const result = await this.#store.commit({
        sessionId: this.#sessionId,
        incarnation: this.#incarnation,
        epoch: this.epoch,
        entries,
        ...(changed && { state: { after: this.#version, value: JSON.stringify(next), hasWork: hasWork(next) } }),
        ...(!areTokens && endsWork(events) && { endsWork: true }),
        ...more,
      })
      switch (result.status) {
        case 'committed': {
          const first = result.ordinal - entries.length + 1
          if (changed) {
            this.#state = next
            this.#version = result.version
          }
          // The commit stands, whatever can be read: an error here would have it written again.
          if (this.#seen < first - 1)
            await this.#learn(first - 1).catch(() => this.#unheard.push([this.#seen, first - 1]))
          this.#seen = result.ordinal
          return first
        }
        case 'conflict':
          if (more.blocks !== undefined && result.head.blocks !== more.blocks.from) throw lostBlocks(this.#sessionId)
          await this.#learn(result.head.ordinal)
          this.#know(result.head)
          break
        case 'fenced':
          throw this.#fenced()
        case 'missing':
          throw unknownSession(this.#sessionId)
        case 'duplicate':
          throw new Error('a commit without a key cannot be a duplicate')
      }
    }
  }

  // Nothing follows the end of an inference; one that was cancelled while it waited does not begin; and what somebody has
  // decided is not decided again.
  #requireOpen(first: InferenceEvent | undefined): void {
    const { active, queue, approvals } = this.#state
    if (first?.type === 'approval-decided' && approvals.every(({ approvalId }) => approvalId !== first.approvalId))
      throw unknownApproval(this.#sessionId, first.approvalId)
    const inferenceId = first?.inferenceId
    const isBeginning = first?.type === 'turn-opened' || first?.type === 'inference-started'
    const isOpen = isBeginning
      ? queue.some((queued) => queued.inferenceId === inferenceId)
      : active?.inferenceId === inferenceId
    if (isOpen) return
    throw new GeppettoError(
      'INFERENCE_CANCELLED',
      `Inference ${inferenceId} has ended; nothing more is recorded of it.`,
      {
        details: { sessionId: this.#sessionId, inferenceId },
      },
    )
  }

  #fenced(): SessionFencedError {
    this.#isFenced = true
    return new SessionFencedError(this.#sessionId)
  }

  #know(head: Head): void {
    this.#state = stateOf(head)
    this.#version = head.version
  }

  // The state needs none of it: it is the stored one again with the next conflict.
  async #hearMissed(): Promise<void> {
    for (let gap = this.#unheard[0]; gap !== undefined; gap = this.#unheard[0]) {
      const [after, upTo] = gap
      const entries = await this.#store.read(this.#sessionId, { after, limit: upTo - after })
      for (const entry of entries) {
        const event = fromEntry(this.#sessionId, entry)
        if (event.type !== 'unknown') this.#onOthers(event)
      }
      const last = entries.at(-1)?.ordinal ?? upTo
      if (last < upTo) this.#unheard[0] = [last, upTo]
      else this.#unheard.shift()
    }
  }

  async #learn(upTo: number): Promise<void> {
    while (this.#seen < upTo) {
      const entries = await this.#store.read(this.#sessionId, { after: this.#seen, limit: upTo - this.#seen })
      if (entries.length === 0) return
      for (const entry of entries) {
        this.#seen = entry.ordinal
        const event = fromEntry(this.#sessionId, entry)
        if (event.type !== 'unknown') this.#onOthers(event)
        this.#state = applyToState(this.#state, event)
      }
    }
  }
}

/** The state that is stored with a session. */
export function stateOf(head: Pick<Head, 'state'> | undefined): SessionState {
  const stored = head === undefined ? undefined : tryParseJson(head.state)
  return isJsonObject(stored) ? { ...emptyState, ...(stored as unknown as SessionState) } : emptyState // only this layer writes it
}

export function unknownSession(sessionId: string): GeppettoError {
  return new GeppettoError('SESSION_UNKNOWN', `There is no session ${sessionId} in this store.`, {
    details: { sessionId },
  })
}

function labelsOf(event: InferenceEvent, phase: Phase) {
  const { turnId, inferenceId } = event
  return { turnId, phase, ...(inferenceId !== undefined && { inferenceId }) }
}

function lostBlocks(sessionId: string): GeppettoError {
  return new GeppettoError(
    'SESSION_BUSY',
    `Somebody else wrote a turn of session ${sessionId} in the meantime; try again.`,
    { details: { sessionId } },
  )
}
