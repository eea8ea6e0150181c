import { describe, expect, test } from 'vitest'
import { replying, runToEnd, type Outcome } from '../../../test/support/replies.ts'
import { events, item, itemEvents, streamOf, usage } from '../../../test/support/responses-replies.ts'
import type { InferenceEvent } from '../../events/event.ts'
import type { JsonObject } from '../../json.ts'
import { userText, type Block } from '../../turns/block.ts'
import {
  inferenceResultKey,
  itemStatusKey,
  itemTypeKey,
  outputIndexKey,
  partialKey,
  responseIdKey,
  sidecarKey,
} from '../../turns/keys.ts'
import { createTurn } from '../../turns/turn.ts'
import { openaiResponses } from './protocol.ts'

const prompt = createTurn([userText('Hi')])

async function hearBytes(body: string, chunkSize?: number): Promise<Outcome> {
  const { fetch } = replying([body, chunkSize === undefined ? {} : { chunkSize }])
  return runToEnd(openaiResponses({ model: 'gpt-5', fetch, retry: { maxAttempts: 1 } }), prompt)
}

/** What comes of a stream, after a look that its cuts make no difference. */
async function hear(messages: readonly JsonObject[]): Promise<Outcome> {
  const body = streamOf(messages)
  const whole = await hearBytes(body)
  for (const chunkSize of [1, 3, 64]) expect((await hearBytes(body, chunkSize)).events).toEqual(whole.events)
  return whole
}

const blocks = ({ turn }: Outcome): readonly Block[] => turn.blocks.slice(1)
const payloads = (outcome: Outcome) => blocks(outcome).map(({ kind, payload }) => [kind, payload])
const result = ({ turn }: Outcome) => inferenceResultKey.get(turn)
const shown = (outcome: Outcome, type: 'text-delta' | 'reasoning-delta' | 'tool-call-arguments-delta') =>
  outcome.events.flatMap((event) => (event.type === type ? [event.delta] : [])).join('')
const typesOf = (heard: readonly InferenceEvent[]) => heard.map((event) => event.type)
const ofType = <T extends InferenceEvent['type']>({ events: heard }: Outcome, type: T) =>
  heard.filter((event): event is Extract<InferenceEvent, { type: T }> => event.type === type)

/** Deltas of one segment or call begin where the one before ended. */
function expectGapless({ events: heard }: Outcome): void {
  const ends = new Map<string, number>()
  for (const event of heard) {
    if (event.type !== 'text-delta' && event.type !== 'reasoning-delta' && event.type !== 'tool-call-arguments-delta')
      continue
    const key = 'segmentId' in event ? event.segmentId : event.toolCallId
    expect(event.offset).toBe(ends.get(key) ?? 0)
    ends.set(key, event.offset + event.delta.length)
  }
}

const without = (messages: readonly JsonObject[], ...types: readonly string[]) =>
  messages.filter(({ type }) => !types.some((end) => String(type).endsWith(end)))

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
    expect(blocks(heard).map((block) => sidecarKey.get(block))).toEqual(
      items.map((whole) => ({ provider: 'openai-responses', item: whole })),
    )
    expect(blocks(heard).map((block) => JSON.stringify(sidecarKey.get(block)?.item))).toEqual(
      items.map((whole) => JSON.stringify(whole)),
    )
    expect(
      blocks(heard).map((block) => [
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
    expect(result(heard)).toMatchObject({
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
    expect(result(heard)?.usage).toEqual({ input_tokens: 3, output_tokens: 0, reasoning_tokens: 0 })
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
    expect(blocks(heard).map((block) => sidecarKey.get(block)?.item['phase'])).toEqual(['commentary', 'final_answer'])
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
    expect(sidecarKey.get(blocks(heard)[1]!)).not.toHaveProperty('preceded_by')
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
    expect(result(heard)?.extra).toMatchObject({ ignored_events: 2 })
    expect(result(await hear(events([item.message('Hello')])))?.extra).not.toHaveProperty('ignored_events')
  })
})

describe('what is missing or comes twice', () => {
  const text = 'Grüßhahahaha, 世界 👋'
  const message = item.message(text)
  const call = item.call('call_a', 'weather', '{"city":"Paris"}')
  const full = events([message, call])

  test.each<[string, readonly JsonObject[]]>([
    ['every delta', without(full, '.delta')],
    [
      'the last delta and the end of the part',
      without(full, '_text.done', 'part.done', 'arguments.done').toSpliced(8, 1),
    ],
    ['the announcements', without(full, '.added')],
    ['the ends of the items', without(full, 'item.done')],
    ['all but the last event', full.slice(-1)],
    [
      'the items of the last event',
      [...full.slice(0, -1), { type: 'response.completed', response: { id: 'resp_1', output: [] } }],
    ],
    ['places', full.map(({ output_index: _index, ...event }) => event)],
    ['item ids in the deltas', full.map(({ item_id: _id, ...event }) => event)],
    [
      'nothing, but each event comes twice',
      full
        .slice(0, -1)
        .flatMap((event) => [event, event])
        .concat(full.slice(-1)),
    ],
    ['numbers that count', full.map((event) => ({ ...event, sequence_number: 0 }))],
    ['numbers', full.map(({ sequence_number: _number, ...event }) => event)],
    [
      'one id: each event has another',
      full.map((event, index) => ('item_id' in event ? { ...event, item_id: `msg_${index}` } : event)),
    ],
  ])('without %s, the reply is the same', async (_name, messages) => {
    const heard = await hear(messages)
    expect(heard.error).toBeUndefined()
    expect(payloads(heard)).toEqual([
      ['llm_text', { text, item_id: message['id'] }],
      ['tool_call', { id: 'call_a', name: 'weather', args: { city: 'Paris' }, item_id: 'fc_call_a' }],
    ])
    expectGapless(heard)
    expect(shown(heard, 'text-delta')).toBe(text)
    expect(shown(heard, 'tool-call-arguments-delta')).toBe('{"city":"Paris"}')
    expect(ofType(heard, 'tool-call-requested')).toHaveLength(1)
  })

  test('a tail that did not come is shown; nothing is shown twice', async () => {
    const heard = await hear(full.filter(({ delta }) => delta === undefined || String(delta).startsWith('Gr')))
    expect(shown(heard, 'text-delta')).toBe(text)
  })

  test.each<[string, readonly JsonObject[]]>([
    ['another word', full.map((event) => (event['delta'] === 'Grüß' ? { ...event, delta: 'Grub' } : event))],
    ['a word more', full.map((event) => (event['delta'] === 'Grüß' ? { ...event, delta: 'Grüß und ' } : event))],
    ['every second word', full.filter(({ type }, index) => !String(type).endsWith('.delta') || index % 2 === 0)],
  ])('where the deltas said %s, the whole item is right', async (_name, messages) => {
    const heard = await hear(messages)
    expect(payloads(heard)[0]).toEqual(['llm_text', { text, item_id: message['id'] }])
    expectGapless(heard)
  })

  test('an item that comes without the words that were streamed is kept as text alone', async () => {
    const heard = await hear(
      full.map((event) =>
        event['type'] === 'response.output_item.done' && event['output_index'] === 0
          ? { ...event, item: { ...message, content: [] } }
          : event,
      ),
    )
    expect(payloads(heard)[0]).toEqual(['llm_text', { text, item_id: message['id'] }])
    expect(blocks(heard).map((block) => sidecarKey.get(block)?.item['type'])).toEqual([undefined, 'function_call'])
  })

  test('a call that comes without the arguments that were streamed is kept with them', async () => {
    const whole = item.call('call_a', 'f', '{"x":1}')
    const hollow = { ...whole, arguments: '' }
    const heard = await hear(
      events([whole]).map((event) => ({
        ...event,
        ...(event['type'] === 'response.output_item.done' && { item: hollow }),
      })),
    )
    expect(payloads(heard)).toMatchObject([['tool_call', { args: { x: 1 } }]])
    expect(sidecarKey.get(blocks(heard)[0]!)?.item).toEqual(whole)
  })

  test('the seal of reasoning that never came whole is not its last, and is not kept', async () => {
    const messages = without(events([item.reasoning('rs_1', ['Hm']), message]), 'item.done').slice(0, -1)
    const heard = await hear([...messages, { type: 'response.completed', response: { id: 'resp_1', output: [] } }])
    expect(payloads(heard)[0]).toEqual(['reasoning', { text: 'Hm', item_id: 'rs_1', summary: [] }])
    expect(sidecarKey.get(blocks(heard)[0]!)).toBeUndefined()
  })

  test.each([
    [
      'are written side by side',
      (first: readonly JsonObject[], second: readonly JsonObject[]) => [first[0]!, ...second, ...first.slice(1)],
    ],
    [
      'come the wrong way round',
      (first: readonly JsonObject[], second: readonly JsonObject[]) => [second[0]!, ...first, ...second.slice(1)],
    ],
  ])('items that %s become blocks in the order of the reply', async (_name, mix) => {
    const items = [item.message('First'), item.call('call_b', 'b', '{}')]
    const [created] = events([])
    const heard = await hear([
      created!,
      ...mix(itemEvents(items[0]!, 0), itemEvents(items[1]!, 1)),
      ...events(items).slice(-1),
    ])
    expect(payloads(heard).map(([kind]) => kind)).toEqual(['llm_text', 'tool_call'])
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
    expect(result(heard)?.finish_class).toBe('tool_calls_pending')
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

describe('how a reply ends', () => {
  const hello = item.message('Hello')
  const cutCall = item.call('call_a', 'f', '{"path": "/', { status: 'incomplete' })
  const incomplete = (reason: string) => ({ status: 'incomplete', end: { incomplete_details: { reason } } })

  test.each<[string, readonly JsonObject[], string, string, boolean]>([
    ['completed', events([hello]), 'completed', 'completed', false],
    ['at the token limit', events([hello], incomplete('max_output_tokens')), 'max_output_tokens', 'max_tokens', true],
    ['at the filter', events([hello], incomplete('content_filter')), 'content_filter', 'refusal', false],
    [
      'at the filter, before the first word',
      events([], incomplete('content_filter')),
      'content_filter',
      'refusal',
      false,
    ],
    ['incomplete for a reason of another day', events([hello], incomplete('steered')), 'steered', 'incomplete', false],
    ['incomplete for no reason', events([hello], { status: 'incomplete' }), 'incomplete', 'incomplete', false],
    ['with a refusal', events([item.refusal('I will not.')]), 'refusal', 'refusal', false],
    ['with reasoning alone', events([item.reasoning('rs_1', ['Hm'])]), 'completed', 'incomplete', false],
    [
      'incomplete, by a gateway that says it is completed',
      events([hello], { end: { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } } }),
      'max_output_tokens',
      'max_tokens',
      true,
    ],
    [
      'with a refusal that only the item has',
      without(events([item.refusal('I will not.')]), 'refusal.delta', 'refusal.done'),
      'refusal',
      'refusal',
      false,
    ],
    [
      'with a refusal that only its words have',
      [
        ...without(events([item.refusal('I will not.')]), 'item.done').slice(0, -1),
        { type: 'response.completed', response: { usage } },
      ],
      'refusal',
      'refusal',
      false,
    ],
    [
      'in the middle of a call',
      events([hello, cutCall], incomplete('max_output_tokens')),
      'max_output_tokens',
      'max_tokens',
      true,
    ],
    [
      'in the middle of a call, of which no more comes',
      [
        ...without(events([hello, cutCall]), 'item.done', 'arguments.done').slice(0, -1),
        { type: 'response.incomplete', response: { usage, incomplete_details: { reason: 'max_output_tokens' } } },
      ],
      'max_output_tokens',
      'max_tokens',
      true,
    ],
  ])('%s', async (_name, messages, stopReason, finishClass, truncated) => {
    const heard = await hear(messages)
    expect(heard.error).toBeUndefined()
    expect(result(heard)).toMatchObject({
      stop_reason: stopReason,
      finish_class: finishClass,
      truncated,
      usage: { input_tokens: 100 },
    })
    expect(typesOf(heard.events)).not.toContain('tool-call-requested')
  })

  test('a refusal is text that can be read', async () => {
    const heard = await hear(events([item.refusal('I will not.')]))
    expect(payloads(heard)).toEqual([['llm_text', { text: 'I will not.', item_id: 'msg_refusal' }]])
    expect(shown(heard, 'text-delta')).toBe('I will not.')
  })

  const begun = events([hello]).slice(0, -3)
  const failed = (error: JsonObject | null, more: JsonObject = {}) => ({
    type: 'response.failed',
    response: { id: 'resp_1', status: 'failed', error, usage, ...more },
  })
  test.each<[string, JsonObject, string, boolean, RegExp]>([
    [
      'an error event',
      { type: 'error', code: 'server_error', message: 'Oops', param: null },
      'PROVIDER_STREAM_ERROR',
      true,
      /server_error\): Oops/,
    ],
    [
      'an error event with an object',
      { type: 'error', error: { type: 'server_error', code: 'server_is_overloaded', message: 'Busy' } },
      'PROVIDER_OVERLOADED',
      true,
      /Busy/,
    ],
    [
      'an error without a type',
      { error: { message: 'Bad gateway', code: 'overloaded_error' } },
      'PROVIDER_OVERLOADED',
      true,
      /Bad gateway/,
    ],
    ['a failure', failed({ code: 'server_is_overloaded', message: 'Busy' }), 'PROVIDER_OVERLOADED', true, /Busy/],
    ['a rate limit', failed({ code: 'rate_limit_exceeded', message: 'Slow' }), 'PROVIDER_RATE_LIMITED', true, /Slow/],
    [
      'a quota',
      { type: 'error', error: { type: 'insufficient_quota', code: 'insufficient_quota', message: 'No more' } },
      'PROVIDER_RATE_LIMITED',
      false,
      /billing/,
    ],
    [
      'a prompt that is refused',
      failed({ code: 'invalid_prompt', message: 'No' }),
      'PROVIDER_STREAM_ERROR',
      false,
      /invalid_prompt\): No/,
    ],
    ['a failure without words', failed(null), 'PROVIDER_STREAM_ERROR', false, /failed/],
    [
      'a cancel',
      { type: 'response.cancelled', response: { id: 'resp_1', status: 'cancelled' } },
      'PROVIDER_STREAM_ERROR',
      false,
      /cancelled/,
    ],
    [
      'a failure under another name',
      { type: 'response.done', response: { status: 'failed', error: { code: 'server_error', message: 'Oops' } } },
      'PROVIDER_STREAM_ERROR',
      true,
      /Oops/,
    ],
  ])('%s is an error, never text', async (_name, last, code, retryable, sentence) => {
    const heard = await hear([...begun, last])
    expect(heard.error).toMatchObject({ code, details: { retryable, provider: 'openai-responses' } })
    expect((heard.error as Error).message).toMatch(sentence)
    expect(heard.events.at(-1)).toMatchObject({ type: 'inference-failed', error: { code } })
    expect(payloads(heard)).toEqual([['llm_text', { text: 'Hello' }]])
    expect(partialKey.get(blocks(heard)[0]!)).toBe(true)
  })

  test('what a failure cost is not lost', async () => {
    expect(result(await hear([...begun, failed({ code: 'server_error', message: 'Oops' })]))?.usage).toMatchObject({
      input_tokens: 100,
      output_tokens: 20,
    })
  })

  test.each([
    ['in the middle of a text', events([hello]).slice(0, 5), [['llm_text', { text: 'Hell' }]]],
    [
      'in the middle of a call',
      events([hello, item.call('call_a', 'f', '{"long":true}')]).slice(0, -3),
      [['llm_text', { text: 'Hello', item_id: 'msg_5' }]],
    ],
    [
      'behind a whole call, before the end',
      events([item.call('call_a', 'f', '{}')]).slice(0, -1),
      [['tool_call', { id: 'call_a', name: 'f', args: {}, item_id: 'fc_call_a' }]],
    ],
  ])('cut off %s, it is no success', async (_name, messages, expected) => {
    const heard = await hear(messages)
    expect(heard.error).toMatchObject({ code: 'PROVIDER_STREAM_TRUNCATED' })
    expect(payloads(heard)).toEqual(expected)
  })

  test('another reply in the middle of one is two streams in one', async () => {
    const splice = { type: 'response.created', response: { id: 'resp_2' } }
    expect((await hear([...begun, splice])).error).toMatchObject({
      code: 'PROVIDER_PROTOCOL',
      details: { retryable: false },
    })
    expect((await hear([...begun.slice(0, 2), splice])).error).toMatchObject({
      code: 'PROVIDER_PROTOCOL',
      details: { retryable: true },
    })
  })
})

describe('tools that the provider runs', () => {
  const at = (id: string) => ({ output_index: 0, item_id: id })
  const during = (whole: JsonObject, ...inside: readonly JsonObject[]) => {
    const [created, , ...rest] = events([whole, item.message('Done.')])
    return [created!, rest[0]!, ...inside.map((event) => ({ ...event, ...at(String(whole['id'])) })), ...rest.slice(1)]
  }
  const search = { type: 'search', query: 'news', sources: [{ type: 'url', url: 'https://a.example' }] }
  const image = { type: 'image', url: 'https://a.example/a.png' }
  const file = { file_id: 'f', filename: 'a.txt', score: 1, text: 'a' }

  test.each<[string, JsonObject, readonly string[], readonly JsonObject[]]>([
    [
      'a web search',
      { id: 'ws_1', type: 'web_search_call', status: 'completed', action: search, results: [image] },
      ['web_search_call.in_progress', 'web_search_call.searching', 'web_search_call.completed'],
      [
        { type: 'web-search-started', itemId: 'ws_1', query: 'news' },
        { type: 'web-search-searching', itemId: 'ws_1' },
        { type: 'web-search-done', itemId: 'ws_1' },
        { type: 'tool-search-results', tool: 'web_search', itemId: 'ws_1', results: [image, ...search.sources] },
      ],
    ],
    [
      'a page that is opened',
      {
        id: 'ws_1',
        type: 'web_search_call',
        status: 'completed',
        action: { type: 'open_page', url: 'https://a.example' },
      },
      [],
      [
        { type: 'web-search-started', itemId: 'ws_1' },
        { type: 'web-search-open-page', itemId: 'ws_1', url: 'https://a.example' },
      ],
    ],
    [
      'a file search',
      { id: 'fs_1', type: 'file_search_call', status: 'completed', queries: ['a'], results: [file] },
      ['file_search_call.in_progress', 'file_search_call.searching', 'file_search_call.completed'],
      [
        { type: 'file-search-started', itemId: 'fs_1' },
        { type: 'file-search-searching', itemId: 'fs_1' },
        { type: 'file-search-done', itemId: 'fs_1' },
        { type: 'tool-search-results', tool: 'file_search', itemId: 'fs_1', results: [file] },
      ],
    ],
    [
      'the code interpreter',
      { id: 'ci_1', type: 'code_interpreter_call', status: 'completed', code: '1+1', container_id: 'c', outputs: null },
      [
        'code_interpreter_call.in_progress',
        'code_interpreter_call_code.delta',
        'code_interpreter_call_code.done',
        'code_interpreter_call.interpreting',
        'code_interpreter_call.completed',
      ],
      [
        { type: 'code-interpreter-started', itemId: 'ci_1' },
        { type: 'code-interpreter-code-delta', itemId: 'ci_1', delta: 'd' },
        { type: 'code-interpreter-code-done', itemId: 'ci_1', code: '1+1' },
        { type: 'code-interpreter-interpreting', itemId: 'ci_1' },
        { type: 'code-interpreter-done', itemId: 'ci_1' },
      ],
    ],
    [
      'a call to an MCP server',
      {
        id: 'mcp_1',
        type: 'mcp_call',
        status: 'completed',
        server_label: 's',
        name: 'n',
        arguments: '{}',
        output: 'ok',
      },
      [
        'mcp_call.in_progress',
        'mcp_call_arguments.delta',
        'mcp_call_arguments.done',
        'mcp_call.completed',
        'mcp_call.failed',
      ],
      [
        { type: 'mcp-in-progress', itemId: 'mcp_1' },
        { type: 'mcp-args-delta', itemId: 'mcp_1', delta: 'd' },
        { type: 'mcp-args-done', itemId: 'mcp_1', arguments: '{}' },
        { type: 'mcp-completed', itemId: 'mcp_1' },
        { type: 'mcp-failed', itemId: 'mcp_1' },
      ],
    ],
    [
      'the tools of an MCP server',
      { id: 'mcpl_1', type: 'mcp_list_tools', server_label: 's', tools: [] },
      ['mcp_list_tools.in_progress', 'mcp_list_tools.completed', 'mcp_list_tools.failed'],
      [
        { type: 'mcp-list-tools-in-progress', itemId: 'mcpl_1' },
        { type: 'mcp-list-tools-completed', itemId: 'mcpl_1' },
        { type: 'mcp-list-tools-failed', itemId: 'mcpl_1' },
      ],
    ],
    [
      'an image',
      { id: 'ig_1', type: 'image_generation_call', status: 'completed', result: 'aGk=' },
      [
        'image_generation_call.in_progress',
        'image_generation_call.generating',
        'image_generation_call.partial_image',
        'image_generation_call.completed',
      ],
      [
        { type: 'image-generation-in-progress', itemId: 'ig_1' },
        { type: 'image-generation-generating', itemId: 'ig_1' },
        { type: 'image-generation-partial-image', itemId: 'ig_1', partialImageBase64: 'aGk' },
        { type: 'image-generation-completed', itemId: 'ig_1' },
      ],
    ],
    [
      'a search for tools',
      {
        id: 'tso_1',
        type: 'tool_search_output',
        call_id: null,
        execution: 'server',
        status: 'completed',
        tools: [{ type: 'function', name: 'f' }],
      },
      [],
      [
        {
          type: 'tool-search-results',
          tool: 'tool_search',
          itemId: 'tso_1',
          results: [{ type: 'function', name: 'f' }],
        },
      ],
    ],
    [
      'an approval that is asked for',
      { id: 'mcpr_1', type: 'mcp_approval_request', server_label: 's', name: 'n', arguments: '{}' },
      [],
      [],
    ],
    [
      'a shell',
      { id: 'sh_1', type: 'shell_call', call_id: 'call_s', status: 'completed', action: { commands: ['ls'] } },
      [],
      [],
    ],
    [
      'a patch',
      { id: 'apc_1', type: 'apply_patch_call', call_id: 'call_p', status: 'completed', operation: {} },
      [],
      [],
    ],
    [
      'a screen',
      { id: 'cu_1', type: 'computer_call', call_id: 'call_c', status: 'completed', pending_safety_checks: [] },
      [],
      [],
    ],
    ['a compaction', { id: 'cmp_1', type: 'compaction', encrypted_content: 'sealed' }, [], []],
    ['a program', { id: 'prog_1', type: 'program', call_id: 'call_g', code: 'x', fingerprint: 'y' }, [], []],
    ['what nobody has heard of', { id: 'x_1', type: 'hologram', light: 3 }, [], []],
  ])('%s', async (_name, whole, wire, expected) => {
    const inside = wire.map((type) => ({
      type: `response.${type}`,
      delta: 'd',
      code: '1+1',
      arguments: '{}',
      partial_image_b64: 'aGk',
    }))
    const heard = await hear(during(whole, ...inside))
    const told = heard.events.filter(({ type }) => /^(?:web-|file-|code-|mcp-|image-|tool-search)/.test(type))
    expect(told).toMatchObject(expected)
    expect(told).toHaveLength(expected.length)
    expect(payloads(heard)).toEqual([
      ['other', { provider: 'openai-responses', item: whole }],
      ['llm_text', { text: 'Done.', item_id: 'msg_5' }],
    ])
    expect(blocks(heard)[0]).toMatchObject({ rawKind: 'provider_item' })
    expect(result(heard)?.extra).not.toHaveProperty('ignored_events')
  })

  const citation = { type: 'url_citation', url: 'https://a.example', title: 'A', start_index: 0, end_index: 3 }
  const cited = item.message('See A.', {
    content: [
      {
        type: 'output_text',
        text: 'See A.',
        annotations: [citation, { type: 'file_citation', file_id: 'f', filename: 'a.txt', index: 4 }],
      },
    ],
  })
  test.each([
    ['as they come', events([cited])],
    ['when the message is whole', without(events([cited]), 'annotation.added')],
  ])('citations are told of %s, each once', async (_name, messages) => {
    const heard = await hear(messages)
    expect(ofType(heard, 'citation')).toMatchObject([
      {
        url: 'https://a.example',
        title: 'A',
        startIndex: 0,
        endIndex: 3,
        outputIndex: 0,
        contentIndex: 0,
        annotationIndex: 0,
      },
      { title: 'a.txt', startIndex: 4, outputIndex: 0, contentIndex: 0, annotationIndex: 1 },
    ])
    expect(ofType(heard, 'citation')).toHaveLength(2)
    expect(sidecarKey.get(blocks(heard)[0]!)?.item).toEqual(cited)
  })
})
