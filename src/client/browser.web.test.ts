import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { bundleForBrowser, openPage, whyNoBrowser, type BrowserPage } from '../../test/support/browser.ts'
import { afterEvents, startCuttingProxy } from '../../test/support/cutting-proxy.ts'
import {
  eagerClient,
  hasEnded,
  startNativeServer,
  untilView,
  type NativeServer,
} from '../../test/support/native-client.ts'
import { scripted } from '../providers/scripted/engine.ts'
import { entitiesOf } from '../timeline/timeline.ts'
import type { Client, createClient } from './client.ts'

// What runs in the page gets no names from here: it is sent there as text.

/** What the page has. */
interface PageGlobals {
  readonly exported: { readonly createClient: typeof createClient }
  client: Client
  readonly ordinals: number[]
}

/** Ends what hangs, and measures nothing. */
const patience = { timeout: 25_000 }

let browser: BrowserPage
let server: NativeServer
let whole: Client

beforeAll(async () => {
  if (whyNoBrowser !== undefined) return
  browser = await openPage(await bundleForBrowser(join(import.meta.dirname, 'index.ts')))
  server = await startNativeServer({
    profiles: [{ slug: 'default', model: scripted({ pace: 38 }) }],
    allowedOrigins: [browser.origin],
  })
  whole = eagerClient(server.url)
}, 60_000)
beforeEach((context) => {
  if (whyNoBrowser !== undefined) context.skip(whyNoBrowser)
})
afterAll(async () => {
  if (whyNoBrowser !== undefined) return
  await browser[Symbol.asyncDispose]()
  whole.close()
  await server.close()
})

test("a browser's own EventSource reads every event once through a drop", async () => {
  const session = await whole.create()
  const proxy = await startCuttingProxy(server.url)
  await browser.page.evaluate((url) => {
    const page = globalThis as unknown as { ordinals: number[] } // the page is ours
    page.ordinals = []
    new EventSource(url).addEventListener('message', ({ data }) => page.ordinals.push(JSON.parse(data).ordinal))
  }, `${proxy.url}/api/sessions/${session.id}/events?after=0`)
  const count = () => browser.page.evaluate(() => (globalThis as unknown as PageGlobals).ordinals.length)
  const ended = untilView(session, hasEnded())
  await session.send('Tell me a long story.')
  await expect.poll(count, patience).toBeGreaterThan(20)
  proxy.cut()
  const { ordinal } = await ended
  await expect.poll(count, patience).toBe(ordinal)
  const ordinals = await browser.page.evaluate(() => (globalThis as unknown as PageGlobals).ordinals)
  expect(ordinals).toEqual(Array.from({ length: ordinal }, (_, index) => index + 1))
  expect(proxy.counts.connections).toBeGreaterThan(1)
  await proxy.close()
})

/** Follows the session in the page, and gives what it sees. */
async function follow(id: string, options: { readonly baseUrl: string; readonly transport: 'sse' | 'websocket' }) {
  await browser.page.evaluate(
    ([sessionId, given]) => {
      const page = globalThis as unknown as PageGlobals
      // A cut can take what was on its way with it: who then waits longer each time would be here for minutes.
      page.client = page.exported.createClient({ ...given, random: () => 0 })
      page.client.session(sessionId).subscribe(() => {})
    },
    [id, options] as const,
  )
  const view = () =>
    browser.page.evaluate((sessionId) => {
      const { timeline, status, ordinal } = (globalThis as unknown as PageGlobals).client
        .session(sessionId)
        .getSnapshot()
      return { timeline, status, ordinal }
    }, id)
  await expect.poll(async () => (await view()).status, patience).toBe('live')
  return view
}

test.each(['sse', 'websocket'] as const)(
  'the client in a page sees what it should through drops, over %s',
  async (transport) => {
    const session = await whole.create()
    const proxy = await startCuttingProxy(server.url, (connection) => afterEvents(40, connection % 30))
    const view = await follow(session.id, { baseUrl: proxy.url, transport })
    const ended = untilView(session, hasEnded(2))
    await browser.page.evaluate(async (id) => {
      const seen = (globalThis as unknown as PageGlobals).client.session(id)
      await Promise.all([seen.send('Tell me a long story.'), seen.send('Say that you are a browser')])
    }, session.id)
    const expected = await ended
    await expect.poll(async () => (await view()).ordinal, patience).toBe(expected.ordinal)
    const { timeline } = await view()
    expect(entitiesOf(timeline)).toEqual(entitiesOf(expected.timeline))
    expect(proxy.counts.cuts).toBeGreaterThan(3)
    await browser.page.evaluate(() => (globalThis as unknown as PageGlobals).client.close())
    await proxy.close()
  },
)

test('a page that loses its network comes back as soon as it has one', async () => {
  const session = await whole.create()
  const proxy = await startCuttingProxy(server.url)
  const view = await follow(session.id, { baseUrl: proxy.url, transport: 'sse' })
  await browser.page.context().setOffline(true)
  proxy.cut()
  await expect.poll(async () => (await view()).status, patience).toBe('offline')
  const ended = untilView(session, hasEnded())
  await session.send('Say hello')
  const { ordinal } = await ended
  await browser.page.context().setOffline(false)
  await expect.poll(async () => (await view()).ordinal, patience).toBe(ordinal)
  await browser.page.evaluate(() => (globalThis as unknown as PageGlobals).client.close())
  await proxy.close()
})
