// A provider in a process of its own: it streams 50 tokens a second to each request, all on one beat, and writes into each
// token when it was sent.
import { createServer, type ServerResponse } from 'node:http'

const tokensASecond = 50
const open = new Set<ServerResponse>()

/** Microseconds since 1970, the same for every process of this machine. */
const now = () => Math.round((performance.timeOrigin + performance.now()) * 1000)

const chunk = (delta: object, finish: string | null = null) =>
  `data: ${JSON.stringify({
    id: 'chatcmpl-bench',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'bench-1',
    choices: [{ index: 0, delta, finish_reason: finish }],
  })}\n\n`

// Each stream has its place in the beat, or all of them would come at once.
const slots = 20
const bySlot = Array.from({ length: slots }, () => new Set<ServerResponse>())
let next = 0

const server = createServer((request, response) => {
  request.resume()
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(chunk({ role: 'assistant', content: '' }))
  const slot = bySlot[next % slots]
  next += 1
  slot?.add(response)
  open.add(response)
  response.on('close', () => {
    slot?.delete(response)
    open.delete(response)
  })
})

let beat = 0
const started = performance.now()
setInterval(() => {
  const due = Math.floor(((performance.now() - started) / 1000) * tokensASecond * slots)
  for (; beat < due; beat += 1) {
    const text = chunk({ content: ` ${now()}` })
    for (const response of bySlot[beat % slots] ?? []) response.write(text)
  }
}, 1)

server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.send?.(typeof address === 'object' && address !== null ? address.port : 0)
})
