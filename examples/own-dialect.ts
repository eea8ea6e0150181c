import { MemoryStore, scripted, type InferenceEvent } from 'geppetto'
import { GeppettoServer, type Dialect, type RouteEnv, type ServerContext } from 'geppetto/server'
import { Hono } from 'hono'

/** What a reader of plain text is told of an event: a pure function, so any process gives the same stream. */
function toText(event: InferenceEvent): string {
  switch (event.type) {
    case 'text-delta':
      return event.delta
    case 'tool-execution-started':
      return `[${event.toolName}]\n`
    case 'inference-failed':
      return `\n[failed: ${event.error.code}]\n`
    case 'inference-finished':
      return '\n'
    default:
      return ''
  }
}

/** `POST /plain/:id` with a prompt as text is answered with the answer as text, while it is written. */
function plainText({ conversations }: ServerContext): Dialect {
  const routes = new Hono<RouteEnv>()
  routes.post('/plain/:id', async (c) => {
    const access = c.get('access')
    access.require('write')
    // The only way to a session: another tenant's is not there.
    const { session } = await conversations.findOrCreate(access.principal, c.req.param('id'))
    const inference = await session.submit(await c.req.text())
    async function* text() {
      for await (const event of inference) yield toText(event)
    }
    return c.body(ReadableStream.from(text()).pipeThrough(new TextEncoderStream()))
  })
  return { routes }
}

const server = await GeppettoServer.open({
  store: new MemoryStore(),
  profiles: [{ slug: 'default', model: scripted({ pace: 0 }) }],
  dialects: [plainText],
})
const post = (prompt: string) =>
  server.fetch(new Request('http://localhost/plain/s1', { method: 'POST', body: prompt }))
console.log(await (await post('Say one two three')).text())
// It is the same session as everywhere else.
const snapshot = await server.fetch(new Request('http://localhost/api/sessions/s1'))
console.log(snapshot.status, (await snapshot.text()).includes('one two three'))
await server.stop()
