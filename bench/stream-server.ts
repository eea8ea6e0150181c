// One of the servers that are measured, alone in its process, which loads what that one needs and no more: `ours`, with
// the log on the disk; the AI SDK's as its documentation shows it; a bare relay.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'

const [kind = '', providerPort = '', folder = ''] = process.argv.slice(2)
const baseUrl = `http://127.0.0.1:${providerPort}/v1`

const servers: Readonly<Record<string, () => Promise<number>>> = {
  async ours() {
    const { openai } = await import('../src/providers/openai/protocol.ts')
    const { listen } = await import('../src/server/node.ts')
    const { GeppettoServer } = await import('../src/server/server.ts')
    const { SqliteStore } = await import('../src/store/sqlite-store.ts')
    const store = await SqliteStore.open(join(folder, 'bench.db'))
    const model = openai({ model: 'bench-1', baseUrl, network: { allowHttp: true, allowPrivate: true } })
    const server = await GeppettoServer.open({ store, profiles: [{ slug: 'default', model }] })
    return Number(new URL((await listen(server, { port: 0 })).url).port)
  },
  async 'AI SDK'() {
    const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible')
    const { streamText } = await import('ai')
    const model = createOpenAICompatible({ name: 'bench', baseURL: baseUrl })('bench-1')
    return serve(async (_request, response) => {
      const reply = streamText({ model, prompt: 'Hi' }).toUIMessageStreamResponse()
      response.writeHead(reply.status, Object.fromEntries(reply.headers))
      for await (const part of reply.body ?? []) response.write(part)
      response.end()
    })
  },
  relay: () =>
    serve(async (_request, response) => {
      const reply = await fetch(`${baseUrl}/chat/completions`, { method: 'POST', body: '{}' })
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      if (reply.body !== null) Readable.fromWeb(reply.body).pipe(response)
    }),
}

function serve(answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Promise<number> {
  const server = createServer((request, response) => {
    request.resume()
    answer(request, response).catch(() => response.destroy())
  })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}

const port = await servers[kind]?.()
process.on('message', () => {
  globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  const { heapUsed, external } = process.memoryUsage()
  process.send?.({ memory: heapUsed + external, cpu: user + system })
})
process.on('SIGINT', () => process.exit())
process.send?.(port ?? 0)
