import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as wire from '../../../test/support/anthropic-replies.ts'
import {
  call,
  eventsOf,
  hear,
  messageDelta,
  messageStart,
  messageStop,
  said,
  stream,
  textBlock,
  toolBlock,
} from '../../../test/support/anthropic-replies.ts'
import * as some from '../../../test/support/arbitraries.ts'
import type { JsonObject } from '../../json.ts'
import { assistantText, type Block } from '../../turns/block.ts'
import { inferenceResultKey } from '../../turns/keys.ts'
import { ProviderError } from '../error.ts'

// Streams that do not keep to the order of the protocol, as gateways and refusals make them.

const textStart = wire.blockStart(0, { type: 'text', text: '' })
const textDelta = wire.blockDelta(0, { type: 'text_delta', text: 'Hi' })
const callStart = (index: number, id: string, name: string) =>
  wire.blockStart(index, { type: 'tool_use', id, name, input: {} })
const json = (index: number, partial: string) =>
  wire.blockDelta(index, { type: 'input_json_delta', partial_json: partial })
const hi = [assistantText('Hi')]

test.each<[string, readonly JsonObject[], readonly Block[], JsonObject]>([
  [
    'blocks that are never stopped end with the reply',
    [messageStart(), textStart, textDelta, messageDelta('end_turn'), messageStop],
    hi,
    {},
  ],
  [
    'text whose opening was lost is kept',
    [messageStart(), textDelta, wire.blockStop(0), messageDelta('end_turn'), messageStop],
    hi,
    {},
  ],
  [
    'every block at index 0 is a block',
    [messageStart(), ...textBlock(0, 'Hi'), ...toolBlock(0, 't', 'a', '{}'), messageDelta('tool_use'), messageStop],
    [...hi, call('t', 'a', {})],
    {},
  ],
  [
    'blocks written at the same time come in the order of the reply',
    [
      ...[messageStart(), callStart(0, 't1', 'a'), callStart(1, 't2', 'b'), json(1, '{"y":2}'), wire.blockStop(1)],
      ...[json(0, '{"x":1}'), wire.blockStop(0), messageDelta('tool_use'), messageStop],
    ],
    [call('t1', 'a', { x: 1 }), call('t2', 'b', { y: 2 })],
    {},
  ],
  [
    'a call that is opened twice is asked for once',
    [
      messageStart(),
      callStart(0, 't', 'a'),
      ...toolBlock(0, 't', 'a', '{"x":1}'),
      messageDelta('tool_use'),
      messageStop,
    ],
    [call('t', 'a', { x: 1 })],
    {},
  ],
  [
    'a reply that resumes one may open with blocks that are whole',
    [
      messageStart({ content: [{ type: 'tool_use', id: 't', name: 'a', input: { x: 1 } }] }),
      messageDelta('tool_use'),
      messageStop,
    ],
    [call('t', 'a', { x: 1 })],
    { finish_class: 'tool_calls_pending' },
  ],
  [
    'a refusal may stop a block that never began',
    [messageStart(), wire.blockStop(0), messageDelta('refusal'), messageStop],
    [],
    { finish_class: 'refusal', extra: { ignored_events: 1 } },
  ],
  [
    'a call that a refusal broke off is not asked for',
    [messageStart(), callStart(0, 't', 'a'), messageDelta('refusal'), messageStop],
    [],
    { finish_class: 'refusal' },
  ],
  [
    'the beginning said twice is one beginning',
    [messageStart(), messageStart(), ...textBlock(0, 'Hi'), messageDelta('end_turn'), messageStop],
    hi,
    {},
  ],
  ['what comes after the end is not read', [...wire.reply([textBlock(0, 'Hi')]), ...textBlock(1, ' again')], hi, {}],
  [
    'another reply behind the stop reason is not read',
    [
      messageStart(),
      ...textBlock(0, 'Hi'),
      messageDelta('end_turn'),
      messageStart({ id: 'msg_2' }),
      ...textBlock(0, 'Other'),
    ],
    hi,
    {},
  ],
  [
    'pings and messages of unknown kinds are passed over',
    [
      wire.ping,
      messageStart(),
      { type: 'weather' },
      ...textBlock(0, 'Hi'),
      wire.ping,
      messageDelta('end_turn'),
      messageStop,
    ],
    hi,
    { extra: { ignored_events: 1 } },
  ],
  [
    'an end without a reason is an end, of an unknown kind',
    [messageStart(), ...textBlock(0, 'Hi'), messageStop],
    hi,
    { finish_class: 'unknown', stop_reason: '' },
  ],
  [
    'fields of the wrong type count as missing',
    [
      ...[
        { type: 'message_start', message: 7 },
        { type: 'content_block_start', index: 'x', content_block: null },
      ],
      ...[{ type: 'content_block_delta', delta: [] }, ...textBlock(1, 'Hi')],
      ...[{ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: 'much' }, messageStop],
    ],
    hi,
    { finish_class: 'completed' },
  ],
])('%s', async (_name, messages, blocks, result) => {
  const body = stream(messages)
  const whole = await hear(body)
  expect(whole.error).toBeUndefined()
  expect(said(whole)).toEqual(blocks)
  expect(inferenceResultKey.get(whole.turn)).toMatchObject(result)
  for (const chunkSize of [1, 7, 64]) expect((await hear(body, { chunkSize })).events).toEqual(whole.events)
})

const anyBlock = fc.oneof(
  fc.constantFrom<JsonObject>(
    { type: 'text', text: '' },
    { type: 'thinking', thinking: '' },
    { type: 'tool_use', id: 't', name: 'a', input: {} },
    wire.search,
  ),
  some.jsonObject,
)
const anyDelta = fc.oneof(
  fc.constantFrom<JsonObject>(
    { type: 'text_delta', text: 'a' },
    { type: 'thinking_delta', thinking: 'b' },
    { type: 'input_json_delta', partial_json: '{"x":1}' },
    { type: 'signature_delta', signature: 's' },
    { type: 'citations_delta', citation: wire.citation },
  ),
  some.jsonObject,
)
const index = fc.integer({ min: 0, max: 2 })
const anyMessage = fc.oneof(
  fc.constantFrom<JsonObject>(
    messageStart(),
    messageStop,
    wire.ping,
    messageDelta('tool_use'),
    messageDelta('end_turn'),
  ),
  fc.tuple(index, anyBlock).map(([at, block]) => wire.blockStart(at, block)),
  fc.tuple(index, anyDelta).map(([at, delta]) => wire.blockDelta(at, delta)),
  index.map(wire.blockStop),
  some.jsonObject,
)

test('any messages in any order end in a turn or in an error of ours, the same however the bytes are cut', async () => {
  const property = fc.asyncProperty(
    fc.array(anyMessage, { maxLength: 14 }),
    fc.integer({ min: 1, max: 40 }),
    async (messages, chunkSize) => {
      const body = stream(messages)
      const whole = await hear(body)
      expect(whole.error === undefined || whole.error instanceof ProviderError).toBe(true)
      expect((await hear(body, { chunkSize })).events).toEqual(whole.events)
      const asked = eventsOf(whole, 'tool-call-requested').map(({ toolCallId }) => toolCallId)
      expect(new Set(asked).size).toBe(asked.length)
    },
  )
  await fc.assert(property, { numRuns: 150 })
})
