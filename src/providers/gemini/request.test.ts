import type { GenerateContentParameters } from '@google/genai'
import * as z from 'zod'
import { describe, expect, test } from 'vitest'
import { validateGeminiRequest } from '../../../test/support/validate-gemini.ts'
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
import { geminiServerToolsKey, sidecarKey, toolConfigKey } from '../../turns/keys.ts'
import { createTurn, type Turn } from '../../turns/turn.ts'
import { toRequest } from './request.ts'

const weather: ToolSpec = {
  name: 'weather',
  description: 'The weather in a city.',
  input: z.object({ city: z.string() }),
}
const own = <B extends Block>(block: B, ...parts: readonly object[]): B =>
  sidecarKey.set(block, { provider: 'gemini', item: { parts: JSON.parse(JSON.stringify(parts)) } })

function project(
  turn: Turn | readonly Block[],
  settings: Partial<InferenceSettings> = {},
  tools: readonly ToolSpec[] = [],
) {
  const whole = 'blocks' in turn ? turn : createTurn(turn)
  const request = toRequest(whole, callSettings(whole, { model: 'gemini-2.5-flash', ...settings }), tools)
  expect(validateGeminiRequest(request.body)).toEqual([])
  return { ...request, repaired: request.repairs.map(({ repair, block }) => [repair, block]) }
}

describe('contents', () => {
  test('a whole conversation', () => {
    const { body, repaired, path } = project([
      systemText('Be brief.'),
      userText('Look', [
        { content: 'aGk=', media_type: 'image/png' },
        { file_uri: 'https://files.example/1', media_type: 'image/png' },
      ]),
      own(reasoning({ text: 'Hm.' }), { text: 'Hm.', thought: true, thoughtSignature: 's0' }),
      own(assistantText('I see.'), { text: 'I ' }, { text: 'see.', thoughtSignature: 's1' }),
      userText('Weather?'),
      own(toolCall('x', 'weather', { city: 'A' }), {
        functionCall: { id: 'x', name: 'weather', args: { city: 'A' } },
        thoughtSignature: 's2',
      }),
      toolCall('b', 'weather', { city: 'B' }),
      toolError('b', 'no such city'),
      toolResult('x', { celsius: 21 }),
      otherBlock('provider_item', { provider: 'gemini', item: { executableCode: { code: '1' } } }),
    ])
    expect(path).toBe('/models/gemini-2.5-flash:streamGenerateContent?alt=sse')
    expect(repaired).toEqual([])
    expect(body).toEqual({
      systemInstruction: { parts: [{ text: 'Be brief.' }] },
      contents: [
        {
          role: 'user',
          parts: [
            { text: 'Look' },
            { inlineData: { mimeType: 'image/png', data: 'aGk=' } },
            { fileData: { mimeType: 'image/png', fileUri: 'https://files.example/1' } },
          ],
        },
        {
          role: 'model',
          parts: [
            { text: 'Hm.', thought: true, thoughtSignature: 's0' },
            { text: 'I ' },
            { text: 'see.', thoughtSignature: 's1' },
          ],
        },
        { role: 'user', parts: [{ text: 'Weather?' }] },
        {
          role: 'model',
          parts: [
            { functionCall: { id: 'x', name: 'weather', args: { city: 'A' } }, thoughtSignature: 's2' },
            { functionCall: { name: 'weather', args: { city: 'B' } } },
          ],
        },
        {
          role: 'user',
          parts: [
            { functionResponse: { id: 'x', name: 'weather', response: { celsius: 21 } } },
            { functionResponse: { name: 'weather', response: { error: 'no such city' } } },
          ],
        },
        { role: 'model', parts: [{ executableCode: { code: '1' } }] },
      ],
    })
  })

  test.each<[string, readonly Block[], readonly (readonly [string, number])[]]>([
    ['a call without a result', [userText('Hi'), toolCall('a', 'f', {})], [['orphan-tool-call', 1]]],
    ['a result without a call', [userText('Hi'), toolResult('a', 1)], [['orphan-tool-result', 1]]],
    [
      'a text that was edited',
      [userText('Hi'), own(assistantText('YES'), { text: 'Yes', thoughtSignature: 's' })],
      [['edited-block', 1]],
    ],
    [
      'a call that was edited',
      [
        userText('Hi'),
        own(toolCall('a', 'f', { b: 2 }), { functionCall: { name: 'f', args: {} }, thoughtSignature: 's' }),
        toolResult('a', 1),
      ],
      [['edited-block', 1]],
    ],
    [
      "another provider's item",
      [userText('Hi'), otherBlock('provider_item', { provider: 'anthropic', item: {} })],
      [['foreign-item', 1]],
    ],
    ['a beginning without the user', [assistantText('Hello.')], [['missing-prompt', 0]]],
    ['a name that is none here', [userText('Hi'), toolCall('a', '1 f', {}), toolResult('a', 1)], [['tool-name', 1]]],
  ])('%s is repaired, and said so', (_name, blocks, repaired) => {
    expect(project(blocks).repaired).toEqual(repaired)
  })

  test('Gemini 3 gets a word in place of the signature that a call of the running prompt lacks', () => {
    const call = [userText('Hi'), toolCall('a', 'f', {}), toolResult('a', 1)]
    const { body, repaired } = project(call, { model: 'gemini-3-pro-preview' })
    expect(JSON.stringify(body)).toContain('"thoughtSignature":"skip_thought_signature_validator"')
    expect(repaired).toEqual([['unsigned-call', 1]])
    expect(JSON.stringify(project([...call, userText('And?')], { model: 'gemini-3-pro-preview' }).body)).not.toContain(
      'skip_thought',
    )
  })
})

describe('settings', () => {
  test.each<[string, Partial<InferenceSettings>, object]>([
    [
      'sampling, limits, stops',
      { inference: { temperature: 0, top_p: 0.5, max_response_tokens: 9, stop: ['END'], seed: 1 } },
      { temperature: 0, topP: 0.5, maxOutputTokens: 9, stopSequences: ['END'], seed: 1 },
    ],
    [
      'a thinking budget',
      { inference: { thinking_budget: 0 } },
      { thinkingConfig: { includeThoughts: true, thinkingBudget: 0 } },
    ],
    [
      'a thinking level',
      { inference: { reasoning_effort: 'low' } },
      { thinkingConfig: { includeThoughts: true, thinkingLevel: 'low' } },
    ],
    [
      'a JSON answer',
      { structuredOutput: { mode: 'json_schema', name: 'x', schema: { type: 'object' } } },
      { responseMimeType: 'application/json', responseJsonSchema: { type: 'object' } },
    ],
  ])('%s', (_name, settings, expected) => {
    expect(project([userText('Hi')], settings).body['generationConfig']).toEqual(expected)
  })

  test('tools come with their whole schema; server tools as they are; without either there is nothing of it', () => {
    const turn = toolConfigKey.set(geminiServerToolsKey.set(createTurn([userText('Hi')]), [{ googleSearch: {} }]), {
      enabled: true,
      tool_choice: 'required',
    })
    expect(project(turn, {}, [weather]).body).toMatchObject({
      tools: [
        { functionDeclarations: [{ name: 'weather', parametersJsonSchema: { type: 'object', required: ['city'] } }] },
        { googleSearch: {} },
      ],
      toolConfig: { functionCallingConfig: { mode: 'ANY' } },
    })
    expect(Object.keys(project([userText('Hi')]).body)).toEqual(['contents'])
  })

  test('a request has the shape that the official types demand', () => {
    const expected: GenerateContentParameters['contents'] = [
      { role: 'user', parts: [{ text: 'Hi' }] },
      { role: 'model', parts: [{ functionCall: { name: 'weather', args: {} } }] },
      { role: 'user', parts: [{ functionResponse: { name: 'weather', response: { result: 21 } } }] },
    ]
    expect(project([userText('Hi'), toolCall('a', 'weather', {}), toolResult('a', 21)]).body['contents']).toEqual(
      expected,
    )
  })
})
