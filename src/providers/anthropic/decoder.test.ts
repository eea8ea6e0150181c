import { expect, test } from 'vitest'
import {
  call,
  hear,
  reply,
  said,
  sealed,
  stream,
  textBlock,
  thinkingBlock,
  toolBlock,
  wholeBlock,
} from '../../../test/support/anthropic-replies.ts'
import { isJsonObject, type JsonObject } from '../../json.ts'
import { assistantText, reasoning, type Block } from '../../turns/block.ts'
import { inferenceResultKey } from '../../turns/keys.ts'
import { blocksOf } from '../../turns/turn.ts'

const thinking = { type: 'thinking', thinking: 'Hm.', signature: 'c2ln' }
const unseen = { type: 'thinking', thinking: '', signature: 'c2ln' }
const redacted = { type: 'redacted_thinking', data: 'ZGF0YQ==' }
const programmed = {
  ...{ type: 'tool_use', id: 't1', name: 'a' },
  input: {},
  caller: { type: 'code_execution_20260120', tool_id: 'srv_1' },
}
const json = (partial: string) => ({ type: 'input_json_delta', partial_json: partial })
const opened = (input: JsonObject) => ({ type: 'tool_use', id: 't1', name: 'a', input })

const replies: readonly (readonly [name: string, messages: readonly JsonObject[], blocks: readonly Block[]])[] = [
  ['text in pieces is one block', reply([textBlock(0, 'Hel', 'lo')]), [assistantText('Hello')]],
  [
    'text that came with the opening of its block is kept',
    reply([wholeBlock(0, { type: 'text', text: 'Hel' }, { type: 'text_delta', text: 'lo' })]),
    [assistantText('Hello')],
  ],
  [
    'a block in which nothing is said is no block',
    reply([textBlock(0), textBlock(1, 'Hi'), wholeBlock(2, { type: 'thinking', thinking: '' })]),
    [assistantText('Hi')],
  ],
  [
    'text that could have had citations needs no seal',
    reply([wholeBlock(0, { citations: [], type: 'text', text: '' }, { type: 'text_delta', text: 'Hi' })]),
    [assistantText('Hi')],
  ],
  [
    'text that names no citations needs no seal',
    reply([wholeBlock(0, { type: 'text', text: '', citations: null }, { type: 'text_delta', text: 'Hi' })]),
    [assistantText('Hi')],
  ],
  [
    'thinking is kept with its seal, key for key',
    reply([thinkingBlock(0, 'Hm.', 'c2ln'), textBlock(1, 'Yes.')]),
    [sealed(reasoning({ text: 'Hm.', signature: 'c2ln' }), thinking), assistantText('Yes.')],
  ],
  [
    'thinking that is not shown is kept for its seal',
    reply([thinkingBlock(0, '', 'c2ln'), textBlock(1, 'Yes.')]),
    [sealed(reasoning({ signature: 'c2ln' }), unseen), assistantText('Yes.')],
  ],
  [
    'thinking without a seal is what a person can read of it',
    reply([thinkingBlock(0, 'Hm.', ''), textBlock(1, 'Yes.')]),
    [reasoning({ text: 'Hm.' }), assistantText('Yes.')],
  ],
  [
    'redacted thinking is sealed reasoning without text',
    reply([wholeBlock(0, redacted), textBlock(1, 'Yes.')]),
    [sealed(reasoning({ encrypted_content: 'ZGF0YQ==' }), redacted), assistantText('Yes.')],
  ],
  [
    'two calls in one reply have each their own arguments',
    reply([toolBlock(0, 't1', 'a', '{"x":', '1}'), toolBlock(1, 't2', 'b', '{"y":2}')], 'tool_use'),
    [call('t1', 'a', { x: 1 }), call('t2', 'b', { y: 2 })],
  ],
  ['a call without arguments has none', reply([toolBlock(0, 't1', 'now', '')], 'tool_use'), [call('t1', 'now', {})]],
  [
    'arguments that came with the opening of the call are kept',
    reply([wholeBlock(0, opened({ x: 1 }))], 'tool_use'),
    [call('t1', 'a', { x: 1 })],
  ],
  [
    'arguments written after a placeholder replace it',
    reply([wholeBlock(0, opened({ x: 0 }), json('{"x":1}'))], 'tool_use'),
    [call('t1', 'a', { x: 1 })],
  ],
  [
    'arguments that a limit cut are kept as they are, never repaired',
    reply([toolBlock(0, 't1', 'write', '{"text":"Once upon')], 'max_tokens'),
    [call('t1', 'write', '{"text":"Once upon')],
  ],
  [
    'a number that JSON cannot keep leaves the arguments as text',
    reply([toolBlock(0, 't1', 'a', '{"x":1e400}')], 'tool_use'),
    [call('t1', 'a', '{"x":1e400}')],
  ],
  [
    'two calls of one id get distinct ids',
    reply([toolBlock(0, 't', 'a', '{}'), toolBlock(1, 't', 'a', '{}')], 'tool_use'),
    [call('t', 'a', {}), call('t-2', 'a', {})],
  ],
  [
    'calls without an id get one that names the reply',
    reply([toolBlock(0, '', 'a', '{}'), toolBlock(1, '', 'a', '{}')], 'tool_use'),
    [call('call_1_msg_1', 'a', {}), call('call_2_msg_1', 'a', {})],
  ],
  [
    'a call that a program made keeps its caller',
    reply([wholeBlock(0, programmed, json('{"x":1}'))], 'tool_use'),
    [sealed(call('t1', 'a', { x: 1 }), { ...programmed, input: { x: 1 } })],
  ],
]

test.each(replies)('%s', async (_name, messages, blocks) => {
  const body = stream(messages)
  const whole = await hear(body)
  expect(whole.error).toBeUndefined()
  expect(said(whole)).toEqual(blocks)
  for (const chunkSize of [1, 7, 64]) expect((await hear(body, { chunkSize })).events).toEqual(whole.events)
})

test('a key that objects inherit from becomes a key of its own', async () => {
  const outcome = await hear(stream(reply([toolBlock(0, 't', 'a', '{"__proto__":{"polluted":true}}')], 'tool_use')))
  const args = blocksOf(outcome.turn, 'tool_call')[0]?.payload.args
  expect(isJsonObject(args) && Object.keys(args)).toEqual(['__proto__'])
  expect(Object.keys(Object.prototype)).toEqual([])
})

const refusal = { type: 'refusal', category: 'cyber', explanation: 'No.' }
test.each<[string, readonly (readonly JsonObject[])[], string, JsonObject, JsonObject]>([
  ['the end of a turn', [textBlock(0, 'Hi')], 'end_turn', {}, { finish_class: 'completed', truncated: false }],
  [
    'a stop sequence',
    [textBlock(0, 'Hi')],
    'stop_sequence',
    { stop_sequence: 'END' },
    { extra: { stop_sequence: 'END' } },
  ],
  ['calls', [toolBlock(0, 't', 'a', '{}')], 'tool_use', {}, { finish_class: 'tool_calls_pending' }],
  [
    'a call that was cut',
    [toolBlock(0, 't', 'a', '{')],
    'max_tokens',
    {},
    { finish_class: 'tool_calls_pending', truncated: true },
  ],
  ['a limit', [textBlock(0, 'Hi')], 'max_tokens', {}, { finish_class: 'max_tokens', truncated: true }],
  [
    'a full context',
    [textBlock(0, 'Hi')],
    'model_context_window_exceeded',
    {},
    { finish_class: 'max_tokens', truncated: true },
  ],
  [
    'a refusal',
    [],
    'refusal',
    { stop_details: refusal },
    { finish_class: 'refusal', extra: { stop_details: refusal } },
  ],
  ['reasoning alone', [thinkingBlock(0, 'Hm.', 'c2ln')], 'end_turn', {}, { finish_class: 'incomplete' }],
  ['a word of the future', [textBlock(0, 'Hi')], 'supernova', {}, { stop_reason: 'supernova' }],
])('%s is an end that says so', async (_name, blocks, stopReason, more, result) => {
  const { turn, error } = await hear(stream(reply(blocks, stopReason, more)))
  expect(error).toBeUndefined()
  expect(inferenceResultKey.get(turn)).toMatchObject({ stop_reason: stopReason, ...result })
})
