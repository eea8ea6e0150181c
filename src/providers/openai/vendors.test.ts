import { describe, expect, test } from 'vitest'
import {
  endpoints,
  messagesOf,
  project,
  sealed,
  sentCall,
  thought,
  type EndpointName,
} from '../../../test/support/chat-requests.ts'
import { validateChatRequest } from '../../../test/support/validate-chat.ts'
import type { InferenceSettings } from '../../inference/settings.ts'
import type { Json, JsonObject } from '../../json.ts'
import { assistantText, reasoning, toolCall, toolResult, userText, type Block } from '../../turns/block.ts'
import { vendorOf } from './vendors.ts'

const names = Object.keys(endpoints) as readonly EndpointName[] // the keys of the table

describe('whose rules hold', () => {
  test.each<[string, string, string]>([
    ['https://api.openai.com/v1', 'gpt-5', 'openai'],
    ['https://eu.api.openai.com/v1/', 'gpt-5', 'openai'],
    ['https://me.openai.azure.com/openai/v1', 'mistral-large', 'azure'],
    ['https://me.services.ai.azure.com/openai/v1', 'gpt-5', 'azure'],
    ['https://api.deepseek.com', 'deepseek-chat', 'deepseek'],
    ['https://api.moonshot.cn/v1', 'kimi-k2.6', 'moonshot'],
    ['https://api.mistral.ai/v1', 'codestral-latest', 'mistral'],
    ['https://api.groq.com/openai/v1', 'deepseek-r1', 'groq'],
    ['https://api.x.ai/v1', 'grok-4', 'xai'],
    ['https://api.cerebras.ai/v1', 'gpt-oss-120b', 'cerebras'],
    ['https://dashscope.aliyuncs.com/compatible-mode/v1', 'qwen3', 'alibaba'],
    ['https://api.together.xyz/v1', 'mistralai/Mixtral-8x7B', 'together'],
    ['https://api.fireworks.ai/inference/v1', 'accounts/fireworks/models/deepseek-v3', 'fireworks'],
    ['https://openrouter.ai/api/v1', 'deepseek/deepseek-r1', 'openrouter'],
    ['http://localhost:8000/v1', 'deepseek-ai/DeepSeek-V3.2', 'deepseek'],
    ['http://localhost:8000/v1', 'moonshotai/Kimi-K2-Thinking', 'moonshot'],
    ['http://localhost:8000/v1', 'mistralai/Devstral-Small', 'mistral'],
    ['https://api.openai.com/v1', 'mistral-small', 'mistral'],
    ['http://localhost:8000/v1', 'gpt-5', 'any'],
    ['https://notopenai.com.evil.example/v1', 'm', 'any'],
    ['not a url', 'm', 'any'],
  ])('at %s for %s: %s', (baseUrl, model, name) => {
    expect(vendorOf(baseUrl, model).name).toBe(name)
  })
})

describe.each(names)('%s', (name) => {
  const settings: Partial<InferenceSettings> = {
    modelInfo: { reasoning: true },
    inference: { max_response_tokens: 9, seed: 1 },
  }
  const blocks = [
    userText('Weather?'),
    thought('Hm.'),
    toolCall('functions.weather:0', 'weather', { city: 'A' }),
    toolResult('functions.weather:0', ''),
    userText('Hello?'),
    userText('Anybody?'),
  ]

  test('accepts what it is sent', () => {
    const { body } = project(blocks, settings, [], name)
    expect(validateChatRequest(body, endpoints[name].rules)).toEqual([])
    expect(
      validateChatRequest(
        project([assistantText('Hi'), assistantText('Ho')], settings, [], name).body,
        endpoints[name].rules,
      ),
    ).toEqual([])
  })

  test('is asked for usage only where that is needed, and told limits and seed in its own words', () => {
    const { body } = project(blocks, settings, [], name)
    const isMistral = name === 'mistral'
    const limit = isMistral || name === 'deepseek' ? 'max_tokens' : 'max_completion_tokens'
    expect('stream_options' in body).toBe(!isMistral)
    expect(body[isMistral ? 'random_seed' : 'seed']).toBe(1)
    expect([body['max_tokens'], body['max_completion_tokens']]).toEqual(
      limit === 'max_tokens' ? [9, undefined] : [undefined, 9],
    )
  })
})

describe('the reasoning of earlier replies', () => {
  const details = [{ type: 'reasoning.text', text: 'Hm.', signature: 'c2ln', index: 0 }]
  const parts = sealed(reasoning({ text: 'Hm.' }), {
    content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'Hm.' }] }],
  })
  const call = toolCall('abcdefghi', 'f', {})
  const answer = toolResult('abcdefghi', '1')
  const assistant = (blocks: readonly Block[], name: EndpointName): JsonObject | undefined =>
    messagesOf(
      project([userText('Hi'), ...blocks, ...(blocks.includes(call) ? [answer] : []), userText('More')], {}, [], name),
    ).find(({ role }) => role === 'assistant')

  const never = { openai: undefined, azure: undefined, groq: undefined, xai: undefined } as const
  const echoing = ['alibaba', 'together', 'fireworks', 'ollama', 'vllm', 'llama.cpp'] as const
  const sent = (message: JsonObject): JsonObject => ({
    role: 'assistant',
    content: null,
    ...message,
    tool_calls: [sentCall('abcdefghi', 'f', {})],
  })

  test.each(Object.keys(never) as readonly (keyof typeof never)[])('does not go back to %s', (name) => {
    for (const block of [thought('Hm.'), thought('Hm.', 'reasoning', { reasoning_details: details }), parts]) {
      expect(assistant([block, call], name)).toEqual(sent({}))
    }
  })

  test.each(echoing)(
    'goes back to %s with its calls, in the field that it came in, whatever was said since',
    (name) => {
      expect(assistant([thought('Hm.'), call], name)).toEqual(sent({ reasoning_content: 'Hm.' }))
      expect(assistant([thought('Hm.', 'reasoning'), call], name)).toEqual(sent({ reasoning: 'Hm.' }))
      expect(assistant([thought('Hm.', 'reasoning', { reasoning_details: details }), call], name)).toEqual(
        sent({ reasoning: 'Hm.' }),
      )
      expect(assistant([thought('Hm.'), assistantText('So.')], name)).toEqual({ role: 'assistant', content: 'So.' })
      expect(assistant([parts, call], name)).toEqual(sent({}))
      expect(assistant([call], name)).toEqual(sent({}))
    },
  )

  test.each(['deepseek', 'moonshot'] as const)(
    'is required by %s with each call, even where there was none',
    (name) => {
      expect(assistant([thought('Hm.'), call], name)).toEqual(sent({ reasoning_content: 'Hm.' }))
      expect(assistant([thought('H'), thought('m.'), assistantText('So.'), call], name)).toEqual(
        sent({ content: 'So.', reasoning_content: 'Hm.' }),
      )
      expect(assistant([call], name)).toEqual(sent({ reasoning_content: ' ' }))
      expect(assistant([sealed(reasoning({ text: 'Secret' }), { type: 'thinking' }, 'anthropic'), call], name)).toEqual(
        sent({ reasoning_content: ' ' }),
      )
      expect(assistant([thought('Secret', 'reasoning'), call], name)).toEqual(sent({ reasoning_content: ' ' }))
      expect(assistant([thought('Hm.'), assistantText('So.')], name)).toEqual({ role: 'assistant', content: 'So.' })
    },
  )

  test('goes back to OpenRouter as its details, with calls and without', () => {
    const block = thought('Hm.', 'reasoning', { reasoning_details: details })
    expect(assistant([block, call], 'openrouter')).toEqual(sent({ reasoning_details: details }))
    expect(assistant([block, assistantText('So.')], 'openrouter')).toEqual({
      role: 'assistant',
      content: 'So.',
      reasoning_details: details,
    })
    expect(assistant([thought('Hm.'), call], 'openrouter')).toEqual(sent({}))
  })

  test('goes back to Mistral as parts of the content', () => {
    const thinking = { type: 'thinking', thinking: [{ type: 'text', text: 'Hm.' }] }
    expect(assistant([parts, assistantText('So.')], 'mistral')).toEqual({
      role: 'assistant',
      content: [thinking, { type: 'text', text: 'So.' }],
    })
    expect(assistant([parts, call], 'mistral')).toEqual(sent({ content: [thinking] }))
    expect(assistant([thought('Hm.'), call], 'mistral')).toEqual(sent({}))
  })
})

describe('thinking', () => {
  const inference = { thinking_type: 'enabled', thinking_budget: 99, reasoning_effort: 'low' }
  test.each<[EndpointName, JsonObject, readonly RegExp[]]>([
    ['deepseek', { reasoning_effort: 'low', thinking: { type: 'enabled' } }, [/thinking_budget/]],
    ['moonshot', { thinking: { type: 'enabled' } }, [/reasoning_effort.*moonshot/, /thinking_budget/]],
    ['alibaba', { reasoning_effort: 'low', enable_thinking: true, thinking_budget: 99 }, []],
    ['openrouter', { reasoning: { max_tokens: 99, enabled: true } }, [/reasoning_effort.*OpenRouter/]],
    ['ollama', { reasoning_effort: 'low', thinking: { type: 'enabled' } }, [/thinking_budget/]],
  ])('is turned on at %s in its own fields', (name, expected, warnings) => {
    const { body, warnings: warned = [] } = project([userText('Hi')], { inference }, [], name)
    const { model: _model, messages: _messages, stream: _stream, stream_options: _options, ...rest } = body
    expect(rest).toEqual(expected)
    expect(warned).toEqual(warnings.map((warning) => expect.stringMatching(warning)))
  })

  test.each<[EndpointName, JsonObject]>([
    ['deepseek', { thinking: { type: 'disabled' } }],
    ['alibaba', { enable_thinking: false }],
    ['openrouter', { reasoning: { enabled: false } }],
  ])('is turned off at %s', (name, expected) => {
    expect(project([userText('Hi')], { inference: { thinking_type: 'disabled' } }, [], name).body).toMatchObject(
      expected,
    )
  })

  test('an effort alone goes to Moonshot and OpenRouter', () => {
    const only = { inference: { reasoning_effort: 'low' } }
    expect(project([userText('Hi')], only, [], 'moonshot').body['reasoning_effort']).toBe('low')
    expect(project([userText('Hi')], only, [], 'openrouter').body['reasoning']).toEqual({ effort: 'low' })
  })
})

describe('what else is sent to some', () => {
  const body = (name: EndpointName, settings: Partial<InferenceSettings>) =>
    project([userText('Hi')], settings, [], name).body

  test('a longer memory of the prompt is asked of OpenAI', () => {
    expect(body('openai', { promptCache: 'long' })['prompt_cache_retention']).toBe('24h')
    expect('prompt_cache_retention' in body('openai', { promptCache: 'short' })).toBe(false)
    for (const name of names.filter((each) => each !== 'openai' && each !== 'azure'))
      expect('prompt_cache_retention' in body(name, { promptCache: 'long' })).toBe(false)
  })

  test('a schema goes to all but DeepSeek, which is asked for JSON', () => {
    const structuredOutput = { mode: 'json_schema', name: 'x', schema: { type: 'object' } } as const
    for (const name of names) {
      const { body: sent, warnings = [] } = project([userText('Hi')], { structuredOutput }, [], name)
      expect(sent['response_format']).toMatchObject({ type: name === 'deepseek' ? 'json_object' : 'json_schema' })
      expect(warnings).toHaveLength(name === 'deepseek' ? 1 : 0)
    }
  })

  test.each<[EndpointName, Json | undefined]>([
    ['openai', undefined],
    ['mistral', undefined],
    ['openrouter', { google: { thought_signature: 's' } }],
    ['vllm', { google: { thought_signature: 's' } }],
  ])("a call's further fields go back to those who know them: %s", (name, expected) => {
    const call = sealed(
      toolCall('abcdefghi', 'f', {}),
      sentCall('abcdefghi', 'f', '{}', { extra_content: { google: { thought_signature: 's' } } }),
    )
    const [, message] = messagesOf(project([userText('Hi'), call, toolResult('abcdefghi', '1')], {}, [], name))
    const [sent] = (message?.['tool_calls'] ?? []) as readonly JsonObject[] // as messages have them
    expect(sent?.['extra_content']).toEqual(expected)
  })
})
