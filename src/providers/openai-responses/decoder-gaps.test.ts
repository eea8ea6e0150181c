import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as some from '../../../test/support/arbitraries.ts'
import { events, item, itemEvents } from '../../../test/support/responses-replies.ts'
import {
  blocksOf,
  expectGapless,
  hear,
  hearOnce,
  hi,
  ofType,
  payloads,
  shown,
  without,
} from '../../../test/support/responses-runs.ts'
import { applyEvent } from '../../events/apply.ts'
import { encodeEvent } from '../../events/codec.ts'
import { isJsonObject, type JsonObject } from '../../json.ts'
import { inferenceIdKey, sessionIdKey, sidecarKey } from '../../turns/keys.ts'
import { createTurn } from '../../turns/turn.ts'
import { ProviderError } from '../error.ts'

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
    expect(blocksOf(heard).map((block) => sidecarKey.get(block)?.item['type'])).toEqual([undefined, 'function_call'])
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
    expect(sidecarKey.get(blocksOf(heard)[0]!)?.item).toEqual(whole)
  })

  test('the seal of reasoning that never came whole is not its last, and is not kept', async () => {
    const messages = without(events([item.reasoning('rs_1', ['Hm']), message]), 'item.done').slice(0, -1)
    const heard = await hear([...messages, { type: 'response.completed', response: { id: 'resp_1', output: [] } }])
    expect(payloads(heard)[0]).toEqual(['reasoning', { text: 'Hm', item_id: 'rs_1', summary: [] }])
    expect(sidecarKey.get(blocksOf(heard)[0]!)).toBeUndefined()
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

  test('an item of an earlier place that comes too late stands behind what is over already', async () => {
    const items = [item.message('First'), item.call('call_b', 'b', '{}')]
    const late = [...itemEvents(items[1]!, 1), ...itemEvents(items[0]!, 0)]
    const heard = await hear([...events([]).slice(0, 1), ...late, ...events(items).slice(-1)])
    expect(payloads(heard).map(([kind]) => kind)).toEqual(['tool_call', 'llm_text'])
  })

  test('an item that only the last event has is not taken for one of its kind that was told of', async () => {
    const items = [item.message('First', { id: 'msg_1' }), item.message('Second', { id: 'msg_2' })]
    const heard = await hear([...events([]).slice(0, 1), ...itemEvents(items[1]!, 1), ...events(items).slice(-1)])
    expect(payloads(heard).map(([, payload]) => payload)).toMatchObject([{ text: 'Second' }, { text: 'First' }])
  })

  test('an item that has another id each time it is told of is one', async () => {
    const drifting = full.map((event, index) => {
      const whole = event['item']
      return isJsonObject(whole) ? { ...event, item: { ...whole, id: `${String(whole['id'])}_${index}` } } : event
    })
    expect(payloads(await hear(drifting)).map(([kind]) => kind)).toEqual(['llm_text', 'tool_call'])
  })
})

test('a stream of any events, with anything in their fields, ends as a turn or as an error with a code', async () => {
  const search = { id: 'ws_1', type: 'web_search_call', status: 'completed', action: { type: 'search', query: 'q' } }
  const real = events([
    item.reasoning('rs_1', ['Plan', 'Ask']),
    search,
    item.custom('call_a', 'sql', 'SELECT 1'),
    item.call('call_b', 'f', '{"a":1}'),
    item.refusal('No.'),
    item.message('Done.'),
  ])
  const strange = fc
    .tuple(fc.constantFrom(...real), fc.constantFrom(...fieldsOf(real)), some.json)
    .map(([event, field, value]) => {
      return { ...event, [field]: value }
    })
  const stream = fc.array(fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...real) }, strange, some.jsonObject), {
    maxLength: 40,
  })
  await fc.assert(
    fc.asyncProperty(stream, async (messages) => {
      const heard = await hearOnce([...messages, ...real.slice(-1)])
      if (heard.error !== undefined) expect(heard.error).toBeInstanceOf(ProviderError)
      const start = inferenceIdKey.set(sessionIdKey.set({ ...createTurn([hi]), id: 't' }, 's'), 'i')
      expect(heard.events.reduce(applyEvent, start)).toEqual(heard.turn)
      expect(() => heard.events.map(encodeEvent)).not.toThrow()
    }),
    { numRuns: 300 },
  )
})

function fieldsOf(messages: readonly JsonObject[]): readonly string[] {
  return [...new Set(messages.flatMap((message) => Object.keys(message)))]
}
