import type { InferenceEvent } from '../events/event.ts'
import type { Engine } from '../inference/engine.ts'
import type { Inference } from '../inference/run.ts'
import { beginSession } from '../session/fork.ts'
import type { Session } from '../session/session.ts'
import { StoredSession } from '../session/stored-session.ts'
import type { Store } from '../store/store.ts'
import type { Turn } from '../turns/turn.ts'
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
  close(): Promise<void>
}

/** A conversation that ends with the process. */
export function talkInMemory(session: Session): Talk {
  return {
    ask: async (prompt) => {
      session.prompt(prompt)
      return answerOf(session.startInference())
    },
    latest: async () => session.latest,
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
  return {
    ask: async (prompt) => {
      const inference = await session.submit(prompt)
      return {
        result: inference.result,
        cancel: (reason) => void inference.cancel(reason).catch(() => {}), // it has ended, or its store says so itself
        turn: async () => (await session.latest()) ?? inference.result,
        [Symbol.asyncIterator]: () => inference[Symbol.asyncIterator](),
      }
    },
    latest: () => session.latest(),
    close: async () => {
      await session.close()
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
