import { MemoryStore, scripted } from 'geppetto'
import { agUi, GeppettoServer } from 'geppetto/server'

const server = await GeppettoServer.open({
  store: new MemoryStore(),
  profiles: [{ slug: 'default', model: scripted({ pace: 0 }) }],
  dialects: [agUi()], // POST /agui, POST /agui/{profile}, GET /agui/{thread}/connect
})

// What HttpAgent of @ag-ui/client sends. In a program, `listen(server)` takes it from the network.
const input = {
  threadId: 'thread-1',
  runId: 'run-1',
  protocolVersion: '1.0',
  messages: [{ id: 'message-1', role: 'user', content: 'Say hello' }],
}
const response = await server.fetch(
  new Request('http://localhost/agui', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(input),
  }),
)
for (const [, type] of (await response.text()).matchAll(/"type":"([A-Z_]+)"/g)) console.log(type)

await server.stop()
