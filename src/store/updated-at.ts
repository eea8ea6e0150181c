import type { Commit } from './store.ts'

/** How long a session counts as changed just now. */
const freshMs = 1_000

/**
 * When a session has changed last, after `commit`. Events alone move it once a second: it orders lists, and a store that
 * kept it in order for every token would do little else.
 */
export function updatedAtOf(before: string, { state, blocks, snapshots = [] }: Commit, now: number): string {
  const age = now - Date.parse(before)
  const isFresh = age >= 0 && age < freshMs
  const isEventsAlone = state === undefined && blocks === undefined && snapshots.length === 0
  return isFresh && isEventsAlone ? before : new Date(now).toISOString()
}
