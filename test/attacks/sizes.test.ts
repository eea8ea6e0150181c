import { once } from 'node:events'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { attackedServer, request, TestSocket, type AttackedServer } from '../support/attacked-server.ts'

// Too much, too deep, too slow, too often.

async function session(attacked: AttackedServer): Promise<string> {
  const made = await attacked.ask('/api/sessions', { as: 'ada', json: {} })
  return ((await made.json()) as { readonly session_id: string }).session_id
}

/** A body that goes on for as long as it is read; `read` says how much was. */
function endless() {
  let bytes = 0
  const chunk = new Uint8Array(65_536).fill(0x20)
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      bytes += chunk.byteLength
      controller.enqueue(chunk)
    },
  })
  return { body, read: () => bytes }
}

const json = { 'content-type': 'application/json' }

describe('a body', () => {
  test('that says it is too long is refused, and one that does not say it is not read to its end', async () => {
    await using attacked = await attackedServer()
    let refused = 0
    for (const { method, path } of attacked.server.routes) {
      if (method !== 'POST') continue
      const at = path.replaceAll(/:\w+/g, 'x')
      const said = await attacked.ask(at, {
        as: 'ada',
        headers: { ...json, 'content-length': '104857600' },
        body: '{}',
      })
      const { body, read } = endless()
      const unsaid = await attacked.server.fetch(request(`http://localhost${at}`, { as: 'ada', headers: json, body }))
      expect([413, 404], path).toContain(said.status)
      expect(unsaid.status, path).toBe(said.status)
      // Who takes no body reads none of it.
      expect(read(), path).toBeLessThan(said.status === 413 ? 64 * 1_048_576 : 2 * 65_536)
      refused += said.status === 413 ? 1 : 0
    }
    expect(refused).toBeGreaterThan(5)
  })

  test.each([
    ['100 000 brackets', '['.repeat(100_000) + ']'.repeat(100_000)],
    ['100 000 objects in each other', '{"a":'.repeat(100_000) + '1' + '}'.repeat(100_000)],
    ['a prompt, and what it has no use for, very deep', `{"prompt":"Go","more":${'['.repeat(65)}${']'.repeat(65)}}`],
    ['brackets that are never closed', '['.repeat(500_000)],
    ['no JSON', '{"prompt": '],
    ['nothing', ''],
    ['a byte order mark and half a character', '\ufeff{"prompt":"\ud800'],
    ['YAML', 'prompt: &a [*a, *a]'],
    [
      'YAML that unfolds',
      'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b]',
    ],
  ])('of %s is refused', async (_what, body) => {
    await using attacked = await attackedServer()
    const id = await session(attacked)
    const answer = await attacked.ask(`/api/sessions/${id}/messages`, { as: 'ada', headers: json, body })
    expect(answer.status).toBe(400)
    expect(await attacked.store.read(id, { after: 0 })).toEqual([])
  })

  test('with 100 000 keys that mean nothing is a prompt like any other', async () => {
    await using attacked = await attackedServer()
    const id = await session(attacked)
    const keys = Array.from({ length: 60_000 }, (_none, index) => `"key${index}":0`).join()
    const body = `{"prompt":"Say yes",${keys}}`
    const answer = await attacked.ask(`/api/sessions/${id}/messages`, { as: 'ada', headers: json, body })
    expect(answer.status).toBe(202)
    await attacked.event(id, 'inference-finished')
    expect(JSON.stringify(await attacked.store.read(id, { after: 0 }))).not.toContain('key59999')
  })

  test('that is packed is not unpacked', async () => {
    await using attacked = await attackedServer()
    const id = await session(attacked)
    const bomb = gzipSync(Buffer.alloc(32 * 1_048_576, 0x20))
    const headers = { ...json, 'content-encoding': 'gzip' }
    const answer = await attacked.ask(`/api/sessions/${id}/messages`, {
      as: 'ada',
      headers,
      body: new Uint8Array(bomb),
    })
    expect([400, 415]).toContain(answer.status)
  })
})

describe('a client that is slow', () => {
  test.each([
    ['first byte', ''],
    ['headers', 'POST /api/sessions HTTP/1.1\r\nHost: localhost\r\nX-Slow: '],
    [
      'body',
      'POST /api/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{',
    ],
    [
      'chunks',
      'POST /api/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n',
    ],
  ])('to send its %s is told so and cut off', async (_what, beginning) => {
    await using attacked = await attackedServer({}, { isOpenToAll: true })
    const { url } = await attacked.listen({ requestTimeoutMs: 100 })
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.on('error', () => {})
    let answer = ''
    socket.on('data', (data: Buffer) => (answer += data.toString()))
    socket.write(beginning)
    await once(socket, 'close')
    expect(answer).toMatch(/^HTTP\/1.1 408 /)
  })
})

describe('a message to a socket', () => {
  test('that is too long ends it', async () => {
    await using attacked = await attackedServer()
    const { url } = await attacked.listen()
    const socket = await TestSocket.open(`${url}/api/ws`, { as: 'ada' })
    socket.send('x'.repeat(1_048_577))
    expect(await socket.closed).toBe(1009)
  })

  test('of bytes ends it', async () => {
    await using attacked = await attackedServer()
    const { url } = await attacked.listen()
    const socket = await TestSocket.open(`${url}/api/ws`, { as: 'ada' })
    socket.raw.send(Buffer.from([1, 2, 3]))
    expect(await socket.closed).toBe(1003)
  })

  test.each([
    '',
    'null',
    '[]',
    '{}',
    '[['.repeat(50_000),
    '{"type":"__proto__"}',
    '{"type":"constructor","id":"1"}',
    '{"type":"submit"}',
  ])('that is none (%.20s) is refused, and the socket stays', async (message) => {
    await using attacked = await attackedServer()
    const { url } = await attacked.listen()
    const socket = await TestSocket.open(`${url}/api/ws`, { as: 'ada' })
    socket.send(message)
    expect(await socket.find(({ control }) => control === 'error')).toMatchObject({ code: 'REQUEST_INVALID' })
    expect(await socket.call({ type: 'create', id: 'after' })).toMatchObject({ control: 'ack' })
    socket.raw.terminate()
  })

  test('packed by the client is no way in: nothing is negotiated', async () => {
    await using attacked = await attackedServer()
    const { url } = await attacked.listen()
    const socket = await TestSocket.open(`${url}/api/ws`, { as: 'ada' })
    expect(socket.raw.extensions).toBe('')
    socket.raw.terminate()
  })

  test('is refused when there are too many, and others are answered meanwhile', async () => {
    await using attacked = await attackedServer({ limits: { requestsPerCaller: 100 } })
    const { url } = await attacked.listen()
    const socket = await TestSocket.open(`${url}/api/ws`, { as: 'ada' })
    for (let index = 0; index < 10_000; index += 1) socket.send('{"type":"ping"}')
    await socket.find(({ code }) => code === 'RATE_LIMITED')
    const count = (kind: string) => socket.heard.filter(({ control }) => control === kind).length
    expect(count('pong')).toBeLessThan(150)
    expect(count('error')).toBeLessThan(5)
    expect((await attacked.ask('/api/sessions', { as: 'bob' })).status).toBe(200)
    socket.raw.terminate()
  })
})

describe('limits', () => {
  const limits = { requestsPerAddress: 5, requestsPerCaller: 5, writesPerCaller: 2, streamsPerCaller: 2 }

  test('of requests hold for each caller, and say when to come back', async () => {
    await using attacked = await attackedServer({ limits })
    const ask = async () => (await attacked.ask('/api/sessions', { as: 'ada' })).status
    expect([await ask(), await ask(), await ask(), await ask(), await ask()]).toEqual([200, 200, 200, 200, 200])
    const refused = await attacked.ask('/api/sessions', { as: 'ada' })
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await refused.json()).toMatchObject({ code: 'RATE_LIMITED' })
    expect((await attacked.ask('/api/sessions', { as: 'bob' })).status).toBe(200)
  })

  test('of requests are the same by whichever header a caller is known', async () => {
    await using attacked = await attackedServer({ limits })
    const forms = [{ authorization: 'Bearer ada-0123456789abcdef' }, { 'x-api-key': 'ada-0123456789abcdef' }]
    const statuses: number[] = []
    for (let index = 0; index < 6; index += 1) {
      statuses.push((await attacked.ask('/api/sessions', { headers: forms[index % 2]! })).status)
    }
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429])
  })

  test('of writes hold for routes and sockets together', async () => {
    await using attacked = await attackedServer({ limits: { ...limits, requestsPerCaller: 100 } })
    const id = await session(attacked)
    const { url } = await attacked.listen()
    const socket = await TestSocket.open(`${url}/api/ws`, { as: 'ada' })
    const submit = { type: 'submit', id: 'first', session_id: id, params: { prompt: 'Say yes' } }
    expect(await socket.call(submit)).toMatchObject({ control: 'ack' })
    expect(await socket.call({ ...submit, id: 'second' })).toMatchObject({ code: 'RATE_LIMITED' })
    const posted = await attacked.ask(`/api/sessions/${id}/messages`, { as: 'ada', json: { prompt: 'Say yes' } })
    expect(posted.status).toBe(429)
    socket.raw.terminate()
  })

  test('of an address are counted before anybody is asked who calls', async () => {
    let asked = 0
    const authenticate = async () => {
      asked += 1
      return undefined
    }
    await using attacked = await attackedServer({ limits, authenticate })
    const { url } = await attacked.listen()
    const statuses: number[] = []
    for (let index = 0; index < 8; index += 1) {
      const headers = { authorization: `Bearer guess-${index}`, 'x-forwarded-for': `10.0.0.${index}` }
      statuses.push((await fetch(`${url}/api/sessions`, { headers })).status)
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429, 429])
    expect(asked).toBe(5)
    await expect(TestSocket.open(`${url}/api/ws`, { as: 'ada' })).rejects.toThrow('refused: 429')
  })

  test('of an address behind a proxy are those of the client that the proxy saw, whatever the client says', async () => {
    await using attacked = await attackedServer({ limits: { ...limits, requestsPerCaller: 100 } })
    const { url } = await attacked.listen({ proxies: 1 })
    const ask = async (forwarded: string) => {
      const headers = { authorization: 'Bearer ada-0123456789abcdef', 'x-forwarded-for': forwarded }
      return (await fetch(`${url}/api/sessions`, { headers })).status
    }
    const statuses: number[] = []
    for (let index = 0; index < 6; index += 1) statuses.push(await ask(`10.0.0.${index}, 192.0.2.1`))
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429])
    expect(await ask('192.0.2.2')).toBe(200)
  })

  test('of open streams count event streams and sockets together, and those that ended no more', async () => {
    await using attacked = await attackedServer({
      limits: { ...limits, requestsPerAddress: 100, requestsPerCaller: 100 },
    })
    const id = await session(attacked)
    const { url } = await attacked.listen()
    const open = () => attacked.ask(`/api/sessions/${id}/events`, { as: 'ada' })
    const first = await open()
    const socket = await TestSocket.open(`${url}/api/ws`, { as: 'ada' })
    await socket.find(({ control }) => control === 'hello')
    expect((await open()).status).toBe(429)
    await expect(TestSocket.open(`${url}/api/ws`, { as: 'ada' })).rejects.toThrow('refused: 429')
    expect((await attacked.ask(`/api/sessions/${id}/events`, { as: 'ray' })).status).toBe(200)
    await first.body!.cancel()
    const second = await open()
    expect(second.status).toBe(200)
    await second.body!.cancel()
    socket.raw.terminate()
  })

  test.each(['/agui', '/api/chat', '/v1/chat/completions', '/v1/responses'])(
    'of open streams are looked at before a prompt is taken that %s would tell of',
    async (path) => {
      await using attacked = await attackedServer({ limits: { streamsPerCaller: 1 } })
      const id = await session(attacked)
      const only = await attacked.ask(`/api/sessions/${id}/events`, { as: 'ada' })
      const message = { id: 'm1', role: 'user', content: 'Go', parts: [{ type: 'text', text: 'Go' }] }
      const named = { id: 'fresh', threadId: 'fresh', runId: 'run-1', model: 'default', stream: true, store: true }
      const rest = { tools: [], state: {}, context: [], forwardedProps: {}, trigger: 'submit-message' }
      const said = path === '/v1/responses' ? { input: 'Go' } : { messages: [message] }
      const answer = await attacked.ask(path, { as: 'ada', json: { ...named, ...rest, ...said } })
      expect(answer.status).toBe(429)
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(await attacked.store.list()).toHaveLength(1)
      await only.body!.cancel()
    },
  )

  test.each([0, -1, Number.NaN])('of %d are none', async (requestsPerCaller) => {
    await expect(attackedServer({ limits: { requestsPerCaller } })).rejects.toMatchObject({ code: 'SETTINGS_INVALID' })
  })
})

describe('keys that name what every object has', () => {
  const poison = '"__proto__":{"poisoned":true},"constructor":{"prototype":{"poisoned":true}}'

  test('poison nothing in a body, a tool argument, or a message to a socket', async () => {
    await using attacked = await attackedServer()
    const id = await session(attacked)
    const post = (path: string, body: string) => attacked.ask(path, { as: 'ada', headers: json, body })
    for (const { method, path } of attacked.server.routes) {
      if (method !== 'POST') continue
      const body = `{"prompt":"Go","id":"x","messages":[{"role":"user","content":"Go",${poison}}],"decision":"approved","input":{${poison}},${poison}}`
      const answer = await post(path.replaceAll(/:\w+/g, id), body)
      await answer.body?.cancel()
      expect(answer.status, path).toBeLessThan(500)
    }
    await post(`/api/sessions/${id}/messages`, `{"prompt":${JSON.stringify(`call echo {${poison}}`)}}`)
    await attacked.event(id, 'tool-result-ready')
    const { url } = await attacked.listen()
    const socket = await TestSocket.open(`${url}/api/ws`, { as: 'ada' })
    socket.send(`{"type":"create","id":"1","params":{${poison}},${poison}}`)
    expect(await socket.find((heard) => heard['id'] === '1')).toMatchObject({ control: 'ack' })
    socket.raw.terminate()
    expect(({} as Readonly<Record<string, unknown>>)['poisoned']).toBeUndefined()
    expect(Object.keys(Object.prototype)).toEqual([])
  })

  test('are no metadata that a client may set: what is ours stays ours', async () => {
    await using attacked = await attackedServer()
    const id = await session(attacked)
    const reserved = { 'geppetto.runtime@v1': { profile: 'stolen' }, 'geppetto.session_id@v1': 'stolen' }
    const answer = await attacked.ask(`/api/sessions/${id}/messages`, {
      as: 'ada',
      json: { prompt: 'Say yes', metadata: reserved, data: reserved, ...reserved, role: 'system', runtime: reserved },
    })
    expect(answer.status).toBe(202)
    await attacked.event(id, 'inference-finished')
    expect(JSON.stringify(await attacked.store.read(id, { after: 0 }))).not.toContain('stolen')
  })
})
