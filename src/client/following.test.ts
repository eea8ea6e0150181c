import { describe, expect, test } from 'vitest'
import { startCuttingProxy } from '../../test/support/cutting-proxy.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { answerIn, Bench, hasEnded, shown, untilView } from '../../test/support/native-client.ts'
import { collect } from '../../test/support/values.ts'
import { scripted } from '../providers/scripted/engine.ts'
import { localUser } from '../server/principal.ts'
import { trimSession } from '../session/trim.ts'
import { applyTimeline, emptyTimeline } from '../timeline/timeline.ts'

const transports = ['sse', 'websocket'] as const
const bench = Bench.forEachTest({ slug: 'default', model: scripted({ pace: 2_000 }) })
const { client } = bench

describe.each(transports)('over %s', (transport) => {
  const cases: readonly [what: string, code: string, prepare: () => void][] = [
    ['a session that is not there', 'SESSION_UNKNOWN', () => {}],
    ['a caller who is not let in', 'UNAUTHENTICATED', () => (bench.caller = undefined)],
    ['a caller who may not read', 'FORBIDDEN', () => (bench.caller = { ...localUser, permissions: new Set() })],
    ['a session of somebody else', 'SESSION_UNKNOWN', () => (bench.caller = { ...localUser, tenant: 'other' })],
  ]
  test.each(cases)('%s is refused with %s', async (what, code, prepare) => {
    if (what.includes('else')) await client().create({ sessionId: 'there' })
    prepare()
    const session = client({ transport }).session('there')
    await expect(untilView(session, () => false)).rejects.toMatchObject({ code })
    expect(session.getSnapshot()).toMatchObject({ status: 'closed', error: { code } })
    await expect(collect(session.events())).rejects.toMatchObject({ code })
    await expect(session.send('Say hello')).rejects.toMatchObject({ code })
  })

  test('who was refused is let in when they come again', async () => {
    const session = client({ transport }).session('soon')
    await expect(untilView(session, () => false)).rejects.toMatchObject({ code: 'SESSION_UNKNOWN' })
    await client().create({ sessionId: 'soon' })
    expect((await untilView(session, ({ status }) => status === 'live')).error).toBeUndefined()
  })

  test('a session that is deleted is closed, and says so', async () => {
    const session = await client({ transport }).create()
    await untilView(session, ({ status }) => status === 'live')
    const closed = untilView(session, () => false)
    const other = client().session(session.id)
    await other.delete()
    await expect(closed).rejects.toMatchObject({ code: 'SESSION_UNKNOWN', message: expect.stringContaining('deleted') })
    await expect(client().session(session.id).delete()).rejects.toMatchObject({ code: 'SESSION_UNKNOWN' })
  })

  test('a caller who is locked out while they follow is closed out', async () => {
    const clock = new FakeClock()
    await bench.start({ clock })
    const session = await client({ transport }).create()
    await untilView(session, ({ status }) => status === 'live')
    const closed = untilView(session, () => false)
    await untilView(session, ({ status }) => status === 'live')
    bench.caller = undefined
    await clock.advance(10_000)
    await expect(closed).rejects.toMatchObject({ code: 'UNAUTHENTICATED', details: { reason: 'access' } })
  })

  test('another session of the same id takes the place of the one that was known', async () => {
    const proxy = await startCuttingProxy(bench.url)
    const session = client({ transport, baseUrl: proxy.url }).session('same')
    const direct = await client().create({ sessionId: 'same' })
    const ended = untilView(session, hasEnded())
    await direct.send('Say hello')
    await ended
    proxy.retarget('http://127.0.0.1:1')
    await direct.delete()
    const anew = await client().create({ sessionId: 'same' })
    const expected = untilView(anew, hasEnded(2))
    await anew.send('Say something else')
    await anew.send('Say more')
    await expected
    const there = untilView(session, (view) => answerIn(view) === 'something elsemore')
    proxy.retarget(bench.url)
    expect(shown(await there)).toEqual(shown(await expected))
    await proxy.close()
  })

  test('a viewer whose events were forgotten begins with a snapshot; a reader of events is told', async () => {
    const proxy = await startCuttingProxy(bench.url)
    const session = client({ transport, baseUrl: proxy.url }).session('trimmed')
    const direct = await client().create({ sessionId: 'trimmed' })
    await untilView(session, ({ status }) => status === 'live')
    const seen = untilView(session, ({ ordinal, status }) => ordinal > 0 && status === 'live')
    proxy.retarget('http://127.0.0.1:1')
    const ended = untilView(direct, hasEnded(2))
    await direct.send('Say hello')
    await direct.send('Say goodbye')
    const { ordinal } = await ended
    await trimSession(bench.store, 'trimmed', ordinal - 5)
    proxy.retarget(bench.url)
    expect((await seen).ordinal).toBe(ordinal)
    await expect(collect(session.events())).rejects.toMatchObject({ code: 'CURSOR_EXPIRED' })
    await expect(collect(session.events({ after: ordinal + 9 }))).rejects.toMatchObject({ code: 'CURSOR_FUTURE' })
    await proxy.close()
  })

  test('a listener who leaves and comes back at once misses nothing', async () => {
    const session = await client({ transport }).create()
    for (let round = 0; round < 5; round += 1) session.subscribe(() => {})()
    const ended = untilView(session, hasEnded())
    session.subscribe(() => {})()
    await session.send('Say hello')
    expect(answerIn(await ended)).toBe('hello')
    for (let round = 0; round < 5; round += 1) session.subscribe(() => {})()
    const again = untilView(session, hasEnded(2))
    await session.send('Say goodbye')
    expect(answerIn(await again)).toBe('hellogoodbye')
  })

  test('the events of a session make its timeline', async () => {
    const session = await client({ transport }).create()
    const { ordinal } = await session.send('Say hello')
    let timeline = emptyTimeline()
    for await (const event of session.events()) {
      timeline = applyTimeline(timeline, event)
      if (event.type === 'inference-finished') break
    }
    expect(timeline.ordinal).toBeGreaterThan(ordinal)
    const view = await untilView(client().session(session.id), ({ status }) => status === 'live')
    expect(shown({ ...view, timeline })).toEqual(shown(view))
  })

  test('a server that stops is waited for, and the next one goes on', async () => {
    const proxy = await startCuttingProxy(bench.url)
    const session = client({ transport, baseUrl: proxy.url }).session('moved')
    await client().create({ sessionId: 'moved' })
    await untilView(session, ({ status }) => status === 'live')
    const offline = untilView(session, ({ status }) => status === 'offline')
    const ended = untilView(session, hasEnded())
    await bench.stop()
    await offline
    await bench.start()
    proxy.retarget(bench.url)
    await session.send('Say hello')
    expect(answerIn(await ended)).toBe('hello')
    await proxy.close()
  })

  test('a client that is closed waits for nothing', async () => {
    const made = client({ transport, baseUrl: 'http://127.0.0.1:1' })
    const session = made.session('nowhere')
    const sent = session.send('Say hello')
    const events = collect(session.events())
    const closed = untilView(session, () => false)
    made.close()
    await expect(sent).rejects.toMatchObject({ code: 'SESSION_CLOSED' })
    await expect(closed).rejects.toMatchObject({ code: 'SESSION_CLOSED' })
    expect(await events).toEqual([])
  })
})
