import type { Clock } from '../../../clock.ts'
import type { InferenceEvent, UnknownEvent } from '../../../events/event.ts'
import { followLog, requireCursor } from '../../../session/follow.ts'
import { readLog } from '../../../session/past.ts'
import { endsBefore } from '../../../session/window.ts'
import { fromEntry } from '../../../store/entry.ts'
import type { Head, Store } from '../../../store/store.ts'
import type { TimelineEntity } from './entity.ts'
import { lastSeqOf, ordinalOf, type SemFrame } from './sem.ts'
import { emptyView, tell, type View } from './view.ts'

/**
 * The frames of a conversation after the number `after`, those to come too, as many at a time as there are. Ends when
 * aborted. Throws as `followLog` does.
 */
export async function* followFrames(
  store: Store,
  head: Head,
  clock: Clock,
  { after, signal }: { readonly after: number; readonly signal: AbortSignal },
): AsyncGenerator<readonly SemFrame[], void> {
  const { sessionId, incarnation } = head
  const fold = new Fold(after)
  for await (const entries of followLog(store, sessionId, clock, {
    after: await startOf(store, head, after),
    incarnation,
    signal,
  })) {
    const frames = entries.flatMap((entry) => fold.add(fromEntry(sessionId, entry)))
    if (frames.length > 0) yield frames
  }
}

/** The frames of a conversation after the number `after`, up to where it stands. */
export async function* readFrames(store: Store, head: Head, after: number): AsyncGenerator<SemFrame, void> {
  const fold = new Fold(after)
  const start = await startOf(store, head, after)
  for await (const event of readLog(store, head.sessionId, start, head.ordinal)) yield* fold.add(event)
}

/** All entities of a conversation as it stands, in the order in which they came to be. */
export async function readEntities(store: Store, head: Head): Promise<readonly TimelineEntity[]> {
  const entities = new Map<string, TimelineEntity>()
  let view = emptyView
  for await (const event of readLog(store, head.sessionId, head.firstOrdinal - 1, head.ordinal)) {
    const [next, { changed }] = tell(view, event)
    view = next
    for (const entity of changed) entities.set(entity.id, entity)
  }
  return [...entities.values()]
}

class Fold {
  #view: View = emptyView
  readonly #after: number

  constructor(after: number) {
    this.#after = after
  }

  add(event: InferenceEvent | UnknownEvent): readonly SemFrame[] {
    const [view, { frames }] = tell(this.#view, event)
    this.#view = view
    return frames.filter(({ seq }) => seq > this.#after)
  }
}

/** The ordinal behind which folding has to begin: the last end of an inference, for nothing of it reaches beyond. */
async function startOf(store: Store, head: Head, after: number): Promise<number> {
  const ordinal = ordinalOf(after)
  requireCursor(head, head.sessionId, ordinal)
  // The last event may have frames that are not known yet.
  const [end] = await endsBefore(store, head, after === lastSeqOf(ordinal) ? ordinal : ordinal - 1, 1)
  return Math.max(end ?? 0, head.firstOrdinal - 1)
}
