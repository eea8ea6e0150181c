// What it takes to open a session, short and long: `npm run bench:open`. The page of a chat asks for the snapshot first.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { scripted } from '../src/providers/scripted/engine.ts'
import { GeppettoServer } from '../src/server/server.ts'
import { StoredSession } from '../src/session/stored-session.ts'
import { SqliteStore } from '../src/store/sqlite-store.ts'
import { spread } from './measure.ts'

const lengths = [50, 500, 5_000]
const rounds = 200
const folder = mkdtempSync(join(tmpdir(), 'geppetto-open-'))
const store = await SqliteStore.open(join(folder, 'bench.db'))
const model = scripted({ pace: 0 })

for (const turns of lengths) {
  const session = await StoredSession.open(store, `turns-${turns}`, { engine: model })
  for (let turn = 0; turn < turns; turn += 1) await (await session.submit('Tell me a story.')).result
  await session.close()
}

const server = await GeppettoServer.open({ store, profiles: [{ slug: 'default', model }] })
const views = {
  snapshot: (id: string) => `/api/sessions/${id}`,
  'last turns': (id: string) => `/api/sessions/${id}/turns?limit=3&phase=final`,
}
for (const [view, path] of Object.entries(views)) {
  for (const turns of lengths) {
    const samples: number[] = []
    let bytes = 0
    for (let round = 0; round < rounds; round += 1) {
      const start = performance.now()
      const answer = await server.fetch(new Request(`http://localhost${path(`turns-${turns}`)}`))
      bytes = (await answer.text()).length
      samples.push(performance.now() - start)
    }
    const { median, least } = spread(samples)
    const p95 = samples.toSorted((left, right) => left - right)[Math.floor(rounds * 0.95)] ?? 0
    console.log(
      `${view.padEnd(10)} of ${String(turns).padStart(5)} turns: ${median.toFixed(2)} ms (${least.toFixed(2)} to ${p95.toFixed(2)}), ${Math.round(bytes / 1024)} KB`,
    )
  }
}
await server.stop()
await store.close()
rmSync(folder, { recursive: true })
