import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/json.ts'
import { calculator } from '../../src/inference/builtin-tools.ts'
import { scripted } from '../../src/providers/scripted/engine.ts'
import { withoutKeys, type Log } from '../../src/server/log.ts'
import { GeppettoServer } from '../../src/server/server.ts'
import { localUser } from '../../src/server/principal.ts'
import { GeppettoError } from '../../src/errors.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import type { Store } from '../../src/store/store.ts'

let store: Store
let isFailing: boolean
let server: GeppettoServer

beforeEach(async () => {
  isFailing = false
  const memory = new MemoryStore()
  store = new Proxy(memory, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      return (...given: unknown[]) => {
        if (isFailing) throw new GeppettoError('STORE_FAILED', 'The store failed.')
        return Reflect.apply(member, target, given) as unknown
      }
    },
  })
  const model = scripted({ pace: 0 })
  server = await GeppettoServer.open({ store, profiles: [{ slug: 'default', model, tools: [calculator] }] })
})
afterEach(() => server.stop())

const ask = (path: string, init?: RequestInit) => server.fetch(new Request(`http://localhost${path}`, init))

async function answered(prompt: string): Promise<void> {
  const { conversations } = server.context
  const id = await conversations.create(localUser)
  const { session } = await conversations.find(localUser, id)
  await (
    await session.submit(prompt)
  ).result
}

/** The lines of `/metrics` by name and labels. */
async function metrics(): Promise<ReadonlyMap<string, number>> {
  const text = await (await ask('/metrics')).text()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]))
}

describe('/readyz', () => {
  test('says so when the store answers', async () => {
    expect((await ask('/readyz')).status).toBe(200)
  })

  test('is 503 while the store fails, and the process is healthy all the same', async () => {
    isFailing = true
    expect([(await ask('/readyz')).status, (await ask('/healthz')).status]).toEqual([503, 200])
    isFailing = false
    expect((await ask('/readyz')).status).toBe(200)
  })

  test('is 503 when the server is being stopped', async () => {
    await server.stop()
    expect((await ask('/readyz')).status).toBe(503)
  })

  test('is asked by an address that is no name of the server, as nothing else is', async () => {
    const from = { headers: { host: '10.1.2.3:8080' } }
    const statuses = await Promise.all(
      ['/healthz', '/readyz', '/metrics', '/api/sessions'].map((path) => ask(path, from)),
    )
    expect(statuses.map(({ status }) => status)).toEqual([200, 200, 421, 421])
  })
})

describe('/metrics', () => {
  test('tells of inferences, tokens, commits and requests', async () => {
    await answered('What is 17 * 23?')
    await ask('/api/sessions')
    await ask('/api/sessions/none')
    await ask(`/nothing/${'x'.repeat(100)}`)
    const told = await metrics()
    expect(told.get('geppetto_inferences_total{outcome="inference-finished"}')).toBe(1)
    expect(told.get('geppetto_inference_duration_seconds_count{outcome="inference-finished"}')).toBe(1)
    expect(told.get('geppetto_tokens_total{kind="input"}')).toBeGreaterThan(0)
    expect(told.get('geppetto_tokens_total{kind="output"}')).toBeGreaterThan(0)
    expect(told.get('geppetto_tokens_total{kind="reasoning"}')).toBeGreaterThanOrEqual(0)
    expect(told.get('geppetto_store_commit_duration_seconds_count')).toBeGreaterThan(3)
    expect(told.get('geppetto_http_requests_total{method="GET",route="/api/sessions/:id",status="404"}')).toBe(1)
    expect([...told.keys()].filter((name) => /xxx|none/.test(name))).toEqual([])
  })

  test('tells what waits, what runs and who looks on, now', async () => {
    const model = scripted({ script: '- reply: [{text: So far}, {pause_ms: 600000}, {text: never}]\n', pace: 0 })
    const slow = await GeppettoServer.open({ store, profiles: [{ slug: 'default', model }] })
    const gauges = async () => {
      const text = await (await slow.fetch(new Request('http://localhost/metrics'))).text()
      return ['queued_prompts', 'busy_sessions', 'running_inferences', 'open_streams{transport="sse"}'].map(
        (name) =>
          text
            .split('\n')
            .find((line) => line.startsWith(`geppetto_${name} `))
            ?.split(' ')[1],
      )
    }
    const id = await slow.context.conversations.create(localUser)
    const { session } = await slow.context.conversations.find(localUser, id)
    const running = await session.submit('one')
    await session.submit('two')
    const stream = await slow.fetch(new Request(`http://localhost/api/sessions/${id}/events`))
    const reader = stream.body?.getReader()
    await reader?.read()
    for await (const event of running) if (event.type === 'text-delta') break
    expect(await gauges()).toEqual(['1', '1', '1', '1'])
    await reader?.cancel()
    await session.cancel((await session.state()).queue[0]?.inferenceId)
    await running.cancel()
    await running.result.catch(() => {})
    await session.close()
    expect(await gauges()).toEqual(['0', '0', '0', '0'])
    await slow.stop()
  })

  test('is there while the store fails', async () => {
    isFailing = true
    expect((await metrics()).has('geppetto_queued_prompts')).toBe(true)
  })
})

test('a record holds no key, in whatever field or text it came', () => {
  const records: unknown[] = []
  const keep = (fields: JsonObject, message: string) => void records.push([fields, message])
  const log: Log = withoutKeys({ debug: keep, info: keep, warn: keep, error: keep })
  log.warn(
    {
      api_key: 'short',
      headers: { authorization: 'Basic abc', 'x-api-key': 'abc', accept: '*/*' },
      error: 'the key sk-0123456789abcdefghij is no good',
      input_tokens: 3,
      idempotency_key: 'form-1',
    },
    'refused Bearer 0123456789abcdef0123',
  )
  const removed = '[secret removed]'
  expect(records).toEqual([
    [
      {
        api_key: removed,
        headers: { authorization: removed, 'x-api-key': removed, accept: '*/*' },
        error: `the key ${removed} is no good`,
        input_tokens: 3,
        idempotency_key: 'form-1',
      },
      `refused ${removed}`,
    ],
  ])
})
