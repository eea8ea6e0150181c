import type { Commit, News } from './store.ts'

type Wake = (news?: News) => void

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

  /** Tells them of a commit, the last event of which is `ordinal`; what it added, when it says to which session of the id. */
  tell({ sessionId, create, incarnation = create?.incarnation, entries }: Commit, ordinal: number): void {
    if (!this.#bySession.has(sessionId)) return
    if (incarnation === undefined) return this.wake(sessionId)
    const first = ordinal - entries.length + 1
    const added = entries.map(({ type, body }, index) => ({ ordinal: first + index, type, body }))
    this.wake(sessionId, { incarnation, entries: added })
  }

  /** Calls them when what runs now is done. What one of them throws reaches neither the writer nor the others. */
  wake(sessionId: string, news?: News): void {
    const watchers = this.#bySession.get(sessionId)
    if (watchers === undefined) return
    for (const watcher of watchers) {
      queueMicrotask(() => {
        try {
          if (watchers.has(watcher)) watcher.wake(news) // one that has been taken away meanwhile is not called
        } catch {
          // it is its own affair
        }
      })
    }
  }
}
