import type { LogEntry, NewEntry } from './store.ts'

type Wake = (news?: readonly LogEntry[]) => void

/** Who wants to hear of commits to a session, in this process. */
export class Watchers {
  readonly #bySession = new Map<string, Set<{ readonly wake: Wake }>>()

  watch(sessionId: string, wake: Wake): () => void {
    const watcher = { wake }
    const watchers = this.#bySession.get(sessionId) ?? new Set()
    this.#bySession.set(sessionId, watchers.add(watcher))
    return () => {
      watchers.delete(watcher)
      if (watchers.size === 0 && this.#bySession.get(sessionId) === watchers) this.#bySession.delete(sessionId)
    }
  }

  /** Tells them of what was committed, the last of which is the event `ordinal`. */
  tell(sessionId: string, entries: readonly NewEntry[], ordinal: number): void {
    if (!this.#bySession.has(sessionId)) return
    const first = ordinal - entries.length + 1
    this.wake(
      sessionId,
      entries.map(({ type, body }, index) => ({ ordinal: first + index, type, body })),
    )
  }

  /** Calls them when what runs now is done. What one of them throws reaches neither the writer nor the others. */
  wake(sessionId: string, news?: readonly LogEntry[]): void {
    const watchers = this.#bySession.get(sessionId)
    if (watchers === undefined) return
    for (const watcher of watchers) {
      // A watcher that has been taken away meanwhile is not called.
      void Promise.resolve()
        .then(() => watchers.has(watcher) && watcher.wake(news))
        .catch(() => undefined)
    }
  }
}
