import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import * as some from '../../../test/support/arbitraries.ts'
import { replying, runToEnd } from '../../../test/support/replies.ts'
import { events, item, streamOf } from '../../../test/support/responses-replies.ts'
import { validateResponsesRequest } from '../../../test/support/validate-responses.ts'
import type { ToolSpec } from '../../inference/engine.ts'
import { callSettings, type InferenceSettings } from '../../inference/settings.ts'
import { jsonSchemaInput } from '../../inference/tool.ts'
import { isJsonObject, type Json, type JsonObject } from '../../json.ts'
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
  type ImagePart,
} from '../../turns/block.ts'
import { turnFromText, turnToJson, turnToYaml } from '../../turns/document.ts'
import {
  blockResultKey,
  inferenceConfigKey,
  openaiInferenceConfigKey,
  partialKey,
  responsesServerToolsKey,
  sidecarKey,
  structuredOutputKey,
  toolConfigKey,
} from '../../turns/keys.ts'
import { createTurn, type Turn } from '../../turns/turn.ts'
import { openaiResponses } from './protocol.ts'
import { toRequest } from './request.ts'

const weather: ToolSpec = {
  name: 'weather',
  description: 'The weather.',
  input: z.object({ city: z.string(), days: z.number().optional() }),
}

function project(
  given: Turn | readonly Block[],
  settings: Partial<InferenceSettings> = {},
  tools: readonly ToolSpec[] = [],
) {
  const turn = 'blocks' in given ? given : createTurn(given)
  const { body, repairs, warnings } = toRequest(turn, callSettings(turn, { model: 'gpt-5', ...settings }), tools)
  return {
    body,
    input: body['input'] as readonly JsonObject[],
    repairs: repairs.map(({ repair, block }) => [repair, block]),
    warnings,
  }
}
const body = (given: Turn | readonly Block[], settings?: Partial<InferenceSettings>, tools?: readonly ToolSpec[]) =>
  project(given, settings, tools).body
const input = (given: Turn | readonly Block[], settings?: Partial<InferenceSettings>) => project(given, settings).input
const stored = { openai: { store: true } }

/** The blocks that a reply of these items becomes. */
async function said(...items: readonly JsonObject[]): Promise<readonly Block[]> {
  return saidIn(`resp_${JSON.stringify(items).length}`, ...items)
}
async function saidIn(id: string, ...items: readonly JsonObject[]): Promise<readonly Block[]> {
  const { fetch } = replying([streamOf(events(items, { id }))])
  const { turn, error } = await runToEnd(openaiResponses({ model: 'gpt-5', fetch }), createTurn([userText('Hi')]))
  expect(error).toBeUndefined()
  return turn.blocks.slice(1)
}

const hi = userText('Hi')
const hiItem = { role: 'user', content: [{ type: 'input_text', text: 'Hi' }] }
const claude = (block: Block) =>
  sidecarKey.set(block, { provider: 'anthropic', item: { type: 'thinking', thinking: 'Hm', signature: 'sig' } })

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

describe('what a model said', () => {
  test('goes back byte for byte, reasoning before every item that it led to', async () => {
    const first = [
      item.reasoning('rs_1', ['Plan']),
      item.call('call_a', 'f', '{"a": 1}'),
      item.call('call_b', 'f', '{"b":2}'),
    ]
    const second = [item.reasoning('rs_2', []), item.call('call_c', 'f', '{}')]
    const third = [
      item.reasoning('rs_3', []),
      item.message('Look.', { phase: 'commentary' }),
      item.message('Done.', { id: 'msg_z', phase: 'final_answer' }),
    ]
    const turn = [
      hi,
      ...(await said(...first)),
      toolResult('call_a', 'A'),
      toolResult('call_b', 'B'),
      ...(await said(...second)),
      toolResult('call_c', 'C'),
      ...(await said(...third)),
      userText('More'),
    ]
    const answer = (callId: string, output: string) => ({ type: 'function_call_output', call_id: callId, output })
    const expected = [
      hiItem,
      ...first,
      answer('call_a', 'A'),
      answer('call_b', 'B'),
      ...second,
      answer('call_c', 'C'),
      ...third,
      { role: 'user', content: [{ type: 'input_text', text: 'More' }] },
    ]
    expect(project(turn).repairs).toEqual([])
    expect(JSON.stringify(input(turn))).toBe(JSON.stringify(expected))
    expect(JSON.stringify(input(turn, stored))).toBe(JSON.stringify(expected))
    for (const written of [turnToYaml(createTurn(turn)), turnToJson(createTurn(turn))]) {
      expect(JSON.stringify(input(turnFromText(written)))).toBe(JSON.stringify(expected))
    }
  })

  test('goes back as it was after another provider has spoken', async () => {
    const blocks = [
      hi,
      ...(await said(item.reasoning('rs_1', []), item.call('call_a', 'f', '{}'))),
      toolResult('call_a', 'A'),
      ...(await said(item.message('Done.'))),
    ]
    const alone = JSON.stringify(input([...blocks, userText('More')]))
    const switched = [
      ...blocks,
      userText('You?'),
      claude(reasoning({ text: 'Hm', signature: 'sig' })),
      assistantText('Me.'),
      toolCall('toolu_1', 'f', {}),
      toolResult('toolu_1', 1),
      userText('Back'),
    ]
    const after = project(switched)
    expect(
      JSON.stringify(after.input).startsWith(
        alone.slice(0, alone.indexOf('{"role":"user","content":[{"type":"input_text","text":"More"')),
      ),
    ).toBe(true)
    expect(after.repairs).toEqual([['foreign-reasoning', 6]])
    expect(JSON.stringify(after.input)).not.toMatch(/Hm|sig"/)
  })

  test('stays together, with the results behind all of it', async () => {
    const reply = [
      item.reasoning('rs_1', []),
      item.call('call_a', 'f', '{}'),
      item.reasoning('rs_2', []),
      item.call('call_b', 'f', '{}'),
      item.message('Wait.'),
    ]
    const { input: sent, repairs } = project([
      ...(await said(...reply)),
      toolResult('call_b', 'B'),
      toolResult('call_a', 'A'),
    ])
    expect(sent.slice(0, 5)).toEqual(reply)
    expect(sent.slice(5).map((entry) => entry['call_id'])).toEqual(['call_b', 'call_a'])
    expect(repairs).toEqual([])
  })

  test('is a custom call, answered as one', async () => {
    const call = item.custom('call_a', 'sql', 'SELECT 1')
    expect(input([...(await said(call)), toolResult('call_a', [1])])).toEqual([
      call,
      { type: 'custom_tool_call_output', call_id: 'call_a', output: '[1]' },
    ])
  })

  test('a call of a program is answered to the program', async () => {
    const caller = { type: 'program', caller_id: 'call_p' }
    const answered = input([...(await said(item.call('call_a', 'f', '{}', { caller }))), toolResult('call_a', 'A')])
    expect(answered[1]).toEqual({ type: 'function_call_output', call_id: 'call_a', output: 'A', caller })
  })

  test.each<[string, readonly JsonObject[]]>([
    [
      'web_search_call',
      [{ id: 'ws_1', type: 'web_search_call', status: 'completed', action: { type: 'search', query: 'q' } }],
    ],
    [
      'file_search_call',
      [{ id: 'fs_1', type: 'file_search_call', status: 'completed', queries: ['q'], results: null }],
    ],
    [
      'code_interpreter_call',
      [{ id: 'ci_1', type: 'code_interpreter_call', status: 'completed', code: '1', container_id: 'c', outputs: null }],
    ],
    ['image_generation_call', [{ id: 'ig_1', type: 'image_generation_call', status: 'completed', result: 'aGk=' }]],
    ['mcp_list_tools', [{ id: 'mcpl_1', type: 'mcp_list_tools', server_label: 's', tools: [] }]],
    ['mcp_call', [{ id: 'mcp_1', type: 'mcp_call', server_label: 's', name: 'n', arguments: '{}', output: 'ok' }]],
    [
      'an approval',
      [
        { id: 'mcpr_1', type: 'mcp_approval_request', server_label: 's', name: 'n', arguments: '{}' },
        { type: 'mcp_approval_response', approval_request_id: 'mcpr_1', approve: true },
      ],
    ],
    [
      'a shell',
      [
        { id: 'sh_1', type: 'shell_call', call_id: 'call_s', status: 'completed', action: { commands: ['ls'] } },
        {
          id: 'sho_1',
          type: 'shell_call_output',
          call_id: 'call_s',
          status: 'completed',
          output: [{ stdout: '', stderr: '', outcome: { type: 'exit', exit_code: 0 } }],
        },
      ],
    ],
    [
      'the older shell',
      [
        { id: 'lsh_1', type: 'local_shell_call', call_id: 'call_l', status: 'completed', action: {} },
        { id: 'call_l', type: 'local_shell_call_output', output: '' },
      ],
    ],
    [
      'a patch',
      [
        { id: 'apc_1', type: 'apply_patch_call', call_id: 'call_p', status: 'completed', operation: {} },
        { type: 'apply_patch_call_output', call_id: 'call_p', status: 'completed' },
      ],
    ],
    [
      'a screen',
      [
        { id: 'cu_1', type: 'computer_call', call_id: 'call_c', status: 'completed', pending_safety_checks: [] },
        { type: 'computer_call_output', call_id: 'call_c', output: {} },
      ],
    ],
    [
      'a search for tools',
      [
        {
          id: 'ts_1',
          type: 'tool_search_call',
          call_id: null,
          execution: 'server',
          status: 'completed',
          arguments: {},
        },
        { id: 'tso_1', type: 'tool_search_output', call_id: null, execution: 'server', status: 'completed', tools: [] },
      ],
    ],
    ['a program', [{ id: 'prog_1', type: 'program', call_id: 'call_g', code: 'x', fingerprint: 'y' }]],
    ['a compaction', [{ id: 'cmp_1', type: 'compaction', encrypted_content: 'sealed' }]],
    ['an item of another day', [{ id: 'x_1', type: 'hologram', light: 3 }]],
  ])('is %s, with the reasoning before it', async (_name, items) => {
    const whole = [item.reasoning('rs_1', []), ...items, item.message('Done.')]
    const { input: sent, repairs } = project([hi, ...(await said(...whole)), userText('More')])
    expect(repairs).toEqual([])
    expect(sent.slice(1, -1)).toEqual(whole)
  })

  test.each<[string, JsonObject, JsonObject | undefined]>([
    [
      'its author',
      { id: 'sh_1', type: 'shell_call', call_id: null, created_by: 'x', action: {} },
      { id: 'sh_1', type: 'shell_call', call_id: null, action: {} },
    ],
    ['a screen that failed', { type: 'computer_call_output', call_id: null, status: 'failed' }, undefined],
    [
      'an image that is only an id',
      { id: 'ig_1', type: 'image_generation_call', status: 'failed', result: null },
      undefined,
    ],
    [
      'tools that were added for others',
      { id: 'at_1', type: 'additional_tools', role: 'assistant', tools: [] },
      undefined,
    ],
    ['an item without a type', { id: 'x' }, undefined],
  ])('goes back without %s', (_name, given, sent) => {
    const { input: items, repairs } = project([
      hi,
      otherBlock('provider_item', { provider: 'openai-responses', item: given }),
    ])
    expect(items.slice(1)).toEqual(sent === undefined ? [] : [sent])
    expect(repairs).toEqual(sent === undefined ? [['unsendable-item', 1]] : [])
  })

  test("a reasoning item's status is the server's own", async () => {
    const [sent] = input(await said({ ...item.reasoning('rs_1', []), status: 'completed' }, item.message('Done.')))
    expect(sent).toEqual(item.reasoning('rs_1', []))
  })
})

describe('reasoning', () => {
  const sealed = item.reasoning('rs_1', ['Hm'])
  const message = item.message('Done.')
  const call = item.call('call_a', 'f', '{}')

  test.each<[string, (blocks: readonly Block[]) => readonly Block[]]>([
    ['is gone', ([thought]) => [thought!, userText('More')]],
    ['was moved behind a prompt', ([thought, answer]) => [thought!, userText('More'), answer!]],
    ['was moved before it', ([thought, answer]) => [answer!, thought!, userText('More')]],
    ['was cut off', ([thought]) => [thought!, partialKey.set(assistantText('Do'), true), userText('More')]],
  ])('whose item %s is left out', async (_name, change) => {
    const { input: sent, repairs } = project(change(await said(sealed, message)))
    expect(sent.map(({ type }) => type)).not.toContain('reasoning')
    expect(repairs).toContainEqual(['unpaired-reasoning', expect.any(Number)])
    expect(validateResponsesRequest(body(change(await said(sealed, message))))).toEqual([])
  })

  test('of another reply is not what led to an item', async () => {
    const [thought] = await saidIn('resp_a', sealed, message)
    const [answer] = await saidIn('resp_b', item.message('Else'))
    expect(project([thought!, answer!]).repairs).toEqual([['unpaired-reasoning', 0]])
  })

  test('of another reply takes no ids with it', async () => {
    const [thought] = await saidIn('resp_a', sealed, message)
    const rest = await saidIn('resp_b', call)
    expect(input([partialKey.set(thought!, true), ...rest, toolResult('call_a', 1)])[0]).toEqual(call)
  })

  test.each([
    ['words', { text: 'Hm?' }],
    ['seal', { encrypted_content: 'broken' }],
  ])('whose %s were changed is left out', async (_name, change) => {
    const [thought, answer] = await said(sealed, message)
    const blocks = [{ ...thought!, payload: { ...thought!.payload, ...change } } as Block, answer!] // as a middleware changes a block
    expect(project(blocks).input.map(({ type }) => type)).toEqual(['message'])
    expect(project(blocks).repairs).toEqual([['edited-block', 0]])
  })

  test('whose item was edited goes only to a server that does not look for the item', async () => {
    const [thought, answer] = await said(sealed, message)
    const blocks = [thought!, { ...assistantText('DONE.'), metadata: answer!.metadata! }]
    expect(input(blocks)[0]).toEqual(sealed)
    expect(project(blocks, stored).repairs).toEqual([
      ['edited-block', 1],
      ['unpaired-reasoning', 0],
    ])
  })

  test('of older turns goes back when its item follows, not when other reasoning does', () => {
    const legacy = (id: string) => reasoning({ item_id: id, encrypted_content: `sealed-${id}` })
    const { input: sent, repairs } = project([legacy('rs_1'), legacy('rs_2'), assistantText('Done.')])
    expect(sent.map(({ id }) => id)).toEqual(['rs_2', undefined])
    expect(repairs).toEqual([['unpaired-reasoning', 0]])
  })

  test('may come in a row when it came so', async () => {
    const items = [sealed, item.reasoning('rs_2', []), call]
    const { input: sent, repairs } = project([...(await said(...items)), toolResult('call_a', 1)])
    expect(sent.slice(0, 3)).toEqual(items)
    expect(repairs).toEqual([])
  })

  test('that is left out takes the ids of what it led to with it, for the server would look for it', async () => {
    const { input: sent } = project([...(await said(sealed, call, message)).slice(1), toolResult('call_a', 1)])
    expect(sent[0]).toEqual(call) // nobody knows of the reasoning: the block is gone
    const [thought, ...rest] = await said(sealed, item.call('call_a', 'f', '{}', { id: 'fc_1' }), message)
    const cut = partialKey.set(thought!, true)
    const { id: _id, ...untiedCall } = item.call('call_a', 'f', '{}')
    expect(project([cut, ...rest, toolResult('call_a', 1)]).input.slice(0, 2)).toEqual([
      untiedCall,
      { type: 'message', content: message['content'], role: 'assistant' },
    ])
  })

  test('of which the server sent the id alone goes back to a server that keeps it, and to no other', async () => {
    const bare = item.reasoning('rs_1', [], '')
    const blocks = [hi, ...(await said(bare, call)), toolResult('call_a', 1)]
    expect(input(blocks, stored).slice(1, 3)).toEqual([bare, call])
    const { input: sent, repairs } = project(blocks)
    expect(sent.slice(1).map(({ type, id }) => [type, id])).toEqual([
      ['function_call', undefined],
      ['function_call_output', undefined],
    ])
    expect(repairs).toEqual([['unsealed-reasoning', 1]])
  })

  test.each<[string, Block, string]>([
    ['another provider', claude(reasoning({ text: 'Hm', signature: 'sig' })), 'foreign-reasoning'],
    [
      'another provider that sealed it',
      claude(reasoning({ item_id: 'rs_1', encrypted_content: 'redacted' })),
      'foreign-reasoning',
    ],
    [
      'another provider, as its call says',
      blockResultKey.set(reasoning({ item_id: 'rs_1', encrypted_content: 'x' }), {
        provider: 'elsewhere',
        finish_class: 'completed',
      }),
      'foreign-reasoning',
    ],
    ['a provider that left the id alone', reasoning({ item_id: 'rs_1', text: 'Hm' }), 'unsealed-reasoning'],
    [
      'another provider, of an older version, that sealed it',
      reasoning({ encrypted_content: 'x', signature: 'sig' }),
      'foreign-reasoning',
    ],
    ['another provider, of an older version', reasoning({ text: 'Hm', signature: 'sig' }), 'foreign-reasoning'],
    ['nobody knows whom', reasoning({ text: 'Hm' }), 'foreign-reasoning'],
    ['a reply that was cut off', partialKey.set(reasoning({ text: 'Hm' }), true), 'partial-reasoning'],
  ])('of %s is never sent', (_name, block, repair) => {
    const { input: sent, repairs } = project([hi, block, assistantText('Done.')])
    expect(sent).toEqual([hiItem, { role: 'assistant', content: [{ type: 'output_text', text: 'Done.' }] }])
    expect(repairs).toEqual([[repair, 1]])
  })

  test('of older turns is read from the payload, and ids from nowhere else', () => {
    const turn = [
      hi,
      {
        ...reasoning({ item_id: 'rs_1', encrypted_content: 'sealed', summary: [{ type: 'summary_text', text: 'Hm' }] }),
        id: 'block-1',
      },
      {
        kind: 'tool_call' as const,
        id: 'block-2',
        payload: { id: 'call_a', name: 'f', args: { a: 1 }, item_id: 'fc_1' },
      },
      toolResult('call_a', 'A'),
      { ...reasoning({ item_id: 'rs_2', encrypted_content: 'sealed too' }), id: 'block-3' },
      { kind: 'llm_text' as const, id: 'block-4', payload: { text: 'Done.', item_id: 'msg_1' } },
      { kind: 'llm_text' as const, id: 'msg_block', payload: { text: 'More.' } },
    ]
    expect(project(turn).repairs).toEqual([])
    expect(input(turn)).toEqual([
      hiItem,
      { id: 'rs_1', type: 'reasoning', encrypted_content: 'sealed', summary: [{ type: 'summary_text', text: 'Hm' }] },
      { id: 'fc_1', type: 'function_call', call_id: 'call_a', name: 'f', arguments: '{"a":1}' },
      { type: 'function_call_output', call_id: 'call_a', output: 'A' },
      { id: 'rs_2', type: 'reasoning', encrypted_content: 'sealed too', summary: [] },
      {
        id: 'msg_1',
        type: 'message',
        status: 'completed',
        content: [{ type: 'output_text', annotations: [], text: 'Done.' }],
        role: 'assistant',
      },
      { role: 'assistant', content: [{ type: 'output_text', text: 'More.' }] },
    ])
  })
})

describe('repairs', () => {
  const interrupted = { type: 'function_call_output', call_id: 'call_a', output: 'interrupted: no result was recorded' }
  const sent = { type: 'function_call', call_id: 'call_a', name: 'f', arguments: '{}' }
  const call = toolCall('call_a', 'f', {})
  const answer = toolResult('call_a', 'A')
  const answered = { type: 'function_call_output', call_id: 'call_a', output: 'A' }
  const long = 'x'.repeat(70)

  test.each<[string, readonly Block[], readonly JsonObject[], readonly (readonly [string, number])[]]>([
    ['a call that nobody answered', [call, hi], [sent, interrupted, hiItem], [['orphan-tool-call', 0]]],
    ['a call at the end that nobody answered', [call], [sent, interrupted], [['orphan-tool-call', 0]]],
    ['a result without a call', [hi, answer], [hiItem], [['orphan-tool-result', 1]]],
    ['a second result', [call, answer, toolResult('call_a', 'B')], [sent, answered], [['orphan-tool-result', 2]]],
    ['a result that comes late', [call, hi, answer], [sent, answered, hiItem], [['moved-tool-result', 2]]],
    [
      'a result behind other words',
      [call, assistantText('So.'), answer],
      [sent, answered, { role: 'assistant', content: [{ type: 'output_text', text: 'So.' }] }],
      [['moved-tool-result', 2]],
    ],
    [
      'a call that was kept as an item',
      [hi, otherBlock('provider_item', { provider: 'openai-responses', item: { ...sent, id: 'fc_1' } })],
      [hiItem],
      [['unsendable-item', 1]],
    ],
    [
      'an id that comes again',
      [call, answer, hi, call, toolResult('call_a', 'B')],
      [sent, answered, hiItem, { ...sent, call_id: 'call_a-2' }, { ...answered, call_id: 'call_a-2', output: 'B' }],
      [['renamed-tool-call', 3]],
    ],
    [
      'arguments that are no JSON',
      [toolCall('call_a', 'f', '{"a'), answer],
      [sent, answered],
      [['invalid-arguments', 0]],
    ],
    ['no arguments', [toolCall('call_a', 'f', ''), answer], [sent, answered], []],
    [
      'a name that the API does not take',
      [toolCall('call_a', 'a.b/ä', {}), answer],
      [{ ...sent, name: 'a_b__' }, answered],
      [['renamed-tool', 0]],
    ],
    [
      'text that is empty',
      [hi, assistantText(''), userText(''), systemText('')],
      [hiItem],
      [
        ['empty-block', 1],
        ['empty-block', 2],
        ['empty-block', 3],
      ],
    ],
    [
      'an image that only Gemini has',
      [userText('See', [{ file_uri: 'gs://a' }])],
      [{ role: 'user', content: [{ type: 'input_text', text: 'See' }] }],
      [['foreign-image', 0]],
    ],
    [
      'half of a surrogate pair',
      [userText('a\ud800')],
      [{ role: 'user', content: [{ type: 'input_text', text: 'a\ufffd' }] }],
      [['lone-surrogate', 0]],
    ],
    [
      'an item of another provider',
      [hi, otherBlock('provider_item', { provider: 'anthropic', item: { type: 'server_tool_use' } })],
      [hiItem],
      [['foreign-item', 1]],
    ],
    ['a block that nobody knows', [hi, otherBlock('widget', { a: 1 })], [hiItem], [['unknown-block', 1]]],
    [
      'a block of another kind that has text',
      [otherBlock('note', { text: 'Aside' })],
      [{ role: 'assistant', content: [{ type: 'output_text', text: 'Aside' }] }],
      [],
    ],
    [
      'nothing at all',
      [],
      [{ role: 'user', content: [{ type: 'input_text', text: 'Continue.' }] }],
      [['missing-user-message', 0]],
    ],
    [
      'a screen that nobody looked at',
      [
        hi,
        otherBlock('provider_item', {
          provider: 'openai-responses',
          item: { id: 'cu_1', type: 'computer_call', call_id: 'c' },
        }),
      ],
      [hiItem],
      [['orphan-tool-call', 1]],
    ],
  ])('%s', (_name, blocks, expected, repairs) => {
    expect(project(blocks)).toMatchObject({ input: expected, repairs })
    expect(input(blocks)).toHaveLength(expected.length)
    expect(validateResponsesRequest(body(blocks))).toEqual([])
  })

  test('an id that is too long is told apart from others that begin like it', () => {
    const ids = input([
      toolCall(`${long}1`, 'f', {}),
      toolCall(`${long}2`, 'f', {}),
      toolResult(`${long}1`, 1),
      toolResult(`${long}2`, 2),
    ]).map((entry) => entry['call_id'])
    expect(ids[0]).not.toBe(ids[1])
    expect(ids.slice(2)).toEqual(ids.slice(0, 2))
  })

  test.each<[string, readonly JsonObject[], (block: Block) => Block, JsonObject]>([
    [
      'text',
      [item.message('Done.', { phase: 'final_answer' })],
      () => assistantText('DONE.'),
      { role: 'assistant', content: [{ type: 'output_text', text: 'DONE.' }], phase: 'final_answer' },
    ],
    [
      'a call',
      [item.call('call_a', 'f', '{"a":1}')],
      () => toolCall('call_a', 'f', { a: 2 }),
      { ...sent, arguments: '{"a":2}' },
    ],
    [
      'a custom call',
      [item.custom('call_a', 'f', 'x')],
      () => toolCall('call_a', 'f', 'y'),
      { type: 'custom_tool_call', call_id: 'call_a', name: 'f', input: 'y' },
    ],
  ])('%s that was changed says what it says now', async (_name, items, change, expected) => {
    const [block] = await said(...items)
    const changed = { ...change(block!), metadata: block!.metadata } as Block // as a middleware changes a block
    const { input: sentItems, repairs } = project([changed])
    expect(sentItems[0]).toEqual(expected)
    expect(repairs[0]).toEqual(['edited-block', 0])
  })

  test('a block that a turn has twice is sent with its id once', async () => {
    const [block] = await said(item.message('Done.'))
    const { input: items, repairs } = project([block!, block!])
    expect(items.map((entry) => entry['id'])).toEqual(['msg_5', undefined])
    expect(repairs).toEqual([['duplicate-item', 1]])
  })
})

describe('any turn', () => {
  const specs: readonly ToolSpec[] = [{ name: 'any', description: 'Any', input: jsonSchemaInput({ type: 'object' }) }]
  const settings = fc.record<Partial<InferenceSettings>>({
    model: fc.constantFrom('gpt-4o', 'gpt-5'),
    openai: fc.record({ store: fc.boolean() }),
  })

  function expectSendable(turn: Turn, given: Partial<InferenceSettings>): void {
    const call = callSettings(turn, { model: 'gpt-5', ...given })
    const request = toRequest(turn, call, specs)
    expect(validateResponsesRequest(request.body)).toEqual([])
    expect(JSON.stringify(toRequest(turn, call, specs))).toBe(JSON.stringify(request))
  }

  test('gives a request that the API accepts, and the same one each time', () => {
    fc.assert(
      fc.property(some.turn, settings, (turn, given) => expectSendable({ ...turn, data: {} }, given)),
      { numRuns: 500 },
    )
  })

  test('cut, shuffled and edited, is still accepted', async () => {
    const search = { id: 'ws_1', type: 'web_search_call', status: 'completed', action: { type: 'search', query: 'q' } }
    const shell = { id: 'sh_1', type: 'shell_call', call_id: 'call_s', status: 'completed', action: {} }
    const real: readonly Block[] = [
      systemText('Be brief.'),
      hi,
      ...(await saidIn(
        'resp_a',
        item.reasoning('rs_1', ['Plan']),
        item.call('call_a', 'f', '{"a":1}'),
        item.call('call_b', 'f', '{"b'),
      )),
      toolResult('call_a', 'A'),
      toolResult('call_b', 'B'),
      ...(await saidIn(
        'resp_b',
        item.reasoning('rs_2', [], ''),
        search,
        item.reasoning('rs_3', []),
        item.custom('call_a', 'sql', 'x'),
      )),
      toolError('call_a', 'broke'),
      ...(await saidIn(
        'resp_c',
        item.reasoning('rs_4', []),
        item.reasoning('rs_5', []),
        shell,
        item.message('Done.', { phase: 'final_answer' }),
      )),
      otherBlock('provider_item', {
        provider: 'openai-responses',
        item: { type: 'shell_call_output', call_id: 'call_s', output: [] },
      }),
      partialKey.set(reasoning({ text: 'Hm' }), true),
      partialKey.set(assistantText('Ha'), true),
      userText('More'),
    ]
    const edited = (block: Block): Block =>
      'text' in block.payload ? ({ ...block, payload: { ...block.payload, text: 'Edited' } } as Block) : block // any kind with text
    const pick = fc.record({ at: fc.nat(real.length - 1), edit: fc.boolean() })
    const mixed = fc.array(fc.oneof({ weight: 6, arbitrary: pick }, { weight: 1, arbitrary: some.block }), {
      maxLength: 14,
    })
    const cut = fc
      .tuple(fc.nat(real.length), fc.nat(real.length))
      .map(([from, to]) => real.slice(Math.min(from, to), Math.max(from, to)))
    const blocks = fc.oneof(
      cut,
      mixed.map((picks) =>
        picks.map((entry) => {
          if (!('at' in entry)) return entry
          const block = real[entry.at]!
          return entry.edit ? edited(block) : block
        }),
      ),
    )
    fc.assert(
      fc.property(blocks, settings, (given, more) => expectSendable(createTurn(given), more)),
      { numRuns: 1500 },
    )
  })

  test('grows without a change to what was sent before', async () => {
    const replies = [
      [item.reasoning('rs_1', ['Plan']), item.call('call_a', 'f', '{"a":1}')],
      [item.reasoning('rs_2', []), item.message('Done.', { phase: 'final_answer' })],
    ]
    let blocks: readonly Block[] = [hi]
    let before = '['
    for (const [index, items] of replies.entries()) {
      blocks = [
        ...blocks,
        ...(await saidIn(`resp_${index}`, ...items)),
        index === 0 ? toolResult('call_a', 'A') : userText('More'),
      ]
      const now = JSON.stringify(input(blocks))
      expect(now.startsWith(before)).toBe(true)
      before = now.slice(0, -1)
    }
    expect(input(blocks).every(isJsonObject)).toBe(true)
  })
})
