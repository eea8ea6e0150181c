import { describe, expect, test } from 'vitest'
import { events, item, itemEvents, usage } from '../../../test/support/responses-replies.ts'
import {
  blocksOf,
  expectGapless,
  hear,
  ofType,
  payloads,
  resultOf,
  shown,
  typesOf,
} from '../../../test/support/responses-runs.ts'
import { itemStatusKey, itemTypeKey, outputIndexKey, responseIdKey, sidecarKey } from '../../turns/keys.ts'

describe('a reply', () => {
  test('is told event by event and ends as blocks', async () => {
    const items = [
      item.reasoning('rs_1', ['**Plan**', 'Ask, then tell.']),
      item.message('Let me look.', { phase: 'commentary' }),
      item.call('call_a', 'weather', '{"city":"Paris"}'),
    ]
    const heard = await hear(events(items))
    expectGapless(heard)
    expect(heard.error).toBeUndefined()
    expect([...new Set(typesOf(heard.events))]).toEqual([
      'inference-started',
      'provider-call-started',
      'provider-call-metadata-updated',
      'reasoning-segment-started',
      'reasoning-delta',
      'reasoning-segment-finished',
      'text-segment-started',
      'text-delta',
      'text-segment-finished',
      'tool-call-started',
      'tool-call-arguments-delta',
      'tool-call-requested',
      'provider-call-finished',
      'inference-finished',
    ])
    expect(shown(heard, 'reasoning-delta')).toBe('**Plan**\n\nAsk, then tell.')
    expect(payloads(heard)).toEqual([
      [
        'reasoning',
        {
          text: '**Plan**\n\nAsk, then tell.',
          item_id: 'rs_1',
          encrypted_content: 'sealed-rs_1',
          summary: items[0]?.['summary'],
        },
      ],
      ['llm_text', { text: 'Let me look.', item_id: 'msg_12' }],
      ['tool_call', { id: 'call_a', name: 'weather', args: { city: 'Paris' }, item_id: 'fc_call_a' }],
    ])
    expect(ofType(heard, 'reasoning-segment-started')[0]).toMatchObject({ source: 'summary' })
  })

  test('leaves each item whole beside its block, and where it stood', async () => {
    const items = [
      item.reasoning('rs_1', []),
      item.message('Hello', { phase: 'final_answer' }),
      item.custom('call_b', 'sql', 'SELECT 1'),
    ]
    const heard = await hear(events(items, { id: 'resp_9' }))
    expect(blocksOf(heard).map((block) => sidecarKey.get(block))).toEqual(
      items.map((whole) => ({ provider: 'openai-responses', item: whole })),
    )
    expect(blocksOf(heard).map((block) => JSON.stringify(sidecarKey.get(block)?.item))).toEqual(
      items.map((whole) => JSON.stringify(whole)),
    )
    expect(
      blocksOf(heard).map((block) => [
        responseIdKey.get(block),
        outputIndexKey.get(block),
        itemTypeKey.get(block),
        itemStatusKey.get(block),
      ]),
    ).toEqual([
      ['resp_9', 0, 'reasoning', undefined],
      ['resp_9', 1, 'message', 'completed'],
      ['resp_9', 2, 'custom_tool_call', 'completed'],
    ])
  })

  test('has its outcome and its usage, inclusive with the parts beside', async () => {
    const heard = await hear(events([item.message('Hi')], { id: 'resp_7', end: { service_tier: 'default' } }))
    expect(resultOf(heard)).toMatchObject({
      provider: 'openai-responses',
      model: 'gpt-5-2025',
      stop_reason: 'completed',
      finish_class: 'completed',
      response_id: 'resp_7',
      usage: {
        input_tokens: 100,
        output_tokens: 20,
        cached_tokens: 60,
        cache_read_input_tokens: 60,
        cache_creation_input_tokens: 10,
        reasoning_tokens: 5,
      },
      extra: { usage, service_tier: 'default' },
    })
    expect(
      ofType(heard, 'provider-call-metadata-updated').map(({ responseId, model, stopReason, usage: spent }) => [
        responseId,
        model,
        stopReason,
        spent?.output_tokens,
      ]),
    ).toEqual([
      ['resp_7', 'gpt-5-2025', undefined, undefined],
      ['resp_7', 'gpt-5-2025', 'completed', 20],
    ])
  })

  test('of a gateway that counts below zero has spent nothing', async () => {
    const heard = await hear(
      events([item.message('Hi')], {
        end: { usage: { input_tokens: 3, output_tokens: -1, output_tokens_details: { reasoning_tokens: -1 } } },
      }),
    )
    expect(resultOf(heard)?.usage).toEqual({ input_tokens: 3, output_tokens: 0, reasoning_tokens: 0 })
  })

  test('keeps messages apart, each with its phase', async () => {
    const heard = await hear(
      events([
        item.message('First.', { id: 'msg_a', phase: 'commentary' }),
        item.message('Second.', { id: 'msg_b', phase: 'final_answer' }),
      ]),
    )
    expect(payloads(heard)).toEqual([
      ['llm_text', { text: 'First.', item_id: 'msg_a' }],
      ['llm_text', { text: 'Second.', item_id: 'msg_b' }],
    ])
    expect(blocksOf(heard).map((block) => sidecarKey.get(block)?.item['phase'])).toEqual(['commentary', 'final_answer'])
  })

  test('joins the parts of one message', async () => {
    const parts = ['One. ', 'Two.'].map((text) => ({ type: 'output_text', annotations: [], text }))
    const heard = await hear(events([item.message('', { content: parts })]))
    expect(payloads(heard)).toEqual([['llm_text', { text: 'One. Two.', item_id: 'msg_0' }]])
    expect(shown(heard, 'text-delta')).toBe('One. Two.')
  })

  test.each([
    [
      'a raw thought',
      item.thinking('rs_1', 'Hm, 2 and 2.'),
      'thinking',
      { text: 'Hm, 2 and 2.', item_id: 'rs_1', summary: [] },
    ],
    [
      'sealed reasoning without a word',
      item.reasoning('rs_1', []),
      undefined,
      { item_id: 'rs_1', encrypted_content: 'sealed-rs_1', summary: [] },
    ],
  ])('has %s as a reasoning block', async (_name, reasoning, source, payload) => {
    const heard = await hear(events([reasoning, item.message('Four.')]))
    expect(payloads(heard)[0]).toEqual(['reasoning', payload])
    expect(ofType(heard, 'reasoning-segment-started')[0]?.source).toBe(source)
  })

  test.each([
    ['response.reasoning.delta', 'response.reasoning.done', 'thinking'],
    ['response.reasoning_summary.delta', 'response.reasoning_summary.done', 'summary'],
  ])('is understood with the older name %s', async (delta, done, source) => {
    const place = { output_index: 0, item_id: 'rs_1' }
    const heard = await hear([
      { type: 'response.created', response: { id: 'resp_1' } },
      { type: delta, ...place, delta: 'Two and ' },
      { type: delta, ...place, delta: 'two' },
      { type: done, ...place, text: 'Two and two.' },
      ...itemEvents(item.message('Four.'), 1),
      { type: 'response.completed', response: { id: 'resp_1' } },
    ])
    expect(shown(heard, 'reasoning-delta')).toBe('Two and two.')
    expect(payloads(heard)[0]).toEqual(['reasoning', { text: 'Two and two.', item_id: 'rs_1' }])
    expect(ofType(heard, 'reasoning-segment-started')[0]?.source).toBe(source)
  })

  test('makes no block of reasoning that has neither words nor a seal, and keeps it for what it led to', async () => {
    const bare = item.reasoning('rs_1', [], '')
    const search = {
      id: 'ws_1',
      type: 'web_search_call',
      status: 'completed',
      action: { type: 'search', query: 'news' },
    }
    const heard = await hear(events([bare, search, item.message('Done.')]))
    expect(typesOf(heard.events)).not.toContain('reasoning-segment-started')
    expect(payloads(heard)).toEqual([
      ['other', { provider: 'openai-responses', item: search, preceded_by: [bare] }],
      ['llm_text', { text: 'Done.', item_id: 'msg_5' }],
    ])
    expect(sidecarKey.get(blocksOf(heard)[1]!)).not.toHaveProperty('preceded_by')
  })

  test('is not begun again by a second opening', async () => {
    const [created, ...rest] = events([item.message('Hello')])
    expect(
      payloads(await hear([created!, created!, { type: 'response.queued', response: { id: 'resp_1' } }, ...rest])),
    ).toHaveLength(1)
  })

  test('is over with its last event', async () => {
    const heard = await hear([...events([item.message('Hello')]), ...events([item.message('Again')], { id: 'resp_2' })])
    expect(payloads(heard)).toEqual([['llm_text', { text: 'Hello', item_id: 'msg_5' }]])
  })

  test('counts events that nobody knows, and passes keep-alives over', async () => {
    const [created, ...rest] = events([item.message('Hello')])
    const strange = [{ type: 'keepalive' }, { type: 'response.hologram.delta', delta: 'x' }, { type: 'hologram' }]
    const heard = await hear([created!, ...strange, ...rest])
    expect(resultOf(heard)?.extra).toMatchObject({ ignored_events: 2 })
    expect(resultOf(await hear(events([item.message('Hello')])))?.extra).not.toHaveProperty('ignored_events')
  })
})

describe('tool calls', () => {
  test.each([
    ['an object', '{"a":{"b":[1]}}', { a: { b: [1] } }],
    ['nothing', '', {}],
    ['text that is no JSON, for the loop to refuse', '{"a": 1', '{"a": 1'],
    [
      'a key that JavaScript treats specially',
      '{"__proto__":{"admin":true}}',
      JSON.parse('{"__proto__":{"admin":true}}'),
    ],
  ])('with %s', async (_name, args, expected) => {
    const heard = await hear(events([item.call('call_a', 'f', args)]))
    expect(payloads(heard)).toEqual([['tool_call', { id: 'call_a', name: 'f', args: expected, item_id: 'fc_call_a' }]])
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined()
    expect(resultOf(heard)?.finish_class).toBe('tool_calls_pending')
  })

  test('a custom tool is called with text, whatever it looks like', async () => {
    const heard = await hear(events([item.custom('call_a', 'sql', '{"select": 1}')]))
    expect(payloads(heard)).toEqual([
      ['tool_call', { id: 'call_a', name: 'sql', args: '{"select": 1}', item_id: 'ctc_call_a' }],
    ])
    expect(shown(heard, 'tool-call-arguments-delta')).toBe('{"select": 1}')
  })

  test('item id and call id are one call', async () => {
    const heard = await hear(events([item.call('call_a', 'f', '{"x":1}', { id: 'fc_other' })]))
    expect(ofType(heard, 'tool-call-started').map(({ toolCallId, toolName }) => [toolCallId, toolName])).toEqual([
      ['call_a', 'f'],
    ])
    expect(ofType(heard, 'tool-call-requested').map(({ toolCallId }) => toolCallId)).toEqual(['call_a'])
    expect(new Set(ofType(heard, 'tool-call-arguments-delta').map(({ toolCallId }) => toolCallId))).toEqual(
      new Set(['call_a']),
    )
  })

  test('calls that share an id get ids of their own', async () => {
    const heard = await hear(
      events([item.call('same', 'f', '{"x":1}', { id: 'fc_1' }), item.call('same', 'f', '{"x":2}', { id: 'fc_2' })]),
    )
    expect(payloads(heard).map(([, payload]) => payload)).toMatchObject([
      { id: 'same', args: { x: 1 } },
      { id: 'same-2', args: { x: 2 } },
    ])
  })

  test('a call without an id gets one that the next run gives it too', async () => {
    const { call_id: _id, ...nameless } = item.call('x', 'f', '{}')
    expect(payloads(await hear(events([nameless], { id: 'resp_3' })))).toMatchObject([
      ['tool_call', { id: 'call_1_resp_3' }],
    ])
  })

  test('of a gateway that gives every item the same place are kept apart', async () => {
    const items = [item.call('call_a', 'f', '{"x":1}'), item.call('call_b', 'f', '{"x":2}'), item.message('Hm')]
    const heard = await hear(
      events(items).map((event) => ('output_index' in event ? { ...event, output_index: 0 } : event)),
    )
    expect(payloads(heard)).toMatchObject([
      ['tool_call', { id: 'call_a', args: { x: 1 } }],
      ['tool_call', { id: 'call_b', args: { x: 2 } }],
      ['llm_text', { text: 'Hm' }],
    ])
  })
})
