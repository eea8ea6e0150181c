import type { InferenceEvent } from '../events/event.ts'
import type { Head, Store } from '../store/store.ts'
import { applyTimeline, emptyTimeline, type Timeline } from '../timeline/timeline.ts'
import { fromEntry } from '../store/entry.ts'
import { stateOf } from './writer.ts'

/** The end of a session's timeline, or a page before one that is known. */
export interface TimelineWindow {
  readonly timeline: Timeline
  /** What was said up to this ordinal is not in it: give it as `before` for the page before this one. */
  readonly from: number
  /** Whether nothing comes before it that the log still has. */
  readonly isComplete: boolean
}

export interface WindowOptions {
  /** The `from` of the page that follows; default: the end of the log. */
  readonly before?: number
  /** How many inferences that have ended it shows at least, when there are so many. Default 20. */
  readonly inferences?: number
}

/** Snapshots that are looked at in one go for where an inference has ended. */
const pageSize = 64

/**
 * What a person sees of the last inferences of a session, at the cost of these and not of the session. The entities are
 * those of the whole timeline, for a page begins where no inference runs or waits.
 */
export async function readTimeline(
  store: Store,
  head: Head,
  { before = head.ordinal, inferences = 20 }: WindowOptions = {},
): Promise<TimelineWindow> {
  const ends = await endsBefore(store, head, before, inferences + 1)
  const open = before === head.ordinal ? openInferences(head) : []
  // Turns outlive the events that led to them: an end may be one that the log does not have any more.
  const placeOf = (end = 0) => Math.max(end, head.firstOrdinal - 1)
  let from = placeOf(ends[inferences])
  for (;;) {
    const { timeline, begun } = await fold(store, head.sessionId, from, before)
    const first = await firstPrompt(store, head.sessionId, [...begun, ...open])
    if (from < head.firstOrdinal || first > from) return { timeline, from, isComplete: from < head.firstOrdinal }
    // Somebody who was answered later had asked before: the page has to begin before that.
    const [earlier] = await endsBefore(store, head, first - 1, 1)
    from = placeOf(earlier)
  }
}

async function fold(
  store: Store,
  sessionId: string,
  from: number,
  upTo: number,
): Promise<{ readonly timeline: Timeline; readonly begun: readonly string[] }> {
  let timeline = emptyTimeline(from)
  const accepted = new Set<string>()
  const begun: string[] = []
  while (timeline.ordinal < upTo) {
    const limit = Math.min(256, upTo - timeline.ordinal)
    const entries = await store.read(sessionId, { after: timeline.ordinal, limit })
    if (entries.length === 0) break
    for (const entry of entries) {
      const event = fromEntry(sessionId, entry)
      timeline = applyTimeline(timeline, event)
      if (event.type === 'prompt-accepted') accepted.add(event.inferenceId)
      if (isBeginOrEnd(event) && !accepted.has(event.inferenceId)) begun.push(event.inferenceId)
    }
  }
  return { timeline, begun }
}

// A prompt that is cancelled while it waits has an end and no beginning.
function isBeginOrEnd(
  event: ReturnType<typeof fromEntry>,
): event is Extract<InferenceEvent, { type: 'inference-started' | 'inference-stopped' }> {
  return event.type === 'inference-started' || event.type === 'inference-stopped'
}

function openInferences(head: Head): readonly string[] {
  const { active, queue } = stateOf(head)
  return [...(active === undefined ? [] : [active]), ...queue].map(({ inferenceId }) => inferenceId)
}

/** The ordinal of the first event that any of the inferences is named in. */
async function firstPrompt(store: Store, sessionId: string, inferenceIds: readonly string[]): Promise<number> {
  const places = await Promise.all(inferenceIds.map((id) => store.find(id)))
  const ordinals = places.flat().flatMap((place) => (place.sessionId === sessionId ? [place.ordinal] : []))
  return Math.min(Number.POSITIVE_INFINITY, ...ordinals)
}

/** The ordinals at which inferences have ended, up to `upTo`, the latest first; at most `count`. */
export async function endsBefore(store: Store, head: Head, upTo: number, count: number): Promise<readonly number[]> {
  const ends: number[] = []
  let end = upTo >= head.ordinal ? head.snapshots : await snapshotsUpTo(store, head, upTo)
  while (end > 0 && ends.length < count) {
    const from = Math.max(end - pageSize, 0)
    const page = await store.snapshots(head.sessionId, { from, limit: end - from })
    const finals = page.filter(({ phase, ordinal }) => phase === 'final' && ordinal <= upTo)
    ends.push(...finals.map(({ ordinal }) => ordinal).toReversed())
    end = from
  }
  return ends.slice(0, count)
}

/** How many snapshots were taken up to the ordinal: they are in the order of the log. */
async function snapshotsUpTo(store: Store, head: Head, ordinal: number): Promise<number> {
  let [low, high] = [0, head.snapshots]
  while (low < high) {
    const middle = (low + high) >> 1
    const [snapshot] = await store.snapshots(head.sessionId, { from: middle, limit: 1 })
    if (snapshot !== undefined && snapshot.ordinal <= ordinal) low = middle + 1
    else high = middle
  }
  return low
}
