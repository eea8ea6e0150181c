import Anthropic from '@anthropic-ai/sdk'
import type { MessageCreateParamsStreaming } from '@anthropic-ai/sdk/resources/messages/messages'
import { expect, test } from 'vitest'
import * as z from 'zod'
import * as wire from '../../../test/support/anthropic-replies.ts'
import { item, sealed, search } from '../../../test/support/anthropic-replies.ts'
import { compareWithSdk } from '../../../test/support/anthropic-sdk.ts'
import { replying, runToEnd } from '../../../test/support/replies.ts'
import type { ToolSpec } from '../../inference/engine.ts'
import { callSettings } from '../../inference/settings.ts'
import type { JsonObject } from '../../json.ts'
import { assistantText, reasoning, systemText, toolCall, toolError, toolResult, userText } from '../../turns/block.ts'
import { structuredOutputKey, toolConfigKey } from '../../turns/keys.ts'
import { createTurn } from '../../turns/turn.ts'
import { anthropic } from './protocol.ts'
import { toRequest } from './request.ts'

const found = { type: 'web_search_tool_result', tool_use_id: 'srv_1', content: [] }
const programmed = {
  type: 'tool_use',
  id: 't',
  name: 'a',
  input: {},
  caller: { type: 'code_execution_20260120', tool_id: 'srv_1' },
}
const compaction = { type: 'compaction_delta', content: 'Summary.', encrypted_content: null }
const cached = { input_tokens: 3, cache_creation_input_tokens: 20, cache_read_input_tokens: 100, output_tokens: 1 }

test.each<[string, readonly JsonObject[]]>([
  ['text', wire.reply([wire.textBlock(0, 'Hel', 'lo')])],
  [
    'thinking, shown and hidden',
    wire.reply([
      wire.thinkingBlock(0, 'Hm.', 'c2ln'),
      wire.wholeBlock(1, { type: 'redacted_thinking', data: 'ZGF0YQ==' }),
      wire.textBlock(2, 'Yes.'),
    ]),
  ],
  [
    'parallel calls',
    wire.reply([wire.toolBlock(0, 't1', 'a', '{"x":', '1}'), wire.toolBlock(1, 't2', 'b', '')], 'tool_use'),
  ],
  [
    'a call that a program made',
    wire.reply(
      [wire.serverCall(0, 'srv_1', 'code_execution', '{"code":"await a()"}'), wire.wholeBlock(1, programmed)],
      'tool_use',
    ),
  ],
  [
    'a search with citations',
    wire.reply([
      wire.searchCall(0),
      wire.wholeBlock(1, found),
      wire.wholeBlock(
        2,
        { citations: [], type: 'text', text: '' },
        { type: 'citations_delta', citation: wire.citation },
        { type: 'text_delta', text: 'x' },
      ),
    ]),
  ],
  [
    'a compaction',
    wire.reply([wire.wholeBlock(0, { type: 'compaction', content: null }, compaction), wire.textBlock(1, 'Hi')]),
  ],
  [
    'a fallback',
    wire.reply([
      wire.wholeBlock(0, { type: 'fallback', from: { model: 'a' }, to: { model: 'b' } }),
      wire.textBlock(1, 'Hi'),
    ]),
  ],
  [
    'cached input',
    [
      wire.messageStart({ usage: cached }),
      ...wire.textBlock(0, 'Hi'),
      wire.messageDelta('end_turn', { output_tokens: 9 }),
      wire.messageStop,
    ],
  ],
  [
    'a refusal',
    wire.reply([wire.textBlock(0, 'I')], 'refusal', {
      stop_details: { type: 'refusal', category: null, explanation: null },
    }),
  ],
])('the official SDK reads the same reply: %s', (_name, messages) => compareWithSdk(wire.stream(messages)))

test('a request has the shape that the official types demand', () => {
  const weather: ToolSpec = {
    name: 'weather',
    description: 'The weather in a city.',
    input: z.object({ city: z.string() }),
  }
  const blocks = [
    systemText('Be brief.'),
    userText('Look', [
      { content: 'aGk=', media_type: 'image/png' },
      { url: 'https://a.example/a.png' },
      { file_id: 'file_1' },
    ]),
    sealed(reasoning({ text: 'Hm.', signature: 'c2ln' }), { type: 'thinking', thinking: 'Hm.', signature: 'c2ln' }),
    toolCall('a', 'weather', { city: 'A' }),
    toolCall('b', 'weather', { city: 'B' }),
    toolResult('a', { celsius: 21 }),
    toolError('b', 'no such city'),
    item(search),
    item(found),
    assistantText('Sunny.'),
    userText('Thanks'),
  ]
  const configured = toolConfigKey.set(
    structuredOutputKey.set(createTurn(blocks), { mode: 'json_schema', name: 'x', schema: { type: 'object' } }),
    { enabled: true, tool_choice: 'auto', max_parallel_tools: 1 },
  )
  const settings = callSettings(configured, {
    model: 'claude-opus-4-8',
    inference: { thinking_budget: 2000, reasoning_effort: 'high', stop: ['END'] },
    claude: { user_id: 'u' },
    promptCache: 'long',
  })
  const mark = { type: 'ephemeral', ttl: '1h' } as const
  const expected: MessageCreateParamsStreaming = {
    model: 'claude-opus-4-8',
    max_tokens: 4096,
    tools: [
      {
        name: 'weather',
        description: 'The weather in a city.',
        input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
        cache_control: mark,
      },
    ],
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
          {
            type: 'tool_result',
            tool_use_id: 'b',
            content: '{"error":"no such city"}',
            is_error: true,
            cache_control: mark,
          },
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
  expect(request).toMatchObject({
    path: '/messages',
    headers: { 'anthropic-version': '2023-06-01', 'anthropic-beta': 'files-api-2025-04-14' },
  })
})

test('the request goes where the SDK sends its own', async () => {
  const seen: string[] = []
  const reply = wire.stream(wire.reply([wire.textBlock(0, 'Hi')]))
  const fetch = (url: string | URL | Request) => {
    seen.push(String(url))
    return Promise.resolve(new Response(reply, { headers: { 'content-type': 'text/event-stream' } }))
  }
  await new Anthropic({ apiKey: 'k', fetch }).messages
    .stream({ model: 'm', max_tokens: 1, messages: [] })
    .finalMessage()
  const { fetch: ours, sent } = replying([reply])
  await runToEnd(
    anthropic({ model: 'm', apiKey: 'k', fetch: ours, headers: { 'Anthropic-Beta': 'mine' } }),
    createTurn([userText('Hi', [{ file_id: 'f' }])]),
  )
  expect(sent[0]?.url).toBe(seen[0])
  expect(sent[0]?.headers).toMatchObject({
    'x-api-key': 'k',
    'anthropic-version': '2023-06-01',
    'anthropic-beta': 'files-api-2025-04-14,mine',
    'content-type': 'application/json',
  })
})
