import { createServer } from 'node:http'

// A provider in a process of its own, so that its work is not counted: it streams as many deltas as the path says, each
// in a write of its own, as fast as the reader takes them.
const chunk = (delta: object, finish: string | null = null) =>
  `data: ${JSON.stringify({
    id: 'chatcmpl-bench',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'bench-1',
    choices: [{ index: 0, delta, finish_reason: finish }],
  })}\n\n`

const usage = `data: ${JSON.stringify({
  id: 'chatcmpl-bench',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'bench-1',
  choices: [],
  usage: { prompt_tokens: 10, completion_tokens: 10, total_tokens: 20 },
})}\n\n`

const server = createServer((request, response) => {
  const deltas = Number(/(\d+)/.exec(request.url ?? '')?.[1] ?? 1000)
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(chunk({ role: 'assistant', content: '' }))
  let sent = 0
  const write = (): void => {
    while (sent < deltas) {
      sent += 1
      if (!response.write(chunk({ content: ` word${sent % 100}` }))) return void response.once('drain', write)
    }
    response.end(`${chunk({}, 'stop')}${usage}data: [DONE]\n\n`)
  }
  write()
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.send?.(typeof address === 'object' && address !== null ? address.port : 0)
})
