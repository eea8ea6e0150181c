import { MemoryStore, SqliteStore, type Store } from 'geppetto'
import { storeConformance } from 'geppetto/store'

// #region open
const store: Store = await SqliteStore.open(':memory:') // or the path of a file
const create = { incarnation: 'first', createdAt: '2026-01-01T00:00:00.000Z' }
const entries = [{ type: 'my-event', body: '{"text":"hello"}' }]
const result = await store.commit({ sessionId: 'session-1', create, entries })
console.log(result.status, await store.read('session-1', { after: 0 }))
await store.close()
// #endregion open

// #region conformance
// With a test runner: for (const { name, run } of storeConformance()) test(name, () => run(open))
for (const { run } of storeConformance()) await run(async (options) => new MemoryStore(options))
// #endregion conformance
console.log('conforms')
