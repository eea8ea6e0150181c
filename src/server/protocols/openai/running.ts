import { messageOf } from '../../../errors.ts'
import { isTerminal, type InferenceEvent } from '../../../events/event.ts'
import { readEvents } from '../../../session/past.ts'
import type { StoredInference } from '../../../session/stored-inference.ts'
import type { StoredSession } from '../../../session/stored-session.ts'
import type { Store } from '../../../store/store.ts'
import type { Access } from '../../access.ts'
import type { ServerContext } from '../../context.ts'
import type { Conversations } from '../../conversations.ts'

/** An inference that a request has begun, or is about. */
export interface Running {
  readonly store: Store
  readonly session: StoredSession
  readonly inference: StoredInference
  /** Whether it stays in the store; else it is in memory, and gone when it has been told. */
  readonly isKept: boolean
}

/** The headers of every answer about an inference. */
export function headersOf({ session, inference }: Running): Readonly<Record<string, string>> {
  return {
    'x-geppetto-session-id': session.id,
    'x-geppetto-inference-id': inference.id,
    'x-geppetto-turn-id': inference.turnId,
  }
}

/** The events of the inference, from its first to its last. Ends early when aborted. */
export async function* eventsOf(running: Running, signal?: AbortSignal): AsyncGenerator<InferenceEvent, void> {
  const { session, inference, isKept } = running
  const after = inference.ordinal - 1
  for await (const event of session.events({ after, ...(signal && { signal }) })) {
    if (event.type === 'unknown' || event.inferenceId !== inference.id) continue
    // Where nobody can be asked, what needs a person's word is not done.
    if (!isKept && event.type === 'approval-requested' && event.reason !== 'client-tool') {
      await session.decide(event.approvalId, { decision: 'denied', message: 'nobody can be asked for approval here' })
    }
    yield event
    if (isTerminal(event) || (!isKept && event.type === 'inference-handed-over')) return
  }
}

/** The events of the inference that are in the log by now. */
export async function* recorded({ store, session, inference }: Running): AsyncGenerator<InferenceEvent, void> {
  for await (const event of readEvents(store, session.id, inference.ordinal - 1)) {
    if (event.inferenceId !== inference.id) continue
    yield event
    if (isTerminal(event)) return
  }
}

/**
 * Sessions that are in memory for as long as their one inference is told. A client that goes away cancels nothing: it
 * runs to its end, or to where it waits for the client, and goes then.
 */
export class Passing {
  readonly conversations: Conversations
  readonly #context: ServerContext

  constructor(context: ServerContext) {
    this.#context = context
    this.conversations = context.conversations.inMemory()
  }

  /** Lets the session go once its inference has nothing more to say to anybody. */
  release(running: Running, { principal }: Access): void {
    if (running.isKept) return
    const end = async () => {
      for await (const event of eventsOf(running)) if (isPause(event)) break
      await this.conversations.delete(principal, running.session.id)
    }
    end().catch((error: unknown) => {
      const fields = { session_id: running.session.id, error: messageOf(error) }
      this.#context.log.error(fields, 'a session in memory could not be let go')
    })
  }
}

/** Whether nothing more follows unless the client acts. */
function isPause(event: InferenceEvent): boolean {
  return event.type === 'approval-requested' && event.reason === 'client-tool'
}
