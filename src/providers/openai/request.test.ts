import type { ChatCompletionCreateParamsStreaming } from 'openai/resources/chat/completions'
import * as z from 'zod'
import { describe, expect, test } from 'vitest'
import { validateChatRequest } from '../../../test/support/validate-chat.ts'
import type { ToolSpec } from '../../inference/engine.ts'
import { callSettings, type InferenceSettings } from '../../inference/settings.ts'
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
} from '../../turns/block.ts'
import { sidecarKey, toolConfigKey } from '../../turns/keys.ts'
import { createTurn } from '../../turns/turn.ts'
import { toRequest } from './request.ts'

const weather: ToolSpec = {
  name: 'weather',
  description: 'The weather in a city.',
  input: z.object({ city: z.string() }),
}
const thought = sidecarKey.set(reasoning({ text: 'Hm.' }), { provider: 'openai', item: { reasoning_content: 'Hm.' } })
const foreign = sidecarKey.set(reasoning({ text: 'Hm.', signature: 'x' }), {
  provider: 'anthropic',
  item: { type: 'thinking' },
})

function project(blocks: readonly Block[], settings: Partial<InferenceSettings> = {}, tools: readonly ToolSpec[] = []) {
  const turn = createTurn(blocks)
  const offered =
    tools.length === 0
      ? turn
      : toolConfigKey.set(turn, { enabled: true, tool_choice: 'required', max_parallel_tools: 1 })
  const request = toRequest(offered, callSettings(offered, { model: 'gpt-4o', ...settings }), tools)
  expect(validateChatRequest(request.body)).toEqual([])
  return {
    ...request,
    messages: request.body['messages'],
    repaired: request.repairs.map(({ repair, block }) => [repair, block]),
  }
}
const call = (id: string, name: string, args: string) => ({ id, type: 'function', function: { name, arguments: args } })

describe('messages', () => {
  test('a whole conversation', () => {
    const { messages, repaired } = project([
      systemText('Be brief.'),
      userText('Look', [
        { content: 'aGk=', media_type: 'image/png', detail: 'low' },
        { url: 'https://a.example/a.png' },
      ]),
      assistantText('I see.'),
      userText('Weather?'),
      thought,
      assistantText('One moment.'),
      toolCall('a', 'weather', { city: 'A' }),
      toolCall('b', 'weather', '{"city": "B"}'),
      toolResult('a', { celsius: 21 }),
      toolError('b', 'no such city'),
    ])
    expect(repaired).toEqual([])
    expect(messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Look' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=', detail: 'low' } },
          { type: 'image_url', image_url: { url: 'https://a.example/a.png' } },
        ],
      },
      { role: 'assistant', content: 'I see.' },
      { role: 'user', content: 'Weather?' },
      {
        role: 'assistant',
        content: 'One moment.',
        reasoning_content: 'Hm.',
        tool_calls: [call('a', 'weather', '{"city":"A"}'), call('b', 'weather', '{"city": "B"}')],
      },
      { role: 'tool', tool_call_id: 'a', content: '{"celsius":21}' },
      { role: 'tool', tool_call_id: 'b', content: '{"error":"no such city"}' },
    ])
  })

  test.each<[string, readonly Block[], readonly (readonly [string, number])[]]>([
    ['a call without a result', [userText('Hi'), toolCall('a', 'f', {})], [['orphan-tool-call', 1]]],
    ['a result without a call', [userText('Hi'), toolResult('a', 1)], [['orphan-tool-result', 1]]],
    [
      'a result behind other blocks',
      [toolCall('a', 'f', {}), userText('Hi'), toolResult('a', 1)],
      [['moved-tool-result', 2]],
    ],
    ["another provider's thought", [userText('Hi'), foreign, assistantText('Yes.')], [['foreign-reasoning', 1]]],
    [
      "a provider's own item",
      [userText('Hi'), otherBlock('provider_item', { provider: 'anthropic', item: {} })],
      [['foreign-item', 1]],
    ],
    [
      'texts without words',
      [userText('Hi'), assistantText(' '), systemText('')],
      [
        ['empty-block', 1],
        ['empty-block', 2],
      ],
    ],
    [
      'arguments that are cut',
      [userText('Hi'), toolCall('a', 'f', '{"x'), toolResult('a', 1)],
      [['invalid-arguments', 1]],
    ],
    [
      'an id that is used twice in one message',
      [userText('Hi'), toolCall('a', 'f', {}), toolCall('a', 'f', {}), toolResult('a', 1), toolResult('a', 2)],
      [['tool-call-id', 2]],
    ],
    [
      'an image that only another provider holds',
      [userText('Hi', [{ file_id: 'file_1' }])],
      [['unsupported-image', 0]],
    ],
    ['nothing at all', [], [['empty-turn', 0]]],
  ])('%s is repaired, and said so', (_name, blocks, repaired) => {
    expect(project(blocks).repaired).toEqual(repaired)
  })

  test('the reasoning of an earlier prompt is not sent back', () => {
    const { messages } = project([
      userText('Hi'),
      thought,
      toolCall('a', 'f', {}),
      toolResult('a', 1),
      userText('And?'),
    ])
    expect(JSON.stringify(messages)).not.toContain('reasoning_content')
  })

  test('Mistral gets ids of nine letters and digits, the same for call and result', () => {
    const { messages } = project([userText('Hi'), toolCall('toolu_01', 'f', {}), toolResult('toolu_01', 1)], {
      model: 'mistral-large',
    })
    const [id] = /(?<="id":")[^"]+/.exec(JSON.stringify(messages)) ?? []
    expect(id).toMatch(/^[a-z0-9]{9}$/)
    expect(JSON.stringify(messages)).toContain(`"tool_call_id":"${id}"`)
  })
})

describe('settings', () => {
  test.each<[string, Partial<InferenceSettings>, object]>([
    ['temperature 0 is sent', { inference: { temperature: 0, top_p: 0.5 } }, { temperature: 0, top_p: 0.5 }],
    ['the limit of a plain model', { inference: { max_response_tokens: 9 } }, { max_tokens: 9 }],
    [
      'the limit of a reasoning model',
      { model: 'o3', inference: { max_response_tokens: 9, reasoning_effort: 'low' } },
      { max_completion_tokens: 9, reasoning_effort: 'low' },
    ],
    [
      'seed, stop, penalties',
      { inference: { seed: 1, stop: ['END'] }, openai: { presence_penalty: 1, frequency_penalty: 0 } },
      { seed: 1, stop: ['END'], presence_penalty: 1, frequency_penalty: 0 },
    ],
    [
      "DeepSeek's thinking",
      { inference: { thinking_type: 'enabled', temperature: 1 } },
      { thinking: { type: 'enabled' } },
    ],
    [
      'a JSON answer',
      { structuredOutput: { mode: 'json_schema', name: 'x', schema: { type: 'object' } } },
      {
        response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object' }, strict: true } },
      },
    ],
    ['store and tier', { openai: { store: true, service_tier: 'flex' } }, { store: true, service_tier: 'flex' }],
  ])('%s', (_name, settings, expected) => {
    const {
      model: _model,
      messages: _messages,
      stream: _stream,
      stream_options: _options,
      ...rest
    } = project([userText('Hi')], settings).body
    expect(rest).toEqual(expected)
  })

  test('usage is asked for, but of Mistral, who refuses the field', () => {
    expect(project([userText('Hi')]).body).toMatchObject({ stream: true, stream_options: { include_usage: true } })
    expect('stream_options' in project([userText('Hi')], { model: 'mistral-small' }).body).toBe(false)
  })

  test('tools come with their schema, choice and whether they may be parallel; without tools there is none of it', () => {
    expect(project([userText('Hi')], {}, [weather]).body).toMatchObject({
      tools: [
        {
          type: 'function',
          function: {
            name: 'weather',
            description: 'The weather in a city.',
            parameters: { type: 'object', required: ['city'] },
          },
        },
      ],
      tool_choice: 'required',
      parallel_tool_calls: false,
    })
    expect(Object.keys(project([userText('Hi')]).body).filter((key) => key.includes('tool'))).toEqual([])
  })

  test.each<[Partial<InferenceSettings>, RegExp]>([
    [{ openai: { n: 2 } }, /n must be 1, not 2/],
    [{ inference: { thinking_type: 'deep' } }, /unsupported openai chat thinking_type "deep"/],
  ])('%j is refused', (settings, problem) => {
    expect(() => project([userText('Hi')], settings)).toThrow(problem)
  })

  test('a request has the shape that the official types demand', () => {
    const expected: ChatCompletionCreateParamsStreaming = {
      model: 'gpt-4o',
      messages: [
        { role: 'user', content: 'Hi' },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'a', type: 'function', function: { name: 'weather', arguments: '{}' } }],
        },
        { role: 'tool', tool_call_id: 'a', content: '21' },
      ],
      temperature: 0,
      tools: [
        {
          type: 'function',
          function: {
            name: 'weather',
            description: 'The weather in a city.',
            parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
          },
        },
      ],
      tool_choice: 'required',
      parallel_tool_calls: false,
      stream: true,
      stream_options: { include_usage: true },
    }
    const { body } = project(
      [userText('Hi'), toolCall('a', 'weather', {}), toolResult('a', 21)],
      { inference: { temperature: 0 } },
      [weather],
    )
    expect(body).toEqual(expected)
  })
})
