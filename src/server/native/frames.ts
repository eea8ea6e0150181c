import type { JsonObject } from '../../json.ts'
import { readTimeline } from '../../session/window.ts'
import { stateOf } from '../../session/writer.ts'
import type { Head, LogEntry, Store } from '../../store/store.ts'
import { timelineToJson } from '../../timeline/json.ts'
import { sseFrame } from '../sse.ts'

/** An event as JSON, put together from what the store has of it: nothing is parsed on the way from the log to a viewer. */
export function eventJson(sessionId: string, { ordinal, type, body }: LogEntry): string {
  const fields = body === '{}' ? '}' : `,${body.slice(1)}`
  return `{"type":${JSON.stringify(type)},"ordinal":${ordinal},"session_id":${JSON.stringify(sessionId)}${fields}`
}

/** The entries as messages of one event stream, each under its ordinal. */
export function eventFrames(sessionId: string, entries: readonly LogEntry[]): string {
  return entries.map((entry) => sseFrame({ id: entry.ordinal, data: eventJson(sessionId, entry) })).join('')
}

/** What is told beside the events. On an event stream its name is the message's event. */
export type Control =
  | { readonly control: 'snapshot'; readonly session_id: string; readonly ordinal: number }
  /** What the client knows cannot be gone on from; a snapshot follows. */
  | { readonly control: 'reset'; readonly session_id: string; readonly reason: string; readonly ordinal: number }
  /**
   * The events after `ordinal` follow, and `head` is the last that there is by now: who has it is up to date. A session
   * that was deleted and made anew under its id has another `incarnation`, and nothing to do with what was known.
   */
  | {
      readonly control: 'subscribed'
      readonly session_id: string
      readonly incarnation: string
      readonly ordinal: number
      readonly head: number
    }
  /** Nothing more comes: the session was deleted, or the server is being stopped and another one will answer. */
  | { readonly control: 'closed'; readonly session_id: string; readonly reason: 'deleted' | 'stopping' | 'access' }

export function controlFrame(message: Control & JsonObject): string {
  const id = message.control === 'snapshot' ? { id: message.ordinal } : {}
  return sseFrame({ ...id, event: message.control, data: JSON.stringify(message) })
}

export function subscribed({ sessionId, incarnation, ordinal: head }: Head, ordinal: number): Control & JsonObject {
  return { control: 'subscribed', session_id: sessionId, incarnation, ordinal, head }
}

/** Where a session stands and what a person sees of its end: the events after `ordinal` go on from it. */
export interface SessionSnapshot extends JsonObject {
  readonly session_id: string
  readonly ordinal: number
  readonly timeline: JsonObject
}

/** The end of the session's timeline, or, with `before`, the page that comes before one that is known. */
export async function snapshotOf(
  store: Store,
  head: Head,
  page: { readonly before?: number; readonly inferences?: number } = {},
): Promise<SessionSnapshot> {
  const { timeline, from, isComplete } = await readTimeline(store, head, page)
  const { active, queue } = stateOf(head)
  return {
    session_id: head.sessionId,
    ordinal: timeline.ordinal,
    first_ordinal: head.firstOrdinal,
    timeline: timelineToJson(timeline),
    active_inference: active?.inferenceId ?? null,
    queued: queue.map(({ inferenceId }) => inferenceId),
    created_at: head.createdAt,
    updated_at: head.updatedAt,
    ...(!isComplete && { before: from }),
  }
}
