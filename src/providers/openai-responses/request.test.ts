import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { body, hi, hiItem, input, project, stored } from '../../../test/support/responses-runs.ts'
import type { ToolSpec } from '../../inference/engine.ts'
import type { InferenceSettings } from '../../inference/settings.ts'
import type { Json, JsonObject } from '../../json.ts'
import {
  assistantText,
  systemText,
  toolCall,
  toolError,
  toolResult,
  userText,
  type ImagePart,
} from '../../turns/block.ts'
import {
  inferenceConfigKey,
  openaiInferenceConfigKey,
  responsesServerToolsKey,
  structuredOutputKey,
  toolConfigKey,
} from '../../turns/keys.ts'
import { createTurn } from '../../turns/turn.ts'

const weather: ToolSpec = {
  name: 'weather',
  description: 'The weather.',
  input: z.object({ city: z.string(), days: z.number().optional() }),
}

describe('a request', () => {
  test('has what the API needs, in one order, and nothing that was not asked for', () => {
    expect(
      JSON.stringify(
        body([systemText('Be brief.'), hi, assistantText('Hello.'), userText('Bye')], { model: 'gpt-4o' }),
      ),
    ).toBe(
      JSON.stringify({
        model: 'gpt-4o',
        input: [
          { role: 'system', content: [{ type: 'input_text', text: 'Be brief.' }] },
          hiItem,
          { role: 'assistant', content: [{ type: 'output_text', text: 'Hello.' }] },
          { role: 'user', content: [{ type: 'input_text', text: 'Bye' }] },
        ],
        store: false,
        stream: true,
      }),
    )
  })

  const output = { mode: 'json_schema' as const, name: 'answer', description: 'The answer', schema: { type: 'object' } }
  test.each<[string, Partial<InferenceSettings>, JsonObject]>([
    ['the token limit', { inference: { max_response_tokens: 50 } }, { max_output_tokens: 50 }],
    [
      'a temperature of zero',
      { model: 'gpt-4o', inference: { temperature: 0, top_p: 0.5 } },
      { temperature: 0, top_p: 0.5 },
    ],
    ['an effort, word for word', { inference: { reasoning_effort: 'minimal' } }, { reasoning: { effort: 'minimal' } }],
    [
      'a summary',
      { inference: { reasoning_effort: 'xhigh', reasoning_summary: 'auto' } },
      { reasoning: { effort: 'xhigh', summary: 'auto' } },
    ],
    ['sealed reasoning from a reasoning model', { model: 'o3' }, { include: ['reasoning.encrypted_content'] }],
    ['the same from a later one', { model: 'gpt-6-astra' }, { include: ['reasoning.encrypted_content'] }],
    [
      'sealed reasoning from a model that is told to reason',
      { model: 'mine', inference: { reasoning_effort: 'low' } },
      { include: ['reasoning.encrypted_content'] },
    ],
    [
      'a schema',
      { structuredOutput: output },
      {
        text: {
          format: {
            type: 'json_schema',
            name: 'answer',
            description: 'The answer',
            schema: { type: 'object' },
            strict: true,
          },
        },
      },
    ],
    ['that the server keeps it', stored, { store: true }],
    ['a service tier', { openai: { service_tier: 'flex' } }, { service_tier: 'flex' }],
    ['a long prompt cache', { promptCache: 'long' }, { prompt_cache_retention: '24h' }],
  ])('asks for %s', (_name, settings, fields) => {
    expect(body([hi], settings)).toMatchObject(fields)
  })

  test('leaves out what does not apply', () => {
    expect(Object.keys(body([hi], { inference: { temperature: 0.5, top_p: 1 } }))).toEqual([
      'model',
      'input',
      'include',
      'store',
      'stream',
    ])
    expect(Object.keys(body([hi], { model: 'gpt-4o', promptCache: 'none', inference: { stop: [] } }))).toEqual([
      'model',
      'input',
      'store',
      'stream',
    ])
    expect(
      project([hi], { inference: { stop: ['END'], seed: 1, thinking_budget: 9 }, openai: { n: 2 }, model: 'gpt-4o' })
        .warnings,
    ).toEqual(['stop and seed and thinking_budget and n left out: the Responses API has no such setting'])
  })

  test("a turn's settings beat the engine's", () => {
    const turn = openaiInferenceConfigKey.set(
      inferenceConfigKey.set(createTurn([hi]), { max_response_tokens: 9, reasoning_effort: 'high' }),
      { store: true },
    )
    expect(body(turn, { inference: { max_response_tokens: 5 } })).toMatchObject({
      max_output_tokens: 9,
      reasoning: { effort: 'high' },
      store: true,
    })
    expect(
      body(structuredOutputKey.set(createTurn([hi]), { mode: 'off' }), { structuredOutput: output }),
    ).not.toHaveProperty('text')
  })

  test('offers tools flat, not strict, with its own before those of the provider', () => {
    const search = { type: 'web_search', filters: { allowed_domains: ['a.example'] } }
    const turn = toolConfigKey.set(responsesServerToolsKey.set(createTurn([hi]), [search]), {
      enabled: true,
      tool_choice: 'required',
      max_parallel_tools: 1,
    })
    expect(body(turn, {}, [weather])).toMatchObject({
      tools: [
        {
          type: 'function',
          name: 'weather',
          description: 'The weather.',
          parameters: {
            type: 'object',
            properties: { city: { type: 'string' }, days: { type: 'number' } },
            required: ['city'],
          },
          strict: false,
        },
        search,
      ],
      tool_choice: 'required',
      parallel_tool_calls: false,
    })
    expect(body(turn)).toMatchObject({ tools: [search] })
    expect(
      body(toolConfigKey.set(createTurn([hi]), { enabled: true, max_parallel_tools: 3 }), {}, [weather]),
    ).toMatchObject({ parallel_tool_calls: true })
    expect(
      body(toolConfigKey.set(createTurn([hi]), { enabled: true, tool_choice: 'required', max_parallel_tools: 1 })),
    ).not.toHaveProperty('tool_choice')
  })

  test.each<[string, ImagePart, JsonObject]>([
    [
      'a link',
      { url: 'https://a.example/a.png', detail: 'high' },
      { image_url: 'https://a.example/a.png', detail: 'high' },
    ],
    [
      'bytes',
      { content: 'aGk=', media_type: 'image/png' },
      { image_url: 'data:image/png;base64,aGk=', detail: 'auto' },
    ],
    [
      'a data URL',
      { url: 'data:image/jpeg;base64,aGk=' },
      { image_url: 'data:image/jpeg;base64,aGk=', detail: 'auto' },
    ],
    ['a file', { file_id: 'file_1' }, { file_id: 'file_1', detail: 'auto' }],
  ])('shows an image that is %s', (_name, image, fields) => {
    expect(input([userText('See', [image])])).toEqual([
      {
        role: 'user',
        content: [
          { type: 'input_text', text: 'See' },
          { type: 'input_image', ...fields },
        ],
      },
    ])
    expect(input([userText('', [image])])).toEqual([{ role: 'user', content: [{ type: 'input_image', ...fields }] }])
  })

  test.each<[string, Json, string | undefined, Json]>([
    ['text', 'sunny', undefined, 'sunny'],
    ['JSON', { celsius: 21 }, undefined, '{"celsius":21}'],
    ['null', null, undefined, 'null'],
    ['an error', 'half', 'broke', '{"error":"broke","result":"half"}'],
    [
      'an image',
      [
        { type: 'text', text: 'See' },
        { type: 'image', data: 'aGk=', mimeType: 'image/png' },
      ],
      undefined,
      [
        { type: 'input_text', text: 'See' },
        { type: 'input_image', image_url: 'data:image/png;base64,aGk=', detail: 'auto' },
      ],
    ],
    [
      'an image in the answer of an MCP server',
      { content: [{ type: 'image', data: 'aGk=', mimeType: 'image/png' }] },
      undefined,
      [{ type: 'input_image', image_url: 'data:image/png;base64,aGk=', detail: 'auto' }],
    ],
    [
      'an error beside an image',
      [{ type: 'image', data: 'aGk=', mimeType: 'image/png' }],
      'broke',
      '{"error":"broke","result":[{"type":"image","data":"aGk=","mimeType":"image/png"}]}',
    ],
    ['a list that looks like one', [{ type: 'image', url: 'x' }], undefined, '[{"type":"image","url":"x"}]'],
  ])('answers a call with %s', (_name, result, error, output) => {
    const answer = error === undefined ? toolResult('call_a', result) : toolError('call_a', error, result)
    expect(input([toolCall('call_a', 'f', {}), answer])[1]).toEqual({
      type: 'function_call_output',
      call_id: 'call_a',
      output,
    })
  })

  test('says system text where it stands', () => {
    expect(input([hi, systemText('Now in French.')]).map(({ role }) => role)).toEqual(['user', 'system'])
  })
})
