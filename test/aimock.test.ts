// Every engine against an upstream that nobody here wrote.
import { LLMock } from '@copilotkit/aimock'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { isGeppettoError } from '../src/errors.ts'
import { defineTool } from '../src/inference/tool.ts'
import { toolLoop } from '../src/inference/tool-loop.ts'
import type { Engine } from '../src/inference/engine.ts'
import { anthropic } from '../src/providers/anthropic/protocol.ts'
import type { ProviderSettings } from '../src/providers/provider-settings.ts'
import { gemini } from '../src/providers/gemini/protocol.ts'
import { openai } from '../src/providers/openai/protocol.ts'
import { openaiResponses } from '../src/providers/openai-responses/protocol.ts'
import { userText } from '../src/turns/block.ts'
import { inferenceResultKey } from '../src/turns/keys.ts'
import { answerText, blocksOf, createTurn } from '../src/turns/turn.ts'
import { frozen, runToEnd } from './support/replies.ts'

const mock = new LLMock({ port: 0, chunkSize: 8 })
mock.onMessage('hello', { content: 'Hello from the other side, with more than one chunk.' })
mock.onMessage('think', { content: 'Four.', reasoning: 'Two and two are four.' })
mock.on(
  { userMessage: 'weather', hasToolResult: false },
  { toolCalls: [{ name: 'weather', arguments: '{"city":"Paris"}', id: 'call_w' }] },
)
mock.on({ userMessage: 'weather', hasToolResult: true }, { content: 'It is 21 degrees.' })

beforeAll(() => mock.start())
afterAll(() => mock.stop())
afterEach(() => void mock.clearChaos())

const network = { allowHttp: true, allowPrivate: true }
const engines: readonly (readonly [string, (settings: Partial<ProviderSettings>) => Engine])[] = [
  ['openai', (more) => openai({ model: 'gpt-4o', apiKey: 'k', baseUrl: `${mock.url}/v1`, network, ...more })],
  [
    'openai-responses',
    (more) => openaiResponses({ model: 'gpt-4o', apiKey: 'k', baseUrl: `${mock.url}/v1`, network, ...more }),
  ],
  [
    'anthropic',
    (more) => anthropic({ model: 'claude-sonnet-4-5', apiKey: 'k', baseUrl: `${mock.url}/v1`, network, ...more }),
  ],
  [
    'gemini',
    (more) => gemini({ model: 'gemini-2.5-flash', apiKey: 'k', baseUrl: `${mock.url}/v1beta`, network, ...more }),
  ],
]

const weather = defineTool({
  name: 'weather',
  description: 'The weather in a city.',
  input: z.object({ city: z.string() }),
  execute: ({ city }) => ({ city, celsius: 21 }),
})

describe.each(engines)('%s', (_name, engine) => {
  const ask = (prompt: string, more: Partial<ProviderSettings> = {}) =>
    runToEnd(engine(more), createTurn([userText(prompt)]))

  test('streams text to its end', async () => {
    const { turn, error } = await ask('hello')
    expect(error).toBeUndefined()
    expect(answerText(turn)).toBe('Hello from the other side, with more than one chunk.')
    expect(inferenceResultKey.get(turn)?.finish_class).toBe('completed')
  })

  test('keeps reasoning apart from the answer', async () => {
    const { turn } = await ask('think')
    expect(answerText(turn)).toBe('Four.')
    expect(blocksOf(turn, 'reasoning').map((block) => block.payload.text)).toEqual(['Two and two are four.'])
  })

  test('calls a tool and answers with its result', async () => {
    const { turn, error } = await runToEnd(toolLoop(engine({}), [weather]), createTurn([userText('weather')]))
    expect(error).toBeUndefined()
    expect(turn.blocks.map((block) => block.kind)).toEqual(['user', 'tool_call', 'tool_use', 'llm_text'])
    expect(blocksOf(turn, 'tool_call')[0]?.payload).toMatchObject({ name: 'weather', args: { city: 'Paris' } })
    expect(answerText(turn)).toBe('It is 21 degrees.')
  })

  test('sends a whole conversation back so that it is understood', async () => {
    const first = await runToEnd(toolLoop(engine({}), [weather]), createTurn([userText('weather')]))
    const next = { ...first.turn, blocks: [...first.turn.blocks, userText('hello')] }
    const { turn, error } = await runToEnd(toolLoop(engine({}), [weather]), next)
    expect(error).toBeUndefined()
    expect(turn.blocks.at(-1)?.payload).toMatchObject({ text: 'Hello from the other side, with more than one chunk.' })
  })

  test.each<[string, Parameters<LLMock['setChaos']>[0], readonly string[]]>([
    ['drops requests', { dropRate: 1 }, ['PROVIDER_HTTP', 'PROVIDER_UNREACHABLE', 'PROVIDER_STREAM_ERROR']],
    [
      'answers with garbage',
      { malformedRate: 1 },
      ['PROVIDER_NOT_A_STREAM', 'PROVIDER_PROTOCOL', 'PROVIDER_STREAM_TRUNCATED'],
    ],
    ['limits the rate', { rateLimitRate: 1 }, ['PROVIDER_RATE_LIMITED']],
    ['hangs up', { disconnectRate: 1 }, ['PROVIDER_UNREACHABLE', 'PROVIDER_STREAM_TRUNCATED']],
  ])('ends with a typed error when the upstream %s', async (_fault, chaos, codes) => {
    mock.setChaos(chaos)
    const { error, turn, events } = await ask('hello')
    expect(isGeppettoError(error) && error.code).toBeOneOf([...codes])
    expect(events.at(-1)?.type).toBe('inference-failed')
    expect(turn.blocks[0]).toMatchObject({ kind: 'user' })
  })

  test('recovers from one failed request', async () => {
    mock.nextRequestError(503, { message: 'busy', type: 'server_error' })
    const { turn, events } = await runToEnd(engine({}), createTurn([userText('hello')]), frozen)
    expect(answerText(turn)).toMatch(/^Hello from the other side/)
    expect(events.filter((event) => event.type === 'attempt-discarded')).toHaveLength(1)
  })

  test('says that an unknown model or prompt was not found', async () => {
    expect((await ask('nobody knows this')).error).toMatchObject({ code: 'PROVIDER_HTTP', details: { status: 404 } })
  })
})
