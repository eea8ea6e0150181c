/** Who wants to hear of commits to a session, in this process. */
export class Watchers {
  readonly #bySession = new Map<string, Set<{ readonly wake: () => void }>>()

  watch(sessionId: string, wake: () => void): () => void {
    const watcher = { wake }
    const watchers = this.#bySession.get(sessionId) ?? new Set()
    this.#bySession.set(sessionId, watchers.add(watcher))
    return () => {
      watchers.delete(watcher)
      if (watchers.size === 0 && this.#bySession.get(sessionId) === watchers) this.#bySession.delete(sessionId)
    }
  }

  /** Calls them when what runs now is done. What one of them throws reaches neither the writer nor the others. */
  wake(sessionId: string): void {
    const watchers = this.#bySession.get(sessionId)
    if (watchers === undefined) return
    for (const watcher of watchers) {
      // A watcher that has been taken away meanwhile is not called.
      void Promise.resolve()
        .then(() => watchers.has(watcher) && watcher.wake())
        .catch(() => undefined)
    }
  }
}
