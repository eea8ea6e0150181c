import { applyEvent } from '../events/apply.ts'
import { isTerminal, type InferenceEvent, type UnknownEvent } from '../events/event.ts'
import { readTurn } from '../store/block-log.ts'
import { fromEntry } from '../store/entry.ts'
import type { Head, Store } from '../store/store.ts'
import { createTurn, type Turn } from '../turns/turn.ts'

/** What the log says of an inference that began. */
export interface RecordedInference {
  /** The turn as it was when it began. */
  readonly input: Turn
  /** Its events from `inference-started` on. */
  readonly events: readonly InferenceEvent[]
}

/** Reads an inference that began, from the log; undefined when it did not. */
export async function readInference(
  store: Store,
  sessionId: string,
  inferenceId: string,
): Promise<RecordedInference | undefined> {
  const places = (await store.find(inferenceId)).filter((place) => place.sessionId === sessionId)
  const first = places[0]?.ordinal
  if (first === undefined) return undefined
  let opened: Extract<InferenceEvent, { type: 'turn-opened' }> | undefined
  const events: InferenceEvent[] = []
  for await (const event of readEvents(store, sessionId, first - 1)) {
    if (event.inferenceId !== inferenceId) continue
    if (event.type === 'turn-opened') opened = event
    else if (event.type === 'inference-started' || events.length > 0) events.push(event)
    if (isTerminal(event)) break
  }
  if (opened === undefined || events.length === 0) return undefined
  const base =
    opened.base === undefined ? createTurn() : await turnBefore(store, sessionId, opened.base, opened.ordinal)
  return { input: applyEvent(base, opened), events }
}

/** The turn that the session is at: its last snapshot and what happened since; undefined when it has none. */
export async function latestTurn(store: Store, head: Head): Promise<Turn | undefined> {
  const [last] =
    head.snapshots === 0 ? [] : await store.snapshots(head.sessionId, { from: head.snapshots - 1, limit: 1 })
  let turn = last === undefined ? undefined : await readTurn(store, head.sessionId, last)
  for await (const event of readEvents(store, head.sessionId, last?.ordinal ?? 0, head.ordinal)) {
    if (event.type === 'turn-opened' || turn !== undefined) turn = applyToTurn(turn ?? createTurn(), event)
  }
  return turn
}

/** The turn that the session is at after `event`: what concerns another turn, as the end of a prompt that waited, does not. */
export function applyToTurn(turn: Turn, event: InferenceEvent): Turn {
  return event.type === 'turn-opened' || event.turnId === turn.id ? applyEvent(turn, event) : turn
}

/** The events after `after`, in order, up to `upTo`; those that this version does not know are left out. */
export async function* readEvents(
  store: Store,
  sessionId: string,
  after: number,
  upTo?: number,
): AsyncIterable<InferenceEvent> {
  for await (const event of readLog(store, sessionId, after, upTo)) if (event.type !== 'unknown') yield event
}

/** Every event after `after`, in order, up to `upTo`. */
export async function* readLog(
  store: Store,
  sessionId: string,
  after: number,
  upTo = Number.POSITIVE_INFINITY,
): AsyncIterable<InferenceEvent | UnknownEvent> {
  let cursor = after
  while (cursor < upTo) {
    const entries = await store.read(sessionId, { after: cursor, limit: Math.min(256, upTo - cursor) })
    if (entries.length === 0) return
    for (const entry of entries) {
      cursor = entry.ordinal
      yield fromEntry(sessionId, entry)
    }
  }
}

// The last snapshot of a turn is the turn as its inference left it.
async function turnBefore(store: Store, sessionId: string, turnId: string, ordinal: number): Promise<Turn> {
  const snapshots = await store.snapshots(sessionId, { turnId })
  const last = snapshots.findLast((snapshot) => snapshot.ordinal < ordinal)
  if (last !== undefined) return readTurn(store, sessionId, last)
  let turn = createTurn()
  for await (const event of readEvents(store, sessionId, 0, ordinal - 1)) turn = applyToTurn(turn, event)
  return turn
}
