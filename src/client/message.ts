import { GeppettoError, type ErrorCode } from '../errors.ts'
import { decodeEvent } from '../events/codec.ts'
import type { InferenceEvent, UnknownEvent } from '../events/event.ts'
import { isJsonObject, tryParseJson, type Json, type JsonObject } from '../json.ts'
import { timelineFromJson } from '../timeline/json.ts'
import type { Timeline } from '../timeline/timeline.ts'

// The border to what the server says: the same JSON over an event stream, over a socket, and as a page.

/** What a session looked like at an ordinal. */
export interface Snapshot {
  readonly timeline: Timeline
  /** Give it as `before` for the page that comes before this one; absent when nothing does. */
  readonly before?: number
}

export type ServerMessage =
  | { readonly kind: 'event'; readonly sessionId: string; readonly event: InferenceEvent | UnknownEvent }
  | { readonly kind: 'snapshot'; readonly sessionId: string; readonly snapshot: Snapshot }
  /** The log has come to `head`; what follows belongs to this incarnation of the session. */
  | { readonly kind: 'subscribed'; readonly sessionId: string; readonly incarnation: string; readonly head: number }
  | { readonly kind: 'closed'; readonly sessionId: string; readonly error: GeppettoError }
  /** Without a session it is about the connection. */
  | { readonly kind: 'error'; readonly sessionId?: string; readonly error: GeppettoError }
  /** Nothing to act on: a greeting, or what a newer server says. */
  | { readonly kind: 'other' }

/** Reads a message. Throws EVENT_INVALID for what is none, or no whole one. */
export function readMessage(text: string): ServerMessage {
  const value = tryParseJson(text)
  if (!isJsonObject(value)) throw invalid('it is no JSON object')
  if (value['control'] === undefined)
    return { kind: 'event', sessionId: textOf(value, 'session_id'), event: decodeEvent(value) }
  switch (value['control']) {
    case 'snapshot':
      return { kind: 'snapshot', sessionId: textOf(value, 'session_id'), snapshot: readSnapshot(value) }
    case 'subscribed': {
      const [sessionId, incarnation] = [textOf(value, 'session_id'), textOf(value, 'incarnation')]
      return { kind: 'subscribed', sessionId, incarnation, head: ordinalOf(value, 'head') }
    }
    case 'closed':
      return { kind: 'closed', sessionId: textOf(value, 'session_id'), error: closing(value) }
    case 'error': {
      const sessionId = value['session_id']
      const error = serverError(textOf(value, 'code'), textOf(value, 'message'))
      return { kind: 'error', error, ...(typeof sessionId === 'string' && { sessionId }) }
    }
    default:
      return { kind: 'other' }
  }
}

/** Reads a snapshot of a session. Throws EVENT_INVALID for anything else. */
export function readSnapshot(value: Json): Snapshot {
  if (!isJsonObject(value)) throw invalid('it is no snapshot')
  const timeline = timelineFromJson(value['timeline'])
  return { timeline, ...(value['before'] !== undefined && { before: ordinalOf(value, 'before') }) }
}

/** An error of the server's, under its code. */
export function serverError(
  code: string,
  message: string,
  details: Readonly<Record<string, unknown>> = {},
): GeppettoError {
  // Codes are stable, and one of a newer server is still its name for what happened.
  return new GeppettoError(code as ErrorCode, message, { details })
}

/** The text under a name. Throws EVENT_INVALID when there is none. */
export function textOf(value: JsonObject, name: string): string {
  const text = value[name]
  if (typeof text !== 'string') throw invalid(`${name} is missing`)
  return text
}

/** The whole number under a name. Throws EVENT_INVALID when there is none. */
export function ordinalOf(value: JsonObject, name: string): number {
  const ordinal = value[name]
  if (typeof ordinal !== 'number' || !Number.isSafeInteger(ordinal) || ordinal < 0) throw invalid(`${name} is missing`)
  return ordinal
}

function closing(value: JsonObject): GeppettoError {
  const [sessionId, reason] = [textOf(value, 'session_id'), textOf(value, 'reason')]
  if (reason === 'deleted') return serverError('SESSION_UNKNOWN', `Session ${sessionId} was deleted.`, { reason })
  if (reason === 'access') return serverError('UNAUTHENTICATED', 'The server lets the caller in no longer.', { reason })
  return serverError('SERVER_STOPPING', 'The server is being stopped; another one will answer.', { reason })
}

function invalid(problem: string): GeppettoError {
  return new GeppettoError('EVENT_INVALID', `The server sent what cannot be read: ${problem}.`)
}
