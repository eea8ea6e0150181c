// What holds for the requests of every provider and for any turn at all.
import fc from 'fast-check'
import * as z from 'zod'
import { describe, expect, test } from 'vitest'
import type { Engine } from '../src/inference/engine.ts'
import { defineTool } from '../src/inference/tool.ts'
import { isJsonObject, type JsonObject } from '../src/json.ts'
import { anthropic } from '../src/providers/anthropic/protocol.ts'
import type { ProviderSettings } from '../src/providers/provider-settings.ts'
import { gemini } from '../src/providers/gemini/protocol.ts'
import { openai } from '../src/providers/openai/protocol.ts'
import { openaiResponses } from '../src/providers/openai-responses/protocol.ts'
import { viewTurn } from '../src/inference/engine.ts'
import { turnFromText, turnToJson, turnToYaml } from '../src/turns/document.ts'
import { append, createTurn, type Turn } from '../src/turns/turn.ts'
import {
  assistantText,
  otherBlock,
  reasoning,
  systemText,
  toolCall,
  toolError,
  toolResult,
  userText,
  type Block,
} from '../src/turns/block.ts'
import { partialKey, sidecarKey } from '../src/turns/keys.ts'
import * as some from './support/arbitraries.ts'
import { replying, runToEnd, sse } from './support/replies.ts'
import { validateAnthropicRequest } from './support/validate-anthropic.ts'
import { validateChatRequest } from './support/validate-chat.ts'
import { validateGeminiRequest } from './support/validate-gemini.ts'
import { validateResponsesRequest } from './support/validate-responses.ts'

type Make = (settings: ProviderSettings) => Engine
interface Side {
  readonly make: Make
  readonly model: string
  readonly validate: (body: JsonObject) => readonly string[]
  /** A reply with all that this provider seals, which asks for a tool; then one that answers. */
  readonly replies: readonly [string, string]
  /** The list that grows from request to request. */
  readonly history: 'messages' | 'input' | 'contents'
}

const json = (value: unknown) => JSON.stringify(value)
const sides: Readonly<Record<string, Side>> = {
  openai: {
    make: openai,
    model: 'deepseek-reasoner',
    validate: validateChatRequest,
    history: 'messages',
    replies: [
      sse(
        [
          json({ id: 'r1', choices: [{ delta: { reasoning_content: 'Look it up.' } }] }),
          json({ choices: [{ delta: { content: 'One moment.' } }] }),
          json({
            choices: [
              {
                delta: {
                  tool_calls: [
                    { index: 0, id: 'call_1', function: { name: 'weather', arguments: '{"city":"Paris"}' } },
                  ],
                },
              },
            ],
          }),
          json({ choices: [{ delta: {}, finish_reason: 'tool_calls' }] }),
        ],
        'chat',
      ),
      sse([json({ id: 'r2', choices: [{ delta: { content: '21 degrees.' }, finish_reason: 'stop' }] })], 'chat'),
    ],
  },
  'openai-responses': {
    make: openaiResponses,
    model: 'gpt-5',
    validate: validateResponsesRequest,
    history: 'input',
    replies: [
      sse(
        [
          json({ type: 'response.created', response: { id: 'resp_1', model: 'gpt-5' } }),
          json({
            type: 'response.output_item.done',
            output_index: 0,
            item: { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'sealed' },
          }),
          json({
            type: 'response.output_item.done',
            output_index: 1,
            item: {
              type: 'function_call',
              id: 'fc_1',
              call_id: 'call_1',
              name: 'weather',
              arguments: '{"city":"Paris"}',
              status: 'completed',
            },
          }),
          json({
            type: 'response.completed',
            response: { id: 'resp_1', status: 'completed', usage: { input_tokens: 1, output_tokens: 1 } },
          }),
        ],
        'named',
      ),
      sse(
        [
          json({ type: 'response.created', response: { id: 'resp_2', model: 'gpt-5' } }),
          json({
            type: 'response.output_item.done',
            output_index: 0,
            item: {
              type: 'message',
              id: 'msg_1',
              role: 'assistant',
              status: 'completed',
              phase: 'final_answer',
              content: [{ type: 'output_text', text: '21 degrees.', annotations: [] }],
            },
          }),
          json({ type: 'response.completed', response: { id: 'resp_2', status: 'completed' } }),
        ],
        'named',
      ),
    ],
  },
  anthropic: {
    make: anthropic,
    model: 'claude-sonnet-4-5',
    validate: validateAnthropicRequest,
    history: 'messages',
    replies: [
      sse(
        [
          json({
            type: 'message_start',
            message: { id: 'msg_1', model: 'claude-sonnet-4-5', usage: { input_tokens: 1, output_tokens: 1 } },
          }),
          json({
            type: 'content_block_start',
            index: 0,
            content_block: { type: 'thinking', thinking: '', signature: '' },
          }),
          json({ type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'Look it up.' } }),
          json({ type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'c2ln' } }),
          json({ type: 'content_block_stop', index: 0 }),
          json({
            type: 'content_block_start',
            index: 1,
            content_block: { type: 'tool_use', id: 'toolu_1', name: 'weather', input: {} },
          }),
          json({
            type: 'content_block_delta',
            index: 1,
            delta: { type: 'input_json_delta', partial_json: '{"city":"Paris"}' },
          }),
          json({ type: 'content_block_stop', index: 1 }),
          json({ type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 9 } }),
          json({ type: 'message_stop' }),
        ],
        'named',
      ),
      sse(
        [
          json({
            type: 'message_start',
            message: { id: 'msg_2', model: 'claude-sonnet-4-5', usage: { input_tokens: 1, output_tokens: 1 } },
          }),
          json({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
          json({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: '21 degrees.' } }),
          json({ type: 'content_block_stop', index: 0 }),
          json({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 9 } }),
          json({ type: 'message_stop' }),
        ],
        'named',
      ),
    ],
  },
  gemini: {
    make: gemini,
    model: 'gemini-3-pro',
    validate: validateGeminiRequest,
    history: 'contents',
    replies: [
      sse(
        [
          json({
            responseId: 'g1',
            candidates: [
              {
                content: {
                  parts: [{ functionCall: { name: 'weather', args: { city: 'Paris' } }, thoughtSignature: 'c2ln' }],
                },
                finishReason: 'STOP',
              },
            ],
          }),
        ],
        'gemini',
      ),
      sse(
        [
          json({ responseId: 'g2', candidates: [{ content: { parts: [{ text: '21 ' }] } }] }),
          json({ candidates: [{ content: { parts: [{ text: 'degrees.' }] } }] }),
          json({
            candidates: [{ content: { parts: [{ text: '', thoughtSignature: 'bW9yZQ==' }] }, finishReason: 'STOP' }],
          }),
        ],
        'gemini',
      ),
    ],
  },
}

const weather = defineTool({
  name: 'weather',
  description: 'The weather.',
  input: z.object({ city: z.string() }),
  execute: () => 21,
})
// Shows the tool without running it: the loop is not what is tested here.
const offering =
  (engine: Engine): Engine =>
  (turn, context) =>
    viewTurn((same) => same)(engine)(turn, { ...context, tools: [weather] })

/** Turns in which calls and results of few ids lie about in every order, with the seals of every provider between them. */
const seals = ['openai', 'openai-responses', 'anthropic', 'gemini'].flatMap((provider): Block[] => [
  sidecarKey.set(reasoning({ text: 'Hm.', signature: 'c2ln', encrypted_content: 'sealed' }), {
    provider,
    item: {
      type: 'thinking',
      thinking: 'Hm.',
      signature: 'c2ln',
      reasoning_content: 'Hm.',
      parts: [{ text: 'Hm.', thought: true, thoughtSignature: 'c2ln' }],
    },
  }),
  otherBlock('provider_item', {
    provider,
    item: { type: 'web_search_call', id: 'ws_1', executableCode: { code: '1' } },
  }),
])
const piece = fc.oneof(
  fc.constantFrom('a', 'b', '').map((id) => toolCall(id, 'weather', { city: id })),
  fc.constantFrom('a', 'b', '').map((id) => toolCall(id, 'what is this?', '{"city":"Pa')),
  fc.constantFrom('a', 'b', '').map((id) => toolResult(id, 21)),
  fc.constantFrom('a', 'b').map((id) => toolError(id, 'no luck \ud800', null)),
  fc.constantFrom(userText('Hi'), userText(''), userText('Hi \udfff'), systemText('Be brief.'), systemText(' ')),
  fc.constantFrom<Block>(
    assistantText('Yes.'),
    assistantText(''),
    partialKey.set(assistantText('Ye'), true),
    reasoning({}),
    reasoning({ text: 'Hm.' }),
  ),
  fc.constantFrom(...seals),
)
const tangled = fc.array(piece, { maxLength: 14 }).map((blocks) => createTurn(blocks))

/** Runs one call of a provider, and gives the request that was sent and the turn after it. */
async function call(side: Side, turn: Turn, reply: string) {
  const { fetch, sent } = replying([reply])
  const outcome = await runToEnd(offering(side.make({ model: side.model, fetch })), turn)
  const body: unknown = JSON.parse(sent[0]?.body ?? 'null')
  if (!isJsonObject(body)) throw outcome.error
  return { body, bytes: sent[0]?.body, turn: outcome.turn, error: outcome.error, events: outcome.events }
}

describe.each(Object.entries(sides))('%s', (_name, side) => {
  test('takes any turn: the request keeps the rules of its provider, and its bytes are the same the second time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(some.turn, { arbitrary: tangled, weight: 4 }), async (turn) => {
        const sendable = { ...turn, data: {} }
        const first = await call(side, sendable, side.replies[1])
        expect(side.validate(first.body)).toEqual([])
        const again = await call(side, turnFromText(turnToJson(sendable)), side.replies[1])
        expect(again.bytes).toBe(first.bytes)
      }),
      { numRuns: 400 },
    )
  }, 60_000)

  test('sends back what it sealed, from memory and from a file', async () => {
    const first = await call(side, createTurn([userText('Weather?')]), side.replies[0])
    expect(first.error).toBeUndefined()
    const kept = await call(side, first.turn, side.replies[1])
    const loaded = await call(side, turnFromText(turnToYaml(first.turn)), side.replies[1])
    expect(loaded.bytes).toBe(kept.bytes)
    expect(side.validate(kept.body)).toEqual([])
  })
})

const pairs = Object.keys(sides).flatMap((a) => Object.keys(sides).flatMap((b) => (a === b ? [] : [[a, b] as const])))

describe('from one provider to another and back', () => {
  test.each(pairs)('%s → %s → the first again', async (nameA, nameB) => {
    const [a, b] = [sides[nameA], sides[nameB]]
    if (a === undefined || b === undefined) throw new Error('no such provider')
    const { turn: asked } = await call(a, createTurn([userText('Weather?')]), a.replies[0])
    const { payload } = asked.blocks.at(-1) ?? {}
    const id = payload !== undefined && 'id' in payload ? String(payload.id) : ''
    const answered = append(asked, { kind: 'tool_use', payload: { id, result: 21 } })
    const stayed = await call(a, answered, a.replies[1])

    const visit = await call(b, append(stayed.turn, userText('And tomorrow?')), b.replies[1])
    expect(b.validate(visit.body)).toEqual([])
    expect(visit.bytes).not.toMatch(/sealed|c2ln|bW9yZQ|Look it up/)
    const back = await call(a, append(visit.turn, userText('And on Sunday?')), a.replies[1])
    expect(a.validate(back.body)).toEqual([])

    const never = await call(a, append(stayed.turn, userText('And tomorrow?')), a.replies[1])
    const prefix = historyOf(never.body, a).slice(0, -1)
    expect(historyOf(back.body, a).slice(0, prefix.length)).toEqual(prefix)
  })
})

// Cache marks move with the end of a conversation and are no part of what is said.
function historyOf(body: JsonObject, side: Side): readonly string[] {
  const list = body[side.history]
  if (!Array.isArray(list)) return []
  return list.map((item) =>
    JSON.stringify(item, (key, value: unknown) => (key === 'cache_control' ? undefined : value)),
  )
}
