import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/json.ts'
import { staticKeys } from '../../src/server/auth-keys.ts'
import { localUser, type Authenticate, type Permission } from '../../src/server/principal.ts'
import { attackedServer, people, TestSocket, type AttackedServer } from '../support/attacked-server.ts'
import { FakeClock } from '../support/fake-clock.ts'

// Who is let in is asked again for as long as they are there.

/** An authenticator of which the test can say what it knows. */
function changeable() {
  let answer: Authenticate = staticKeys(Object.values(people))
  const set = (next: Authenticate) => {
    answer = next
  }
  const authenticate: Authenticate = (credentials) => answer(credentials)
  return { authenticate, set }
}

async function session(attacked: AttackedServer): Promise<string> {
  const made = await attacked.ask('/api/sessions', { as: 'ada', json: {} })
  return ((await made.json()) as { readonly session_id: string }).session_id
}

async function ticketFor(attacked: AttackedServer, sessionId: string): Promise<string> {
  const given = await attacked.ask('/api/tickets', { as: 'ada', json: { session_id: sessionId } })
  expect(given.status).toBe(201)
  return ((await given.json()) as { readonly ticket: string }).ticket
}

const nobody: Authenticate = async () => undefined
const moved: Authenticate = async () => ({ ...localUser, tenant: 'south', name: 'ada' })
const demoted: Authenticate = async () => ({ tenant: 'north', name: 'ada', permissions: new Set<Permission>(['read']) })

test.each([
  ['their key is taken away', nobody],
  ['they are moved to another tenant', moved],
  ['they may do less', demoted],
])('streams and sockets end within 5 s when %s', async (_what, next) => {
  const clock = new FakeClock()
  const { authenticate, set } = changeable()
  await using attacked = await attackedServer({ clock, authenticate })
  const id = await session(attacked)
  const { url } = await attacked.listen()
  const stream = await attacked.ask(`/api/sessions/${id}/events`, { as: 'ada' })
  const frames = stream.text()
  const socket = await TestSocket.open(`${url}/api/ws`, { as: 'ada' })
  await socket.call({ type: 'create', id: 'before' })
  const webchat = await TestSocket.open(`${url}/ws?conv_id=${id}`, { as: 'ada' })
  await webchat.find(() => true)
  set(next)
  await clock.advance(5_000)
  expect(await frames).toMatch(/event: closed\ndata: .*"reason":"access".*\n\n$/)
  expect([await socket.closed, await webchat.closed]).toEqual([4401, 4401])
})

test('a token that is over ends what it opened, though nobody can be asked', async () => {
  const clock = new FakeClock()
  const { authenticate, set } = changeable()
  set(async () => ({ ...localUser, tenant: 'north', name: 'ada', expiresAt: clock.now() + 10_000 }))
  await using attacked = await attackedServer({ clock, authenticate })
  const id = await session(attacked)
  const frames = (await attacked.ask(`/api/sessions/${id}/events`, { as: 'ada' })).text()
  set(() => new Promise(() => {})) // a key server that never answers
  await clock.advance(10_000)
  expect(await frames).toMatch(/"reason":"access"/)
})

test('a token that is over lets nobody in', async () => {
  const clock = new FakeClock()
  const authenticate: Authenticate = async () => ({ ...localUser, expiresAt: clock.now() })
  await using attacked = await attackedServer({ clock, authenticate })
  expect((await attacked.ask('/api/sessions', { as: 'ada' })).status).toBe(401)
})

test('a key server that cannot be reached ends no stream', async () => {
  const clock = new FakeClock()
  const { authenticate, set } = changeable()
  await using attacked = await attackedServer({ clock, authenticate })
  const id = await session(attacked)
  const stream = await attacked.ask(`/api/sessions/${id}/events`, { as: 'ada' })
  const reader = stream.body!.getReader()
  set(() => Promise.reject(new Error('unreachable')))
  await reader.read()
  await clock.advance(60_000)
  const next = reader.read()
  await clock.advance(15_000)
  expect(await next).toMatchObject({ done: false })
  await reader.cancel()
})

test('who was locked out has no more commands done, though they leave the socket open', async () => {
  const clock = new FakeClock()
  const { authenticate, set } = changeable()
  await using attacked = await attackedServer({ clock, authenticate })
  const id = await session(attacked)
  const { url } = await attacked.listen()
  const socket = await TestSocket.open(`${url}/api/ws`, { as: 'ada' })
  await socket.call({ type: 'create', id: 'before' })
  socket.raw.pause() // so that the close is not answered
  set(nobody)
  await clock.advance(5_000)
  socket.send({ type: 'submit', id: 'late', session_id: id, params: { prompt: 'Say too late' } })
  const other = await TestSocket.open(`${url}/api/ws`, { as: 'ada' }).catch((error: unknown) => error)
  expect(other).toMatchObject({ message: 'refused: 401' })
  socket.raw.resume()
  expect(await socket.closed).toBe(4401)
  expect(await attacked.store.read(id, { after: 0 })).toEqual([])
})

test('who may only read gets every command on a socket refused, and the events all the same', async () => {
  await using attacked = await attackedServer()
  const id = await session(attacked)
  const { url } = await attacked.listen()
  const socket = await TestSocket.open(`${url}/api/ws`, { as: 'ray' })
  const params = { prompt: 'Go', decision: 'approved' }
  for (const type of ['create', 'submit', 'cancel', 'fork', 'decide', 'continue']) {
    const more = { session_id: id, approval_id: 'a', pause_id: 'p', params: type === 'create' ? {} : params }
    expect(await socket.call({ type, id: type, ...more }), type).toMatchObject({ control: 'error', code: 'FORBIDDEN' })
  }
  socket.send({ type: 'subscribe', session_id: id })
  expect(await socket.find(({ control }) => control === 'subscribed')).toMatchObject({ session_id: id })
  expect(await attacked.store.read(id, { after: 0 })).toEqual([])
  socket.raw.terminate()
})

test('who has lost the right to write is refused on a socket that was opened with it', async () => {
  const clock = new FakeClock()
  const { authenticate, set } = changeable()
  await using attacked = await attackedServer({ clock, authenticate })
  const { url } = await attacked.listen()
  const socket = await TestSocket.open(`${url}/api/ws`, { as: 'ada' })
  set(demoted)
  await clock.advance(4_000)
  expect(await socket.closed).toBe(4401)
})

test('a stream whose head alone was asked for, or that nobody began to read, leaves nothing open', async () => {
  const clock = new FakeClock()
  await using attacked = await attackedServer({ clock, limits: { streamsPerCaller: 1 } })
  const id = await session(attacked)
  const idle = clock.pending
  for (let index = 0; index < 3; index += 1) {
    const head = await attacked.ask(`/api/sessions/${id}/events`, { as: 'ada', method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
    const unread = await attacked.ask(`/api/sessions/${id}/events`, { as: 'ada' })
    expect(unread.status).toBe(200)
    await unread.body!.cancel()
  }
  await clock.advance(0)
  expect(clock.pending).toBe(idle)
})

test('a head is answered over a connection too', async () => {
  await using attacked = await attackedServer()
  const id = await session(attacked)
  const { url } = await attacked.listen()
  const headers = { authorization: `Bearer ${people.ada.key}` }
  for (const [path, status] of [
    [`/api/sessions/${id}/events`, 200],
    ['/api/sessions', 200],
    ['/healthz', 200],
    ['/nothing', 404],
  ] as const) {
    expect((await fetch(`${url}${path}`, { method: 'HEAD', headers })).status, path).toBe(status)
  }
  expect((await fetch(`${url}/api/sessions`, { method: 'HEAD' })).status).toBe(401)
})

test('a ticket opens the event stream of its session, once', async () => {
  await using attacked = await attackedServer()
  const [id, other] = [await session(attacked), await session(attacked)]
  const ticket = await ticketFor(attacked, id)
  const open = (at: string, which = ticket) => attacked.ask(`/api/sessions/${at}/events?ticket=${which}`)
  const first = await open(id)
  expect(first.status).toBe(200)
  await first.body!.cancel()
  expect((await open(id)).status).toBe(401)
  const second = await ticketFor(attacked, id)
  expect((await open(other, second)).status).toBe(401)
  expect((await open(id, second)).status, 'a ticket that was tried elsewhere').toBe(401)
})

test.each([
  ['GET', '/api/sessions'],
  ['GET', '/api/sessions/ID'],
  ['GET', '/api/sessions/ID/turns'],
  ['POST', '/api/sessions/ID/messages'],
  ['DELETE', '/api/sessions/ID'],
  ['POST', '/api/tickets'],
  ['GET', '/metrics'],
])('a ticket is nothing to %s %s', async (method, path) => {
  await using attacked = await attackedServer()
  const id = await session(attacked)
  const ticket = await ticketFor(attacked, id)
  const json = method === 'POST' ? { prompt: 'Go', session_id: id } : undefined
  const answer = await attacked.ask(`${path.replace('ID', id)}?ticket=${ticket}`, { method, json })
  expect(answer.status).toBe(401)
})

test('a ticket is too old after a minute, and no good once its caller is locked out', async () => {
  const clock = new FakeClock()
  const { authenticate, set } = changeable()
  await using attacked = await attackedServer({ clock, authenticate })
  const id = await session(attacked)
  const [old, late] = [await ticketFor(attacked, id), await ticketFor(attacked, id)]
  set(nobody)
  expect((await attacked.ask(`/api/sessions/${id}/events?ticket=${late}`)).status).toBe(401)
  set(staticKeys(Object.values(people)))
  await clock.advance(60_000)
  expect((await attacked.ask(`/api/sessions/${id}/events?ticket=${old}`)).status).toBe(401)
})

test('a ticket opens the socket for its session and no other', async () => {
  await using attacked = await attackedServer()
  const [id, other] = [await session(attacked), await session(attacked)]
  const { url } = await attacked.listen()
  const socket = await TestSocket.open(`${url}/api/ws?ticket=${await ticketFor(attacked, id)}`)
  const submit = (at: string) => ({ type: 'submit', id: `submit ${at}`, session_id: at, params: { prompt: 'Say yes' } })
  expect(await socket.call(submit(id))).toMatchObject({ control: 'ack' })
  expect(await socket.call(submit(other))).toMatchObject({ control: 'error', code: 'SESSION_UNKNOWN' })
  expect(await socket.call({ type: 'create', id: 'create' })).toMatchObject({ code: 'FORBIDDEN' })
  expect(await socket.call({ type: 'fork', id: 'fork', session_id: id })).toMatchObject({ code: 'FORBIDDEN' })
  socket.raw.terminate()
})

test('no ticket for a session of another, nor without a name', async () => {
  await using attacked = await attackedServer()
  const id = await session(attacked)
  expect((await attacked.ask('/api/tickets', { as: 'bob', json: { session_id: id } })).status).toBe(404)
  expect((await attacked.ask('/api/tickets', { json: { session_id: id } })).status).toBe(401)
})

test('neither tickets nor keys are ever logged', async () => {
  await using attacked = await attackedServer()
  const id = await session(attacked)
  const ticket = await ticketFor(attacked, id)
  for (const path of [`/api/sessions/${id}/events`, `/api/sessions/${id}/nothing`, '/api/ws', '/nothing']) {
    const answer = await attacked.ask(`${path}?ticket=${ticket}`)
    await answer.body?.cancel()
  }
  const { url } = await attacked.listen()
  await TestSocket.open(`${url}/api/ws?ticket=${ticket}`).catch(() => {})
  await TestSocket.open(`${url}/api/ws`, {}, ['geppetto', `bearer.${people.bob.key}`]).then(({ raw }) =>
    raw.terminate(),
  )
  await attacked.ask('/api/sessions', { headers: { authorization: 'Bearer not-a-key-0123456789' } })
  const told = JSON.stringify(attacked.told satisfies readonly JsonObject[])
  expect(attacked.told.length).toBeGreaterThan(5)
  for (const secret of [ticket, people.ada.key, people.bob.key, 'not-a-key']) expect(told).not.toContain(secret)
})

test('a server that lets everybody in listens on this machine alone', async () => {
  await using attacked = await attackedServer({}, { isOpenToAll: true })
  await expect(attacked.listen({ host: '0.0.0.0' })).rejects.toMatchObject({ code: 'SETTINGS_INVALID' })
  await expect(attacked.listen({ host: '::' })).rejects.toMatchObject({ code: 'SETTINGS_INVALID' })
  await expect(attacked.listen({ host: 'example.com' })).rejects.toMatchObject({ code: 'SETTINGS_INVALID' })
})
