import { entitiesOf, MemoryStore, scripted } from 'geppetto'
import { createClient } from 'geppetto/client'
import { GeppettoServer, listen } from 'geppetto/server'

const profiles = [{ slug: 'default', model: scripted({ pace: 0 }) }] as const
const geppetto = await GeppettoServer.open({ store: new MemoryStore(), profiles })
const server = await listen(geppetto, { port: 0 })

// #region follow
const client = createClient({ baseUrl: server.url })
const session = await client.create()

// The view is a value: the timeline, and where it stands.
const answered = new Promise<void>((resolve) => {
  session.subscribe(() => {
    const { timeline, status } = session.getSnapshot()
    const isDone = timeline.settled.some((entity) => entity.kind === 'inference' && entity.status === 'finished')
    if (status === 'live' && isDone) resolve()
  })
})
await session.send('Say that nothing is lost.')
await answered
for (const entity of entitiesOf(session.getSnapshot().timeline)) {
  if (entity.kind === 'message') console.log(entity.role, '|', entity.text)
}
// #endregion follow

// #region events
const { ordinal, inferenceId } = await session.send('Say it again')
for await (const event of session.events({ after: ordinal - 1 })) {
  if (event.type === 'text-delta') process.stdout.write(event.delta)
  if (event.type === 'inference-finished' && event.inferenceId === inferenceId) break
}
// #endregion events
console.log()

const { sessions } = await client.list()
console.log(sessions.map(({ title }) => title))

client.close()
await server.close()
