import { connect } from 'node:net'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { attackedServer, people, TestSocket } from '../support/attacked-server.ts'

// A page that somebody looks at may send requests to any server that their browser reaches. These servers let in whoever
// reaches them, so nothing but the rules below is in the way.

const strangers = [
  'https://evil.example',
  'null',
  'https://app.example.com.evil.example',
  'https://evilapp.example.com',
  'https://APP.example.com',
  'http://app.example.com',
  'https://app.example.com:8443',
  'https://app.example.com/',
  'http://localhost:1',
  'http://localhost.evil.example',
  'file://',
  '',
]
const friend = 'https://app.example.com'

function open(options: Parameters<typeof attackedServer>[0] = {}) {
  return attackedServer({ allowedOrigins: [friend], ...options }, { isOpenToAll: true })
}

describe.each(strangers)('a page of %j', (origin) => {
  test('can open no socket', async () => {
    await using attacked = await open()
    const { url } = await attacked.listen()
    for (const { method, path } of attacked.server.routes) {
      if (method !== 'SOCKET') continue
      await expect(TestSocket.open(`${url}${path}?conv_id=x`, { headers: { origin } }), path).rejects.toThrow(
        'refused: 403',
      )
    }
  })

  test('is told nothing and does nothing, with a key or without', async () => {
    await using attacked = await open()
    for (const asked of [
      { headers: { origin } },
      { headers: { origin, 'content-type': 'application/json' }, body: '{}' },
      { headers: { origin, 'content-type': 'text/plain' }, body: '{"session_id":"planted"}' },
      { headers: { origin, 'access-control-request-method': 'POST' }, method: 'OPTIONS' },
      { headers: { origin, authorization: `Bearer ${people.ada.key}` } },
    ]) {
      const answer = await attacked.ask('/api/sessions', asked)
      expect(answer.status).toBe(403)
      for (const name of answer.headers.keys()) expect(name).not.toMatch(/^access-control-/)
    }
    expect(await attacked.store.list()).toEqual([])
  })
})

test('a request of a foreign page that names no origin is refused, a program has none and is let in', async () => {
  await using attacked = await open()
  const from = async (site: string) =>
    (await attacked.ask('/api/sessions', { headers: { 'sec-fetch-site': site } })).status
  expect([await from('cross-site'), await from('same-origin'), await from('none')]).toEqual([403, 200, 200])
  expect((await attacked.ask('/api/sessions')).status).toBe(200)
})

test('a page of an origin that is allowed may ask, without credentials of the browser', async () => {
  await using attacked = await open()
  const answer = await attacked.ask('/api/sessions', { headers: { origin: friend } })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('access-control-allow-origin')).toBe(friend)
  expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
  expect(answer.headers.get('vary')).toMatch(/origin/i)
})

test.each([
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/yaml',
  'application/jsonp',
])('a body of %s is not read, though no page is known to have sent it', async (type) => {
  await using attacked = await open()
  for (const { method, path } of attacked.server.routes) {
    if (method !== 'POST') continue
    const answer = await attacked.ask(path.replaceAll(/:\w+/g, 'x'), {
      headers: { 'content-type': type },
      body: '{"session_id":"planted","id":"planted","prompt":"Go","messages":[{"role":"user","content":"Go"}]}',
    })
    expect(answer.status, path).toBeGreaterThanOrEqual(400)
    expect(answer.status, path).toBeLessThan(500)
  }
  expect(await attacked.store.list()).toEqual([])
})

test('a form without a body, posted from a page, does nothing', async () => {
  await using attacked = await open()
  const { headers } = { headers: { origin: 'null', 'content-type': 'application/x-www-form-urlencoded' } }
  for (const { method, path } of attacked.server.routes) {
    if (method !== 'POST') continue
    const answer = await attacked.ask(path.replaceAll(/:\w+/g, 'x'), { method: 'POST', headers })
    expect(answer.status, path).toBe(403)
  }
})

test('nothing that is got changes anything: a link prompts no model', async () => {
  await using attacked = await open()
  for (const { method, path } of attacked.server.routes) {
    if (method !== 'GET') continue
    const abort = new AbortController()
    const query = 'q=Go&prompt=Go&message=Go&input=Go'
    const answer = await attacked.ask(`${path.replaceAll(/:\w+/g, 'x')}?${query}`, { signal: abort.signal })
    await answer.body?.cancel()
  }
  expect((await attacked.store.list()).filter(({ ordinal }) => ordinal > 0)).toEqual([])
})

test.each([
  'evil.example',
  'evil.example:80',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
  '0.0.0.0',
  '[::]',
  '2130706433',
])('a name of a stranger that leads here (%s) gets no answer', async (host) => {
  await using attacked = await open()
  const answer = await attacked.ask('/api/sessions', { headers: { host } })
  expect(answer.status).toBe(421)
  const { url } = await attacked.listen()
  await expect(TestSocket.open(`${url}/api/ws`, { headers: { host } })).rejects.toThrow('refused: 421')
  await expect(TestSocket.open(`${url}/api/ws`, { headers: { host, origin: `http://${host}` } })).rejects.toThrow(
    'refused: 421',
  )
})

test('a name that a proxy is said to have been asked by is not believed', async () => {
  await using attacked = await open()
  const headers = { host: 'evil.example', 'x-forwarded-host': 'localhost', forwarded: 'host=localhost' }
  expect((await attacked.ask('/api/sessions', { headers })).status).toBe(421)
})

test('a request without a name is refused before it reaches us', async () => {
  await using attacked = await open()
  const { url } = await attacked.listen()
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.end('GET /api/sessions HTTP/1.1\r\n\r\n')
  const [answer] = (await once(socket, 'data')) as [Buffer]
  expect(answer.toString()).toMatch(/^HTTP\/1.1 400 /)
  socket.destroy()
})

test('every answer tells browsers to load nothing from elsewhere, to be in no frame, and to say nothing of where they were', async () => {
  await using attacked = await open()
  for (const path of ['/api/sessions', '/healthz', '/nothing', '/metrics']) {
    const { headers } = await attacked.ask(path)
    const policy = headers.get('content-security-policy') ?? ''
    expect(policy, path).toContain("default-src 'none'")
    // An image, a style or a font of a stranger would carry away what a model was made to write into its address.
    for (const [directive = '', ...sources] of policy.split('; ').map((one) => one.split(' '))) {
      const isLocal = sources.every((source) => ["'self'", "'none'", "'script'", 'data:', 'blob:'].includes(source))
      expect(isLocal, directive).toBe(true)
    }
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
  }
})
