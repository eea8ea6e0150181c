import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FakeClock, settle } from '../../test/support/fake-clock.ts'
import {
  eagerClient,
  hasEnded,
  shown,
  startNativeServer,
  untilView,
  type NativeServer,
} from '../../test/support/native-client.ts'
import type { SessionView } from './view.ts'

// What a connection brings, with everything that a network, a proxy or a bug can do to it, on a clock that stands still.

let server: NativeServer
/** The event stream of a session that has ended, frame by frame, and what a viewer sees at its end. */
let frames: readonly string[]
let expected: SessionView
const sessionId = 'faulty'

beforeAll(async () => {
  server = await startNativeServer()
  const client = eagerClient(server.url)
  const session = await client.create({ sessionId })
  const ended = untilView(session, hasEnded())
  await session.send('Say eins zwei drei vier fünf sechs sieben acht neun zehn')
  expected = await ended
  client.close()
  const response = await fetch(`${server.url}/api/sessions/${sessionId}/events?after=0`)
  let text = ''
  const last = `id: ${expected.ordinal}\n`
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (text.includes(last) && text.endsWith('\n\n')) break
  }
  frames = text.split(/(?<=\n\n)/)
})
afterAll(() => server.close())

type Fault =
  | { readonly type: 'cut'; readonly at: number }
  | { readonly type: 'lose' | 'repeat' | 'swap'; readonly at: number }
  | { readonly type: 'insert'; readonly at: number; readonly frame: string }
  | { readonly type: 'silent'; readonly at: number }
  | { readonly type: 'answer'; readonly status: number; readonly contentType: string; readonly body: string }
  | { readonly type: 'unreachable' }

const place = fc.nat({ max: 999 })
const brokenFrames = [
  'data: {"type":"text-de\n\n',
  'data: \n\n',
  'data: null\n\n',
  'data: {"type":"text-delta","ordinal":1}\n\n',
  'data: {"type":"info","ordinal":-1,"at":"","session_id":"faulty"}\n\n',
  'data: {"type":"info","ordinal":1,"at":"","session_id":"another","inference_id":"i","turn_id":"t","message":""}\n\n',
  'event: snapshot\ndata: {"control":"snapshot","session_id":"faulty","ordinal":3}\n\n',
  'event: closed\ndata: {"control":"closed","session_id":"faulty","reason":"stopping"}\n\n',
  'event: error\ndata: {"control":"error","code":"INTERNAL","message":"no"}\n\n',
  'event: new\ndata: {"control":"from-tomorrow"}\n\n',
  ': a comment\n: and another one\n\n',
  'id: 7\nretry: 1\nunknown: field\n\n',
]
const problem = (code: string) => JSON.stringify({ code, detail: 'said by the server' })
const faults: fc.Arbitrary<Fault> = fc.oneof(
  fc.record({ type: fc.constant('cut'), at: place }),
  fc.record({ type: fc.constantFrom('lose', 'repeat', 'swap'), at: place }),
  fc.record({ type: fc.constant('insert'), at: place, frame: fc.constantFrom(...brokenFrames) }),
  fc.record({ type: fc.constant('silent'), at: place }),
  fc.constantFrom<Fault>(
    { type: 'unreachable' },
    { type: 'answer', status: 200, contentType: 'text/html', body: '<h1>Log in</h1>' },
    { type: 'answer', status: 502, contentType: 'text/html', body: 'bad gateway' },
    { type: 'answer', status: 429, contentType: 'text/plain', body: 'slow down' },
    { type: 'answer', status: 503, contentType: 'application/problem+json', body: problem('SERVER_STOPPING') },
    { type: 'answer', status: 500, contentType: 'application/problem+json', body: problem('INTERNAL') },
    { type: 'answer', status: 410, contentType: 'application/problem+json', body: problem('CURSOR_EXPIRED') },
  ),
)

/** Answers requests for the event stream: with one fault each, then well. */
function faultyFetch(plan: readonly Fault[], chunkLength: number): typeof fetch {
  const left = [...plan]
  let isFirst = true
  return async (input, init) => {
    const after = new URL(String(input)).searchParams.get('after')
    const signal = init?.signal ?? undefined
    // The first connection is made before anything was said, and breaks off.
    if (isFirst) {
      isFirst = false
      return eventStream([emptySnapshot + frames[0]], signal, 'cut')
    }
    if (after === 'snapshot') return eventStream([snapshot() + frames[0]], signal, 'open')
    const fault = left.shift()
    if (fault?.type === 'unreachable') throw new TypeError('fetch failed')
    if (fault?.type === 'answer')
      return new Response(fault.body, { status: fault.status, headers: { 'content-type': fault.contentType } })
    const known = frames.filter((frame) => Number(/^id: (\d+)/.exec(frame)?.[1] ?? 0) > Number(after))
    const text = [frames[0], ...withFault(known, fault)].join('')
    const cut =
      fault?.type === 'cut' || fault?.type === 'silent' ? text.slice(0, (text.length * fault.at) / 1_000) : text
    const chunks = cut.match(new RegExp(`[^]{1,${chunkLength}}`, 'gu')) ?? []
    return eventStream(chunks, signal, fault?.type === 'cut' ? 'cut' : 'open')
  }
}

function withFault(known: readonly string[], fault: Fault | undefined): readonly string[] {
  if (fault === undefined || !('at' in fault)) return known
  const at = Math.floor((known.length * fault.at) / 1_000)
  switch (fault.type) {
    case 'lose':
      // Who loses the last one cannot know it until something follows.
      return at >= known.length - 1 ? known : known.toSpliced(at, 1)
    case 'repeat':
      return known.toSpliced(at, 0, ...known.slice(Math.max(at - 3, 0), at))
    case 'swap':
      return at >= known.length - 2 ? known : known.toSpliced(at, 2, known[at + 1] ?? '', known[at] ?? '')
    case 'insert':
      return known.toSpliced(at, 0, fault.frame)
    case 'cut':
    case 'silent':
      return known
  }
}

const emptySnapshot = `event: snapshot\ndata: {"control":"snapshot","session_id":"faulty","timeline":{"version":1,"ordinal":0,"entities":[]}}\n\n`
function snapshot(): string {
  return `event: snapshot\ndata: ${JSON.stringify({ control: 'snapshot', session_id: sessionId, timeline: shown(expected) })}\n\n`
}

/** The chunks, and then the end of the connection, or silence until the client gives it up. */
function eventStream(chunks: readonly string[], signal: AbortSignal | undefined, then: 'cut' | 'open'): Response {
  const encoder = new TextEncoder()
  let next = 0
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => signal?.addEventListener('abort', () => controller.error(signal.reason)),
    pull(controller) {
      const chunk = chunks[next]
      next += 1
      if (chunk !== undefined) controller.enqueue(encoder.encode(chunk))
      else if (then === 'cut') controller.error(new TypeError('terminated'))
      else return new Promise(() => {})
      return undefined
    },
  })
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
}

test('whatever happens to connections, the view at the end is that of the log', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(faults, { maxLength: 12 }),
      fc.integer({ min: 1, max: 400 }),
      async (plan, chunkLength) => {
        const clock = new FakeClock()
        const client = eagerClient('http://fake', { clock, fetch: faultyFetch(plan, chunkLength) })
        const session = client.session(sessionId)
        let notifications = 0
        const stop = session.subscribe(() => {
          notifications += 1
        })
        for (let second = 0; second < 2_000 && session.getSnapshot().ordinal < expected.ordinal; second += 1) {
          await clock.advance(1_000)
          await settle()
        }
        await clock.advance(1_000)
        const view = session.getSnapshot()
        expect(shown(view)).toEqual(shown(expected))
        expect(view.status).toBe('live')
        expect(notifications).toBeGreaterThan(0)
        stop()
        client.close()
        await clock.advance(1_000)
        expect(clock.pending).toBe(0)
      },
    ),
    { numRuns: 200 },
  )
})
