import { Agent, OpenAIProvider, Runner, setTracingDisabled, tool } from '@openai/agents'
import OpenAI from 'openai'
import { zodTextFormat } from 'openai/helpers/zod'
import OpenAI6 from 'openai-6'
import { afterEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { calculator } from '../../../inference/builtin-tools.ts'
import type { Engine } from '../../../inference/engine.ts'
import { defineTool } from '../../../inference/tool.ts'
import { scripted } from '../../../providers/scripted/engine.ts'
import { assistantText } from '../../../turns/block.ts'
import { MemoryStore } from '../../../store/memory-store.ts'
import { SqliteStore } from '../../../store/sqlite-store.ts'
import { eventEngine, providerCallFinished, textReply, untilAborted } from '../../../../test/support/event-engine.ts'
import { settle } from '../../../../test/support/fake-clock.ts'
import { openAiServer, type OpenAiServer } from '../../../../test/support/openai-server.ts'

let server: OpenAiServer
afterEach(() => server.close())

const weather = {
  type: 'function' as const,
  name: 'weather',
  description: 'The weather of a city.',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  strict: false,
}
const refund = defineTool({
  name: 'refund',
  description: 'Pays money back.',
  input: z.object({}),
  needsApproval: () => true,
  execute: () => 'paid',
})
const script = `
- tool_result: weather
  reply: [{text: 'It is {{result}}.'}]
- tool_result: calculator
  reply: [{text: 'It is {{result}}.'}]
- tool_result: refund
  failed: false
  reply: [{text: 'It is {{result}}.'}]
- tool_result: refund
  failed: true
  reply: [{text: 'No: {{error}}'}]
- tool_result: true
  reply: [{text: It is done.}]
- when: weather and refund
  reply:
    - tool_call: {name: weather, args: {city: Bonn}}
    - tool_call: {name: refund, args: {}}
- when: weather
  reply:
    - text: Let me look.
    - tool_call: {name: weather, args: {city: Bonn}}
    - tool_call: {name: weather, args: {city: Ulm}}
- when: 'sum (?<sum>.+)'
  reply:
    - reasoning: I had better count.
    - text: One moment.
    - tool_call: {name: calculator, args: {expression: '{{sum}}'}}
- when: refund
  reply: [{tool_call: {name: refund, args: {}}}]
- when: broken
  reply:
    - text: This will be
    - fail: {code: PROVIDER_RATE_LIMITED, message: Too much to do.}
- when: much
  reply: [{text: It never ends}]
  stop_reason: max_tokens
- when: my name is (\\w+)
  reply: [{text: 'Hello, {{1}}.'}]
- reply: [{text: 'You said: {{prompt}}'}]
`
const profile = { slug: 'assistant', model: scripted({ script, pace: 0 }), tools: [calculator, refund] }
const model = 'assistant'
const clientOf = (Client: typeof OpenAI) => new Client({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 })
const client = () => clientOf(OpenAI)

describe.each([
  ['7.57.0', OpenAI],
  ['6.49.0', OpenAI6 as unknown as typeof OpenAI], // the same calls in both
])('responses with openai %s', (_version, Client) => {
  test('a response comes whole, as a stream, and through the helper that checks each event', async () => {
    server = await openAiServer([profile])
    const openai = clientOf(Client)
    const { data, response } = await openai.responses
      .create({ model, input: 'Hello', metadata: { topic: 'x' } })
      .withResponse()
    expect(data).toMatchObject({ status: 'completed', output_text: 'You said: Hello', model, metadata: { topic: 'x' } })
    expect(data.id).toBe(`resp_${response.headers.get('x-geppetto-inference-id')}`)
    expect(data.metadata?.['geppetto_session_id']).toBe(response.headers.get('x-geppetto-session-id'))
    const events = await collect(await openai.responses.create({ model, input: 'sum 17 * 23', stream: true }))
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_event, index) => index))
    expect(withoutRepeats(events.map(({ type }) => type))).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.reasoning_text.delta',
      'response.reasoning_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.output_item.added',
      'response.mcp_call.in_progress',
      'response.mcp_call_arguments.delta',
      'response.mcp_call_arguments.done',
      'response.mcp_call.completed',
      'response.output_item.done',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ])
    const final = await openai.responses.stream({ model, input: 'sum 17 * 23' }).finalResponse()
    expect(final.output.map(({ type }) => type)).toEqual(['reasoning', 'message', 'mcp_call', 'message'])
    expect(final.output_text).toBe('One moment.It is 391.')
    expect(final.usage?.total_tokens).toBeGreaterThan(0)
    expect(await openai.responses.retrieve(final.id)).toMatchObject({
      output: JSON.parse(JSON.stringify(final.output, withoutParsed)),
    })
  })

  test('a stream that was cut at any event goes on with the next one, from the log', async () => {
    server = await openAiServer([profile], { store: await SqliteStore.open(':memory:') })
    const openai = clientOf(Client)
    const whole = await collect(await openai.responses.create({ model, input: 'sum 17 * 23', stream: true }))
    const id = `resp_${idIn(whole)}`
    for (const cut of whole) {
      const { sequence_number: known } = cut
      const rest = await collect(await openai.responses.retrieve(id, { stream: true, starting_after: known }))
      expect(rest).toEqual(whole.slice(known + 1))
    }
    const replayed = await openai.responses.stream({ response_id: id, starting_after: 3 }).finalResponse()
    expect(replayed.output_text).toBe('One moment.It is 391.')
  })

  test('functions of the client end a response; their outputs begin the next, of the same inference', async () => {
    server = await openAiServer([profile])
    const openai = clientOf(Client)
    const first = await openai.responses.stream({ model, input: 'The weather?', tools: [weather] }).finalResponse()
    expect(first.output).toMatchObject([
      { type: 'message', status: 'completed' },
      { type: 'function_call', name: 'weather', arguments: '{"city":"Bonn"}', status: 'completed' },
      { type: 'function_call', name: 'weather', arguments: '{"city":"Ulm"}', status: 'completed' },
    ])
    const outputs = first.output.flatMap((item) =>
      item.type === 'function_call'
        ? [{ type: 'function_call_output' as const, call_id: item.call_id, output: 'sunny' }]
        : [],
    )
    const rest = { model, tools: [weather], previous_response_id: first.id }
    await expect(openai.responses.create({ ...rest, input: outputs.slice(1) })).rejects.toMatchObject({
      status: 400,
      param: 'input',
    })
    await expect(openai.responses.create({ ...rest, input: 'Never mind' })).rejects.toMatchObject({ status: 400 })
    const second = await openai.responses.create({ ...rest, input: outputs })
    expect(second).toMatchObject({ output_text: 'It is sunny.', previous_response_id: first.id, status: 'completed' })
    expect(second.id).toBe(`${first.id}_1`)
    // The same outputs again, as after a lost answer: the same response.
    expect((await openai.responses.create({ ...rest, input: outputs })).output).toEqual(second.output)
    const events = await collect(await openai.responses.retrieve(second.id, { stream: true }))
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_event, index) => index))
    expect((await openai.responses.inputItems.list(second.id)).data).toMatchObject([
      { type: 'function_call_output', output: 'sunny' },
      { type: 'function_call_output', output: 'sunny' },
    ])
  })

  test('a call that needs approval asks for it, and is run or not', async () => {
    server = await openAiServer([profile])
    const openai = clientOf(Client)
    for (const [approve, text] of [
      [true, 'It is paid.'],
      [false, 'No: the tool was not run: too much'],
    ] as const) {
      const first = await openai.responses.create({ model, input: 'refund' })
      const [asked] = first.output
      expect(asked).toMatchObject({ type: 'mcp_approval_request', name: 'refund' })
      const second = await openai.responses
        .stream({
          model,
          previous_response_id: first.id,
          input: [{ type: 'mcp_approval_response', approval_request_id: asked?.id ?? '', approve, reason: 'too much' }],
        })
        .finalResponse()
      expect(second.output_text).toBe(text)
    }
  })

  test('who waits for the client and for a person is answered one after the other', async () => {
    server = await openAiServer([profile])
    const openai = clientOf(Client)
    const first = await openai.responses.create({ model, input: 'weather and refund', tools: [weather] })
    const call = first.output.find((item) => item.type === 'function_call')
    const second = await openai.responses
      .stream({
        model,
        previous_response_id: first.id,
        input: [{ type: 'function_call_output', call_id: call?.call_id ?? '', output: 'sunny' }],
      })
      .finalResponse()
    expect(second.output).toMatchObject([{ type: 'mcp_approval_request', name: 'refund' }])
    const third = await openai.responses.create({
      model,
      previous_response_id: second.id,
      input: [{ type: 'mcp_approval_response', approval_request_id: second.output[0]?.id ?? '', approve: true }],
    })
    expect(third.output.map(({ type }) => type)).toEqual(['mcp_call', 'message'])
    expect(third.output_text).toBe('It is done.')
  })

  test('a response that is all of its session can be deleted, and one of several cannot', async () => {
    server = await openAiServer([profile])
    const openai = clientOf(Client)
    const alone = await openai.responses.create({ model, input: 'Hello', background: true })
    await openai.responses.delete(alone.id)
    await expect(openai.responses.retrieve(alone.id)).rejects.toMatchObject({ status: 404 })
    await expect(openai.responses.delete(alone.id)).rejects.toMatchObject({ status: 404 })
    const first = await openai.responses.create({ model, input: 'Hello' })
    const second = await openai.responses.create({ model, input: 'Again', previous_response_id: first.id })
    for (const { id } of [first, second])
      await expect(openai.responses.delete(id)).rejects.toMatchObject({
        status: 400,
        message: expect.stringContaining(`DELETE /api/sessions/${second.conversation?.id}`),
      })
    expect((await openai.responses.retrieve(second.id)).output_text).toBe('You said: Again')
  })

  test('failures, limits and errors are told', async () => {
    server = await openAiServer([profile])
    const openai = clientOf(Client)
    expect(await openai.responses.create({ model, input: 'broken' })).toMatchObject({
      status: 'failed',
      error: { code: 'rate_limit_exceeded', message: 'Too much to do.' },
    })
    const limited = await openai.responses.stream({ model, input: 'much' }).finalResponse()
    expect(limited).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } })
    await expect(openai.responses.create({ model: 'nobody', input: 'x' })).rejects.toMatchObject({ status: 404 })
    await expect(openai.responses.retrieve('resp_nothing')).rejects.toMatchObject({ status: 404 })
    await expect(openai.responses.create({ model, input: 'x', tools: [{ type: 'web_search' }] })).rejects.toMatchObject(
      { status: 400, param: 'tools.0.type' },
    )
  })
})

test('a response in the background is there at once, can be polled, and cancelled', async () => {
  const engine: Engine = async function* (_turn, context) {
    yield { type: 'provider-call-started', provider: 'test', model: 'test-1' }
    yield { type: 'text-segment-started', segmentId: '0' }
    yield { type: 'text-delta', segmentId: '0', offset: 0, delta: 'I will never' }
    await untilAborted(context)
  }
  server = await openAiServer([{ slug: model, model: engine }])
  const begun = await client().responses.create({ model, input: 'Think', background: true })
  expect(begun).toMatchObject({ status: 'queued', background: true, output: [] })
  const events: string[] = []
  for await (const event of await client().responses.retrieve(begun.id, { stream: true })) {
    events.push(event.type)
    if (event.type === 'response.output_text.delta') break // the viewer goes away; the response does not
  }
  expect(events.slice(0, 3)).toEqual(['response.created', 'response.queued', 'response.in_progress'])
  expect(await client().responses.retrieve(begun.id)).toMatchObject({
    status: 'in_progress',
    output_text: 'I will never',
  })
  const cancelled = await client().responses.cancel(begun.id)
  expect(cancelled).toMatchObject({
    status: 'cancelled',
    output: [{ status: 'incomplete', content: [{ text: 'I will never' }] }],
  })
})

test('a stream that one server began is told on by another one, and by the next after a restart', async () => {
  const store = new MemoryStore()
  const gate = Promise.withResolvers<void>()
  const engine: Engine = async function* () {
    yield { type: 'provider-call-started', provider: 'test', model: 'test-1' }
    yield { type: 'text-segment-started', segmentId: '0' }
    yield { type: 'text-delta', segmentId: '0', offset: 0, delta: 'Hel' }
    await gate.promise
    yield { type: 'text-delta', segmentId: '0', offset: 3, delta: 'lo' }
    yield { type: 'text-segment-finished', segmentId: '0', block: assistantText('Hello') }
    yield providerCallFinished(1)
  }
  const first = await openAiServer([{ slug: model, model: engine }], { store })
  server = await openAiServer([{ slug: model, model: engine }], { store })
  const ofFirst = new OpenAI({ baseURL: `${first.url}/v1`, apiKey: 'none' })
  const seen: OpenAI.Responses.ResponseStreamEvent[] = []
  for await (const event of await ofFirst.responses.create({ model, input: 'Hi', stream: true })) {
    seen.push(event)
    if (event.type === 'response.output_text.delta') break
  }
  const rest = await client().responses.retrieve(`resp_${idIn(seen)}`, {
    stream: true,
    starting_after: seen.length - 1,
  })
  gate.resolve()
  seen.push(...(await collect(rest)))
  await first.close()
  expect(seen.flatMap((event) => (event.type === 'response.output_text.delta' ? event.delta : []))).toEqual([
    'Hel',
    'lo',
  ])
  expect(await collect(await client().responses.retrieve(`resp_${idIn(seen)}`, { stream: true }))).toEqual(seen)
})

test('the next response goes on in the session; from an earlier one it is a fork', async () => {
  server = await openAiServer([profile])
  const engine = eventEngine(textReply('one'), textReply('two'), textReply('three'), textReply('four'))
  await server.close()
  server = await openAiServer([{ slug: model, model: engine }])
  const create = (input: string, previous?: string, more = {}) =>
    client().responses.create({
      model,
      input,
      ...(previous !== undefined && { previous_response_id: previous }),
      ...more,
    })
  const first = await create('1')
  const second = await create('2', first.id)
  const forked = await create('2b', first.id)
  const passing = await create('2c', second.id, { store: false })
  const session = (response: OpenAI.Responses.Response) => response.metadata?.['geppetto_session_id']
  expect(session(second)).toBe(session(first))
  expect(session(forked)).not.toBe(session(first))
  const seen = engine.requests.map(({ turn }) => turn.blocks.map(({ payload }) => 'text' in payload && payload.text))
  expect(seen).toEqual([['1'], ['1', 'one', '2'], ['1', 'one', '2b'], ['1', 'one', '2', 'two', '2c']])
  await server.untilNothingIsHeld()
  await expect(client().responses.retrieve(passing.id)).rejects.toMatchObject({ status: 404 })
  expect((await client().responses.inputItems.list(second.id)).data).toMatchObject([
    { type: 'message', role: 'user', content: [{ text: '2' }] },
  ])
})

test('a conversation is a session; what it was told first stays, and what is not stored sees it', async () => {
  const engine = eventEngine(textReply('one'), textReply('two'), textReply('three'))
  server = await openAiServer([{ slug: model, model: engine, systemPrompt: 'You are Ada.' }])
  const input = [
    { role: 'developer' as const, content: 'Be brief.' },
    { role: 'user' as const, content: '1' },
  ]
  const first = await client().responses.create({ model, input, conversation: 'talk-1' })
  await client().responses.create({ model, input: '2', conversation: 'talk-1' })
  await client().responses.create({ model, input: '3', conversation: 'talk-1', store: false })
  expect(first.conversation).toEqual({ id: 'talk-1' })
  const seen = engine.requests.map(({ turn }) => turn.blocks.map(({ payload }) => 'text' in payload && payload.text))
  expect(seen[0]).toEqual(['You are Ada.', 'Be brief.', '1'])
  expect(seen[2]).toEqual(['You are Ada.', 'Be brief.', '1', 'one', '2', 'two', '3'])
})

test('instructions stand beside the prompt of a profile, or replace it where that is allowed', async () => {
  const engine = eventEngine(textReply('one'), textReply('two'), textReply('three'))
  server = await openAiServer([
    { slug: model, model: engine, systemPrompt: 'You are Ada.' },
    { slug: 'open', model: engine, systemPrompt: 'You are Ada.', allowsOverrides: true },
  ])
  const first = await client().responses.create({ model, input: 'Hi', instructions: 'Be brief.' })
  await client().responses.create({ model, input: 'Ho', previous_response_id: first.id })
  await client().responses.create({ model: 'open', input: 'Hi', instructions: 'Be brief.' })
  const prompts = engine.requests.map(({ turn }) =>
    turn.blocks.flatMap((block) => (block.kind === 'system' ? block.payload.text : [])),
  )
  expect(prompts).toEqual([['You are Ada.', 'Be brief.'], ['You are Ada.'], ['Be brief.']])
})

test('a form is asked for and parsed', async () => {
  server = await openAiServer([{ slug: model, model: eventEngine(textReply('{"city":"Bonn"}')) }])
  const parsed = await client().responses.parse({
    model,
    input: [{ role: 'user', content: [{ type: 'input_text', text: 'Where?' }] }],
    text: { format: zodTextFormat(z.object({ city: z.string() }), 'place') },
  })
  expect(parsed.output_parsed).toEqual({ city: 'Bonn' })
})

test('the same idempotency key gives the same response', async () => {
  server = await openAiServer([profile])
  const create = () =>
    client().responses.create({ model, input: 'Hello' }, { headers: { 'idempotency-key': 'form-1' } })
  const [one, two] = await Promise.all([create(), create()])
  expect(one.id).toBe(two.id)
})

test('another tenant has none of it', async () => {
  server = await openAiServer([profile], {
    authenticate: async ({ bearer = 'nobody' }) => {
      return { tenant: bearer, name: bearer, permissions: new Set(['read', 'write'] as const) }
    },
  })
  const ofAda = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'ada' })
  const ofBob = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'bob' })
  const { id } = await ofAda.responses.create({ model, input: 'Hello' })
  await expect(ofBob.responses.retrieve(id)).rejects.toMatchObject({ status: 404 })
  await expect(ofBob.responses.create({ model, input: 'x', previous_response_id: id })).rejects.toMatchObject({
    status: 404,
  })
  await expect(ofBob.responses.cancel(id)).rejects.toMatchObject({ status: 404 })
})

test('the Agents SDK runs an agent with its own tools on it', async () => {
  server = await openAiServer([profile])
  setTracingDisabled(true)
  const look = tool({
    name: 'weather',
    description: 'The weather of a city.',
    parameters: z.object({ city: z.string() }),
    execute: async ({ city }) => `sunny in ${city}`,
  })
  const modelProvider = new OpenAIProvider({ baseURL: `${server.url}/v1`, apiKey: 'none', useResponses: true })
  const agent = new Agent({ name: 'Ada', instructions: 'Be brief.', model, tools: [look] })
  const result = await new Runner({ modelProvider }).run(agent, 'The weather?')
  expect(result.finalOutput).toBe('It is sunny in Ulm.')
  // The client told the whole conversation again: what waited for it does so no longer.
  while ((await server.store.list({ hasWork: true })).length > 0) await settle()
  const streamed = await new Runner({ modelProvider }).run(agent, 'sum 1 + 1', { stream: true })
  await streamed.completed
  expect(streamed.finalOutput).toBe('It is 2.')
})

function idIn(events: readonly OpenAI.Responses.ResponseStreamEvent[]): string {
  const [first] = events
  return first?.type === 'response.created' ? first.response.id.slice('resp_'.length) : ''
}

function withoutRepeats(names: readonly string[]): readonly string[] {
  return names.filter((name, index) => name !== names[index - 1])
}

// What the library adds to what it reads.
function withoutParsed(name: string, value: unknown): unknown {
  return name === 'parsed' || name === 'parsed_arguments' ? undefined : value
}

async function collect<T>(stream: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = []
  for await (const one of stream) all.push(one)
  return all
}
