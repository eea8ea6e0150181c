import { describe, expect, test } from 'vitest'
import { item } from '../../../test/support/responses-replies.ts'
import { hi, hiItem, input, project, said, sealedElsewhere, stored } from '../../../test/support/responses-runs.ts'
import type { JsonObject } from '../../json.ts'
import { assistantText, otherBlock, reasoning, toolCall, toolResult, userText } from '../../turns/block.ts'
import { turnFromText, turnToJson, turnToYaml } from '../../turns/document.ts'
import { createTurn } from '../../turns/turn.ts'

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
      sealedElsewhere(reasoning({ text: 'Hm', signature: 'sig' })),
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
      'an approval that nobody gave yet',
      [{ id: 'mcpr_1', type: 'mcp_approval_request', server_label: 's', name: 'n', arguments: '{}' }],
    ],
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
