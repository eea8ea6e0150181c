import { describe, expect, test } from 'vitest'
import { project, weather } from '../../../test/support/chat-requests.ts'
import { replying, runToEnd } from '../../../test/support/replies.ts'
import type { InferenceSettings } from '../../inference/settings.ts'
import type { JsonObject } from '../../json.ts'
import { userText } from '../../turns/block.ts'
import { inferenceConfigKey, openaiInferenceConfigKey, structuredOutputKey, toolConfigKey } from '../../turns/keys.ts'
import { createTurn } from '../../turns/turn.ts'
import type { ToolChoice } from '../../turns/values.ts'
import { openai } from './protocol.ts'

const prompt = createTurn([userText('Hi')])
const base = {
  model: 'gpt-4o',
  messages: [{ role: 'user', content: 'Hi' }],
  stream: true,
  stream_options: { include_usage: true },
}
const schema = { type: 'object', properties: { a: { type: 'number' } } }

describe('settings', () => {
  test.each<[string, Partial<InferenceSettings>, JsonObject]>([
    ['none', {}, {}],
    ['temperature 0', { inference: { temperature: 0, top_p: 0 } }, { temperature: 0, top_p: 0 }],
    ['a limit', { inference: { max_response_tokens: 9 } }, { max_tokens: 9 }],
    [
      'a limit of a reasoning model',
      { model: 'o3', inference: { max_response_tokens: 9, reasoning_effort: 'low' } },
      { model: 'o3', max_completion_tokens: 9, reasoning_effort: 'low' },
    ],
    [
      'a limit of a model that is known to reason',
      { modelInfo: { reasoning: true }, inference: { max_response_tokens: 9 } },
      { max_completion_tokens: 9 },
    ],
    [
      'seed, stop and penalties',
      { inference: { seed: 0, stop: ['END'] }, openai: { presence_penalty: 1, frequency_penalty: 0 } },
      { presence_penalty: 1, frequency_penalty: 0, stop: ['END'], seed: 0 },
    ],
    ['no stops', { inference: { stop: [] } }, {}],
    ['store and tier', { openai: { store: false, service_tier: 'flex' } }, { store: false, service_tier: 'flex' }],
    ['one answer', { openai: { n: 1 } }, {}],
    ['thinking that is left to the vendor', { inference: { thinking_type: 'auto' } }, {}],
    [
      'a JSON answer',
      { structuredOutput: { mode: 'json_schema', name: 'x', description: 'An x.', schema } },
      {
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'x', description: 'An x.', schema, strict: true },
        },
      },
    ],
    [
      'a JSON answer that need not be strict',
      { structuredOutput: { mode: 'json_schema', name: 'x', schema, strict: false } },
      { response_format: { type: 'json_schema', json_schema: { name: 'x', schema, strict: false } } },
    ],
  ])('%s', (_name, settings, expected) => {
    const { body, path, warnings } = project(prompt, settings)
    expect(body).toEqual({ ...base, ...expected })
    expect(path).toBe('/chat/completions')
    expect(warnings).toEqual([])
  })

  test('of the turn beat those of the engine, and an empty list of stops clears them', () => {
    let turn = inferenceConfigKey.set(prompt, { temperature: 0, stop: [], seed: null })
    turn = openaiInferenceConfigKey.set(turn, { service_tier: 'flex' })
    turn = structuredOutputKey.set(turn, { mode: 'json_schema', name: 'x', schema })
    const { body } = project(turn, {
      inference: { temperature: 1, stop: ['END'], seed: 7 },
      openai: { service_tier: 'auto' },
    })
    expect(body).toEqual({
      ...base,
      temperature: 0,
      seed: 7,
      response_format: { type: 'json_schema', json_schema: { name: 'x', schema, strict: true } },
      service_tier: 'flex',
    })
  })

  test.each<[string, Partial<InferenceSettings>, JsonObject, RegExp]>([
    [
      'sampling of a model that thinks',
      { inference: { thinking_type: 'enabled', temperature: 1, top_p: 1 }, openai: { presence_penalty: 1 } },
      { thinking: { type: 'enabled' } },
      /temperature and top_p and presence_penalty left out/,
    ],
    ['a summary', { inference: { reasoning_summary: 'auto' } }, {}, /reasoning_summary left out/],
    ['a budget', { inference: { thinking_budget: 9 } }, {}, /thinking_budget left out/],
    [
      'a name that is none',
      { structuredOutput: { mode: 'json_schema', name: 'my schema', schema } },
      { response_format: { type: 'json_schema', json_schema: { name: 'my_schema', schema, strict: true } } },
      /"my schema" is sent as "my_schema"/,
    ],
  ])('%s is not sent, and said so', (_name, settings, expected, warning) => {
    const { body, warnings } = project(prompt, settings)
    expect(body).toEqual({ ...base, ...expected })
    expect(warnings).toEqual([expect.stringMatching(warning)])
  })

  test.each<[Partial<InferenceSettings>, RegExp]>([
    [{ openai: { n: 2 } }, /one answer, so n must be 1, not 2/],
    [{ inference: { thinking_type: 'deep' } }, /unsupported openai chat thinking_type "deep"/],
  ])('%j is refused', (settings, problem) => {
    expect(() => project(prompt, settings)).toThrow(
      expect.objectContaining({ code: 'SETTINGS_INVALID', message: expect.stringMatching(problem) }),
    )
  })
})

describe('tools', () => {
  const tool = {
    type: 'function',
    function: {
      name: 'weather',
      description: 'The weather in a city.',
      parameters: { properties: { city: { type: 'string' } }, required: ['city'], type: 'object' },
    },
  }
  const config = (fields: { readonly tool_choice?: ToolChoice; readonly max_parallel_tools?: number }) =>
    toolConfigKey.set(prompt, { enabled: true, ...fields })

  test.each<[string, Parameters<typeof config>[0], JsonObject]>([
    ['left to the model', {}, { tool_choice: 'auto' }],
    ['required', { tool_choice: 'required' }, { tool_choice: 'required' }],
    ['forbidden', { tool_choice: 'none' }, { tool_choice: 'none' }],
    [
      'one at a time',
      { tool_choice: 'auto', max_parallel_tools: 1 },
      { tool_choice: 'auto', parallel_tool_calls: false },
    ],
    ['many at a time', { max_parallel_tools: 4 }, { tool_choice: 'auto', parallel_tool_calls: true }],
    ['as many as the vendor likes', { max_parallel_tools: 0 }, { tool_choice: 'auto' }],
  ])('are %s', (_name, fields, expected) => {
    expect(project(config(fields), {}, [weather]).body).toEqual({ ...base, tools: [tool], ...expected })
  })

  test('leave nothing behind where there are none', () => {
    expect(project(config({ tool_choice: 'required', max_parallel_tools: 1 })).body).toEqual(base)
  })
})

test('the key goes into the header, and the path behind the base URL', async () => {
  const { fetch, sent } = replying(['data: [DONE]\n\n'])
  await runToEnd(openai({ model: 'm', apiKey: 'key', baseUrl: 'https://a.example/v1/', fetch }), prompt)
  await runToEnd(openai({ model: 'gpt-4o', apiKey: 'key', fetch }), prompt)
  expect(sent.map(({ url, headers }) => [url, headers['authorization']])).toContainEqual([
    'https://a.example/v1/chat/completions',
    'Bearer key',
  ])
  expect(sent.at(-1)?.url).toBe('https://api.openai.com/v1/chat/completions')
  expect(JSON.parse(sent.at(-1)?.body ?? '')).toEqual(base)
})
