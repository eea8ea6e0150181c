import type { InferenceEvent } from '../events/event.ts'
import { encodeEvent } from '../events/codec.ts'
import { GeppettoError } from '../errors.ts'
import type { JsonObject } from '../json.ts'
import type { Store } from '../store/store.ts'
import { readEvents } from './past.ts'

/** The story that an id leads to: the events that it is about, deltas left out. */
export interface Trace {
  readonly id: string
  readonly sessionId: string
  /** What the id names. */
  readonly of: 'session' | 'turn' | 'inference' | 'step'
  readonly events: readonly InferenceEvent[]
}

/**
 * The story of any id: of a session all inferences, of a turn or an inference its whole course, of a provider call, a
 * provider's reply, a tool call or an approval the course of the inference that it happened in. Throws
 * SESSION_UNKNOWN when no session knows the id.
 */
export async function trace(store: Store, id: string): Promise<readonly Trace[]> {
  const places = await store.find(id)
  if (places.length === 0) {
    throw new GeppettoError('SESSION_UNKNOWN', `Nothing in this store has the id ${id}.`, { details: { id } })
  }
  const traces = new Map<string, Trace>()
  for (const { sessionId, ordinal } of places) {
    const found = await traceAt(store, id, sessionId, ordinal)
    traces.set(`${sessionId}/${found.of}/${found.events[0]?.ordinal ?? 0}`, found)
  }
  return [...traces.values()]
}

async function traceAt(store: Store, id: string, sessionId: string, ordinal: number): Promise<Trace> {
  const at = ordinal === 0 ? undefined : await eventAt(store, sessionId, ordinal)
  if (at === undefined) return { id, sessionId, of: 'session', events: await collect(store, sessionId, 0, () => true) }
  const isTurn = at.turnId === id
  const of = isTurn ? ('turn' as const) : at.inferenceId === id ? ('inference' as const) : ('step' as const)
  const concerns = (event: InferenceEvent) =>
    isTurn || at.inferenceId === undefined ? event.turnId === at.turnId : event.inferenceId === at.inferenceId
  const first = at.inferenceId === undefined ? ordinal : await firstOf(store, sessionId, at.inferenceId, ordinal)
  return { id, sessionId, of, events: await collect(store, sessionId, first - 1, concerns) }
}

async function eventAt(store: Store, sessionId: string, ordinal: number): Promise<InferenceEvent | undefined> {
  for await (const event of readEvents(store, sessionId, ordinal - 1, ordinal)) return event
  return undefined
}

async function firstOf(store: Store, sessionId: string, inferenceId: string, ordinal: number): Promise<number> {
  const places = (await store.find(inferenceId)).filter((place) => place.sessionId === sessionId)
  return Math.min(ordinal, ...places.map((place) => place.ordinal))
}

async function collect(
  store: Store,
  sessionId: string,
  after: number,
  concerns: (event: InferenceEvent) => boolean,
): Promise<readonly InferenceEvent[]> {
  const events: InferenceEvent[] = []
  for await (const event of readEvents(store, sessionId, after)) {
    if (concerns(event) && !event.type.endsWith('-delta')) events.push(event)
  }
  return events
}

/** A trace for people: a line for each event, with its ordinal, its time and what it says. */
export function printTrace({ id, sessionId, of, events }: Trace): string {
  const lines = events.map((event) => {
    const { type: _type, ordinal: _ordinal, at: _at, session_id: _session, ...fields } = encodeEvent(event)
    const indent = 'toolCallId' in event || 'providerCallId' in event ? '    ' : '  '
    return `${String(event.ordinal).padStart(6)}  ${event.at}${indent}${event.type}${told(fields)}`
  })
  return `${[`${of} ${id} in session ${sessionId}`, ...lines].join('\n')}\n`
}

function told({ inference_id: inferenceId, turn_id: turnId, ...fields }: JsonObject): string {
  const isFirst = fields['block'] !== undefined || Object.keys(fields).length === 0
  const ids = isFirst ? { inference_id: inferenceId, turn_id: turnId } : {}
  const words = Object.entries({ ...ids, ...fields }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${oneLine(typeof value === 'string' ? value : JSON.stringify(value), 160)}`],
  )
  return words.length === 0 ? '' : `  ${words.join(' ')}`
}

/** A text in one line of at most `longest` characters. */
export function oneLine(text: string, longest: number): string {
  const line = text.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim()
  return line.length > longest ? `${line.slice(0, longest)}…` : line
}
