import type { Clock } from '../clock.ts'
import type { Store } from '../store/store.ts'

/** The store, with `observe` told how long each commit took, in seconds, whatever came of it. */
export function measuredStore(store: Store, clock: Clock, observe: (seconds: number) => void): Store {
  return {
    commit(commit) {
      const start = clock.monotonic()
      const committed = store.commit(commit)
      const ended = () => observe((clock.monotonic() - start) / 1000)
      committed.then(ended, ended)
      return committed
    },
    head: (sessionId) => store.head(sessionId),
    list: (options) => store.list(options),
    read: (sessionId, options) => store.read(sessionId, options),
    blocks: (sessionId, ranges) => store.blocks(sessionId, ranges),
    snapshots: (sessionId, options) => store.snapshots(sessionId, options),
    find: (name) => store.find(name),
    claim: (sessionId, owner, ttlMs) => store.claim(sessionId, owner, ttlMs),
    renew: (sessionId, epoch, ttlMs) => store.renew(sessionId, epoch, ttlMs),
    release: (sessionId, epoch) => store.release(sessionId, epoch),
    trim: (sessionId, before) => store.trim(sessionId, before),
    delete: (sessionId) => store.delete(sessionId),
    watch: (sessionId, wake) => store.watch(sessionId, wake),
    integrity: () => store.integrity(),
    close: () => store.close(),
  }
}
