import { GeppettoError, isGeppettoError } from '../../../errors.ts'
import type { Access } from '../../access.ts'
import type { ServerContext } from '../../context.ts'
import { foldResponse } from './response-fold.ts'
import { readResponseId } from './response-object.ts'
import { emptyResponse, isOver, type ResponseState } from './response-state.ts'
import { eventsOf, recorded, type Running } from './running.ts'

/** One response: an inference, and which of its parts. */
export interface ResponseOf {
  readonly running: Running
  readonly part: number
}

/** The response of this id, of the caller's. Throws INFERENCE_UNKNOWN. */
export async function responseOf(context: ServerContext, access: Access, id: string): Promise<ResponseOf> {
  const found = await findResponse(context, access, id)
  if (found !== undefined) return found
  throw new GeppettoError('INFERENCE_UNKNOWN', `Response with id '${id}' not found.`)
}

/** The same; undefined when there is none. */
export async function findResponse(
  { conversations }: ServerContext,
  { principal }: Access,
  id: string,
): Promise<ResponseOf | undefined> {
  const named = readResponseId(id)
  const places = named === undefined ? [] : await conversations.store.find(named.inferenceId)
  for (const { sessionId } of places) {
    const found = await unlessUnknown(conversations.find(principal, sessionId))
    if (named === undefined || found === undefined) continue
    const inference = await unlessUnknown(found.session.inference(named.inferenceId)) // other ids have places too
    if (inference === undefined) continue
    const running = { store: conversations.store, session: found.session, inference, isKept: true }
    const target = { running, part: named.part }
    if (named.part === 0 || (await stateOf(target, 'now')).part >= named.part) return target
  }
  return undefined
}

/** What is not the caller's is not there. */
async function unlessUnknown<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (error) {
    if (isGeppettoError(error, 'SESSION_UNKNOWN') || isGeppettoError(error, 'INFERENCE_UNKNOWN')) return undefined
    throw error
  }
}

/** The response as it is now, has begun to be, or is in the end. */
export async function stateOf(
  { running, part }: ResponseOf,
  at: 'now' | 'begun' | 'over',
  signal?: AbortSignal,
): Promise<ResponseState> {
  let state = emptyResponse
  let last = emptyResponse
  const events = at === 'now' ? recorded(running) : eventsOf(running, signal)
  for await (const event of events) {
    ;[state] = foldResponse(state, event)
    if (state.part > part) break
    last = state
    if (state.part === part && (at === 'begun' || (at === 'over' && isOver(state)))) break
  }
  return last
}
