import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { json } from 'node:stream/consumers'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/json.ts'
import { geppetto } from '../support/command-line.ts'
import { startProviderServer } from '../support/provider-server.ts'
import { post, startServer, streamOf } from '../support/server-process.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'geppetto-serve-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const file = (name = 'chats.db') => join(folder, name)

/** The events of a session up to the first of one of these types. */
async function eventsUntil(url: string, session: string, types: readonly string[], lastSeen = 0) {
  const events: JsonObject[] = []
  for await (const { event, data } of streamOf(`${url}/api/sessions/${session}/events`, lastSeen)) {
    if (event === 'message') events.push(data)
    if (types.includes(String(data['type']))) break
  }
  return events
}

const idsIn = (events: readonly JsonObject[]) => new Set(events.flatMap((event) => event['inference_id'] ?? []))
const records = (stderr: string) =>
  stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as JsonObject) // each line of the log is an object

test('without options it answers on loopback from a store that it makes, with tools', async () => {
  await using server = await startServer(['--pace', '0'], { XDG_DATA_HOME: folder })
  const { status, body } = await post(`${server.url}/api/sessions`)
  const session = String(body['session_id'])
  const accepted = await post(`${server.url}/api/sessions/${session}/messages`, { prompt: 'What is 17 * 23?' })
  expect([status, accepted.status, accepted.body]).toEqual([
    201,
    202,
    {
      session_id: session,
      turn_id: expect.any(String) as unknown,
      inference_id: expect.any(String) as unknown,
      status: 'queued',
      ordinal: 1,
    },
  ])
  const events = await eventsUntil(server.url, session, ['inference-finished'])
  expect(events.map(({ type }) => type)).toEqual(
    expect.arrayContaining(['prompt-accepted', 'tool-result-ready', 'inference-finished']),
  )
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
  server.kill('SIGINT')
  const { exitCode, stdout } = await server.ended
  expect([exitCode, stdout]).toEqual([0, `Geppetto listens on ${server.url}\n`])
  expect(new URL(server.url).hostname).toBe('127.0.0.1')
})

test('fifty of the same prompt at once are one turn', async () => {
  await using server = await startServer(['--db', file(), '--pace', '0'])
  await post(`${server.url}/api/sessions`, { session_id: 's' })
  const headers = { 'idempotency-key': 'form-1' }
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => post(`${server.url}/api/sessions/s/messages`, { prompt: 'Hello' }, headers)),
  )
  expect(new Set(answers.map(({ status, body }) => `${status} ${JSON.stringify(body)}`)).size).toBe(1)
  const events = await eventsUntil(server.url, 's', ['inference-finished'])
  expect(events.filter(({ type }) => type === 'prompt-accepted')).toHaveLength(1)
})

describe('told to end', () => {
  test('it hands over at a step, its viewers hear of it, and the next one goes on', async () => {
    const args = ['--db', file(), '--pace', '100']
    await using first = await startServer(args)
    await post(`${first.url}/api/sessions`, { session_id: 's' })
    await post(`${first.url}/api/sessions/s/messages`, { prompt: 'What is 17 * 23?' })
    const seen: JsonObject[] = []
    let closed: JsonObject | undefined
    for await (const { event, data } of streamOf(`${first.url}/api/sessions/s/events`)) {
      if (event === 'closed') closed = data
      if (event === 'message') seen.push(data)
      if (data['type'] === 'provider-call-started') first.kill('SIGTERM')
    }
    expect(closed).toEqual({ control: 'closed', session_id: 's', reason: 'stopping' })
    expect(await first.ended).toMatchObject({ exitCode: 0, signal: null })
    await using second = await startServer(args)
    const lastSeen = Number(seen.at(-1)?.['ordinal'])
    const rest = await eventsUntil(second.url, 's', ['inference-finished', 'inference-failed'], lastSeen)
    const all = [...seen, ...rest]
    expect(all.map(({ ordinal }) => ordinal)).toEqual(all.map((_event, index) => index + 1))
    const types = all.map(({ type }) => type)
    expect(types.filter((type) => type === 'inference-handed-over')).toHaveLength(1)
    expect(all.find(({ type }) => type === 'inference-resumed')).toMatchObject({ restarts: 0 })
    expect(types).not.toContain('attempt-discarded')
    expect([types.at(-1), idsIn(all).size]).toEqual(['inference-finished', 1])
  })

  test('it ends within 10 s though a model says nothing, and the next one asks again', async () => {
    writeFileSync(file('endless.yaml'), '- reply: [{text: So far}, {pause_ms: 600000}, {text: never}]\n')
    writeFileSync(file('short.yaml'), '- reply: [{text: Done.}]\n')
    await using first = await startServer(['--db', file(), '--script', file('endless.yaml')])
    await post(`${first.url}/api/sessions`, { session_id: 's' })
    await post(`${first.url}/api/sessions/s/messages`, { prompt: 'Hello' })
    await eventsUntil(first.url, 's', ['text-delta'])
    const bound = AbortSignal.timeout(10_000)
    first.kill('SIGTERM')
    expect([(await first.ended).exitCode, bound.aborted]).toEqual([0, false])
    await using second = await startServer(['--db', file(), '--script', file('short.yaml')])
    const events = await eventsUntil(second.url, 's', ['inference-finished', 'inference-failed'])
    const types = events.map(({ type }) => type)
    expect(types).toEqual(expect.arrayContaining(['inference-handed-over', 'inference-resumed', 'attempt-discarded']))
    expect([types.at(-1), idsIn(events).size]).toEqual(['inference-finished', 1])
  })

  test('it ends within 10 s though another process keeps the store locked, and nothing that was accepted is lost', async () => {
    writeFileSync(file('endless.yaml'), '- reply: [{text: So far}, {pause_ms: 600000}, {text: never}]\n')
    writeFileSync(file('short.yaml'), '- reply: [{text: Done.}]\n')
    await using first = await startServer(['--db', file(), '--script', file('endless.yaml')])
    await post(`${first.url}/api/sessions`, { session_id: 's' })
    await post(`${first.url}/api/sessions/s/messages`, { prompt: 'Hello' })
    await eventsUntil(first.url, 's', ['text-delta'])
    const other = new DatabaseSync(file())
    other.exec('BEGIN IMMEDIATE')
    const bound = AbortSignal.timeout(10_000)
    first.kill('SIGTERM')
    await first.ended
    expect(bound.aborted).toBe(false)
    other.exec('ROLLBACK')
    other.close()
    await using second = await startServer(['--db', file(), '--script', file('short.yaml')])
    const events = await eventsUntil(second.url, 's', ['inference-finished', 'inference-failed'])
    const types = events.map(({ type }) => type)
    expect(types).toEqual(expect.arrayContaining(['inference-resumed', 'attempt-discarded']))
    expect([types.at(-1), idsIn(events).size]).toEqual(['inference-finished', 1])
  })

  test('twice, it ends at once', async () => {
    writeFileSync(file('endless.yaml'), '- reply: [{text: So far}, {pause_ms: 600000}, {text: never}]\n')
    await using server = await startServer(['--db', file(), '--script', file('endless.yaml')])
    await post(`${server.url}/api/sessions`, { session_id: 's' })
    await post(`${server.url}/api/sessions/s/messages`, { prompt: 'Hello' })
    for await (const { event, data } of streamOf(`${server.url}/api/sessions/s/events`)) {
      if (data['type'] === 'text-delta') server.kill('SIGTERM')
      if (event === 'closed') server.kill('SIGTERM')
    }
    expect(await server.ended).toMatchObject({ exitCode: 130 })
  })
})

describe('it says in one line why it does not start', () => {
  test('when the port is in use', async () => {
    await using server = await startServer(['--db', file()])
    const { port } = new URL(server.url)
    const { exitCode, stdout, stderr } = await geppetto(['serve', '--port', port, '--log-level', 'silent'])
    expect([exitCode, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(
      /^geppetto: USAGE: It cannot listen on port \d+ of 127\.0\.0\.1: another program listens .*\n$/,
    )
  })

  test.each<readonly [what: string, db: () => string, exitCode: number, says: RegExp]>([
    ['a folder', () => folder, 2, /FILE_ACCESS: .* is a folder: give the path of a file in it/],
    ['no database', () => file('text'), 1, /STORE_CORRUPT: The store .* is no SQLite database/],
    ['a file in a file', () => join(file('text'), 'chats.db'), 2, /FILE_ACCESS: .* cannot be made/],
    ['where nobody may write', () => '/proc/chats.db', 2, /FILE_ACCESS: .* cannot be made/],
  ])('when --db names %s', async (_what, db, expected, says) => {
    writeFileSync(file('text'), 'This is a text, and no database at all.\n'.repeat(100))
    const { exitCode, stdout, stderr } = await geppetto(['serve', '--port', '0', '--db', db()])
    expect([exitCode, stdout]).toEqual([expected, ''])
    expect(stderr).toMatch(says)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })
})

test('its log has the ids of what each record is about, and no secret', async () => {
  const [key, token, said] = ['sk-canary-provider-0123456789', 'canary-token-0123456789', 'sk-canary-prompt-0123456789']
  await using provider = await startProviderServer()
  const who = [{ key: token, tenant: 't', name: 'ada', permissions: ['read', 'write', 'inspect'] }]
  writeFileSync(file('keys.json'), JSON.stringify(who))
  const models = ['ok', 'refusing', 'cut'].map(
    (how) => `- {slug: ${how}, engine: openai, base_url: "${provider.url(how)}"}`,
  )
  writeFileSync(file('profiles.yaml'), models.join('\n'))
  const args = ['--db', file(), '--profiles', file('profiles.yaml'), '--api-keys', file('keys.json')]
  await using server = await startServer([...args, '--log-level', 'debug'], { OPENAI_API_KEY: key })
  const headers = { authorization: `Bearer ${token}` }
  await post(`${server.url}/api/sessions`, {}, { 'x-api-key': `${token}x` })
  for (const profile of ['ok', 'refusing', 'cut']) {
    const session = `${server.url}/api/sessions/${profile}`
    await post(`${server.url}/api/sessions`, { session_id: profile }, headers)
    await post(`${session}/messages`, { prompt: `My key is ${said}.`, profile }, headers)
    const stream = await fetch(`${session}/events`, { headers })
    for await (const chunk of stream.body ?? [])
      if (/"inference-(?:finished|failed)"/.test(new TextDecoder().decode(chunk))) break
  }
  server.kill('SIGTERM')
  const { stderr } = await server.ended
  for (const secret of [key, token, said]) expect(stderr).not.toContain(secret)
  const all = records(stderr)
  const events = all.filter(({ event }) => event !== undefined)
  expect(new Set(events.map(({ event }) => event))).toEqual(
    new Set(['inference-started', 'provider-call-started', 'inference-finished', 'inference-failed']),
  )
  for (const record of events) {
    expect(record).toMatchObject({
      session_id: expect.stringMatching(/^(?:ok|refusing|cut)$/) as unknown,
      run_id: record['session_id'],
      inference_id: expect.any(String) as unknown,
      turn_id: expect.any(String) as unknown,
      ordinal: expect.any(Number) as unknown,
    })
  }
  const requests = all.filter(({ msg }) => msg === 'answered' || msg === 'a request was refused')
  for (const record of requests) expect(record['request_id']).toEqual(expect.any(String))
  for (const record of requests.filter(({ route }) => String(route).includes(':id'))) {
    expect(record).toMatchObject({ session_id: expect.any(String) as unknown, run_id: record['session_id'] })
    if (record['method'] === 'POST') expect(record).toMatchObject({ inference_id: expect.any(String) as unknown })
  }
  expect(all.filter((record) => 'session_id' in record && !('run_id' in record))).toEqual([])
  expect(requests.map(({ code }) => code)).toContain('UNAUTHENTICATED')
})

test('it lets in who has a key or a signed token, each to their own sessions, and nobody else', async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const issuer = createServer((_request, response) => {
    const published = exportJWK(publicKey).then((key) => ({ keys: [{ ...key, kid: 'k', alg: 'ES256' }] }))
    void published.then((keys) => response.setHeader('content-type', 'application/json').end(JSON.stringify(keys)))
  })
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve))
  const { port } = issuer.address() as AddressInfo // it listens on a port
  const claims = new SignJWT({})
    .setProtectedHeader({ alg: 'ES256', kid: 'k' })
    .setSubject('bob')
    .setExpirationTime('1h')
  const token = await claims.setIssuer('https://id.example.com').setAudience('chats').sign(privateKey)
  const key = 'a-key-of-ada-0123456789'
  const ada = { key, tenant: 'acme', name: 'ada', permissions: ['read', 'write'] }
  writeFileSync(file('keys.json'), JSON.stringify([ada]))
  const tokens = [
    '--jwks-url',
    `http://127.0.0.1:${port}/keys`,
    '--issuer',
    'https://id.example.com',
    '--audience',
    'chats',
  ]
  await using server = await startServer(['--db', file(), '--api-keys', file('keys.json'), ...tokens])
  const create = async (bearer: string, session: string) => {
    const headers = { authorization: `Bearer ${bearer}` }
    return (await post(`${server.url}/api/sessions`, { session_id: session }, headers)).status
  }
  expect([await create(key, 'hers'), await create(token, 'his'), await create(`${key}x`, 'x')]).toEqual([201, 201, 401])
  const hers = `${server.url}/api/sessions/hers`
  const statuses = [key, token].map(async (bearer) => {
    return (await fetch(hers, { headers: { authorization: `Bearer ${bearer}` } })).status
  })
  expect(await Promise.all(statuses)).toEqual([200, 404])
  expect((await fetch(`${server.url}/metrics`, { headers: { 'x-api-key': key } })).status).toBe(403)
  issuer.close()
})

test('with --otel the spans of an inference are sent before it ends', async () => {
  const received: JsonObject[] = []
  const collector = createServer((request, response) => {
    void json(request).then((body) => {
      received.push({ path: request.url ?? '', body: body as JsonObject }) // OTLP over JSON is an object
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
  })
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
  const { port } = collector.address() as AddressInfo // it listens on a port
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_SERVICE_NAME: 'chats',
  }
  await using server = await startServer(['--db', file(), '--pace', '0', '--otel'], env)
  await post(`${server.url}/api/sessions`, { session_id: 's' })
  await post(`${server.url}/api/sessions/s/messages`, { prompt: 'What is 17 * 23?' })
  await eventsUntil(server.url, 's', ['inference-finished'])
  server.kill('SIGTERM')
  expect((await server.ended).exitCode).toBe(0)
  collector.close()
  const sent = JSON.stringify(received)
  for (const name of ['"invoke_agent', '"chat ', '"execute_tool calculator"', '"chats"']) expect(sent).toContain(name)
})

test('with --otel it says which package is missing', async () => {
  const missing = `import { registerHooks } from 'node:module'
    registerHooks({ resolve(name, context, next) {
      if (name !== '@opentelemetry/sdk-node') return next(name, context)
      throw Object.assign(new Error(name), { code: 'ERR_MODULE_NOT_FOUND' })
    } })`
  const env = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(missing)}` }
  const { exitCode, stderr } = await geppetto(['serve', '--port', '0', '--otel'], { env })
  expect(exitCode).toBe(2)
  expect(stderr).toMatch(/^geppetto: USAGE: --otel needs a package .*: npm install @opentelemetry\/sdk-node\.\n$/)
})

test('it speaks every dialect that there is', async () => {
  await using server = await startServer(['--db', file(), '--pace', '0', '--debug-api'])
  const prompt = { role: 'user', content: 'Hello', id: 'm1', parts: [{ type: 'text', text: 'Hello' }] }
  const answers = await Promise.all([
    post(`${server.url}/chat`, { prompt: 'Hello', conv_id: 'c' }),
    post(`${server.url}/v1/chat/completions`, { model: 'default', messages: [prompt] }),
    fetch(`${server.url}/api/debug/conversations`),
    fetch(`${server.url}/v1/models`),
    fetch(`${server.url}/api/openapi.json`),
    ...['/api/chat', '/agui'].map((path) =>
      fetch(`${server.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ id: 'chat', threadId: 't', runId: 'r', messages: [prompt], tools: [], context: [] }),
      }),
    ),
  ])
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200, 200])
})

test('everything lies under --root', async () => {
  await using server = await startServer(['--db', file(), '--root', '/chat/'])
  expect(server.url).toMatch(/\/chat$/)
  expect((await post(`${server.url}/api/sessions`, { session_id: 's' })).status).toBe(201)
  const { origin } = new URL(server.url)
  const missing = await fetch(`${origin}/api/sessions`)
  expect([missing.status, await missing.json()]).toMatchObject([404, { detail: 'There is nothing at /api/sessions.' }])
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/api/ws`)
  const hello = await new Promise((resolve) => socket.addEventListener('message', ({ data }) => resolve(data)))
  socket.close()
  expect(JSON.parse(String(hello))).toMatchObject({ control: 'hello' })
})
