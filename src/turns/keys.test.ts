import { describe, expect, it } from 'vitest'
import { createTurn } from './turn.ts'
import * as keys from './keys.ts'
import { turnFromText } from './document.ts'
import { durationMs } from './values.ts'

describe('the key catalogue', () => {
  it('has these ids, which stored turns rely on', () => {
    const ids = Object.fromEntries(
      Object.entries(keys.keyCatalogue).map(([family, all]) => [family, all.map(({ id }) => id)]),
    )
    expect(ids).toEqual({
      'turn.metadata': [
        'geppetto.session_id@v1',
        'geppetto.inference_id@v1',
        'geppetto.trace_id@v1',
        'geppetto.runtime@v1',
        'geppetto.inference_result@v1',
        'geppetto.provider@v1',
        'geppetto.model@v1',
        'geppetto.stop_reason@v1',
        'geppetto.usage@v1',
      ],
      'turn.data': [
        'geppetto.tool_config@v1',
        'geppetto.tool_definitions@v1',
        'geppetto.structured_output_config@v1',
        'geppetto.inference_config@v1',
        'geppetto.claude_inference_config@v1',
        'geppetto.openai_inference_config@v1',
        'geppetto.agent_mode@v1',
        'geppetto.agent_mode_allowed_tools@v1',
        'geppetto.responses_server_tools@v1',
        'geppetto.anthropic_server_tools@v1',
        'geppetto.gemini_server_tools@v1',
        'pinocchio.sqlite_dsn@v1',
        'pinocchio.sqlite_prompts@v1',
      ],
      'block.metadata': [
        'geppetto.middleware@v1',
        'geppetto.inference_result@v1',
        'geppetto.partial@v1',
        'geppetto.sidecar@v1',
        'geppetto.claude_original_content@v1',
        'geppetto.tool_calls@v1',
        'geppetto.agentmode_tag@v1',
        'geppetto.agentmode@v1',
        'openai_responses.response_id@v1',
        'openai_responses.output_index@v1',
        'openai_responses.item_type@v1',
        'openai_responses.status@v1',
        'gemini.thought_signature@v1',
        'gemini.thought@v1',
      ],
    })
  })

  it('holds every key that there is, once, in its own family', () => {
    const listed = Object.entries(keys.keyCatalogue).flatMap(([family, all]) => all.map((key) => ({ family, key })))
    const exported = Object.values(keys).filter((value) => 'get' in value)
    expect(new Set(listed.map(({ key }) => key))).toEqual(new Set(exported))
    expect(listed).toHaveLength(exported.length)
    for (const { family, key } of listed) expect(key.family).toBe(family)
  })
})

describe('values as Go wrote them', () => {
  const goFile = `id: turn-1
blocks: []
metadata:
    geppetto.runtime@v1: {runtime_key: default, runtime_fingerprint: abc}
    geppetto.usage@v1: {input_tokens: 10, output_tokens: 2}
data:
    geppetto.tool_config@v1:
        enabled: true
        tool_choice: auto
        max_iterations: 5
        execution_timeout: 30s
        max_parallel_tools: 3
        allowed_tools: []
        tool_error_handling: continue
        retry_config:
            max_retries: 3
            backoff_base: 2s
            backoff_factor: 2
    geppetto.tool_definitions@v1:
        - name: search
          description: Search the web
          parameters: {type: object, properties: {q: {type: string}}}
          examples: []
    geppetto.agent_mode_allowed_tools@v1: [search]
`

  it('are read through their keys', () => {
    const turn = turnFromText(goFile)
    const config = keys.toolConfigKey.get(turn)
    expect(config).toMatchObject({ enabled: true, tool_choice: 'auto', max_iterations: 5, allowed_tools: [] })
    expect(durationMs(config?.execution_timeout ?? 0)).toBe(30_000)
    expect(durationMs(config?.retry_config?.backoff_base ?? 0)).toBe(2000)
    expect(keys.toolDefinitionsKey.get(turn)).toMatchObject([
      { name: 'search', parameters: { type: 'object' }, examples: [] },
    ])
    expect(keys.agentModeAllowedToolsKey.get(turn)).toEqual(['search'])
    expect(keys.runtimeKey.get(turn)).toEqual({ runtime_key: 'default', runtime_fingerprint: 'abc' })
    expect(keys.usageKey.get(turn)).toEqual({ input_tokens: 10, output_tokens: 2 })
  })

  it('are read with durations in nanoseconds, as Go writes them in JSON', () => {
    const turn = turnFromText(
      '{"data": {"geppetto.tool_config@v1": {"enabled": true, "execution_timeout": 30000000000}}}',
    )
    expect(durationMs(keys.toolConfigKey.get(turn)?.execution_timeout ?? 0)).toBe(30_000)
  })

  it.each([
    ['a tool choice that there is not', { enabled: true, tool_choice: 'maybe' }],
    ['a duration that is none', { enabled: true, execution_timeout: 'soon' }],
    ['no enabled', {}],
  ])('are refused with %s', (_what, config) => {
    const turn = { ...createTurn(), data: { 'geppetto.tool_config@v1': config } }
    expect(() => keys.toolConfigKey.get(turn)).toThrow(expect.objectContaining({ code: 'KEY_DECODE' }))
  })
})
