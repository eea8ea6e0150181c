import { afterEach, describe, expect, test } from 'vitest'
import { WebchatClient, type Snapshot } from '../../../../test/support/webchat-client.ts'
import {
  heldModel,
  scriptedProfile,
  startWebchat,
  type WebchatServer,
} from '../../../../test/support/webchat-server.ts'
import type { Engine } from '../../../inference/engine.ts'
import { calculator, currentTime } from '../../../inference/builtin-tools.ts'
import { readEvents } from '../../../session/past.ts'
import { runtimeKey, toolDefinitionsKey } from '../../../turns/keys.ts'
import { scripted } from '../../../providers/scripted/engine.ts'
import { GeppettoError } from '../../../errors.ts'
import { MemoryStore } from '../../../store/memory-store.ts'
import type { Commit, Committed } from '../../../store/store.ts'
import type { Principal } from '../../principal.ts'
import type { Profile } from '../../profile.ts'

const open: WebchatServer[] = []
async function started(options: Parameters<typeof startWebchat>[0] = {}): Promise<WebchatServer> {
  const server = await startWebchat(options)
  open.push(server)
  return server
}
afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
})

/** Waits until so many inferences of the conversation have ended. */
async function ended(server: WebchatServer, convId: string, count = 1): Promise<void> {
  const client = await WebchatClient.attach(server.url, `conv_id=${convId}&since=0`)
  await client.untilEnded(count)
  await client.close()
}

async function textOf(response: Response): Promise<readonly [number, string]> {
  return [response.status, await response.text()]
}

const broken: Engine = async function* () {
  yield { type: 'provider-call-started', provider: 'test', model: 'test-1' }
  throw new Error('the line is cut')
}

describe('POST /chat', () => {
  test('answers at once with every id of what it has begun, as JSON', async () => {
    const server = await started()
    const response = await server.post('/chat', { prompt: 'Say hello', conv_id: 'c' }, { 'idempotency-key': 'k' })
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json'])
    expect(await response.json()).toEqual({
      ...{ status: 'started', idempotency_key: 'k', conv_id: 'c', session_id: 'c', run_id: 'c' },
      turn_id: expect.any(String),
      inference_id: expect.any(String),
    })
  })

  test('makes a conversation and a key when none is named, and takes text for prompt', async () => {
    const server = await started()
    const answer = await server.chat({ prompt: '', text: 'Say hello' })
    expect([answer.conv_id.length, answer.idempotency_key.length]).toEqual([36, 36])
    await ended(server, answer.conv_id)
    const { entities } = (await (await server.get(`/api/timeline?conv_id=${answer.conv_id}`)).json()) as Snapshot
    expect(entities?.map(({ props }) => props['content'])).toEqual(['Say hello', 'hello'])
  })

  test('takes the key of the body before those of the headers', async () => {
    const server = await started()
    const key = async (body: object, headers: Record<string, string>) => {
      const response = await server.post('/chat', { prompt: 'Say hello', ...body }, headers)
      return ((await response.json()) as { idempotency_key: string }).idempotency_key
    }
    const both = { 'idempotency-key': 'header', 'x-idempotency-key': 'old header' }
    expect(await key({ idempotency_key: 'body' }, both)).toBe('body')
    expect(await key({ idempotency_key: '' }, both)).toBe('header')
    expect(await key({}, { 'x-idempotency-key': 'old header' })).toBe('old header')
  })

  test.each<[body: string, status: number, sentence: string]>([
    ['{', 400, 'bad request'],
    ['[]', 400, 'bad request'],
    ['{"prompt": 1}', 400, 'bad request'],
    ['{"prompt": "x", "overrides": []}', 400, 'bad request'],
    ['{}', 400, 'missing prompt'],
    ['{"prompt": null, "text": "  "}', 400, 'missing prompt'],
    ['{"prompt": "x", "conv_id": "../x"}', 400, 'invalid conv_id'],
    ['{"prompt": "x", "overrides": {"tools": ["a"]}}', 400, 'profile does not allow engine overrides'],
  ])('refuses %s', async (body, status, sentence) => {
    const server = await started()
    const response = await server.post('/chat', body)
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(await textOf(response)).toEqual([status, sentence])
  })

  test('refuses other methods, profiles and types', async () => {
    const server = await started()
    const get = await server.get('/chat')
    expect([...(await textOf(get)), get.headers.get('allow')]).toEqual([405, 'method not allowed', 'POST'])
    expect(await textOf(await server.get('/chat/x'))).toEqual([405, 'method not allowed'])
    expect(await textOf(await server.post('/chat/x', { prompt: 'x' }))).toEqual([404, 'profile not found: x'])
    const form = await server.post('/chat', 'prompt=x', { 'content-type': 'application/x-www-form-urlencoded' })
    expect(form.status).toBe(415)
  })

  test('does not let in who may only read, and knows no conversation of others', async () => {
    const principal = (tenant: string, permissions: readonly ('read' | 'write')[]): Principal => {
      return { tenant, name: tenant, permissions: new Set(permissions) }
    }
    const people: Record<string, Principal> = {
      anna: principal('anna', ['read', 'write']),
      bert: principal('bert', ['read', 'write']),
      eve: principal('anna', ['read']),
    }
    const server = await started({ authenticate: async ({ bearer = '' }) => people[bearer] })
    const as = (name: string, convId: string) =>
      server.post('/chat', { prompt: 'Say hello', conv_id: convId }, { authorization: `Bearer ${name}` })
    expect((await as('anna', 'c')).status).toBe(200)
    expect(await textOf(await as('bert', 'c'))).toEqual([404, 'conversation not found'])
    expect((await as('eve', 'c')).status).toBe(403)
    const timeline = async (name: string) => {
      const response = await server.get('/api/timeline?conv_id=c', { authorization: `Bearer ${name}` })
      return (await response.json()) as Snapshot
    }
    expect((await timeline('eve')).entities?.length).toBeGreaterThan(0)
    expect(await timeline('bert')).toEqual({ convId: 'c', serverTimeMs: expect.any(String) })
  })
})

describe('prompts that come while another is answered', () => {
  test('wait in their order, and say where', async () => {
    const { engine, called } = heldModel()
    const server = await started({ profiles: [{ slug: 'default', model: engine }] })
    expect((await server.chat({ prompt: 'Say one', conv_id: 'c' })).status).toBe('started')
    const second = await server.post('/chat', { prompt: 'Say two', conv_id: 'c' })
    expect(second.status).toBe(202)
    expect(await second.json()).toMatchObject({ status: 'queued', queue_position: 1, queue_depth: 1, conv_id: 'c' })
    expect(await server.chat({ prompt: 'Say three', conv_id: 'c' })).toMatchObject({
      queue_position: 2,
      queue_depth: 2,
    })
    for (let count = 1; count <= 3; count += 1) {
      ;(await called(count)).release()
      await ended(server, 'c', count)
    }
    const { entities = [] } = (await (await server.get('/api/timeline?conv_id=c')).json()) as Snapshot
    expect(entities.filter(({ props }) => props['role'] === 'assistant').map(({ props }) => props['content'])).toEqual([
      ...['one', 'two', 'three'],
    ])
  })

  test('are refused where the server is told so', async () => {
    const { engine, called } = heldModel()
    const server = await started({ profiles: [{ slug: 'default', model: engine }], whileRunning: 'refuse' })
    await server.chat({ prompt: 'Say one', conv_id: 'c' })
    expect((await server.post('/chat', { prompt: 'Say two', conv_id: 'c' })).status).toBe(409)
    ;(await called(1)).release()
  })

  test('are answered although the one before them failed', async () => {
    let calls = 0
    const answering = scripted({ pace: 0 })
    const { engine, called } = heldModel((turn, context) => ((calls += 1) === 1 ? broken : answering)(turn, context))
    const server = await started({ profiles: [{ slug: 'default', model: engine }] })
    const first = await server.chat({ prompt: 'Say one', conv_id: 'c', idempotency_key: 'first' })
    await server.chat({ prompt: 'Say two', conv_id: 'c' })
    for (const time of [1, 2]) (await called(time)).release()
    await ended(server, 'c', 2)
    const replayed = await server.chat({ prompt: 'Say one', conv_id: 'c', idempotency_key: 'first' })
    expect(replayed).toMatchObject({ status: 'error', error: 'the line is cut', inference_id: first.inference_id })
    const { entities = [] } = (await (await server.get('/api/timeline?conv_id=c')).json()) as Snapshot
    expect(entities.map(({ kind, props }) => [kind, props['content'] ?? props['message']])).toEqual([
      ['message', 'Say one'],
      ['message', 'Say two'],
      ['error', 'the line is cut'],
      ['message', 'two'],
    ])
  })
})

describe('a prompt that the store does not take', () => {
  test('is refused, and holds nothing up', async () => {
    class FullOnce extends MemoryStore {
      isFull = true
      override commit(commit: Commit): Promise<Committed> {
        if (!this.isFull || commit.entries.length === 0) return super.commit(commit)
        this.isFull = false
        return Promise.reject(new GeppettoError('STORE_FULL', 'The disk is full.'))
      }
    }
    const server = await started({ store: new FullOnce() })
    const response = await server.post('/chat', { prompt: 'Say one', conv_id: 'c', idempotency_key: 'k' })
    expect([...(await textOf(response)), response.headers.get('retry-after')]).toEqual([507, 'The disk is full.', '30'])
    expect(await server.chat({ prompt: 'Say one', conv_id: 'c', idempotency_key: 'k' })).toMatchObject({
      status: 'started',
    })
    await ended(server, 'c')
  })
})

describe('a key that comes again', () => {
  test('gives what was answered then, and how it stands now', async () => {
    const { engine, called } = heldModel()
    const server = await started({ profiles: [{ slug: 'default', model: engine }] })
    const [one, two] = ['one', 'two'].map((key) => ({ prompt: `Say ${key}`, conv_id: 'c', idempotency_key: key }))
    if (one === undefined || two === undefined) throw new Error('there are two')
    const first = await server.chat(one)
    const client = await WebchatClient.attach(server.url, 'conv_id=c&since=0')
    const second = await server.chat(two)
    expect(second.status).toBe('queued')
    const again = await server.post('/chat', two)
    expect([again.status, await again.json()]).toEqual([202, second])
    const { release } = await called(1)
    expect(await server.chat(one)).toEqual({ ...first, status: 'running' })
    release()
    await client.untilEnded(1)
    expect(await server.chat(one)).toEqual({ ...first, status: 'completed' })
    await server.post(`/api/sessions/c/cancel`, { inference_id: second.inference_id, reason: 'enough' })
    await client.untilEnded(2)
    expect(await server.chat(two)).toMatchObject({ status: 'error', error: 'enough', turn_id: second.turn_id })
    await client.close()
  })

  test('with another prompt is a conflict, and changes nothing', async () => {
    const server = await started()
    await server.chat({ prompt: 'Say one', conv_id: 'c', idempotency_key: 'k' })
    const [status, sentence] = await textOf(
      await server.post('/chat', { prompt: 'Say two', conv_id: 'c', idempotency_key: 'k' }),
    )
    expect([status, sentence]).toEqual([409, expect.stringContaining('came with another prompt')])
    // Keys belong to their conversation, and go with it.
    const other = await server.chat({ prompt: 'Say two', conv_id: 'd', idempotency_key: 'k' })
    expect(other.status).toBe('started')
  })
})

describe('who answers', () => {
  const model = scripted({ pace: 0 })
  const profiles: readonly [Profile, Profile, Profile] = [
    { ...scriptedProfile, systemPrompt: 'Be brief.' },
    { slug: 'poet', model },
    {
      slug: 'free',
      model,
      allowsOverrides: true,
      tools: [calculator, currentTime()],
      middleware: { loud: () => (next) => next },
    },
  ]

  test('is said by the address, else the query, else the cookie, else nobody', async () => {
    const server = await started({ profiles })
    const runtime = async (path: string, cookie: string) => {
      const { conv_id: convId } = (await (await server.post(path, { prompt: 'Say hello' }, { cookie })).json()) as {
        conv_id: string
      }
      const { store } = server.geppetto.context.conversations
      for await (const event of readEvents(store, convId, 0, 1))
        if (event.type === 'prompt-accepted') return event.runtime
      return undefined
    }
    expect(await runtime('/chat/free?profile=poet', 'chat_profile=poet')).toEqual({ profile: 'free' })
    expect(await runtime('/chat?profile=poet&runtime=free', 'chat_profile=free')).toEqual({ profile: 'poet' })
    expect(await runtime('/chat?runtime=free', 'chat_profile=poet')).toEqual({ profile: 'free' })
    expect(await runtime('/chat', 'chat_profile=poet')).toEqual({ profile: 'poet' })
    expect(await runtime('/chat', 'chat_profile=gone')).toEqual({ profile: 'default' })
    expect(await runtime('/chat', '')).toEqual({ profile: 'default' })
  })

  test('is changed where the profile allows it, for this prompt', async () => {
    const { engine, called } = heldModel()
    const server = await started({ profiles: [{ ...profiles[2], model: engine }] })
    const overrides = {
      system_prompt: 'Shout.',
      tools: ['calculator'],
      middlewares: [{ name: 'loud', config: { by: 2 } }],
    }
    await server.chat({ prompt: 'Say hello', conv_id: 'c', overrides })
    const first = await called(1)
    expect(runtimeKey.get(first.turn)).toEqual({ profile: 'free', ...overrides })
    expect(first.turn.blocks.map(({ kind, payload }) => [kind, 'text' in payload && payload.text])).toEqual([
      ['system', 'Shout.'],
      ['user', 'Say hello'],
    ])
    expect(toolDefinitionsKey.get(first.turn)?.map(({ name }) => name)).toEqual(['calculator'])
    first.release()
    await ended(server, 'c')
    // No name is every tool.
    await server.chat({ prompt: 'Say hello', conv_id: 'c', overrides: { tools: [] } })
    const second = await called(2)
    expect(runtimeKey.get(second.turn)).toEqual({ profile: 'free' })
    expect(toolDefinitionsKey.get(second.turn)?.map(({ name }) => name)).toEqual(['calculator', 'current_time'])
    second.release()
  })

  test.each<[overrides: object, status: number, sentence: string]>([
    [{ system_prompt: 1 }, 400, 'system_prompt override must be a string'],
    [{ middlewares: {} }, 400, 'middlewares override must be an array'],
    [{ middlewares: [1] }, 400, 'middleware override entries must be objects'],
    [{ middlewares: [{ config: 1 }] }, 400, 'middleware override missing name'],
    [{ tools: 'x' }, 400, 'tools override must be an array'],
    [{ tools: [1] }, 400, 'tool override entries must be strings'],
    [{ middlewares: [{ name: 'constructor' }] }, 500, 'start session inference failed'],
  ])('is not changed by %j', async (overrides, status, sentence) => {
    const server = await started({ profiles })
    const response = await server.post('/chat/free', JSON.stringify({ prompt: 'x', overrides }))
    expect(await textOf(response)).toEqual([status, sentence])
  })

  test('can be looked up and remembered', async () => {
    const server = await started({ profiles })
    expect(await (await server.get('/api/chat/profiles')).json()).toEqual([
      { slug: 'default', default_prompt: 'Be brief.' },
      { slug: 'poet', default_prompt: '' },
      { slug: 'free', default_prompt: '' },
    ])
    const chosen = await server.post('/api/chat/profile', { profile: 'poet' })
    expect([await chosen.json(), chosen.headers.get('set-cookie')]).toEqual([
      { slug: 'poet' },
      'chat_profile=poet; Path=/; HttpOnly; Secure; SameSite=Lax',
    ])
    expect(await (await server.get('/api/chat/profile', { cookie: 'chat_profile=poet' })).json()).toEqual({
      slug: 'poet',
    })
    expect(await (await server.get('/api/chat/profile')).json()).toEqual({ slug: 'default' })
    expect(await textOf(await server.post('/api/chat/profile', { slug: 'x' }))).toEqual([404, 'profile not found'])
  })

  test('and where the page is, is in its configuration', async () => {
    const server = await started({ basePrefix: '/a</script>', debugApi: true })
    const response = await server.get('/app-config.js')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.text()).toBe(
      'window.__PINOCCHIO_WEBCHAT_CONFIG__ = {"basePrefix":"/a\\u003c/script>","debugApiEnabled":true};\n',
    )
  })
})

describe('GET /api/timeline', () => {
  test('gives what changed since a version, in the order of creation, and not more than asked for', async () => {
    const server = await started()
    for (const [index, word] of ['one', 'two'].entries()) {
      await server.chat({ prompt: `Say ${word}`, conv_id: 'c' })
      await ended(server, 'c', index + 1)
    }
    const timeline = async (query: string) => {
      const { version, entities = [] } = (await (
        await server.get(`/api/timeline?conv_id=c${query}`)
      ).json()) as Snapshot
      return { version: Number(version), contents: entities.map(({ props }) => props['content']) }
    }
    const whole = await timeline('')
    expect(whole.contents).toEqual(['Say one', 'one', 'Say two', 'two'])
    expect(Number.isSafeInteger(whole.version)).toBe(true)
    expect((await timeline('&limit=2')).contents).toEqual(['Say one', 'one'])
    expect((await timeline('&limit=2')).version).toBe(whole.version)
    expect((await timeline(`&since_version=${whole.version - 1}`)).contents).toEqual(['two'])
    expect((await timeline(`&since_version=${whole.version}`)).contents).toEqual([])
    expect((await timeline('&since_version=x&limit=x')).contents).toEqual(whole.contents)
  })

  test('says what it is asked for, and with which method', async () => {
    const server = await started()
    expect(await textOf(await server.get('/api/timeline'))).toEqual([400, 'missing conv_id'])
    expect(await textOf(await server.post('/api/timeline', {}))).toEqual([405, 'method not allowed'])
  })
})
