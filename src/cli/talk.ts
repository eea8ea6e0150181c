import type { InferenceEvent } from '../events/event.ts'
import type { Engine } from '../inference/engine.ts'
import type { Inference } from '../inference/run.ts'
import { beginSession } from '../session/fork.ts'
import type { Session } from '../session/session.ts'
import { StoredSession } from '../session/stored-session.ts'
import type { Store } from '../store/store.ts'
import { createTurn, type Turn } from '../turns/turn.ts'
import { UsageError } from './exit.ts'

/** An inference as a command shows it, wherever it is kept. */
export interface Answer extends AsyncIterable<InferenceEvent> {
  readonly result: Promise<Turn>
  cancel(reason: string): void
  /** The turn as it stands: what was produced, however it ended. */
  turn(): Promise<Turn>
}

/** A conversation of `run` or `chat`: in memory, or in a store. */
export interface Talk {
  ask(prompt: string): Promise<Answer>
  latest(): Promise<Turn | undefined>
  /** Whether the process was told to end while it answered. */
  readonly isTerminated: boolean
  /** Lets go of the conversation; a process that was told to end hands over what it runs for others. */
  close(): Promise<void>
}

const termination: NodeJS.Signals = 'SIGTERM'

/** A conversation that ends with the process. */
export function talkInMemory(session: Session): Talk {
  let isTerminated = false
  return {
    ask: async (prompt) => {
      session.prompt(prompt)
      const inference = session.startInference()
      return answerOf(inference, (reason) => {
        isTerminated ||= reason === termination
        inference.cancel(reason)
      })
    },
    latest: async () => session.latest,
    get isTerminated() {
      return isTerminated
    },
    close: async () => {},
  }
}

/** The answer that a run of this process gives. */
export function answerOf(inference: Inference, cancel = (reason: string) => inference.cancel(reason)): Answer {
  return {
    result: inference.result,
    cancel,
    turn: async () => inference.turn,
    [Symbol.asyncIterator]: () => inference[Symbol.asyncIterator](),
  }
}

/**
 * A conversation that is kept in the store: it goes on where it was, or begins, with `turn` when there is one. An answer
 * that a dead process left behind is ended, and what had come of it is kept: this process may be told of another engine.
 */
export async function talkInStore(store: Store, id: string, engine: Engine, turn: Turn | undefined): Promise<Talk> {
  if (turn !== undefined) await beginWith(turn, store, id)
  const session = await StoredSession.open(store, id, { engine, recovery: 'interrupt' })
  let isTerminated = false
  return {
    ask: async (prompt) => {
      const inference = await session.submit(prompt)
      return {
        result: inference.result,
        cancel: (reason) => {
          isTerminated ||= reason === termination
          void inference.cancel(reason).catch(() => {}) // it has ended, or its store says so itself
        },
        turn: async () => (await session.latest()) ?? createTurn(), // none when it was cancelled before it began
        [Symbol.asyncIterator]: () => inference[Symbol.asyncIterator](),
      }
    },
    latest: () => session.latest(),
    get isTerminated() {
      return isTerminated
    },
    close: async () => {
      await (isTerminated ? session.handOver() : session.close())
      await store.close()
    },
  }
}

async function beginWith(turn: Turn, store: Store, id: string): Promise<void> {
  if ((await store.head(id)) !== undefined) {
    throw new UsageError(`Session ${id} is in the store already: leave out --turn to go on, or name another session.`)
  }
  await beginSession(store, turn, { id })
}
