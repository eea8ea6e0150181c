import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { sse, type Framing } from './replies.ts'

/** What a provider would say, in its own wire format: the word `Hello` in pieces, then a proper end. */
interface WireReply {
  readonly framing: Framing
  readonly messages: readonly object[]
}

const chat: WireReply = {
  framing: 'chat',
  messages: [
    {
      id: 'c1',
      model: 'm',
      choices: [{ index: 0, delta: { role: 'assistant', content: 'Hel' }, finish_reason: null }],
    },
    { id: 'c1', model: 'm', choices: [{ index: 0, delta: { content: 'lo' }, finish_reason: null }] },
    { id: 'c1', model: 'm', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
    { id: 'c1', model: 'm', choices: [], usage: { prompt_tokens: 3, completion_tokens: 2 } },
  ],
}

const message = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text: 'Hello', annotations: [] }],
}
const responses: WireReply = {
  framing: 'named',
  messages: [
    { type: 'response.created', response: { id: 'r1', model: 'm', status: 'in_progress' } },
    { type: 'response.output_item.added', output_index: 0, item: { ...message, status: 'in_progress', content: [] } },
    {
      type: 'response.content_part.added',
      item_id: 'msg_1',
      output_index: 0,
      content_index: 0,
      part: { type: 'output_text', text: '', annotations: [] },
    },
    { type: 'response.output_text.delta', item_id: 'msg_1', output_index: 0, content_index: 0, delta: 'Hel' },
    { type: 'response.output_text.delta', item_id: 'msg_1', output_index: 0, content_index: 0, delta: 'lo' },
    { type: 'response.output_text.done', item_id: 'msg_1', output_index: 0, content_index: 0, text: 'Hello' },
    { type: 'response.output_item.done', output_index: 0, item: message },
    {
      type: 'response.completed',
      response: {
        id: 'r1',
        model: 'm',
        status: 'completed',
        output: [message],
        usage: { input_tokens: 3, output_tokens: 2 },
      },
    },
  ],
}

const messages: WireReply = {
  framing: 'named',
  messages: [
    {
      type: 'message_start',
      message: {
        id: 'm1',
        type: 'message',
        role: 'assistant',
        model: 'm',
        content: [],
        usage: { input_tokens: 3, output_tokens: 0 },
      },
    },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hel' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'lo' } },
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 2 } },
    { type: 'message_stop' },
  ],
}

const generateContent: WireReply = {
  framing: 'gemini',
  messages: [
    { candidates: [{ index: 0, content: { role: 'model', parts: [{ text: 'Hel' }] } }] },
    { candidates: [{ index: 0, content: { role: 'model', parts: [{ text: 'l' }] } }] },
    {
      candidates: [{ index: 0, content: { role: 'model', parts: [{ text: 'o' }] }, finishReason: 'STOP' }],
      usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2 },
    },
  ],
}

function replyOf(path: string): WireReply {
  if (path.endsWith('/chat/completions')) return chat
  if (path.endsWith('/responses')) return responses
  return path.endsWith('/messages') ? messages : generateContent
}

const page = '<!doctype html><title>Sign in to the proxy</title>'

/** How the server behaves, by the first part of the path that a base URL names. */
const behaviours: Readonly<Record<string, (path: string, response: ServerResponse, key: string) => void>> = {
  ok: (path, response) => {
    const { framing, messages: all } = replyOf(path)
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(
      sse(
        all.map((each) => JSON.stringify(each)),
        framing,
      ),
    )
  },
  /** Breaks off in the middle. */
  cut: (path, response) => {
    const { framing, messages: all } = replyOf(path)
    const begun = all.slice(0, -2).map((each) => JSON.stringify(each))
    response
      .writeHead(200, { 'content-type': 'text/event-stream' })
      .end(sse(begun, framing).replace('data: [DONE]\n\n', ''))
  },
  /** Refuses the key, and repeats it, as some gateways do. */
  refusing: (_path, response, key) => {
    const error = { error: { type: 'authentication_error', message: `Incorrect API key provided: ${key}` } }
    response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify(error))
  },
  portal: (_path, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end(page),
  broken: (_path, response) =>
    void response.writeHead(502, { 'content-type': 'text/html' }).end('<html><title>Bad Gateway</title></html>'),
}

export interface ProviderServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/BEHAVIOUR` */
  url(behaviour: string): string
  /** The keys that were sent, in whichever header. */
  readonly keys: readonly string[]
}

/** A server on this machine that speaks to all four kinds of client, each in its own format. */
export async function startProviderServer(): Promise<ProviderServer> {
  const keys: string[] = []
  const server = createServer((request, response) => {
    const { authorization, 'x-api-key': anthropicKey, 'x-goog-api-key': geminiKey } = request.headers
    const key = String(authorization?.replace('Bearer ', '') ?? anthropicKey ?? geminiKey ?? '')
    keys.push(key)
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    request.resume().on('end', () => {
      const behave = behaviours[pathname.split('/')[1] ?? '']
      if (behave === undefined) response.writeHead(404).end()
      else behave(pathname, response, key)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // it listens on a port
  return {
    url: (behaviour) => `http://127.0.0.1:${port}/${behaviour}`,
    keys,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
