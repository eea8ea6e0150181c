import * as z from 'zod'
import { describe, expect, test } from 'vitest'
import { validateGeminiRequest } from '../../../test/support/validate-gemini.ts'
import type { ToolSpec } from '../../inference/engine.ts'
import { callSettings, type InferenceSettings } from '../../inference/settings.ts'
import type { Json } from '../../json.ts'
import { systemText, userText } from '../../turns/block.ts'
import { geminiServerToolsKey, inferenceConfigKey, structuredOutputKey, toolConfigKey } from '../../turns/keys.ts'
import { createTurn, type Turn } from '../../turns/turn.ts'
import type { ToolChoice } from '../../turns/values.ts'
import { toRequest } from './request.ts'

const weather: ToolSpec = {
  name: 'weather',
  description: 'The weather in a city.',
  input: z.object({ city: z.string(), days: z.array(z.number()).optional() }),
}
const time: ToolSpec = { name: 'time', description: 'The time.', input: z.object({}) }
const hi = createTurn([userText('Hi')])

function project(turn: Turn, settings: Partial<InferenceSettings> = {}, tools: readonly ToolSpec[] = []) {
  const request = toRequest(turn, callSettings(turn, { model: 'gemini-2.5-flash', ...settings }), tools)
  expect(validateGeminiRequest(request.body)).toEqual([])
  return request
}
const configOf = (settings: Partial<InferenceSettings>, turn = hi) => project(turn, settings).body['generationConfig']

test('the body has its fields in one order, and none that says nothing', () => {
  const turn = geminiServerToolsKey.set(createTurn([systemText('Be brief.'), userText('Hi')]), [{ googleSearch: {} }])
  const settings = { inference: { temperature: 0 } }
  expect(Object.keys(project(turn, settings, [weather]).body)).toEqual([
    'systemInstruction',
    'contents',
    'tools',
    'toolConfig',
    'generationConfig',
  ])
  expect(Object.keys(project(hi).body)).toEqual(['contents'])
})

test.each([
  ['gemini-2.5-flash', '/models/gemini-2.5-flash:streamGenerateContent?alt=sse'],
  ['models/gemini-2.5-flash', '/models/gemini-2.5-flash:streamGenerateContent?alt=sse'],
  ['tunedModels/mine', '/tunedModels/mine:streamGenerateContent?alt=sse'],
  ['publishers/google/models/gemini-x', '/publishers/google/models/gemini-x:streamGenerateContent?alt=sse'],
  ['a?b#c', '/models/a%3Fb%23c:streamGenerateContent?alt=sse'],
])('the model %s is called at %s', (model, path) => {
  expect(project(hi, { model }).path).toBe(path)
})

describe('settings', () => {
  test.each<[string, Partial<InferenceSettings>, object | undefined]>([
    [
      'sampling, limits, stops',
      { inference: { temperature: 0, top_p: 0.5, max_response_tokens: 9, stop: ['END'], seed: 0 } },
      { temperature: 0, topP: 0.5, maxOutputTokens: 9, stopSequences: ['END'], seed: 0 },
    ],
    ['no stops', { inference: { stop: [] } }, undefined],
    [
      'a JSON answer',
      { structuredOutput: { mode: 'json_schema', name: 'x', schema: { type: 'object' } } },
      { responseMimeType: 'application/json', responseJsonSchema: { type: 'object' } },
    ],
  ])('%s', (_name, settings, expected) => {
    expect(configOf(settings)).toEqual(expected)
  })

  test('a turn’s word beats the engine’s', () => {
    const turn = structuredOutputKey.set(inferenceConfigKey.set(hi, { temperature: 1, stop: [] }), {
      mode: 'json_schema',
      name: 'y',
      schema: { type: 'array' },
    })
    const structuredOutput = { mode: 'json_schema' as const, name: 'x', schema: { type: 'object' } }
    expect(configOf({ inference: { temperature: 0, stop: ['END'], seed: 7 }, structuredOutput }, turn)).toEqual({
      temperature: 1,
      seed: 7,
      responseMimeType: 'application/json',
      responseJsonSchema: { type: 'array' },
    })
  })

  test.each<[string, string, InferenceSettings['inference'], object | undefined]>([
    ['nothing asked', 'gemini-3-pro', {}, undefined],
    ['a budget', 'gemini-2.5-flash', { thinking_budget: 512 }, { includeThoughts: true, thinkingBudget: 512 }],
    [
      'a budget that is the model’s to choose',
      'gemini-2.5-flash',
      { thinking_budget: -1 },
      { includeThoughts: true, thinkingBudget: -1 },
    ],
    ['no budget', 'gemini-2.5-flash', { thinking_budget: 0 }, { thinkingBudget: 0 }],
    [
      'a budget beside an effort',
      'gemini-3-pro',
      { thinking_budget: 512, reasoning_effort: 'high' },
      { includeThoughts: true, thinkingBudget: 512 },
    ],
    ['an effort', 'gemini-3-pro', { reasoning_effort: 'Low' }, { includeThoughts: true, thinkingLevel: 'LOW' }],
    [
      'an effort of another provider',
      'gemini-3-pro',
      { reasoning_effort: 'xhigh' },
      { includeThoughts: true, thinkingLevel: 'HIGH' },
    ],
    [
      'an effort before there were levels',
      'gemini-2.5-pro',
      { reasoning_effort: 'medium' },
      { includeThoughts: true, thinkingBudget: 8192 },
    ],
    ['no effort before there were levels', 'gemini-2.5-flash', { reasoning_effort: 'none' }, { thinkingBudget: 0 }],
    [
      'no effort of a model that always thinks',
      'gemini-2.5-pro',
      { reasoning_effort: 'none' },
      { includeThoughts: true, thinkingBudget: 128 },
    ],
    [
      'the least effort of a model that always thinks',
      'gemini-3.1-pro-preview',
      { reasoning_effort: 'minimal' },
      { includeThoughts: true, thinkingLevel: 'LOW' },
    ],
    [
      'the least effort since there are levels',
      'gemini-flash-latest',
      { reasoning_effort: 'none' },
      { includeThoughts: true, thinkingLevel: 'MINIMAL' },
    ],
    [
      'thoughts that nobody wants to see',
      'gemini-3-pro',
      { reasoning_effort: 'high', reasoning_summary: 'none' },
      { includeThoughts: false, thinkingLevel: 'HIGH' },
    ],
    ['thoughts alone', 'gemini-3-pro', { reasoning_summary: 'auto' }, { includeThoughts: true }],
    ['an effort that nobody knows', 'gemini-3-pro', { reasoning_effort: 'heroic' }, undefined],
  ])('thinking: %s', (_name, model, inference, expected) => {
    const config = configOf({ model, inference: inference ?? {} })
    expect(config).toEqual(expected === undefined ? undefined : { thinkingConfig: expected })
  })

  test('what Gemini has no word for is said to be left out', () => {
    const { warnings } = project(hi, { inference: { reasoning_effort: 'heroic', thinking_type: 'enabled' } })
    expect(warnings).toEqual([
      'reasoning_effort "heroic" left out: Gemini has no such level',
      'thinking_type left out: Gemini has no such setting; give thinking_budget',
    ])
    expect(project(hi, { inference: { reasoning_effort: 'max' } }).warnings).toEqual([])
  })
})

describe('tools', () => {
  const offer = (
    choice: ToolChoice | undefined,
    serverTools: readonly Json[],
    model: string,
    tools = [weather, time],
  ) => {
    const chosen =
      choice === undefined ? hi : toolConfigKey.set(hi, { enabled: true, tool_choice: choice, max_parallel_tools: 1 })
    const turn = serverTools.length === 0 ? chosen : geminiServerToolsKey.set(chosen, [...serverTools])
    return project(turn, { model }, tools).body
  }
  const schema = {
    properties: { city: { type: 'string' }, days: { items: { type: 'number' }, type: 'array' } },
    required: ['city'],
    type: 'object',
  }

  test('are offered with their whole schema, in the order given', () => {
    expect(offer(undefined, [], 'gemini-2.5-flash')['tools']).toMatchObject([
      {
        functionDeclarations: [
          { name: 'weather', description: 'The weather in a city.', parametersJsonSchema: schema },
          { name: 'time', description: 'The time.', parametersJsonSchema: { type: 'object' } },
        ],
      },
    ])
  })

  test.each<[ToolChoice | undefined, string]>([
    [undefined, 'AUTO'],
    ['auto', 'AUTO'],
    ['required', 'ANY'],
    ['none', 'NONE'],
  ])('choice %s is the mode %s', (choice, mode) => {
    expect(offer(choice, [], 'gemini-3-pro')['toolConfig']).toEqual({ functionCallingConfig: { mode } })
  })

  test.each<[ToolChoice, string]>([
    ['auto', 'VALIDATED'],
    ['required', 'ANY'],
    ['none', 'NONE'],
  ])('beside tools of its own, Gemini 3 is asked to show what these do: choice %s is %s', (choice, mode) => {
    const body = offer(choice, [{ googleSearch: {} }, 'no tool', { codeExecution: {} }], 'gemini-3-flash')
    expect(body['tools']).toEqual([expect.objectContaining({}), { googleSearch: {} }, { codeExecution: {} }])
    expect(body['toolConfig']).toEqual({ functionCallingConfig: { mode }, includeServerSideToolInvocations: true })
  })

  test('of its own alone need no configuration, and older models know no such thing', () => {
    expect(offer('auto', [{ googleSearch: {} }], 'gemini-3-flash', [])).toMatchObject({ tools: [{ googleSearch: {} }] })
    expect(offer('auto', [{ googleSearch: {} }], 'gemini-3-flash', [])).not.toHaveProperty('toolConfig')
    expect(offer('auto', [{ googleSearch: {} }], 'gemini-2.5-flash')['toolConfig']).toEqual({
      functionCallingConfig: { mode: 'AUTO' },
    })
    expect(offer('required', [], 'gemini-3-flash', [])).not.toHaveProperty('tools')
  })
})
