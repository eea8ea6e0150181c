import { newUuid, type Clock, type NewId } from '../clock.ts'
import { GeppettoError } from '../errors.ts'
import type { EventSink } from '../events/sink.ts'
import type { Engine } from '../inference/engine.ts'
import type { RunOptions } from '../inference/run-options.ts'
import { run, type Inference } from '../inference/run.ts'
import type { Store } from '../store/store.ts'
import { userText, type ImagePart } from '../turns/block.ts'
import { sessionIdKey } from '../turns/keys.ts'
import { append, createTurn, type Turn } from '../turns/turn.ts'
import { contextOf } from './context.ts'
import { StoredSession, type StoredSessionOptions } from './stored-session.ts'

export interface SessionOptions {
  readonly engine: Engine
  /** Default: a new UUID. */
  readonly id?: string
  readonly sinks?: readonly EventSink[]
  /** Called once with each finished turn, alone: its ids are in its metadata. */
  readonly persist?: RunOptions['persist']
  readonly onSnapshot?: RunOptions['onSnapshot']
  readonly clock?: Clock
  readonly newId?: NewId
}

/** A second inference was asked for while one runs. */
export class SessionBusyError extends GeppettoError {
  override readonly name = 'SessionBusyError'
  constructor(sessionId: string, inferenceId: string) {
    super(
      'SESSION_BUSY',
      `session already has an active inference: session ${sessionId} is running inference ${inferenceId}; wait for it, cancel it, or queue the prompt.`,
      { details: { sessionId, inferenceId } },
    )
  }
}

/** An inference was asked for with nothing to answer. */
export class SessionEmptyTurnError extends GeppettoError {
  override readonly name = 'SessionEmptyTurnError'
  constructor(sessionId: string) {
    super(
      'SESSION_EMPTY_TURN',
      `session has no seed turn (or seed turn is empty): add a prompt or a turn with blocks to session ${sessionId} first.`,
      { details: { sessionId } },
    )
  }
}

/**
 * One conversation: its turns, and at most one active inference. Turns are values, so what the history holds never
 * changes; the latest turn is replaced by what its inference made of it.
 */
export class Session {
  readonly id: string
  readonly #options: SessionOptions
  readonly #newId: NewId
  readonly #turns: Turn[] = []
  #active: Inference | undefined
  #ordinal = 0

  constructor(options: SessionOptions) {
    this.#options = options
    this.#newId = options.newId ?? newUuid
    this.id = options.id ?? this.#newId()
    if (this.id.trim() === '')
      throw new GeppettoError(
        'SESSION_ID_EMPTY',
        'session has empty SessionID: give an id, or leave it out to get a new one.',
      )
  }

  /** Opens a session that is kept in a store; see `StoredSession`. */
  static open(store: Store, id: string, options: StoredSessionOptions): Promise<StoredSession> {
    return StoredSession.open(store, id, options)
  }

  get turns(): readonly Turn[] {
    return this.#turns
  }

  get latest(): Turn | undefined {
    return this.#turns.at(-1)
  }

  /** The inference that is running now. */
  get active(): Inference | undefined {
    return this.#active
  }

  /**
   * Takes a turn in as the latest: it gets an id when it has none, and the session id when it names no session.
   * Throws SESSION_BUSY while an inference runs.
   */
  append(turn: Turn): Turn {
    this.#requireIdle()
    const named = sessionIdKey.get(turn) === undefined ? sessionIdKey.set(turn, this.id) : turn
    const taken = named.id === '' ? { ...named, id: this.#newId() } : named
    this.#turns.push(taken)
    return taken
  }

  /**
   * Starts the next turn: the latest context and one user block, under a new turn id. An empty prompt without images
   * adds no block. Throws SESSION_BUSY while an inference runs.
   */
  prompt(text: string, images: readonly ImagePart[] = []): Turn {
    this.#requireIdle()
    const previous = this.latest ?? createTurn()
    const context = contextOf(previous)
    const blocks = text === '' && images.length === 0 ? [] : [{ ...userText(text, images), id: this.#newId() }]
    return this.append({ ...append(context, ...blocks), id: this.#newId() })
  }

  /**
   * Starts an inference on the latest turn, with a new inference id. Throws SESSION_BUSY while one runs and
   * SESSION_EMPTY_TURN when there is nothing to answer; then nothing has changed.
   */
  startInference(options: { readonly signal?: AbortSignal } = {}): Inference {
    this.#requireIdle()
    const input = this.latest
    if (input === undefined || input.blocks.length === 0) throw new SessionEmptyTurnError(this.id)
    const index = this.#turns.length - 1
    const { engine, sinks, persist, onSnapshot, clock } = this.#options
    const inference = run(engine, input, {
      ids: { sessionId: this.id, inferenceId: this.#newId(), turnId: input.id },
      nextOrdinal: () => this.#nextOrdinal(),
      newId: this.#newId,
      // Frees the session before the result is known, so that a caller who waits can start the next one at once.
      onEnd: (turn) => {
        this.#turns[index] = turn
        this.#active = undefined
      },
      ...(options.signal && { signal: options.signal }),
      ...(sinks && { sinks }),
      ...(persist && { persist }),
      ...(onSnapshot && { onSnapshot }),
      ...(clock && { clock }),
    })
    this.#turns[index] = inference.input
    this.#active = inference
    return inference
  }

  /** Cancels the inference that is running. Throws SESSION_NOT_ACTIVE when there is none. */
  cancelActive(reason?: string): void {
    if (this.#active === undefined) {
      throw new GeppettoError('SESSION_NOT_ACTIVE', `session has no active inference: session ${this.id} is idle.`)
    }
    this.#active.cancel(reason)
  }

  #nextOrdinal(): number {
    this.#ordinal += 1
    return this.#ordinal
  }

  #requireIdle(): void {
    if (this.#active !== undefined) throw new SessionBusyError(this.id, this.#active.id)
  }
}
