import { MemoryStore, scripted } from 'geppetto'
import { GeppettoServer, listen } from 'geppetto/server'
import { EventSourceParserStream } from 'eventsource-parser/stream'

const profiles = [{ slug: 'default', model: scripted({ pace: 0 }) }] as const
const geppetto = await GeppettoServer.open({ store: new MemoryStore(), profiles })
const server = await listen(geppetto, { port: 0 })

// #region submit
const api = `${server.url}/api`
const post = (path: string, body: object, key: string = crypto.randomUUID()) =>
  fetch(`${api}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify(body),
  })

await post('/sessions', { session_id: 'first' })
const first = await post('/sessions/first/messages', { prompt: 'Say hello' }, 'form-1')
const again = await post('/sessions/first/messages', { prompt: 'Say hello' }, 'form-1')
console.log(first.status, (await first.text()) === (await again.text()))
// #endregion submit

// #region events
async function* eventsAfter(after: number | 'snapshot') {
  const { body } = await fetch(`${api}/sessions/first/events?after=${after}`)
  const messages = body?.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())
  for await (const { event, id, data } of messages ?? []) yield { event, id, data: JSON.parse(data) }
}

for await (const { event, id, data } of eventsAfter(0)) {
  if (event !== undefined) console.log('control', event, Object.keys(data).join(' '))
  else if (data.type === 'text-delta') console.log(`event ${id}`, data.delta)
  if (data.type === 'inference-finished') break
}
for await (const { event, data } of eventsAfter('snapshot')) {
  console.log('control', event, data.timeline.entities.length, 'entities')
  break
}
// #endregion events

// #region socket
const socket = new WebSocket(`${server.url.replace('http', 'ws')}/api/ws`)
const say = (message: object) => socket.send(JSON.stringify(message))
await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }))
const heard = new Map<string, unknown>()
const isAnswered = new Promise<void>((resolve) => {
  socket.addEventListener('message', ({ data }) => {
    const { control, id, result, type, block } = JSON.parse(String(data))
    if (control === 'ack') heard.set(`ack ${id}`, result.status ?? result.session_id)
    if (type === 'text-segment-finished') heard.set(type, block.payload.text)
    if (heard.size === 3) resolve()
  })
})
say({ type: 'create', id: '1', params: { session_id: 'second' } })
say({ type: 'subscribe', session_id: 'second' })
say({ type: 'submit', id: '2', session_id: 'second', params: { prompt: 'Say goodbye' } })
await isAnswered
console.log(heard.get('ack 1'), heard.get('ack 2'), heard.get('text-segment-finished'))
socket.close()
// #endregion socket

// #region problem
const refused = await post('/sessions/nothing/messages', { prompt: 'Say hello' })
const { code, detail } = (await refused.json()) as { readonly code: string; readonly detail: string }
console.log(refused.status, refused.headers.get('content-type'), code, '|', detail)
// #endregion problem

await server.close()
