import Anthropic from '@anthropic-ai/sdk'
import type { BetaMessage } from '@anthropic-ai/sdk/resources/beta/messages/messages'
import type { MessageCreateParamsStreaming } from '@anthropic-ai/sdk/resources/messages/messages'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import * as wire from '../../../test/support/anthropic-replies.ts'
import { replying, runToEnd, sse } from '../../../test/support/replies.ts'
import type { ToolSpec } from '../../inference/engine.ts'
import { callSettings } from '../../inference/settings.ts'
import type { JsonObject } from '../../json.ts'
import { assistantText, otherBlock, reasoning, systemText, toolCall, toolError, toolResult, userText, type Block } from '../../turns/block.ts'
import { inferenceResultKey, sidecarKey, structuredOutputKey, toolConfigKey } from '../../turns/keys.ts'
import { createTurn, type Turn } from '../../turns/turn.ts'
import { anthropic } from './protocol.ts'
import { toRequest } from './request.ts'

// The official SDK as a witness: given the same bytes it must read the same reply.

async function readBySdk(body: string): Promise<BetaMessage> {
  const fetch = () => Promise.resolve(new Response(body, { headers: { 'content-type': 'text/event-stream' } }))
  const client = new Anthropic({ apiKey: 'k', fetch, maxRetries: 0 })
  const request = client.beta.messages.stream({ model: 'claude-test', max_tokens: 100, messages: [{ role: 'user', content: 'Hi' }] })
  return request.finalMessage()
}

async function readByUs(body: string): Promise<Turn> {
  const { turn, error } = await runToEnd(anthropic({ model: 'claude-test', fetch: replying([body]).fetch }), createTurn([userText('Hi')]))
  expect(error).toBeUndefined()
  return turn
}

/** A block of ours as the SDK would have it. */
function asContent(block: Block): unknown {
  const sidecar = sidecarKey.get(block)
  if (sidecar !== undefined) return sidecar.item
  if (block.kind === 'llm_text') return { type: 'text', text: block.payload.text }
  if (block.kind === 'tool_call') return { type: 'tool_use', id: block.payload.id, name: block.payload.name, input: block.payload.args }
  return block.kind === 'other' ? block.payload['item'] : undefined
}

/** Content without fields that say nothing, and without blocks in which nothing is said. */
function saying(content: unknown): unknown {
  const plain = JSON.parse(JSON.stringify(content)) as readonly JsonObject[] // the SDK hides what it has not parsed yet
  return plain.filter((part) => part['text'] !== '').map(({ citations, ...part }) => ({ ...part, ...(Array.isArray(citations) && citations.length > 0 && { citations }) }))
}

async function compare(body: string): Promise<void> {
  const message = await readBySdk(body)
  const turn = await readByUs(body)
  expect(saying(turn.blocks.slice(1).map(asContent))).toEqual(saying(message.content))
  const result = inferenceResultKey.get(turn)
  expect([result?.response_id, result?.model, result?.stop_reason]).toEqual([message.id, message.model, message.stop_reason])
  const { input_tokens: input, cache_creation_input_tokens: created, cache_read_input_tokens: read, output_tokens: output } = message.usage
  expect([result?.usage?.input_tokens, result?.usage?.output_tokens]).toEqual([input + (created ?? 0) + (read ?? 0), output])
}

const citation = { type: 'web_search_result_location', cited_text: 'Said.', url: 'https://a.example/', title: 'A', encrypted_index: 'EA==' }
test.each<[string, readonly JsonObject[]]>([
  ['text', wire.reply([wire.textBlock(0, 'Hel', 'lo')])],
  ['thinking, shown and hidden', wire.reply([wire.thinkingBlock(0, 'Hm.', 'c2ln'), wire.wholeBlock(1, { type: 'redacted_thinking', data: 'ZGF0YQ==' }), wire.textBlock(2, 'Yes.')])],
  ['parallel calls', wire.reply([wire.toolBlock(0, 't1', 'a', '{"x":', '1}'), wire.toolBlock(1, 't2', 'b', '')], 'tool_use')],
  ['a call that a program made', wire.reply([wire.serverCall(0, 'srv_1', 'code_execution', '{"code":"await a()"}'), wire.wholeBlock(1, { type: 'tool_use', id: 't', name: 'a', input: {}, caller: { type: 'code_execution_20260120', tool_id: 'srv_1' } }, { type: 'input_json_delta', partial_json: '{}' })], 'tool_use')],
  ['a search with citations', wire.reply([wire.serverCall(0, 'srv_1', 'web_search', '{"query":"x"}'), wire.wholeBlock(1, { type: 'web_search_tool_result', tool_use_id: 'srv_1', content: [] }), wire.wholeBlock(2, { citations: [], type: 'text', text: '' }, { type: 'citations_delta', citation }, { type: 'text_delta', text: 'Said.' })])],
  ['a compaction', wire.reply([wire.wholeBlock(0, { type: 'compaction', content: null }, { type: 'compaction_delta', content: 'Summary.', encrypted_content: null }), wire.textBlock(1, 'Hi')])],
  ['a fallback', wire.reply([wire.wholeBlock(0, { type: 'fallback', from: { model: 'a' }, to: { model: 'claude-other' } }), wire.textBlock(1, 'Hi')])],
  ['cached input', [wire.messageStart({ usage: { input_tokens: 3, cache_creation_input_tokens: 20, cache_read_input_tokens: 100, output_tokens: 1 } }), ...wire.textBlock(0, 'Hi'), wire.messageDelta('end_turn', { output_tokens: 9 }), wire.messageStop]],
  ['a refusal', wire.reply([wire.textBlock(0, 'I')], 'refusal', { stop_details: { type: 'refusal', category: null, explanation: null } })],
])('the official SDK reads the same reply: %s', (_name, messages) => compare(wire.stream(messages)))

const folder = join(process.env['PROVIDER_RECORDINGS'] ?? '', 'anthropic')
const recordings = process.env['PROVIDER_RECORDINGS'] === undefined || !existsSync(folder) ? [] : readdirSync(folder).filter((name) => name.endsWith('.jsonl'))
if (recordings.length === 0) console.log('Recorded replies of Anthropic are not compared with the SDK: PROVIDER_RECORDINGS names no folder with them.')

describe.runIf(recordings.length > 0)('the official SDK reads the same recorded reply', () => {
  test.each(recordings)('%s', async (name) => {
    const lines = readFileSync(join(folder, name), 'utf8').split('\n').filter((line) => line.trim() !== '')
    // The SDK takes a beginning that is said twice for an error; all else must agree.
    await compare(sse(lines.filter((line, index) => index === 0 || line !== lines[index - 1] || !line.includes('"message_start"')), 'named'))
  })
})

test('a request has the shape that the official types demand', () => {
  const weather: ToolSpec = { name: 'weather', description: 'The weather in a city.', input: z.object({ city: z.string() }) }
  const sealed = <B extends Block>(block: B, item: JsonObject) => sidecarKey.set(block, { provider: 'anthropic', item })
  const blocks = [
    systemText('Be brief.'),
    userText('Look', [{ content: 'aGk=', media_type: 'image/png' }, { url: 'https://a.example/a.png' }, { file_id: 'file_1' }]),
    sealed(reasoning({ text: 'Hm.', signature: 'c2ln' }), { type: 'thinking', thinking: 'Hm.', signature: 'c2ln' }),
    toolCall('a', 'weather', { city: 'A' }),
    toolCall('b', 'weather', { city: 'B' }),
    toolResult('a', { celsius: 21 }),
    toolError('b', 'no such city'),
    otherBlock('provider_item', { provider: 'anthropic', item: { type: 'server_tool_use', id: 'srv_1', name: 'web_search', input: { query: 'x' } } }),
    otherBlock('provider_item', { provider: 'anthropic', item: { type: 'web_search_tool_result', tool_use_id: 'srv_1', content: [] } }),
    assistantText('Sunny.'),
    userText('Thanks'),
  ]
  const configured = toolConfigKey.set(structuredOutputKey.set(createTurn(blocks), { mode: 'json_schema', name: 'x', schema: { type: 'object' } }), { enabled: true, tool_choice: 'auto', max_parallel_tools: 1 })
  const settings = callSettings(configured, { model: 'claude-opus-4-8', inference: { thinking_budget: 2000, reasoning_effort: 'high', stop: ['END'] }, claude: { user_id: 'u' }, promptCache: 'long' })
  const mark = { type: 'ephemeral', ttl: '1h' } as const
  const expected: MessageCreateParamsStreaming = {
    model: 'claude-opus-4-8',
    max_tokens: 4096,
    tools: [{ name: 'weather', description: 'The weather in a city.', input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }, cache_control: mark }],
    tool_choice: { type: 'auto', disable_parallel_tool_use: true },
    system: [{ type: 'text', text: 'Be brief.', cache_control: mark }],
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Look' },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'aGk=' } },
          { type: 'image', source: { type: 'url', url: 'https://a.example/a.png' } },
          { type: 'image', source: { type: 'file', file_id: 'file_1' } },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'Hm.', signature: 'c2ln' },
          { type: 'tool_use', id: 'a', name: 'weather', input: { city: 'A' } },
          { type: 'tool_use', id: 'b', name: 'weather', input: { city: 'B' } },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'a', content: '{"celsius":21}' },
          { type: 'tool_result', tool_use_id: 'b', content: '{"error":"no such city"}', is_error: true, cache_control: mark },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'server_tool_use', id: 'srv_1', name: 'web_search', input: { query: 'x' } },
          { type: 'web_search_tool_result', tool_use_id: 'srv_1', content: [] },
          { type: 'text', text: 'Sunny.' },
        ],
      },
      { role: 'user', content: [{ type: 'text', text: 'Thanks', cache_control: mark }] },
    ],
    thinking: { type: 'enabled', budget_tokens: 2000 },
    output_config: { effort: 'high', format: { type: 'json_schema', schema: { type: 'object' } } },
    stop_sequences: ['END'],
    metadata: { user_id: 'u' },
    stream: true,
  }
  const request = toRequest(configured, settings, [weather])
  expect(request.body).toEqual(expected)
  expect(request).toMatchObject({ path: '/messages', headers: { 'anthropic-version': '2023-06-01', 'anthropic-beta': 'files-api-2025-04-14' } })
})

test('the request goes where the SDK sends its own', async () => {
  const seen: string[] = []
  const reply = wire.stream(wire.reply([wire.textBlock(0, 'Hi')]))
  const fetch = (url: string | URL | Request) => {
    seen.push(String(url))
    return Promise.resolve(new Response(reply, { headers: { 'content-type': 'text/event-stream' } }))
  }
  await new Anthropic({ apiKey: 'k', fetch }).messages.stream({ model: 'm', max_tokens: 1, messages: [] }).finalMessage()
  const { fetch: ours, sent } = replying([reply])
  await runToEnd(anthropic({ model: 'm', apiKey: 'k', fetch: ours, headers: { 'Anthropic-Beta': 'mine' } }), createTurn([userText('Hi', [{ file_id: 'f' }])]))
  expect(sent[0]?.url).toBe(seen[0])
  expect(sent[0]?.headers).toMatchObject({
    'x-api-key': 'k',
    'anthropic-version': '2023-06-01',
    'anthropic-beta': 'files-api-2025-04-14,mine',
    'content-type': 'application/json',
  })
})
