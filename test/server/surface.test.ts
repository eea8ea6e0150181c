import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { scripted } from '../../src/providers/scripted/engine.ts'
import { agUi } from '../../src/server/protocols/ag-ui/routes.ts'
import { aiSdk } from '../../src/server/protocols/ai-sdk/routes.ts'
import { openAi } from '../../src/server/protocols/openai/dialect.ts'
import { webchat } from '../../src/server/protocols/webchat/webchat.ts'
import { GeppettoServer } from '../../src/server/server.ts'
import { webApp } from '../../src/server/web.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'

let server: GeppettoServer
beforeAll(async () => {
  server = await GeppettoServer.open({
    store: new MemoryStore(),
    profiles: [{ slug: 'default', model: scripted({ pace: 0 }) }],
    pages: webApp(),
    dialects: [webchat(), aiSdk(), agUi(), openAi()],
  })
  await send('POST', '/api/sessions', '{"session_id": "s"}')
})
afterAll(() => server.stop())

const send = (method: string, path: string, body?: string, headers: Readonly<Record<string, string>> = {}) =>
  server.fetch(
    new Request(`http://localhost${path}`, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body }),
    }),
  )

describe('a route', () => {
  test.each([
    ['PUT', '/api/sessions', 'POST, GET, HEAD', 'application/problem+json'],
    ['PUT', '/api/sessions/s', 'GET, HEAD, PATCH, DELETE', 'application/problem+json'],
    ['GET', '/api/sessions/s/messages', 'POST', 'application/problem+json'],
    ['HEAD', '/api/sessions/s/messages', 'POST', 'application/problem+json'],
    ['POST', '/healthz', 'GET, HEAD', 'application/problem+json'],
    ['GET', '/api/chat', 'POST', 'application/problem+json'],
    ['GET', '/agui', 'POST', 'application/problem+json'],
    ['GET', '/v1/chat/completions', 'POST', 'application/json'],
    ['DELETE', '/v1/models', 'GET, HEAD', 'application/json'],
  ])('says to %s %s what it takes', async (method, path, allow, type) => {
    const response = await send(method, path)
    expect([response.status, response.headers.get('allow'), response.headers.get('content-type')]).toEqual([
      405,
      allow,
      type,
    ])
  })

  test('of sockets says so to whoever comes without one', async () => {
    const response = await send('GET', '/api/ws')
    expect([response.status, await response.json()]).toMatchObject([400, { code: 'REQUEST_INVALID' }])
  })

  test('says what it takes to whoever asks for its options', async () => {
    const response = await send('OPTIONS', '/api/sessions/s')
    expect([response.status, response.headers.get('allow')]).toEqual([204, 'GET, HEAD, PATCH, DELETE'])
    expect((await send('OPTIONS', '/api/nothing')).status).toBe(404)
  })

  test.each(['/api/sessions/', '/api/sessions/s/', '/v1/models/', '/healthz/', '/c/s/', '/api/chat/profiles/'])(
    'is found at %s too',
    async (path) => {
      expect((await send('GET', path)).status).toBe(200)
    },
  )
})

describe('a body', () => {
  test.each([
    ['nothing, by a client that names its type all the same', 'cancel', '', 202],
    ['nothing but spaces', 'cancel', ' \n', 202],
    ['a list', 'cancel', '[]', 400],
    ['null', 'fork', 'null', 400],
    ['a prompt that is too long', 'messages', JSON.stringify({ prompt: 'x'.repeat(1_000_001) }), 413],
  ])('that is %s is answered', async (_what, command, body, status) => {
    const response = await send('POST', `/api/sessions/s/${command}`, body)
    expect([response.status, status >= 400 && response.headers.get('content-type')]).toEqual([
      status,
      status >= 400 && 'application/problem+json',
    ])
  })
})

test.each([
  ['', '', 'json'],
  ['*/*', '', 'json'],
  ['application/json, text/plain, */*', '', 'json'],
  ['application/yaml', '', 'yaml'],
  ['text/yaml', '', 'yaml'],
  ['application/x-yaml, application/json;q=0.9', '', 'yaml'],
  ['application/json, application/yaml;q=0.5', '', 'json'],
  ['application/yaml;q=0, */*', '', 'json'],
  ['application/json', '?format=yaml', 'yaml'],
  ['application/yaml', '?format=json', 'json'],
])('who accepts %j at turns%s gets %s', async (accept, query, type) => {
  const response = await send('GET', `/api/sessions/s/turns${query}`, undefined, { accept })
  expect(response.headers.get('content-type')).toMatch(new RegExp(`^application/${type}`))
})

test.each(['/api/sessions/s/turns?format=xml', '/api/sessions?before=soon', '/api/sessions?limit=none'])(
  'what %s asks for is refused',
  async (path) => {
    expect((await send('GET', path)).status).toBe(400)
  },
)
