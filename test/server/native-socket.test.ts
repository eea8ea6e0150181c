import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { startNativeServer, type NativeServer } from '../support/native-client.ts'
import type { JsonObject } from '../../src/json.ts'

// Our own API over a socket, as a client of somebody else's make sees it.

let server: NativeServer
beforeAll(async () => {
  server = await startNativeServer()
})
afterAll(() => server.close())

/** A socket whose messages are read one after the other. */
class Conversation implements Disposable {
  readonly #socket: WebSocket
  readonly #messages: AsyncIterator<JsonObject>

  constructor() {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/api/ws`)
    this.#socket = socket
    this.#messages = (async function* () {
      const heard: JsonObject[] = []
      let wake = () => {}
      socket.on('message', (data) => {
        heard.push(JSON.parse(String(data)) as JsonObject) // every message of ours is an object
        wake()
      })
      for (;;) {
        yield* heard.splice(0)
        await new Promise<void>((resolve) => (wake = resolve))
      }
    })()
  }

  say(message: JsonObject | string): void {
    this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  async next(): Promise<JsonObject> {
    return (await this.#messages.next()).value as JsonObject // it never ends
  }

  async until(isWanted: (message: JsonObject) => boolean): Promise<readonly JsonObject[]> {
    const heard: JsonObject[] = []
    do heard.push(await this.next())
    while (!isWanted(heard.at(-1)!))
    return heard
  }

  [Symbol.dispose](): void {
    this.#socket.terminate()
  }
}

async function greeted(): Promise<Conversation> {
  const conversation = new Conversation()
  expect(await conversation.next()).toMatchObject({ control: 'hello', protocol: 1 })
  return conversation
}

const ack = (id: string) => (message: JsonObject) => message['control'] === 'ack' && message['id'] === id

test('commands are answered under their ids, and the same id again is the same prompt', async () => {
  using socket = await greeted()
  socket.say({ type: 'create', id: '1', params: { session_id: 'commanded' } })
  expect(await socket.next()).toEqual({ control: 'ack', id: '1', result: { session_id: 'commanded' } })
  const submit = { type: 'submit', id: '2', session_id: 'commanded', params: { prompt: 'Say hello' } }
  socket.say(submit)
  const answer = await socket.next()
  expect(answer).toMatchObject({ control: 'ack', id: '2', result: { session_id: 'commanded', status: 'queued' } })
  using another = await greeted()
  another.say(submit)
  expect(await another.next()).toEqual(answer)
  another.say({ ...submit, params: { prompt: 'Say goodbye' } })
  expect(await another.next()).toMatchObject({ control: 'error', id: '2', code: 'IDEMPOTENCY_KEY_REUSED' })
})

test.each([
  ['create', {}],
  ['fork', { session_id: 'forked' }],
])('a command to %s that is sent again makes no second session', async (type, more) => {
  using socket = await greeted()
  socket.say({ type: 'create', id: 'first', params: { session_id: 'forked' } })
  socket.say({ type: 'submit', id: 'said', session_id: 'forked', params: { prompt: 'Say hello' } })
  socket.say({ type: 'subscribe', session_id: 'forked' })
  await socket.until(({ type: event }) => event === 'inference-finished')
  const command = { type, id: `again-${type}`, ...more }
  socket.say(command)
  const [answer] = (await socket.until(ack(command.id))).slice(-1)
  using another = await greeted()
  another.say(command)
  expect(await another.next()).toEqual(answer)
  another.say({ ...command, id: `other-${type}` })
  expect((await another.next())['result']).not.toEqual(answer?.['result'])
})

test('one socket follows several sessions, each in its order, and leaves one without the others', async () => {
  using socket = await greeted()
  for (const id of ['left', 'right']) {
    socket.say({ type: 'create', id, params: { session_id: id } })
    socket.say({ type: 'subscribe', session_id: id, after: 'snapshot' })
  }
  const opened = await socket.until(
    (message) => message['control'] === 'subscribed' && message['session_id'] === 'right',
  )
  expect(opened.map(({ control }) => control)).toEqual([
    'ack',
    'snapshot',
    'subscribed',
    'ack',
    'snapshot',
    'subscribed',
  ])
  expect(opened[2]).toMatchObject({ session_id: 'left', ordinal: 0, head: 0, incarnation: expect.any(String) })
  for (const id of ['left', 'right'])
    socket.say({ type: 'submit', id, session_id: id, params: { prompt: `Say ${id}` } })
  const ended = new Set<unknown>()
  const heard = await socket.until((message) => {
    if (message['type'] === 'inference-finished') ended.add(message['session_id'])
    return ended.size === 2
  })
  for (const id of ['left', 'right']) {
    const ordinals = heard
      .filter((message) => message['session_id'] === id && 'type' in message)
      .map(({ ordinal }) => ordinal)
    expect(ordinals).toEqual(ordinals.map((_, index) => index + 1))
  }
  socket.say({ type: 'unsubscribe', session_id: 'left' })
  expect(await socket.next()).toEqual({ control: 'unsubscribed', session_id: 'left' })
  for (const id of ['left', 'right'])
    socket.say({ type: 'submit', id: `${id} 2`, session_id: id, params: { prompt: 'Say more' } })
  const after = await socket.until((message) => message['type'] === 'inference-finished')
  expect(after.filter((message) => 'type' in message).map((message) => message['session_id'])).not.toContain('left')
})

test('a subscription goes on after an ordinal', async () => {
  using first = await greeted()
  first.say({ type: 'create', id: '1', params: { session_id: 'resumed' } })
  first.say({ type: 'submit', id: '2', session_id: 'resumed', params: { prompt: 'Say hello' } })
  first.say({ type: 'subscribe', session_id: 'resumed' })
  const all = await first.until((message) => message['type'] === 'inference-finished')
  const last = Number(all.at(-1)?.['ordinal'])
  using second = await greeted()
  second.say({ type: 'subscribe', session_id: 'resumed', after: last - 2 })
  const [subscribed, ...events] = await second.until((message) => message['ordinal'] === last && 'type' in message)
  expect(subscribed).toMatchObject({ control: 'subscribed', ordinal: last - 2, head: last })
  expect(events).toEqual(all.slice(-2))
})

test.each<[what: string, message: JsonObject | string, answer: JsonObject]>([
  ['no JSON', '{', { control: 'error', code: 'REQUEST_INVALID' }],
  ['no command of ours', { type: 'dance' }, { control: 'error', code: 'REQUEST_INVALID' }],
  [
    'a session that is not there',
    { type: 'subscribe', session_id: 'no' },
    { session_id: 'no', code: 'SESSION_UNKNOWN' },
  ],
  [
    'a place that is not there',
    { type: 'subscribe', session_id: 'here', after: 9 },
    { session_id: 'here', code: 'CURSOR_FUTURE' },
  ],
  [
    'a prompt of nothing',
    { type: 'submit', id: '7', session_id: 'here', params: { prompt: ' ' } },
    { id: '7', code: 'REQUEST_INVALID' },
  ],
])('%s is refused, and the socket stays', async (_what, message, answer) => {
  using socket = await greeted()
  socket.say({ type: 'create', id: '1', params: { session_id: 'here' } })
  await socket.until(ack('1'))
  socket.say(message)
  expect(await socket.next()).toMatchObject(answer)
  socket.say({ type: 'ping' })
  expect(await socket.next()).toEqual({ control: 'pong' })
})
