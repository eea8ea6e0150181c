import { afterEach, describe, expect, test } from 'vitest'
import { calculator } from '../../src/inference/builtin-tools.ts'
import { defineTool, jsonSchemaInput } from '../../src/inference/tool.ts'
import type { JsonObject } from '../../src/json.ts'
import { anthropic } from '../../src/providers/anthropic/protocol.ts'
import { openai } from '../../src/providers/openai/protocol.ts'
import { scripted } from '../../src/providers/scripted/engine.ts'
import type { ServerOptions } from '../../src/server/server.ts'
import { startNativeServer, type NativeServer } from '../support/native-client.ts'
import { startProviderServer } from '../support/provider-server.ts'
import { post, streamOf, type StreamMessage } from '../support/server-process.ts'

const fast = scripted({ pace: 0 })
const slow = scripted({ pace: 2 })
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

async function started(options: Partial<ServerOptions> = {}) {
  const server = await startNativeServer({
    profiles: [{ slug: 'default', model: fast, tools: [calculator] }],
    ...options,
  })
  closing.push(() => server.close())
  const api = (path: string) => `${server.url}/api${path}`
  const get = async (path: string, headers: Readonly<Record<string, string>> = {}) => {
    const response = await fetch(api(path), { headers })
    return { status: response.status, body: (await response.json()) as JsonObject } // our own API's answers are objects
  }
  const session = async (id = 's') => (await post(api('/sessions'), { session_id: id })).body['session_id']
  const send = (id: string, prompt: string, more: object = {}, headers: Readonly<Record<string, string>> = {}) =>
    post(api(`/sessions/${id}/messages`), { prompt, ...more }, headers)
  return { server, api, get, session, send }
}

/** What a stream tells, but for the greeting that says where the log stands. */
async function* told(url: string, lastSeen = 0): AsyncGenerator<StreamMessage, void> {
  for await (const message of streamOf(url, lastSeen)) if (message.event !== 'subscribed') yield message
}

/** The messages of a stream up to the end of an inference, or of so many. */
async function upToEnd(server: NativeServer, path: string, ends = 1): Promise<readonly StreamMessage[]> {
  const messages: StreamMessage[] = []
  let left = ends
  for await (const message of told(`${server.url}/api${path}`)) {
    messages.push(message)
    const isEnd = /^inference-(?:finished|stopped|failed|interrupted)$/.test(String(message.data['type']))
    if (isEnd) left -= 1
    if (left === 0) break
  }
  return messages
}

const typesOf = (messages: readonly StreamMessage[]) => messages.map(({ data }) => data['type'])
const textOf = (messages: readonly StreamMessage[]) =>
  messages.flatMap(({ data }) => (data['type'] === 'text-delta' ? [data['delta']] : [])).join('')

describe('sessions over HTTP', () => {
  test('a prompt is accepted, streamed under its ordinals, and shown to whoever comes later', async () => {
    const { server, get, session, send } = await started()
    expect(await session()).toBe('s')
    const { status, body } = await send('s', 'What is 17 * 23?')
    expect(status).toBe(202)
    expect(body).toMatchObject({ session_id: 's', status: 'queued', ordinal: 1 })
    const messages = await upToEnd(server, '/sessions/s/events')
    expect(messages.map(({ id }) => id)).toEqual(messages.map((_message, index) => index + 1))
    expect(messages.every(({ id, data }) => data['ordinal'] === id && data['session_id'] === 's')).toBe(true)
    expect(textOf(messages)).toBe('17 * 23 = 391')
    const snapshot = await get('/sessions/s')
    expect(snapshot.body).toMatchObject({ session_id: 's', ordinal: messages.length, active_inference: null })
    const listed = await get('/sessions')
    expect(listed.body['sessions']).toMatchObject([{ session_id: 's', title: 'What is 17 * 23?', is_active: false }])
  })

  test.each([
    ['after=N', (after: number) => [`?after=${after}`, 0] as const],
    ['Last-Event-ID', (after: number) => ['', after] as const],
  ])('a stream goes on from %s', async (_what, from) => {
    const { server, session, send } = await started()
    await session()
    await send('s', 'Say one two three')
    const all = await upToEnd(server, '/sessions/s/events')
    for (const after of [1, 5, all.length - 1]) {
      const [query, lastSeen] = from(after)
      const rest: StreamMessage[] = []
      for await (const message of told(`${server.url}/api/sessions/s/events${query}`, lastSeen)) {
        rest.push(message)
        if (message.id === all.length) break
      }
      expect(rest).toEqual(all.slice(after))
    }
  })

  test('a stream can begin with a snapshot, and what follows goes on from it', async () => {
    const { server, api, session, send } = await started({ profiles: [{ slug: 'slow', model: slow }] })
    await session()
    await send('s', 'Say one two three')
    const messages: StreamMessage[] = []
    for await (const message of told(`${server.url}/api/sessions/s/events?after=snapshot`)) {
      if (message.event === 'snapshot') await post(api('/sessions/s/cancel'))
      messages.push(message)
      if (message.data['type'] === 'inference-stopped') break
    }
    const [first, ...rest] = messages
    expect(first).toMatchObject({ event: 'snapshot', data: { control: 'snapshot', session_id: 's' } })
    expect(rest.map(({ id }) => id)).toEqual(rest.map((_message, index) => (first?.id ?? 0) + index + 1))
  })

  test.each([
    ['from the future', '?after=999', 0, 409, 'CURSOR_FUTURE'],
    ['that is none', '?after=soon', 0, 400, 'CURSOR_INVALID'],
  ])('an ordinal %s is refused', async (_what, query, _lastSeen, status, code) => {
    const { get, session } = await started()
    await session()
    expect(await get(`/sessions/s/events${query}`)).toMatchObject({ status, body: { code } })
  })

  test('a browser that knows what this log never said gets a reset and a snapshot', async () => {
    const { server, session, send } = await started()
    await session()
    await send('s', 'Say one')
    await upToEnd(server, '/sessions/s/events')
    const messages: StreamMessage[] = []
    for await (const message of told(`${server.url}/api/sessions/s/events`, 999)) {
      messages.push(message)
      if (message.event === 'snapshot') break
    }
    expect(messages.map(({ event, data }) => [event, data['reason']])).toEqual([
      ['reset', 'CURSOR_FUTURE'],
      ['snapshot', undefined],
    ])
  })

  test('the same key gives the same answer, another prompt under it is refused', async () => {
    const { session, send } = await started()
    await session()
    const key = { 'idempotency-key': 'k' }
    const answers = await Promise.all(Array.from({ length: 20 }, () => send('s', 'Say one', {}, key)))
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1)
    expect(await send('s', 'Say two', {}, key)).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } })
  })

  test.each<[mode: NonNullable<ServerOptions['whileRunning']>, status: number, ends: readonly string[]]>([
    ['queue', 202, ['inference-stopped', 'inference-finished']],
    ['refuse', 409, ['inference-stopped']],
    ['replace', 202, ['inference-stopped', 'inference-finished']],
  ])('a prompt that comes while another is answered: %s', async (whileRunning, status, ends) => {
    const profiles = [
      { slug: 'slow', model: slow },
      { slug: 'fast', model: fast },
    ] as const
    const { server, api, session, send } = await started({ whileRunning, profiles })
    await session()
    const first = await send('s', 'Tell me a long story.')
    expect((await send('s', 'Say one', { profile: 'fast' })).status).toBe(status)
    if (whileRunning !== 'replace') await post(api('/sessions/s/cancel'), { inference_id: first.body['inference_id'] })
    const messages = await upToEnd(server, '/sessions/s/events', ends.length)
    expect(typesOf(messages).filter((type) => /^inference-(?:stopped|finished)$/.test(String(type)))).toEqual(ends)
  })

  test('a fork goes on by itself, a deleted session is gone and its viewers are told', async () => {
    const { server, api, get, session, send } = await started()
    await session()
    await send('s', 'Say one')
    await upToEnd(server, '/sessions/s/events')
    const fork = await post(api('/sessions/s/fork'))
    expect(fork.status).toBe(201)
    const forkId = String(fork.body['session_id'])
    await send(forkId, 'Say two')
    expect(textOf(await upToEnd(server, `/sessions/${forkId}/events`))).toBe('two')
    const viewer = told(`${server.url}/api/sessions/s/events?after=snapshot`)
    await viewer.next()
    expect((await fetch(api('/sessions/s'), { method: 'DELETE' })).status).toBe(204)
    expect((await viewer.next()).value).toMatchObject({ event: 'closed', data: { reason: 'deleted' } })
    expect(await get('/sessions/s')).toMatchObject({ status: 404, body: { code: 'SESSION_UNKNOWN' } })
  })

  test('pages of a long session come one before the other', async () => {
    const { server, get, session, send } = await started()
    await session()
    for (let index = 0; index < 5; index += 1) await send('s', `Say ${index}`)
    await upToEnd(server, '/sessions/s/events', 5)
    const texts = ({ timeline }: JsonObject) =>
      ((timeline as JsonObject)['entities'] as readonly JsonObject[]).flatMap((entity) =>
        // as timelineToJson makes it
        entity['role'] === 'user' ? [entity['text']] : [],
      )
    const whole = (await get('/sessions/s?inferences=100')).body
    expect(texts(whole)).toEqual([0, 1, 2, 3, 4].map((index) => `Say ${index}`))
    expect(whole['before']).toBeUndefined()
  })
})

describe('what a developer looks into', () => {
  test('the snapshots of a turn, at each of its phases, as JSON and as YAML', async () => {
    const { server, api, get, session, send } = await started()
    await session()
    const { turn_id: turnId } = (await send('s', 'What is 17 * 23?')).body
    await upToEnd(server, '/sessions/s/events')
    const { items } = (await get(`/sessions/s/turns/${String(turnId)}`)).body
    expect((items as readonly JsonObject[]).map(({ phase, turn }) => [phase, (turn as JsonObject)['id']])).toEqual(
      ['pre_inference', 'post_inference', 'post_tools', 'pre_inference', 'post_inference', 'final'].map((phase) => [
        phase,
        turnId,
      ]),
    )
    const yaml = await (
      await fetch(api('/sessions/s/turns?phase=final'), { headers: { accept: 'application/yaml' } })
    ).text()
    expect(yaml).toMatch(/^items:\n {2}- phase: final\n/)
    expect(await get('/sessions/s/turns/nobody')).toMatchObject({ status: 404, body: { code: 'TURN_UNKNOWN' } })
  })

  test.each([
    ['OpenAI', openai],
    ['Anthropic', anthropic],
  ])('the exact request that %s got, known by the hash of what was sent', async (_name, engine) => {
    await using provider = await startProviderServer()
    const network = { allowHttp: true, allowPrivate: true }
    const model = engine({ model: 'm', apiKey: 'secret-key', baseUrl: provider.url('ok'), network })
    const profiles = [{ slug: 'default', model, systemPrompt: 'Be brief.', tools: [calculator] }] as const
    const { server, get, session, send } = await started({ profiles })
    await session()
    const { turn_id: turnId } = (await send('s', 'Hello?')).body
    await upToEnd(server, '/sessions/s/events')
    await send('s', 'And now?')
    await upToEnd(server, '/sessions/s/events', 2)
    const { items } = (await get(`/sessions/s/turns/${String(turnId)}/request`)).body
    expect(items).toMatchObject([{ is_exact: true, attempt: 1, model: 'm', body: { model: 'm' } }])
    expect(JSON.stringify(items)).toContain('Be brief.')
    expect(JSON.stringify(items)).not.toContain('And now?')
    expect(JSON.stringify(items)).not.toContain('secret-key')
  })

  test('a prompt may come with another system prompt and fewer tools, where the profile allows it', async () => {
    const open = { slug: 'open', model: fast, tools: [calculator], systemPrompt: 'Be brief.', allowsOverrides: true }
    const { server, get, session, send } = await started({
      profiles: [{ slug: 'closed', model: fast, tools: [calculator] }, open],
    })
    await session()
    const overrides = { system_prompt: 'Be verbose.', tools: [] }
    expect(await send('s', 'Hello?', overrides)).toMatchObject({ status: 400, body: { code: 'REQUEST_INVALID' } })
    const { turn_id: turnId } = (await send('s', 'What is 17 * 23?', { profile: 'open', ...overrides })).body
    const told = await upToEnd(server, '/sessions/s/events')
    expect(typesOf(told)).not.toContain('tool-call-requested')
    const { items } = (await get(`/sessions/s/turns/${String(turnId)}/request`)).body
    expect(items).toMatchObject([{ is_exact: true, body: { tools: [] } }])
    expect(JSON.stringify(items)).toContain('Be verbose.')
  })

  test('who was asked before goes on answering when a prompt brings tools of the client, or other words', async () => {
    const open = { slug: 'open', model: fast, tools: [calculator], allowsOverrides: true }
    const { server, get, session, send } = await started({ profiles: [{ slug: 'closed', model: fast }, open] })
    await session()
    const tool = { name: 'show_map', description: 'Shows a map.', parameters: { type: 'object' } }
    const key = { 'idempotency-key': 'with-tool' }
    await send('s', 'Say one', { profile: 'open' })
    const first = await send('s', 'Say two', { client_tools: [tool] }, key) // while the one before it waits
    await upToEnd(server, '/sessions/s/events', 2)
    await send('s', 'Say three', { system_prompt: 'Be verbose.' })
    await send('s', 'Say four', { profile: 'closed' })
    await upToEnd(server, '/sessions/s/events', 4)
    expect(await send('s', 'Say two', { client_tools: [tool] }, key)).toEqual(first)
    const { items } = (await get('/sessions/s/turns?phase=final')).body as {
      items: readonly { turn: { metadata: JsonObject } }[]
    }
    expect(items.map(({ turn }) => turn.metadata['geppetto.runtime@v1'])).toEqual([
      { profile: 'open' },
      { profile: 'open', client_tools: [tool] },
      { profile: 'open', system_prompt: 'Be verbose.' },
      { profile: 'closed' },
    ])
  })

  test.each([
    ['a tool that the profile has not', { profile: 'open', tools: ['rm'] }, 'tools: profile open has no tool "rm"'],
    ['a tool of the client with no name', { client_tools: [{ name: 'show map' }] }, 'client_tools.0.name'],
    ['a tool of the client without a schema', { client_tools: [{ name: 'a', parameters: 'x' }] }, 'parameters'],
  ])('a prompt with %s is refused', async (_what, more, detail) => {
    const { session, send } = await started({ profiles: [{ slug: 'open', model: fast, allowsOverrides: true }] })
    await session()
    const { status, body } = await send('s', 'Hello', more)
    expect(status).toBe(400)
    expect(body['detail']).toContain(detail)
  })

  test('a run waits where somebody wants to look, and goes on with what they leave', async () => {
    const { server, api, get, session, send } = await started()
    await session()
    const enabled = await post(api('/sessions/s/steps'), { enabled: true, phases: ['after_inference'] })
    expect(enabled.body).toMatchObject({ enabled: true, phases: ['after_inference'], pauses: [] })
    await send('s', 'What is 17 * 23?')
    for await (const { data } of streamOf(`${server.url}/api/sessions/s/events`)) {
      if (data['type'] !== 'debugger.pause') continue
      const { pauses } = (await get('/sessions/s/steps')).body
      expect(pauses).toMatchObject([{ pause_id: data['pause_id'], phase: 'after_inference' }])
      const call = ((await get('/sessions/s')).body['timeline'] as JsonObject)['entities'] as readonly JsonObject[]
      const toolCallId = String(call.find(({ kind }) => kind === 'tool-call')?.['tool_call_id'])
      const { items } = (await get('/sessions/s/turns?phase=post_inference')).body as {
        items: readonly { turn: { blocks: readonly JsonObject[] } }[]
      }
      const [first, ...rest] = items[0]?.turn.blocks ?? []
      const blocks = [{ ...first, payload: { text: 'What is one and one?' } }, ...rest]
      const edit = { blocks, arguments: { [toolCallId]: { expression: '1 + 1' } } }
      await post(api(`/sessions/s/steps/${String(data['pause_id'])}`), { edit })
      break
    }
    const messages = await upToEnd(server, '/sessions/s/events')
    expect(messages.find(({ data }) => data['type'] === 'tool-result-ready')?.data).toMatchObject({
      status: 'success',
      block: { payload: { result: 2 } },
    })
    // What was given back as it was is not marked as changed.
    const { items } = (await get('/sessions/s/turns?phase=final')).body as {
      items: readonly { turn: { blocks: readonly JsonObject[] } }[]
    }
    const editors = items[0]?.turn.blocks.map(({ metadata = {} }) => (metadata as JsonObject)['geppetto.middleware@v1'])
    expect(editors?.slice(0, 3)).toEqual(['debugger', undefined, 'debugger'])
    expect(await post(api('/sessions/s/steps/gone'))).toMatchObject({ status: 404, body: { code: 'PAUSE_UNKNOWN' } })
  })
})

describe('approvals over HTTP', () => {
  const refund = defineTool({
    name: 'refund',
    description: 'Pays back.',
    input: jsonSchemaInput({ type: 'object' }),
    needsApproval: () => true,
    execute: (input) => ({ paid: input['cents'] ?? null }),
  })

  test('are answered once, with other arguments, and bound to what was looked at', async () => {
    const { server, api, session, send } = await started({
      profiles: [{ slug: 'default', model: fast, tools: [refund] }],
    })
    await session()
    await send('s', 'call refund {"cents": 9900}')
    for await (const { data } of streamOf(`${server.url}/api/sessions/s/events`)) {
      if (data['type'] !== 'approval-requested') continue
      const url = api(`/sessions/s/approvals/${String(data['approval_id'])}`)
      const answer = { decision: 'approved', input: { cents: 5 }, hash: data['hash'] }
      expect(await post(url, { ...answer, hash: 'other' })).toMatchObject({
        status: 409,
        body: { code: 'APPROVAL_MISMATCH' },
      })
      expect(await post(url, answer)).toMatchObject({ status: 202 })
      expect(await post(url, answer)).toMatchObject({ status: 202 })
      expect(await post(url, { decision: 'denied' })).toMatchObject({ status: 404, body: { code: 'APPROVAL_UNKNOWN' } })
      break
    }
    const messages = await upToEnd(server, '/sessions/s/events')
    const results = messages.flatMap(({ data }) => (data['type'] === 'tool-result-ready' ? [data['block']] : []))
    expect(results).toMatchObject([{ payload: { result: { paid: 5 } } }])
  })
})

describe('attachments', () => {
  const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

  test.each<[what: string, attachment: object, status: number, code?: string]>([
    ['an image', { type: 'image', media_type: 'image/png', data: pixel }, 202],
    ['an image in its address', { type: 'image_url', url: `data:image/png;base64,${pixel}` }, 202],
    [
      'bytes of another type in an address',
      { type: 'image_url', url: `data:image/jpeg;base64,${pixel}` },
      400,
      'ATTACHMENT_INVALID',
    ],
    ['an address for the provider', { type: 'image_url', url: 'https://example.com/cat.png' }, 202],
    [
      'bytes that are another type',
      { type: 'image', media_type: 'image/jpeg', data: pixel },
      400,
      'ATTACHMENT_INVALID',
    ],
    [
      'a drawing that can run scripts',
      { type: 'image', media_type: 'image/svg+xml', data: pixel },
      400,
      'ATTACHMENT_INVALID',
    ],
    ['what is no base64', { type: 'image', media_type: 'image/png', data: '%%%' }, 400, 'ATTACHMENT_INVALID'],
    ['an address of this machine', { type: 'image_url', url: 'http://127.0.0.1/x.png' }, 400, 'ATTACHMENT_INVALID'],
    ['a file', { type: 'image_url', url: 'file:///etc/passwd' }, 400, 'ATTACHMENT_INVALID'],
    ['something else', { type: 'video' }, 400, 'REQUEST_INVALID'],
  ])('%s', async (_what, attachment, status, code) => {
    const { session, send } = await started()
    await session()
    const answer = await send('s', 'What is this?', { attachments: [attachment] })
    expect(answer).toMatchObject({ status, body: code === undefined ? { session_id: 's' } : { code } })
  })
})
