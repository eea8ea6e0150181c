import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { startCuttingProxy } from '../../test/support/cutting-proxy.ts'
import { answerIn, Bench, hasEnded, shown, untilView } from '../../test/support/native-client.ts'
import { defineTool } from '../inference/tool.ts'
import { scripted } from '../providers/scripted/engine.ts'
import type { ToolCallEntity } from '../timeline/entity.ts'
import { entitiesOf } from '../timeline/timeline.ts'
import type { SessionView } from './view.ts'

const refund = defineTool({
  name: 'refund',
  description: 'Pays money back.',
  input: z.object({ cents: z.number() }),
  needsApproval: () => true,
  execute: ({ cents }) => ({ refunded: cents }),
})

const bench = Bench.forEachTest({ slug: 'default', model: scripted({ pace: 2_000 }), tools: [refund] })
const { client } = bench

/** The call that waits for somebody here. */
const waitingIn = ({ timeline }: SessionView) =>
  entitiesOf(timeline).find(
    (entity): entity is ToolCallEntity =>
      entity.kind === 'tool-call' && entity.approval !== undefined && entity.approval.decision === undefined,
  )

describe('commands', () => {
  test('a prompt is answered, and the list of sessions names it', async () => {
    const { create, list } = client()
    const session = await create()
    const ended = untilView(session, hasEnded())
    const sent = await session.send('Say hello')
    const view = await ended
    expect(answerIn(view)).toBe('hello')
    expect(entitiesOf(view.timeline).map(({ inferenceId }) => inferenceId)).toContain(sent.inferenceId)
    const { sessions } = await list()
    expect(sessions).toMatchObject([
      { sessionId: session.id, title: 'Say hello', ordinal: view.ordinal, isActive: false },
    ])
  })

  test('a list goes on page by page', async () => {
    const { create, list } = client()
    const made = [(await create()).id, (await create()).id, (await create()).id]
    const first = await list({ limit: 2 })
    const second = await list({ limit: 2, before: first.before! })
    expect([...first.sessions, ...second.sessions].map(({ sessionId }) => sessionId).toSorted()).toEqual(
      made.toSorted(),
    )
    expect(second.before).toBeUndefined()
  })

  test('what has no method of its own can be asked for', async () => {
    const { ask, close } = client()
    expect(await ask('/api/profiles')).toMatchObject({ profiles: [{ slug: 'default' }] })
    await expect(ask('/api/nothing')).rejects.toMatchObject({ code: 'ROUTE_UNKNOWN' })
    const abort = new AbortController()
    abort.abort(new Error('not any more'))
    await expect(ask('/api/profiles', { signal: abort.signal })).rejects.toThrow('not any more')
    close()
    await expect(ask('/api/profiles')).rejects.toMatchObject({ code: 'SESSION_CLOSED' })
  })

  test('the same key is one prompt', async () => {
    const session = await client().create()
    const first = await session.send('Say hello', { key: 'once' })
    expect(await session.send('Say hello', { key: 'once' })).toEqual(first)
    await expect(session.send('Say goodbye', { key: 'once' })).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' })
    await untilView(session, ({ pending, status }) => status === 'live' && pending.length === 0)
  })

  test('prompts arrive in the order in which they were sent, though the first is lost at first', async () => {
    const asked: string[] = []
    const session = client({
      fetch: async (input, init) => {
        if (init?.method !== 'POST') return fetch(input, init)
        asked.push(JSON.parse(String(init.body)).prompt)
        if (asked.length === 1) throw new TypeError('fetch failed')
        return fetch(input, init)
      },
    }).session('ordered')
    await client().create({ sessionId: 'ordered' })
    const sends = [session.send(' '), session.send('Say one'), session.send('Say two')]
    const [refused, one, two] = await Promise.allSettled(sends)
    expect(refused).toMatchObject({ reason: { code: 'REQUEST_INVALID' } })
    expect(asked).toEqual([' ', ' ', 'Say one', 'Say two'])
    expect([one, two].map((sent) => sent?.status === 'fulfilled' && sent.value.ordinal)).toEqual([
      1,
      expect.any(Number),
    ])
  })

  test('a call waits for its approval, and runs with what was decided', async () => {
    const session = await client().create()
    const asking = untilView(session, ({ timeline }) =>
      timeline.live.some((entity) => entity.kind === 'tool-call' && entity.status === 'awaiting-approval'),
    )
    await session.send('call refund {"cents": 9900}')
    const call = (await asking).timeline.live.find((entity) => entity.kind === 'tool-call')
    const { approvalId, hash } = call!.kind === 'tool-call' ? call!.approval! : expect.fail('no call')
    await expect(session.approve(approvalId, { hash: 'another' })).rejects.toMatchObject({ code: 'APPROVAL_MISMATCH' })
    await session.approve(approvalId, { hash, input: { cents: 5 } })
    const view = await untilView(session, hasEnded())
    expect(entitiesOf(view.timeline)).toContainEqual(
      expect.objectContaining({ kind: 'tool-call', status: 'success', result: { refunded: 5 } }),
    )
    await expect(session.deny('nothing')).rejects.toMatchObject({ code: 'APPROVAL_UNKNOWN' })
  })

  test('what runs is cancelled, and what was said stays', async () => {
    await bench.start({ profiles: [{ slug: 'default', model: scripted({ pace: 20 }) }] })
    const session = await client().create()
    const first = untilView(session, (view) => answerIn(view).length > 0)
    await session.send('Tell me a long story.')
    await first
    const ended = untilView(session, hasEnded())
    await session.cancel({ reason: 'enough' })
    const view = await ended
    expect(entitiesOf(view.timeline)).toContainEqual(
      expect.objectContaining({ kind: 'inference', status: 'stopped', reason: 'enough' }),
    )
    expect(answerIn(view)).not.toBe('')
    const both = untilView(session, hasEnded(2))
    await session.send('Tell me a long story.')
    await client().session(session.id).cancel() // who does not follow it knows no id
    expect(entitiesOf((await both).timeline).filter((entity) => entity.kind === 'inference')).toMatchObject([
      { status: 'stopped' },
      { status: 'stopped' },
    ])
  })

  test('a tool that runs here is asked for, and what it gives is what the model hears', async () => {
    const session = await client().create()
    const place = {
      name: 'place',
      description: 'Where the user is.',
      parameters: { type: 'object', properties: { exact: { type: 'boolean' } } },
    }
    const asked = untilView(session, (view) => waitingIn(view) !== undefined)
    await session.send('call place {"exact": true}', { clientTools: [place] })
    const call = waitingIn(await asked)
    expect(call).toMatchObject({ toolName: 'place', input: { exact: true }, approval: { reason: 'client-tool' } })
    const ended = untilView(session, hasEnded())
    await session.approve(call?.approval?.approvalId ?? '', { result: { city: 'Bonn' } })
    expect(answerIn(await ended)).toContain('"city":"Bonn"')
    // It stays on offer until others are given.
    const askedAgain = untilView(session, (view) => waitingIn(view) !== undefined)
    await session.send('call place')
    const open = waitingIn(await askedAgain)
    const refused = untilView(session, hasEnded(2))
    await session.deny(open?.approval?.approvalId ?? '', 'nobody is there')
    expect(answerIn(await refused)).toContain('nobody is there')
  })

  test('a fork goes on from a turn', async () => {
    const session = await client().create()
    const ended = untilView(session, hasEnded())
    const { turnId } = await session.send('Say hello')
    await ended
    const fork = await session.fork({ turnId })
    const view = await untilView(fork, ({ ordinal }) => ordinal > 0)
    expect(answerIn(view)).toBe('hello')
    await expect(session.fork({ turnId: 'nothing' })).rejects.toMatchObject({ code: 'TURN_UNKNOWN' })
  })

  test('a fork from before a prompt is listed with its origin, and named after what is said in it', async () => {
    const { create, list } = client()
    const session = await create()
    const ended = untilView(session, hasEnded())
    await session.send('Say hello')
    const [message] = entitiesOf((await ended).timeline)
    const fork = await session.fork({ before: message!.id })
    await fork.send('Say goodbye')
    expect(answerIn(await untilView(fork, hasEnded()))).toBe('goodbye')
    const { sessions } = await list()
    expect(sessions.find(({ sessionId }) => sessionId === fork.id)).toMatchObject({
      title: 'Say goodbye',
      origin: { sessionId: session.id, before: message!.id },
    })
  })

  test('a session has the name that it was given', async () => {
    const { create, list } = client()
    const session = await create()
    const ended = untilView(session, hasEnded())
    await session.send('Say hello')
    await ended
    await session.rename('Greetings')
    expect((await list()).sessions).toMatchObject([{ title: 'Greetings' }])
  })
})

describe('the view', () => {
  test('changes for all events that come together at once', async () => {
    await bench.start({ profiles: [{ slug: 'default', model: scripted({ pace: 0 }) }] })
    const session = await client().create()
    let told = 0
    const views = new Set<unknown>()
    session.subscribe(() => {
      told += 1
      views.add(session.getSnapshot())
    })
    const ended = untilView(session, hasEnded())
    await session.send('Tell me a long story.')
    const { ordinal } = await ended
    expect(session.getSnapshot()).toBe(session.getSnapshot())
    expect(views.size).toBe(told)
    expect(told).toBeLessThan(ordinal / 2)
  })

  test('lists what was sent until the log shows it, and nothing twice', async () => {
    const proxy = await startCuttingProxy('http://127.0.0.1:1')
    const session = client({ baseUrl: proxy.url }).session('later')
    await client().create({ sessionId: 'later' })
    const sent = Promise.all([session.send('Say one'), session.send('Say two')])
    const waiting = await untilView(session, ({ status }) => status === 'offline')
    expect(waiting.error?.code).toBe('SERVER_UNREACHABLE')
    expect(waiting.pending.map(({ prompt }) => prompt)).toEqual(['Say one', 'Say two'])
    const listed: boolean[] = []
    const stop = session.subscribe(() => {
      const { pending, timeline } = session.getSnapshot()
      const asked = entitiesOf(timeline).flatMap((entity) => (entity.kind === 'message' ? entity.text : []))
      listed.push(pending.some(({ prompt }) => asked.includes(prompt)))
    })
    proxy.retarget(bench.url)
    await sent
    const view = await untilView(session, hasEnded(2))
    expect(view.pending).toEqual([])
    expect(listed).not.toContain(true)
    expect(answerIn(view)).toBe('onetwo')
    stop()
    await proxy.close()
  })

  test('shows the end of a long session, and its earlier pages when they are asked for', async () => {
    const session = await client().create()
    const all = untilView(session, hasEnded(45))
    for (let index = 0; index < 45; index += 1) await session.send(`Say ${index}`)
    const expected = await all
    const late = client().session(session.id)
    const stop = late.subscribe(() => {})
    const view = await untilView(late, ({ status }) => status === 'live')
    expect(view.hasEarlier).toBe(true)
    await Promise.all([late.loadEarlier(), late.loadEarlier()])
    await late.loadEarlier()
    await late.loadEarlier()
    const first = await untilView(late, ({ hasEarlier }) => !hasEarlier)
    expect(shown(first)).toEqual(shown(expected))
    stop()
  })

  test('is kept when nobody listens, and gone on from when somebody does', async () => {
    const session = await client().create()
    await untilView(session, ({ status }) => status === 'live')
    const ended = untilView(client().session(session.id), hasEnded())
    await session.send('Say hello')
    const expected = await ended
    const view = await untilView(session, hasEnded())
    expect(shown(view)).toEqual(shown(expected))
  })
})
