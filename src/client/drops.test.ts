import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { afterBytes, afterEvents, startCuttingProxy, uncut, type Cutter } from '../../test/support/cutting-proxy.ts'
import {
  answerIn,
  eagerClient,
  hasEnded,
  shown,
  startNativeServer,
  untilView,
  type NativeServer,
} from '../../test/support/native-client.ts'
import { scripted } from '../providers/scripted/engine.ts'
import { entitiesOf } from '../timeline/timeline.ts'
import type { Client } from './client.ts'
import type { ClientSession } from './session.ts'

let server: NativeServer
let whole: Client
beforeAll(async () => {
  server = await startNativeServer({ profiles: [{ slug: 'default', model: scripted({ pace: wordsApart }) }] })
  whole = eagerClient(server.url)
})
afterAll(async () => {
  whole.close()
  await server.close()
})

/** Words a second, so slow that each is an event of its own. */
const wordsApart = 38
const transports = ['sse', 'websocket'] as const
const words = Array.from({ length: 60 }, (_, index) => `word-${index}-é😀`).join(' ')

/** Numbers that the seed decides, each from 0 up to and without what is asked for. */
function sequence(seed: number): (below: number) => number {
  let state = seed + 1
  return (below) => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
}

/** A viewer behind a proxy of its own, live. */
async function watch(id: string, transport: (typeof transports)[number], cutter: (connection: number) => Cutter) {
  const proxy = await startCuttingProxy(server.url, cutter)
  const client = eagerClient(proxy.url, { transport })
  const session = client.session(id)
  await untilView(session, ({ status }) => status === 'live')
  const ended = untilView(session, hasEnded())
  return { proxy, client, session, ended }
}

describe.each(transports)('over %s', (transport) => {
  test('a viewer who is cut off after every k events ends as one who never was, for k from 1 to 50', async () => {
    const reference = await whole.create()
    const viewers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        watch(reference.id, transport, (connection) => afterEvents(index + 1, (connection * 7) % 40)),
      ),
    )
    const ended = untilView(reference, hasEnded())
    await reference.send(`Say ${words}`)
    const expected = await ended
    expect(answerIn(expected)).toBe(words)
    for (const [index, viewer] of viewers.entries()) {
      const view = await viewer.ended
      expect(shown(view), `k = ${index + 1}`).toEqual(shown(expected))
      expect(viewer.proxy.counts.cuts).toBeGreaterThanOrEqual(Math.floor((view.ordinal - 1) / (index + 2)))
      viewer.client.close()
      await viewer.proxy.close()
    }
  })

  test('every event is read once and in order, however often the connection breaks', async () => {
    const reference = await whole.create()
    const ended = untilView(reference, hasEnded())
    await reference.send(`Say ${words}`)
    const { ordinal } = await ended
    const proxy = await startCuttingProxy(server.url, (connection) => afterEvents(7, connection % 50))
    const client = eagerClient(proxy.url, { transport })
    const ordinals: number[] = []
    for await (const event of client.session(reference.id).events()) {
      ordinals.push(event.ordinal)
      if (event.ordinal === ordinal) break
    }
    expect(ordinals).toEqual(Array.from({ length: ordinal }, (_, index) => index + 1))
    expect(proxy.counts.cuts).toBeGreaterThan(5)
    client.close()
    await proxy.close()
  })
})

test('fifty viewers of one session, each cut off at bytes that chance decides, end equal', async () => {
  const reference = await whole.create()
  const viewers = await Promise.all(
    Array.from({ length: 50 }, (_, seed) => {
      const next = sequence(seed)
      // Each connection may bring a little more than the one before, so that a snapshot comes through in the end.
      const cutter = (connection: number) => afterBytes(600 + next(3_000) + connection * 200)
      return watch(reference.id, transports[seed % 2] ?? 'sse', cutter)
    }),
  )
  const ended = untilView(reference, hasEnded())
  await reference.send(`Say ${words}`)
  const expected = shown(await ended)
  for (const [seed, viewer] of viewers.entries()) {
    expect(shown(await viewer.ended), `seed ${seed}`).toEqual(expected)
    viewer.client.close()
    await viewer.proxy.close()
  }
  expect(viewers.reduce((sum, { proxy }) => sum + proxy.counts.cuts, 0)).toBeGreaterThan(50)
})

test('a prompt whose answer is lost is sent again, and is one prompt', async () => {
  const created = await whole.create()
  const next = sequence(7)
  // Every second connection loses its answer, somewhere between its first byte and its last.
  const proxy = await startCuttingProxy(server.url, (connection) =>
    connection % 2 === 0 ? afterBytes(next(400)) : uncut,
  )
  const client = eagerClient(proxy.url)
  const session = client.session(created.id)
  const prompts = Array.from({ length: 12 }, (_, index) => `Say ${index}`)
  const sent: Awaited<ReturnType<ClientSession['send']>>[] = []
  for (const prompt of prompts) {
    proxy.cut() // so that no connection of a good answer is used twice
    sent.push(await session.send(prompt))
  }
  const view = await untilView(created, hasEnded(prompts.length))
  const asked = entitiesOf(view.timeline).filter((entity) => entity.kind === 'message' && entity.role === 'user')
  expect(asked.map((entity) => 'text' in entity && entity.text)).toEqual(prompts)
  expect(asked.map(({ inferenceId }) => inferenceId)).toEqual(sent.map(({ inferenceId }) => inferenceId))
  expect(proxy.counts.cuts).toBeGreaterThan(5)
  client.close()
  await proxy.close()
})
