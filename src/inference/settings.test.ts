import { describe, expect, test } from 'vitest'
import { userText } from '../turns/block.ts'
import {
  claudeInferenceConfigKey,
  inferenceConfigKey,
  openaiInferenceConfigKey,
  structuredOutputKey,
  toolConfigKey,
} from '../turns/keys.ts'
import { createTurn } from '../turns/turn.ts'
import type { StructuredOutputConfig } from '../turns/values.ts'
import { callSettings, hasReasoningName, type InferenceSettings } from './settings.ts'

const turn = createTurn([userText('Hi')])
const plain: InferenceSettings = { model: 'plain-1' }

describe('a turn over its engine', () => {
  const engine: InferenceSettings = { ...plain, inference: { temperature: 0.7, stop: ['END'], seed: 1, top_p: null } }

  test('without an override the engine decides, and null says nothing', () => {
    expect(callSettings(turn, engine).inference).toEqual({ temperature: 0.7, stop: ['END'], seed: 1 })
  })

  test('a field of the turn beats the same field of the engine, also with 0; null inherits', () => {
    const override = inferenceConfigKey.set(turn, { temperature: 0, seed: null, max_response_tokens: 10 })
    expect(callSettings(override, engine).inference).toEqual({
      temperature: 0,
      stop: ['END'],
      seed: 1,
      max_response_tokens: 10,
    })
  })

  test('an empty list of stops clears them', () => {
    expect(callSettings(inferenceConfigKey.set(turn, { stop: [] }), engine).inference.stop).toEqual([])
  })

  test("each provider's own settings follow the same rule", () => {
    const override = claudeInferenceConfigKey.set(openaiInferenceConfigKey.set(turn, { store: true }), { top_k: 4 })
    const { openai, claude } = callSettings(override, {
      ...plain,
      openai: { store: false, service_tier: 'flex' },
      claude: { user_id: 'u' },
    })
    expect(openai).toEqual({ store: true, service_tier: 'flex' })
    expect(claude).toEqual({ user_id: 'u', top_k: 4 })
  })

  test('an override that cannot be read is an error that names its key', () => {
    const broken = { ...turn, data: { [inferenceConfigKey.id]: { temperature: 'hot' } } }
    expect(() => callSettings(broken, engine)).toThrow(/geppetto\.inference_config@v1.*temperature/)
  })

  test("the tool loop's settings are handed on", () => {
    const offered = toolConfigKey.set(turn, { enabled: true, tool_choice: 'none' })
    expect(callSettings(offered, plain).toolConfig).toMatchObject({ tool_choice: 'none' })
  })
})

describe('a reasoning model', () => {
  test.each([
    ['o1', true],
    ['o3-mini', true],
    ['O4-mini', true],
    ['gpt-5', true],
    ['gpt-5.2-codex', true],
    ['openai/gpt-5-mini', true],
    ['gpt-4o', false],
    ['claude-sonnet-4-5', false],
    ['solo1', false],
  ])('%s: %j', (model, expected) => {
    expect(hasReasoningName(model)).toBe(expected)
  })

  test('gets no sampling settings, and a warning says which were left out', () => {
    const settings = {
      model: 'o3',
      inference: { temperature: 1, top_p: 0.5, seed: 3 },
      openai: { n: 2, presence_penalty: 1, store: true },
    }
    const call = callSettings(turn, settings)
    expect(call.inference).toEqual({ seed: 3 })
    expect(call.openai).toEqual({ store: true })
    expect(call.warnings).toEqual(['temperature and top_p left out: a reasoning model refuses them'])
  })

  test('is what the model info says, whatever the name', () => {
    const settings = { inference: { temperature: 1 } }
    expect(callSettings(turn, { ...settings, model: 'o3', modelInfo: { reasoning: false } }).inference).toEqual({
      temperature: 1,
    })
    expect(callSettings(turn, { ...settings, model: 'x', modelInfo: { reasoning: true } }).inference).toEqual({})
  })
})

describe('structured output', () => {
  const config: StructuredOutputConfig = { mode: 'json_schema', name: 'answer', schema: { type: 'object' } }

  test('is strict unless it says otherwise', () => {
    expect(callSettings(turn, { ...plain, structuredOutput: config }).structuredOutput).toEqual({
      name: 'answer',
      schema: { type: 'object' },
      strict: true,
      requireValid: false,
    })
    expect(
      callSettings(turn, { ...plain, structuredOutput: { ...config, strict: false } }).structuredOutput?.strict,
    ).toBe(false)
  })

  test("a turn's value replaces the engine's as a whole; off is off", () => {
    const settings = { ...plain, structuredOutput: { ...config, description: 'old' } }
    const other = structuredOutputKey.set(turn, { ...config, name: 'other' })
    expect(callSettings(other, settings).structuredOutput).toEqual({
      name: 'other',
      schema: { type: 'object' },
      strict: true,
      requireValid: false,
    })
    expect(callSettings(structuredOutputKey.set(turn, { mode: 'off' }), settings).structuredOutput).toBeUndefined()
  })

  test.each<[string, StructuredOutputConfig, RegExp]>([
    ['a name', { mode: 'json_schema', schema: { type: 'object' } }, /requires a non-empty schema name/],
    ['a schema', { mode: 'json_schema', name: 'answer' }, /requires a non-empty JSON schema/],
  ])('without %s it is left out with a warning, or an error where it is required', (_name, broken, problem) => {
    const call = callSettings(turn, { ...plain, structuredOutput: broken })
    expect(call.structuredOutput).toBeUndefined()
    expect(call.warnings).toEqual([expect.stringMatching(problem)])
    expect(() => callSettings(turn, { ...plain, structuredOutput: { ...broken, require_valid: true } })).toThrow(
      problem,
    )
  })
})
