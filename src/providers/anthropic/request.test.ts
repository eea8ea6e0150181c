import { describe, expect, test } from 'vitest'
import { project, weather } from '../../../test/support/anthropic-requests.ts'
import { validateAnthropicRequest } from '../../../test/support/validate-anthropic.ts'
import type { InferenceSettings } from '../../inference/settings.ts'
import type { Json, JsonObject } from '../../json.ts'
import { userText } from '../../turns/block.ts'
import {
  anthropicServerToolsKey,
  claudeInferenceConfigKey,
  inferenceConfigKey,
  structuredOutputKey,
  toolConfigKey,
} from '../../turns/keys.ts'
import { createTurn } from '../../turns/turn.ts'

describe('settings', () => {
  const turn = createTurn([userText('Hi')])
  test.each<[string, Partial<InferenceSettings>, JsonObject, readonly string[]]>([
    [
      'the default limit',
      {},
      { max_tokens: 4096 },
      [
        'thinking',
        'temperature',
        'top_p',
        'top_k',
        'stop_sequences',
        'metadata',
        'output_config',
        'tools',
        'tool_choice',
        'system',
        'container',
      ],
    ],
    ["a limit of one's own", { inference: { max_response_tokens: 100 } }, { max_tokens: 100 }, []],
    [
      'a thinking budget',
      { inference: { thinking_budget: 2000, max_response_tokens: 8000 } },
      { thinking: { type: 'enabled', budget_tokens: 2000 }, max_tokens: 8000 },
      [],
    ],
    [
      'a budget as large as the limit leaves the answer its room',
      { inference: { thinking_budget: 8000, max_response_tokens: 1000 } },
      { thinking: { type: 'enabled', budget_tokens: 8000 }, max_tokens: 9000 },
      [],
    ],
    [
      'a budget that is too small is the least there is',
      { inference: { thinking_budget: 10 } },
      { thinking: { type: 'enabled', budget_tokens: 1024 } },
      [],
    ],
    ['no budget', { inference: { thinking_budget: 0 } }, {}, ['thinking']],
    [
      'adaptive thinking',
      { inference: { thinking_type: 'adaptive', thinking_budget: 2000, reasoning_effort: 'high' } },
      { thinking: { type: 'adaptive' }, output_config: { effort: 'high' } },
      [],
    ],
    [
      'thinking that is turned off',
      { inference: { thinking_type: 'disabled', temperature: 0 } },
      { thinking: { type: 'disabled' }, temperature: 0 },
      [],
    ],
    [
      'a summary of the thinking',
      { inference: { thinking_type: 'adaptive', reasoning_summary: 'auto' } },
      { thinking: { type: 'adaptive', display: 'summarized' } },
      [],
    ],
    [
      'no summary of the thinking',
      { inference: { thinking_budget: 2000, reasoning_summary: 'none' } },
      { thinking: { type: 'enabled', budget_tokens: 2000, display: 'omitted' } },
      [],
    ],
    ['sampling', { inference: { temperature: 0 }, claude: { top_k: 5 } }, { temperature: 0, top_k: 5 }, ['top_p']],
    [
      'top_p beside the default temperature',
      { inference: { temperature: 1, top_p: 0.5 } },
      { top_p: 0.5 },
      ['temperature'],
    ],
    [
      'sampling beside thinking',
      { inference: { thinking_budget: 2000, temperature: 0.5, top_p: 0.5 }, claude: { top_k: 5 } },
      {},
      ['temperature', 'top_p', 'top_k'],
    ],
    [
      'stop sequences, but for those that say nothing',
      { inference: { stop: ['END', ' '] } },
      { stop_sequences: ['END'] },
      [],
    ],
    ['a user', { claude: { user_id: 'u1' } }, { metadata: { user_id: 'u1' } }, []],
    [
      'an effort of another provider',
      { inference: { reasoning_effort: 'minimal' } },
      { output_config: { effort: 'low' } },
      [],
    ],
    ['no effort', { inference: { reasoning_effort: 'none' } }, {}, ['output_config']],
    [
      'an answer in JSON',
      { structuredOutput: { mode: 'json_schema', name: 'city', schema: { type: 'object' } } },
      { output_config: { format: { type: 'json_schema', schema: { type: 'object' } } } },
      [],
    ],
  ])('%s', (_name, settings, present, absent) => {
    const { body } = project(turn, settings)
    expect(body).toMatchObject(present)
    for (const name of absent) expect(body).not.toHaveProperty(name)
    expect(validateAnthropicRequest(body)).toEqual([])
  })

  test('of the turn beat those of the engine', () => {
    const own = claudeInferenceConfigKey.set(
      structuredOutputKey.set(inferenceConfigKey.set(turn, { temperature: 0.2, stop: [], max_response_tokens: 7 }), {
        mode: 'json_schema',
        name: 'a',
        schema: { type: 'object', title: 'turn' },
      }),
      { top_k: 3 },
    )
    const { body } = project(own, {
      inference: { temperature: 0.9, stop: ['X'] },
      claude: { top_k: 1, user_id: 'u' },
      structuredOutput: { mode: 'json_schema', name: 'b', schema: { type: 'array' } },
    })
    expect(body).toMatchObject({
      temperature: 0.2,
      max_tokens: 7,
      top_k: 3,
      metadata: { user_id: 'u' },
      output_config: { format: { schema: { title: 'turn' } } },
    })
    expect(body).not.toHaveProperty('stop_sequences')
  })

  test('temperature and top_p together are an error that says so', () => {
    expect(() => project(turn, { inference: { temperature: 0.5, top_p: 0.5 } })).toThrow(
      expect.objectContaining({ code: 'SETTINGS_INVALID', message: expect.stringContaining('only one') as unknown }),
    )
  })

  test('what is left out is told', () => {
    const forced = toolConfigKey.set(turn, { enabled: true, tool_choice: 'required' })
    expect(
      project(forced, { inference: { thinking_budget: 2000, temperature: 0.5, seed: 1 } }, [weather]).warnings,
    ).toEqual([
      'temperature left out: Anthropic takes no sampling settings while the model thinks',
      'tool_choice "required" is sent as "auto": a model that thinks cannot be forced to call a tool',
      'seed left out: Anthropic has none',
    ])
    expect(project(turn, { inference: { temperature: 0.5 } }).warnings).toEqual([])
  })
})

describe('tools', () => {
  const turn = createTurn([userText('Hi')])
  test('are offered with their schema, behind those of the provider', () => {
    const search = { type: 'web_search_20250305', name: 'web_search', max_uses: 2 }
    const { body, headers } = project(
      anthropicServerToolsKey.set(turn, [search, { type: 'mcp_toolset', mcp_server_name: 's' }]),
      {},
      [weather],
    )
    expect(body['tools']).toEqual([
      search,
      { type: 'mcp_toolset', mcp_server_name: 's' },
      {
        name: 'weather',
        description: 'The weather in a city.',
        input_schema: { properties: { city: { type: 'string' } }, required: ['city'], type: 'object' },
      },
    ])
    expect(headers?.['anthropic-beta']).toBe('mcp-client-2025-11-20')
  })

  test.each<[Parameters<typeof toolConfigKey.set>[1], Json | undefined]>([
    [{ enabled: true }, undefined],
    [{ enabled: true, tool_choice: 'auto' }, { type: 'auto' }],
    [{ enabled: true, tool_choice: 'none' }, { type: 'none' }],
    [{ enabled: true, tool_choice: 'required' }, { type: 'any' }],
    [
      { enabled: true, max_parallel_tools: 1 },
      { type: 'auto', disable_parallel_tool_use: true },
    ],
    [
      { enabled: true, tool_choice: 'required', max_parallel_tools: 1 },
      { type: 'any', disable_parallel_tool_use: true },
    ],
    [{ enabled: true, max_parallel_tools: 4 }, undefined],
  ])('%j is the choice %j', (config, choice) => {
    const configured = toolConfigKey.set(turn, config)
    expect(project(configured, {}, [weather]).body['tool_choice']).toEqual(choice)
    expect(project(configured).body).not.toHaveProperty('tool_choice')
    const thinking = project(configured, { inference: { thinking_budget: 2000 } }, [weather]).body
    expect(validateAnthropicRequest(thinking)).toEqual([])
  })
})
