import { GeppettoError } from '../errors.ts'
import {
  isTerminal,
  type InferenceEvent,
  type InferenceScope,
  type TerminalEvent,
  type UnknownEvent,
} from '../events/event.ts'
import { InferenceCancelledError, InferenceInterruptedError } from '../inference/inference-error.ts'
import { readTurn } from '../store/block-log.ts'
import type { Store } from '../store/store.ts'
import { createTurn, type Turn } from '../turns/turn.ts'
import type { FollowOptions } from './follow.ts'

/** An inference of a stored session, wherever it runs. Iterating it gives its events, from the first to the last. */
export class StoredInference implements AsyncIterable<InferenceEvent> {
  readonly id: string
  readonly turnId: string
  /** Of the event that it was accepted with. */
  readonly ordinal: number
  readonly #store: Store
  readonly #follow: (options: FollowOptions) => AsyncIterable<InferenceEvent | UnknownEvent>
  readonly #sessionId: string
  readonly #cancel: (reason?: string) => Promise<boolean>
  #result: Promise<Turn> | undefined

  constructor(
    store: Store,
    ids: InferenceScope,
    ordinal: number,
    follow: (options: FollowOptions) => AsyncIterable<InferenceEvent | UnknownEvent>,
    cancel: (reason?: string) => Promise<boolean>,
  ) {
    this.id = ids.inferenceId
    this.turnId = ids.turnId
    this.ordinal = ordinal
    this.#store = store
    this.#follow = follow
    this.#sessionId = ids.sessionId
    this.#cancel = cancel
  }

  /** Asks it to stop; see `StoredSession.cancel`. */
  cancel(reason?: string): Promise<boolean> {
    return this.#cancel(reason)
  }

  /**
   * The finished turn. Rejects as a run's own result does: with InferenceCancelledError, InferenceInterruptedError, or an
   * error with the code of the failure; what was produced is in the session's turn all the same.
   */
  get result(): Promise<Turn> {
    this.#result ??= this.#wait()
    return this.#result
  }

  async *[Symbol.asyncIterator](): AsyncIterator<InferenceEvent> {
    for await (const event of this.#follow({ after: this.ordinal - 1 })) {
      if (event.type === 'unknown' || event.inferenceId !== this.id) continue
      yield event
      if (isTerminal(event)) return
    }
  }

  async #wait(): Promise<Turn> {
    for await (const event of this) {
      if (isTerminal(event)) return this.#turnOf(event)
    }
    throw new GeppettoError('INFERENCE_UNKNOWN', `Inference ${this.id} left the log without an end.`)
  }

  async #turnOf(end: TerminalEvent): Promise<Turn> {
    switch (end.type) {
      case 'inference-finished': {
        const snapshots = await this.#store.snapshots(this.#sessionId, { turnId: this.turnId })
        const last = snapshots.findLast(({ phase }) => phase === 'final')
        return last === undefined ? createTurn() : readTurn(this.#store, this.#sessionId, last)
      }
      case 'inference-stopped':
        throw new InferenceCancelledError(this.id, end.reason)
      case 'inference-interrupted':
        throw new InferenceInterruptedError(this.id, end.reason)
      case 'inference-failed':
        // The code is one of ours, or one of a newer version.
        throw new GeppettoError(end.error.code as GeppettoError['code'], end.error.message, {
          details: { inferenceId: this.id },
        })
    }
  }
}
