import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, streamText } from 'ai'
import OpenAI from 'openai'
import OpenAI6 from 'openai-6'
import { afterEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { zodResponseFormat } from 'openai/helpers/zod'
import { calculator } from '../../../inference/builtin-tools.ts'
import { defineTool } from '../../../inference/tool.ts'
import type { Engine } from '../../../inference/engine.ts'
import { scripted } from '../../../providers/scripted/engine.ts'
import { assistantText } from '../../../turns/block.ts'
import { inferenceConfigKey, structuredOutputKey } from '../../../turns/keys.ts'
import { eventEngine, textReply } from '../../../../test/support/event-engine.ts'
import { openAiServer, type OpenAiServer } from '../../../../test/support/openai-server.ts'

let server: OpenAiServer
afterEach(() => server.close())

const weather = {
  type: 'function' as const,
  function: {
    name: 'weather',
    description: 'The weather of a city.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}
const script = `
- tool_result: weather
  reply:
    - text: 'It is {{result}}.'
- when: weather
  reply:
    - text: Let me look.
    - tool_call: {name: weather, args: {city: Bonn}}
    - tool_call: {name: weather, args: {city: Ulm}}
- when: broken
  reply:
    - text: This will be
    - fail: {code: PROVIDER_OVERLOADED, message: Too much to do.}
- when: much
  reply: [{text: It never ends}]
  stop_reason: max_tokens
- when: 'sum (?<sum>.+)'
  reply:
    - reasoning: I had better count.
    - tool_call: {name: calculator, args: {expression: '{{sum}}'}}
- tool_result: calculator
  reply: [{text: 'It is {{result}}.'}]
- when: refund
  reply: [{tool_call: {name: refund, args: {}}}]
- tool_result: refund
  failed: true
  reply: [{text: 'No: {{error}}'}]
- reply: [{text: 'You said: {{prompt}}'}]
`
const refund = defineTool({
  name: 'refund',
  description: 'Pays money back.',
  input: z.object({}),
  needsApproval: () => true,
  execute: () => 'paid',
})
const profile = { slug: 'assistant', model: scripted({ script, pace: 0 }), tools: [calculator, refund] }
const hello = [{ role: 'user' as const, content: 'Hello' }]

describe.each([
  ['7.57.0', OpenAI],
  ['6.49.0', OpenAI6 as unknown as typeof OpenAI], // the same calls in both
])('chat completions with openai %s', (_version, Client) => {
  const client = () => new Client({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 })

  test('a message is answered as a whole', async () => {
    server = await openAiServer([profile])
    const { data, response } = await client()
      .chat.completions.create({ model: 'assistant', messages: hello })
      .withResponse()
    expect(data.choices).toMatchObject([{ finish_reason: 'stop', message: { content: 'You said: Hello' } }])
    expect(data.usage?.total_tokens).toBeGreaterThan(0)
    expect(data.id).toBe(`chatcmpl-${response.headers.get('x-geppetto-inference-id')}`)
    expect(response.headers.get('x-request-id')).toBeTruthy()
  })

  test('a message is answered as a stream, with its usage at the end', async () => {
    server = await openAiServer([profile])
    const stream = await client().chat.completions.create({
      model: 'assistant',
      messages: hello,
      stream: true,
      stream_options: { include_usage: true },
    })
    const chunks = await collect(stream)
    expect(chunks[0]?.choices[0]?.delta.role).toBe('assistant')
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('You said: Hello')
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop')
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: expect.any(Number) } })
  })

  test('functions of the client are called, and their results come with the next request', async () => {
    server = await openAiServer([profile])
    const asked = {
      model: 'assistant',
      tools: [weather],
      messages: [{ role: 'user' as const, content: 'The weather?' }],
    }
    const stream = client().chat.completions.stream(asked)
    const first = await stream.finalChatCompletion()
    const whole = await client().chat.completions.create(asked)
    const calls = first.choices[0]?.message.tool_calls ?? []
    expect(first.choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: 'Let me look.' } })
    expect(whole.choices[0]?.message.tool_calls).toMatchObject([
      { function: { name: 'weather', arguments: '{"city":"Bonn"}' } },
      { function: { name: 'weather', arguments: '{"city":"Ulm"}' } },
    ])
    const second = await client().chat.completions.create({
      ...asked,
      messages: [
        ...asked.messages,
        { role: 'assistant', content: 'Let me look.', tool_calls: calls },
        ...calls.map(({ id }) => ({ role: 'tool' as const, tool_call_id: id, content: 'sunny' })),
      ],
    })
    expect(second.choices[0]?.message.content).toBe('It is sunny.')
    await server.untilNothingIsHeld()
  })

  test('tools of the server are run there; what needs approval is refused, for nobody can be asked', async () => {
    server = await openAiServer([profile])
    const ask = async (content: string) =>
      (await client().chat.completions.create({ model: 'assistant', messages: [{ role: 'user', content }] })).choices[0]
    expect(await ask('sum 17 * 23')).toMatchObject({ finish_reason: 'stop', message: { content: 'It is 391.' } })
    expect((await ask('refund'))?.message.content).toContain('nobody can be asked for approval here')
  })

  test('errors are told in the form that the library knows', async () => {
    server = await openAiServer([profile], {
      authenticate: async ({ bearer }) =>
        bearer === 'none' ? { tenant: 't', name: 'ada', permissions: new Set(['read', 'write'] as const) } : undefined,
    })
    const ask = (changes: object) =>
      client().chat.completions.create({ model: 'assistant', messages: hello, ...changes })
    await expect(ask({ model: 'nobody' })).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
      param: 'model',
    })
    await expect(ask({ messages: [] })).rejects.toMatchObject({
      status: 400,
      param: 'messages',
      type: 'invalid_request_error',
    })
    await expect(ask({ messages: [{ role: 'user', content: 'broken' }] })).rejects.toMatchObject({
      status: 503,
      type: 'server_error',
      code: 'provider_overloaded',
    })
    const stranger = new Client({ baseURL: `${server.url}/v1`, apiKey: 'wrong', maxRetries: 0 })
    await expect(stranger.models.list()).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' })
    const stream = await client().chat.completions.create({
      model: 'assistant',
      messages: [{ role: 'user', content: 'broken' }],
      stream: true,
    })
    await expect(collect(stream)).rejects.toMatchObject({ code: 'provider_overloaded' })
    await expect(
      fetch(`${server.url}/v1/nothing`, { headers: { authorization: 'Bearer none' } }).then((r) => r.json()),
    ).resolves.toMatchObject({ error: { type: 'invalid_request_error' } })
  })

  test('profiles are listed as models', async () => {
    server = await openAiServer([profile, { ...profile, slug: 'other' }])
    expect((await client().models.list()).data.map(({ id }) => id)).toEqual(['assistant', 'other'])
    expect((await client().models.retrieve('other')).object).toBe('model')
  })
})

test('the whole conversation, images and settings come into the turn; nothing of it is kept', async () => {
  const engine = eventEngine(textReply('{"city":"Bonn"}'))
  server = await openAiServer([{ slug: 'a', model: engine, systemPrompt: 'You are Ada.' }])
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none' })
  const png = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]).toString('base64')
  const parsed = await client.chat.completions.parse({
    model: 'a',
    messages: [
      { role: 'developer', content: 'Be brief.' },
      { role: 'user', content: 'Hello' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c1', type: 'function', function: { name: 'look', arguments: '{"at":1}' } }],
      },
      { role: 'tool', tool_call_id: 'c1', content: 'nothing' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is this?' },
          { type: 'image_url', image_url: { url: `data:image/png;base64,${png}`, detail: 'low' } },
          { type: 'image_url', image_url: { url: 'https://example.com/a.png' } },
        ],
      },
    ],
    temperature: 0.5,
    max_completion_tokens: 100,
    stop: 'END',
    seed: 7,
    reasoning_effort: 'low',
    response_format: zodResponseFormat(z.object({ city: z.string() }), 'place'),
  })
  expect(parsed.choices[0]?.message.parsed).toEqual({ city: 'Bonn' })
  const turn = engine.requests[0]?.turn
  expect(turn?.blocks.map(({ kind, payload }) => ({ kind, payload }))).toMatchObject([
    { kind: 'system', payload: { text: 'You are Ada.' } },
    { kind: 'system', payload: { text: 'Be brief.' } },
    { kind: 'user', payload: { text: 'Hello' } },
    { kind: 'tool_call', payload: { id: 'c1', name: 'look', args: { at: 1 } } },
    { kind: 'tool_use', payload: { id: 'c1', result: 'nothing' } },
    {
      kind: 'user',
      payload: {
        text: 'What is this?',
        images: [{ media_type: 'image/png', detail: 'low' }, { url: 'https://example.com/a.png' }],
      },
    },
  ])
  expect(turn && inferenceConfigKey.get(turn)).toEqual({
    temperature: 0.5,
    max_response_tokens: 100,
    stop: ['END'],
    seed: 7,
    reasoning_effort: 'low',
  })
  expect(turn && structuredOutputKey.get(turn)).toMatchObject({ mode: 'json_schema', name: 'place', strict: true })
  await server.untilNothingIsHeld()
  expect(await server.store.list()).toEqual([])
})

test('a client that goes away cancels nothing, and nothing is left of what it asked', async () => {
  const gate = Promise.withResolvers<void>()
  let isDone = false
  const engine: Engine = async function* () {
    yield { type: 'text-segment-started', segmentId: '0' }
    yield { type: 'text-delta', segmentId: '0', offset: 0, delta: 'Hel' }
    await gate.promise
    yield { type: 'text-segment-finished', segmentId: '0', block: assistantText('Hello') }
    isDone = true
  }
  server = await openAiServer([{ slug: 'a', model: engine }])
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none' })
  const stream = await client.chat.completions.create({ model: 'a', messages: hello, stream: true })
  for await (const { choices } of stream) if (choices[0]?.delta.content === 'Hel') break
  gate.resolve()
  await server.untilNothingIsHeld()
  expect(isDone).toBe(true)
})

test('a page of an allowed origin may send what the library sends', async () => {
  const page = 'https://app.example.com'
  server = await openAiServer([profile], { allowedOrigins: [page] })
  const sent = new Set<string>()
  const fetchAsPage: typeof fetch = async (url, init) => {
    for (const [name] of new Headers(init?.headers)) sent.add(name)
    return fetch(url, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), origin: page } })
  }
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', fetch: fetchAsPage, timeout: 9_000 })
  await client.chat.completions.create({ model: 'assistant', messages: hello })
  await client.chat.completions.stream({ model: 'assistant', messages: hello }).done()
  await client.responses.stream({ model: 'assistant', input: 'Hello' }).done()
  const preflight = await fetch(`${server.url}/v1/models`, { method: 'OPTIONS', headers: { origin: page } })
  const allowed = preflight.headers.get('access-control-allow-headers')?.split(', ') ?? []
  const simple = ['accept', 'user-agent', 'content-length']
  expect([...sent].filter((name) => !allowed.includes(name) && !simple.includes(name))).toEqual([])
  expect(preflight.headers.get('access-control-allow-origin')).toBe(page)
})

test('a token limit is told; a completion that is to be stored is a session', async () => {
  server = await openAiServer([profile])
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none' })
  const { data, response } = await client.chat.completions
    .create({ model: 'assistant', messages: [{ role: 'user', content: 'much' }], store: true })
    .withResponse()
  expect(data.choices[0]?.finish_reason).toBe('length')
  expect((await server.store.list()).map(({ sessionId }) => sessionId)).toEqual([
    response.headers.get('x-geppetto-session-id'),
  ])
})

test('the AI SDK speaks with it, and sees the reasoning where that is told', async () => {
  server = await openAiServer([profile], { tellsReasoning: true })
  const model = createOpenAICompatible({ name: 'g', baseURL: `${server.url}/v1`, includeUsage: true })('assistant')
  const { text, reasoningText, usage } = await generateText({ model, prompt: 'sum 1 + 1' })
  expect([text, reasoningText]).toEqual(['It is 2.', 'I had better count.'])
  expect(usage.totalTokens).toBeGreaterThan(0)
  const streamed = streamText({ model, prompt: 'Hello' })
  expect(await streamed.text).toBe('You said: Hello')
  expect(await streamed.finishReason).toBe('stop')
})

async function collect<T>(stream: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = []
  for await (const one of stream) all.push(one)
  return all
}
