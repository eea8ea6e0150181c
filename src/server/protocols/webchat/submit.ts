import { GeppettoError, isGeppettoError } from '../../../errors.ts'
import { isTerminal } from '../../../events/event.ts'
import type { JsonObject } from '../../../json.ts'
import { stateOf } from '../../../session/writer.ts'
import { fromEntry } from '../../../store/entry.ts'
import type { Head, Store } from '../../../store/store.ts'
import type { Access } from '../../access.ts'
import type { ServerContext, Subject } from '../../context.ts'
import type { Profile, Runtime } from '../../profile.ts'
import { badRequest, type ChatRequest } from './request.ts'

/** What is answered to a prompt, and under which status. */
export interface ChatAnswer {
  readonly status: 200 | 202
  readonly body: JsonObject
  readonly subject: Subject
}

/**
 * Accepts a prompt: when this resolves it is in the log and will be answered. A key that came before gives what was
 * answered then, with how it stands now; a key that came with another prompt is refused.
 */
export async function submitChat(context: ServerContext, access: Access, request: ChatRequest): Promise<ChatAnswer> {
  access.require('write')
  const { prompt, runtime, isStepwise } = request
  if (prompt.trim() === '') throw badRequest('missing prompt')
  requireMiddleware(context.profiles.named(runtime.profile), runtime)
  const convId = request.convId ?? context.newId()
  const { session, head } = await context.conversations.findOrCreate(access.principal, convId).catch(asNotFound)
  if (isStepwise && !context.steps.isEnabled(convId)) {
    context.steps.enable({ sessionId: convId, owner: access.principal.name })
  }
  const idempotencyKey = request.idempotencyKey ?? context.newId()
  const inference = await session.submit(prompt, {
    runtime: runtime as JsonObject, // it was read from JSON, and what is not said is not there
    idempotencyKey,
    whileRunning: context.whileRunning,
  })
  const { status, ...more } = await standingOf(context.conversations.store, convId, inference.id)
  const isKnown = inference.ordinal <= head.ordinal
  return {
    status: status === 'queued' ? 202 : 200,
    subject: { sessionId: convId, inferenceId: inference.id, turnId: inference.turnId },
    body: {
      // An answer to a new prompt says what happened to it, not how far it has come since.
      ...(isKnown || status === 'queued' ? { status, ...more } : { status: 'started' }),
      idempotency_key: idempotencyKey,
      conv_id: convId,
      session_id: convId,
      run_id: convId,
      turn_id: inference.turnId,
      inference_id: inference.id,
    },
  }
}

type Standing =
  | { readonly status: 'queued'; readonly queue_position: number; readonly queue_depth: number }
  | { readonly status: 'running' | 'completed' }
  | { readonly status: 'error'; readonly error: string }

/** How an inference stands, as the log says. */
async function standingOf(store: Store, sessionId: string, inferenceId: string): Promise<Standing> {
  const waiting = waitingIn(await store.head(sessionId))
  const position = waiting.indexOf(inferenceId)
  if (position >= 0) return { status: 'queued', queue_position: position + 1, queue_depth: waiting.length }
  const places = (await store.find(inferenceId)).filter((place) => place.sessionId === sessionId)
  const last = places.at(-1)
  const [entry] = last === undefined ? [] : await store.read(sessionId, { after: last.ordinal - 1, limit: 1 })
  const event = entry && fromEntry(sessionId, entry)
  if (event === undefined || event.type === 'unknown') return { status: 'completed' } // so old that the log has forgotten it
  if (!isTerminal(event)) return { status: 'running' }
  switch (event.type) {
    case 'inference-finished':
      return { status: 'completed' }
    case 'inference-failed':
      return { status: 'error', error: event.error.message }
    case 'inference-stopped':
    case 'inference-interrupted':
      return { status: 'error', error: event.reason }
  }
}

/** The inferences that wait behind another one; the first of all is about to begin. */
export function waitingIn(head: Pick<Head, 'state'> | undefined): readonly string[] {
  const { active, queue } = stateOf(head)
  const waiting = active === undefined ? queue.slice(1) : queue
  return waiting.map(({ inferenceId }) => inferenceId)
}

/** Names that nothing stands for are found before the prompt is in the log, where they would fail every turn. */
function requireMiddleware(profile: Profile, { middlewares = [] }: Runtime): void {
  for (const { name } of middlewares) {
    if (Object.hasOwn(profile.middleware ?? {}, name)) continue
    throw new GeppettoError('INTERNAL', `Profile ${profile.slug} has no middleware ${JSON.stringify(name)}.`)
  }
}

function asNotFound(error: unknown): never {
  // Somebody else's: it is not there for this caller.
  throw isGeppettoError(error, 'SESSION_UNKNOWN')
    ? new GeppettoError('SESSION_UNKNOWN', 'conversation not found')
    : error
}
