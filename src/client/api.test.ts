import { describe, expect, test } from 'vitest'
import { FakeClock, settle } from '../../test/support/fake-clock.ts'
import { Api } from './api.ts'

const { signal } = new AbortController()
const problem = (code: string) =>
  [JSON.stringify({ code, detail: 'It says why.' }), 'application/problem+json'] as const

type Answer = (init: RequestInit) => Response | Promise<Response>

function apiOf(...answers: readonly Answer[]) {
  const clock = new FakeClock()
  const asked: RequestInit[] = []
  const api = new Api({
    baseUrl: 'http://fake',
    token: 'secret',
    clock,
    random: () => 0,
    fetch: async (_url, init = {}) => {
      const answer = answers[asked.length]
      asked.push(init)
      return answer === undefined ? new Response('{}') : answer(init)
    },
  })
  return { api, clock, asked }
}

describe('an answer that is a refusal', () => {
  test.each<[what: string, status: number, body: readonly [string, string], code: string]>([
    ['a problem', 404, problem('TURN_UNKNOWN'), 'TURN_UNKNOWN'],
    ['a problem of a newer server', 418, problem('TEAPOT'), 'TEAPOT'],
    ['a full queue', 429, problem('SESSION_QUEUE_FULL'), 'SESSION_QUEUE_FULL'],
    ['a fault of the server', 500, problem('INTERNAL'), 'INTERNAL'],
    ["a proxy's 401", 401, ['no', 'text/plain'], 'UNAUTHENTICATED'],
    ["a proxy's 403", 403, ['<h1>no</h1>', 'text/html'], 'FORBIDDEN'],
    ["a proxy's 404", 404, ['{"message": 1}', 'application/json'], 'ROUTE_UNKNOWN'],
    ['anything else', 400, ['[]', 'application/json'], 'REQUEST_INVALID'],
  ])('%s is told once', async (_what, status, [text, type], code) => {
    const { api, asked } = apiOf(() => new Response(text, { status, headers: { 'content-type': type } }))
    await expect(api.insist('/x', { signal })).rejects.toMatchObject({ code, details: { status } })
    expect(asked).toHaveLength(1)
  })
})

describe('an answer that is none', () => {
  const broken = () =>
    new Response(
      new ReadableStream({
        start: (controller) => {
          controller.enqueue(new TextEncoder().encode('{"half":'))
          controller.error(new TypeError('terminated'))
        },
      }),
    )
  const never: Answer = (init) =>
    new Promise((_resolve, reject) => init.signal?.addEventListener('abort', () => reject(new Error('aborted'))))

  test.each<[what: string, answer: Answer]>([
    ['a network that fails', () => Promise.reject(new TypeError('fetch failed'))],
    ['an answer that breaks off', broken],
    ['half an answer', () => new Response('{"half":')],
    ['a page that asks for a login', () => new Response('<h1>Log in</h1>')],
    ['a proxy that has no server', () => new Response('bad gateway', { status: 502 })],
    ['a proxy that is asked too much', () => new Response('', { status: 429 })],
    ['a server that stops', () => new Response(problem('SERVER_STOPPING')[0], { status: 503 })],
    ['a server that is asked too much', () => new Response(problem('RATE_LIMITED')[0], { status: 429 })],
    ['a problem that passes, of a newer server', () => new Response(problem('TIRED')[0], { status: 503 })],
    ['an answer that does not come', never],
  ])('%s is asked again', async (_what, answer) => {
    const { api, clock, asked } = apiOf(answer, () => new Response('{"whole":true}'))
    const answered = api.insist('/x', { method: 'POST', body: {}, idempotencyKey: 'key', signal })
    await clock.advance(60_001)
    expect(await answered).toEqual({ whole: true })
    expect(asked.map(({ headers }) => headers)).toEqual(
      Array.from({ length: 2 }, () => ({
        authorization: 'Bearer secret',
        'content-type': 'application/json',
        'idempotency-key': 'key',
      })),
    )
    expect(clock.pending).toBe(0)
  })

  test('is waited for as long as the server asks', async () => {
    const headers = { 'retry-after': '5' }
    const { api, clock, asked } = apiOf(() => new Response(problem('STORE_BUSY')[0], { status: 503, headers }))
    const answered = api.insist('/x', { signal })
    await clock.advance(4_999)
    expect(asked).toHaveLength(1)
    await clock.advance(1)
    await answered
    expect(asked).toHaveLength(2)
  })

  test('is no reason to refuse what came through before', async () => {
    const taken = () => new Response(problem('SESSION_EXISTS')[0], { status: 409 })
    const isDone = ({ code }: { readonly code: string }) => code === 'SESSION_EXISTS'
    await expect(apiOf(taken).api.insist('/x', { signal }, isDone)).rejects.toMatchObject({ code: 'SESSION_EXISTS' })
    const { api, clock } = apiOf(() => Promise.reject(new TypeError('fetch failed')), taken)
    const answered = api.insist('/x', { signal }, isDone)
    await clock.advance(1)
    expect(await answered).toBeNull()
  })

  test('is waited for no longer when nobody wants it', async () => {
    const abort = new AbortController()
    const { api, clock } = apiOf(() => Promise.reject(new TypeError('fetch failed')))
    const answered = api.insist('/x', { signal: abort.signal })
    await settle()
    abort.abort(new Error('enough'))
    await expect(answered).rejects.toThrow('enough')
    expect(clock.pending).toBe(0)
  })
})
