import { answerText, calculator, forkSession, scripted, Session, SqliteStore, toolLoop } from 'geppetto'

const store = await SqliteStore.open(':memory:') // or a file: nothing else to set up
const engine = toolLoop(scripted({ pace: 0 }), [calculator])
const session = await Session.open(store, 'support-42', { engine })

// When submit resolves, the prompt is in the store and will be answered, whoever looks on and whatever dies.
const inference = await session.submit('What is 17 * 23?', { idempotencyKey: 'form-1' })
const again = await session.submit('What is 17 * 23?', { idempotencyKey: 'form-1' })
console.log(again.id === inference.id)

let lastSeen = 0
for await (const event of inference) {
  lastSeen = event.ordinal
  if (event.type === 'tool-execution-started') break // the viewer goes away; the inference does not
}
console.log(answerText(await inference.result))

// A viewer that comes back names the last event that it saw, and misses nothing.
for await (const event of session.events({ after: lastSeen })) {
  if (event.type === 'tool-result-ready') console.log(event.ordinal === lastSeen + 1, event.block.payload.result)
  if (event.type === 'inference-finished') break
}

// A fork goes on from any turn; the other session does not change.
const forkId = await forkSession(store, session.id, { turnId: inference.turnId })
const fork = await Session.open(store, forkId, { engine })
console.log((await fork.latest())?.blocks.length === (await session.latest())?.blocks.length)

await session.close()
await fork.close()
await store.close()
