import type { Store } from '../store/store.ts'
import { stateOf, unknownSession } from './writer.ts'

/**
 * Forgets the events of a session before `before`, and gives the ordinal from which on they are kept. What runs or waits,
 * and what happened since the last snapshot, is always kept; so are the turns. A viewer who asks for what was forgotten is
 * told so (CURSOR_EXPIRED). Throws SESSION_UNKNOWN.
 */
export async function trimSession(store: Store, sessionId: string, before: number): Promise<number> {
  const head = await store.head(sessionId)
  if (head === undefined) throw unknownSession(sessionId)
  const { active, queue } = stateOf(head)
  const open = [active, ...queue].flatMap((work) => work?.inferenceId ?? [])
  const begun = (await Promise.all(open.map((inferenceId) => store.find(inferenceId))))
    .flat()
    .flatMap((place) => (place.sessionId === sessionId ? [place.ordinal] : []))
  const [last] = head.snapshots === 0 ? [] : await store.snapshots(sessionId, { from: head.snapshots - 1 })
  const keepFrom = Math.max(Math.min(before, (last?.ordinal ?? 0) + 1, ...begun), head.firstOrdinal)
  if (keepFrom > head.firstOrdinal) await store.trim(sessionId, keepFrom)
  return keepFrom
}
