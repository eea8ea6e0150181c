import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as some from '../../../test/support/arbitraries.ts'
import { item } from '../../../test/support/responses-replies.ts'
import { body, hi, hiItem, input, project, said, saidIn } from '../../../test/support/responses-runs.ts'
import { validateResponsesRequest } from '../../../test/support/validate-responses.ts'
import type { ToolSpec } from '../../inference/engine.ts'
import { callSettings, type InferenceSettings } from '../../inference/settings.ts'
import { jsonSchemaInput } from '../../inference/tool.ts'
import { isJsonObject, type JsonObject } from '../../json.ts'
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
import { partialKey } from '../../turns/keys.ts'
import { createTurn, type Turn } from '../../turns/turn.ts'
import { toRequest } from './request.ts'

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
      (block) => ({ ...block, payload: { ...block.payload, args: { a: 2 } } }) as Block, // its id stays in the payload
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
