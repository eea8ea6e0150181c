import { decodeEvent, encodeEvent } from '../events/codec.ts'
import type { EventOf, InferenceEvent, UnknownEvent } from '../events/event.ts'
import type { JsonObject } from '../json.ts'
import type { LogEntry, NewEntry } from './store.ts'

// The border between an event and the log: what the store allocates or keeps by itself is not in the body.

/** The event as the store takes it; its ordinal is of no account. */
export function toEntry(event: InferenceEvent | UnknownEvent): NewEntry {
  if (event.type === 'text-delta' || event.type === 'reasoning-delta') return deltaEntry(event)
  const { type, ordinal: _ordinal, session_id: _session, ...fields } = encodeEvent(event)
  const names = namesOf(event)
  return { type: type as string, body: JSON.stringify(fields), ...(names.length > 0 && { names }) } // encodeEvent gives it
}

// The one that is made for every token: the same as below, without looking up what its fields are.
function deltaEntry(event: EventOf<'text-delta' | 'reasoning-delta'>): NewEntry {
  const fields = {
    at: event.at,
    inference_id: event.inferenceId,
    turn_id: event.turnId,
    provider_call_id: event.providerCallId,
    attempt: event.attempt,
    segment_id: event.segmentId,
    offset: event.offset,
    delta: event.delta,
  }
  return { type: event.type, body: JSON.stringify(fields) }
}

/** The event of an entry. Throws EVENT_INVALID for one that says what its type cannot. */
export function fromEntry(sessionId: string, { ordinal, type, body }: LogEntry): InferenceEvent | UnknownEvent {
  const fields = JSON.parse(body) as JsonObject // the contract says so
  return decodeEvent({ ...fields, type, ordinal, session_id: sessionId })
}

// The first event that speaks of an id is where a person who has the id wants to be led.
function namesOf(event: InferenceEvent | UnknownEvent): readonly string[] {
  switch (event.type) {
    case 'prompt-accepted':
    case 'inference-started':
      return [event.inferenceId, event.turnId]
    case 'turn-opened':
      return [event.turnId]
    case 'provider-call-started':
      return [event.providerCallId]
    case 'provider-call-metadata-updated':
      return event.responseId === undefined ? [] : [event.responseId]
    case 'tool-call-requested':
      return [event.toolCallId]
    case 'approval-requested':
      return [event.approvalId]
    case 'inference-finished':
    case 'inference-stopped':
    case 'inference-failed':
    case 'inference-interrupted':
      return [event.inferenceId]
    default:
      return []
  }
}
