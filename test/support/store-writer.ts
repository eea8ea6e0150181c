// A process that commits to so many sessions of the store in the file it is given until it is killed, and says what was
// acknowledged.
import { writeSync } from 'node:fs'
import { SqliteStore } from '../../src/store/sqlite-store.ts'

const store = await SqliteStore.open(process.argv[2] ?? '')
const sessions = [...'abcdefghijkl'].slice(0, Number(process.argv[3]))
const body = JSON.stringify({ text: 'x'.repeat(300) })

for (;;) {
  const results = await Promise.all(
    sessions.map(async (sessionId) => {
      const isThere = (await store.head(sessionId)) !== undefined
      const create = { incarnation: 'first', createdAt: '2026-01-01T00:00:00.000Z' }
      const entries = Array.from({ length: 5 }, () => ({ type: 'x', body }))
      return { sessionId, result: await store.commit({ sessionId, ...(!isThere && { create }), entries }) }
    }),
  )
  for (const { sessionId, result } of results) {
    if (result.status === 'committed') writeSync(1, `${sessionId} ${result.ordinal}\n`)
  }
}
