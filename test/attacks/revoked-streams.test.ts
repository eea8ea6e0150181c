import { expect, test } from 'vitest'
import { staticKeys } from '../../src/server/auth-keys.ts'
import type { Authenticate } from '../../src/server/principal.ts'
import { attackedServer, people } from '../support/attacked-server.ts'
import { eventEngine, textReply, untilAborted } from '../support/event-engine.ts'
import { FakeClock, settle } from '../support/fake-clock.ts'

// Every stream of every dialect, while an answer is under way, with a caller who is locked out in the middle of it.

test('no event stream of any dialect outlives its caller by more than 5 s', async () => {
  const clock = new FakeClock()
  let isLockedOut = false
  const known = staticKeys(Object.values(people))
  const authenticate: Authenticate = async (credentials) => (isLockedOut ? undefined : known(credentials))
  const running = textReply('What comes').slice(0, 3)
  const model = eventEngine(...Array.from({ length: 20 }, () => [...running, untilAborted]))
  const limits = { requestsPerCaller: 1e9, writesPerCaller: 1e9, streamsPerCaller: 1e9 }
  const attacked = await attackedServer({ clock, authenticate, limits, profiles: [{ slug: 'default', model }] })
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 100) {
      await clock.advance(100)
      await settle()
    }
  }

  const id = 'session-of-ada'
  await attacked.ask('/api/sessions', { as: 'ada', json: { session_id: id } })
  const sent = await attacked.ask(`/api/sessions/${id}/messages`, { as: 'ada', json: { prompt: 'Go' } })
  const { inference_id: inferenceId } = (await sent.json()) as { readonly inference_id: string }
  await pass(1_000)

  const streams = new Map<string, { isOver: boolean }>()
  const follow = async (where: string, asked: Promise<Response>) => {
    const response = await asked
    if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true) return response.body?.cancel()
    const state = { isOver: false }
    streams.set(where, state)
    await response.text().catch(() => {}) // a stream may break off
    state.isOver = true
  }
  for (const { method, path } of attacked.server.routes) {
    if (method === 'GET' && path.includes(':')) {
      for (const one of [id, inferenceId, `resp_${inferenceId}`]) {
        void follow(`${method} ${path}`, attacked.ask(`${path.replaceAll(/:\w+/g, one)}?stream=true`, { as: 'ada' }))
      }
    }
    if (method === 'POST' && !path.includes(':')) {
      const session = `posted-to${path.replaceAll('/', '-')}`
      const message = { id: 'm1', role: 'user', content: 'Go', parts: [{ type: 'text', text: 'Go' }] }
      const named = { id: session, threadId: session, runId: 'run-1', model: 'default', stream: true }
      const rest = { tools: [], state: {}, context: [], forwardedProps: {}, trigger: 'submit-message' }
      const json = { ...named, ...rest, messages: [message], ...(path === '/v1/responses' && { input: 'Go' }) }
      void follow(`${method} ${path}`, attacked.ask(path, { as: 'ada', json }))
    }
  }
  await pass(2_000)
  const open = () => [...streams].filter(([, { isOver }]) => !isOver).map(([where]) => where)
  expect(open().toSorted()).toEqual([
    'GET /agui/:thread/connect',
    'GET /api/chat/:id/stream',
    'GET /api/sessions/:id/events',
    'GET /v1/responses/:id',
    'POST /agui',
    'POST /api/chat',
    'POST /v1/chat/completions',
    'POST /v1/responses',
  ])
  isLockedOut = true
  await pass(5_000)
  expect(open()).toEqual([])

  const stopped = attacked[Symbol.asyncDispose]()
  await pass(20_000)
  await stopped
})
