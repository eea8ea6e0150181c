import { expect, test } from 'vitest'
import { item, sealed, search } from '../../../test/support/anthropic-replies.ts'
import { outline, paused, project, weather } from '../../../test/support/anthropic-requests.ts'
import { validateAnthropicRequest } from '../../../test/support/validate-anthropic.ts'
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
import { blockResultKey, partialKey, thoughtSignatureKey } from '../../turns/keys.ts'
import { append, createTurn } from '../../turns/turn.ts'
import type { InferenceConfig } from '../../turns/values.ts'

// What the provider would refuse is put right, and told. No row may let a secret of another provider through.

const hi = userText('Hi')
const and = userText('And?')
const yes = assistantText('Yes.')
const callOf = (id: string) => toolCall(id, 'weather', {})
const thinking = { type: 'thinking', thinking: 'Hm.', signature: 'c2ln' }
const thought = sealed(reasoning({ text: 'Hm.', signature: 'c2ln' }), thinking)
const secret = reasoning({ text: 'Secret.', signature: 's' })
const found = { type: 'web_search_tool_result', tool_use_id: 'srv_1', content: [] }
const direct = { type: 'tool_use', id: 'a', name: 'weather', input: { city: 'A' }, caller: { type: 'direct' } }
const programmed = { ...direct, input: {}, caller: { type: 'code_execution_20260120', tool_id: 'srv_1' } }
const none = 'interrupted: no result was recorded'
const plain = ['user "Hi"', 'assistant "Yes."', 'user "And?"']

test.each<[string, readonly Block[], readonly string[], readonly string[]]>([
  [
    'a call without a result',
    [hi, callOf('a'), and],
    ['orphan-tool-call 1'],
    ['user "Hi"', 'assistant a: weather({})', `user a ! ${none} "And?"`],
  ],
  [
    'a call at the end',
    [hi, callOf('a')],
    ['orphan-tool-call 1'],
    ['user "Hi"', 'assistant a: weather({})', `user a ! ${none}`],
  ],
  ['a result without a call', [hi, toolResult('a', 1), yes, and], ['orphan-tool-result 1'], plain],
  [
    'a second result',
    [hi, callOf('a'), toolResult('a', 1), toolResult('a', 2)],
    ['orphan-tool-result 3'],
    ['user "Hi"', 'assistant a: weather({})', 'user a = 1'],
  ],
  [
    'a result that came late',
    [hi, callOf('a'), and, toolResult('a', 1)],
    ['moved-tool-result 3'],
    ['user "Hi"', 'assistant a: weather({})', 'user a = 1 "And?"'],
  ],
  [
    'a result behind the answer to another call',
    [hi, callOf('a'), callOf('b'), toolResult('a', 1), yes, toolResult('b', 2), and],
    ['moved-tool-result 5'],
    ['user "Hi"', 'assistant a: weather({}) b: weather({})', 'user a = 1 b = 2', 'assistant "Yes."', 'user "And?"'],
  ],
  [
    'an id that is used again',
    [hi, callOf('a'), toolResult('a', 1), callOf('a'), toolResult('a', 2)],
    ['renamed-tool-call 3'],
    ['user "Hi"', 'assistant a: weather({})', 'user a = 1', 'assistant a-2: weather({})', 'user a-2 = 2'],
  ],
  [
    'an id that is used again after a call that was never answered',
    [hi, callOf('a'), and, callOf('a'), toolResult('a', 2)],
    ['orphan-tool-call 1', 'renamed-tool-call 3'],
    ['user "Hi"', 'assistant a: weather({})', `user a ! ${none} "And?"`, 'assistant a-2: weather({})', 'user a-2 = 2'],
  ],
  [
    'an id and a name of another provider',
    [hi, toolCall('call:1', 'get weather!', {}), toolResult('call:1', 1)],
    ['renamed-tool-call 1', 'renamed-tool 1'],
    ['user "Hi"', 'assistant call_1: get_weather_({})', 'user call_1 = 1'],
  ],
  [
    'arguments that are no object',
    [hi, toolCall('a', 'weather', '{"city":'), toolError('a', 'bad arguments')],
    ['invalid-arguments 1'],
    ['user "Hi"', 'assistant a: weather({})', 'user a ! {"error":"bad arguments"}'],
  ],
  [
    'text that says nothing',
    [hi, assistantText(' \n'), userText('')],
    ['empty-block 1', 'empty-block 2'],
    ['user "Hi"'],
  ],
  [
    'reasoning that another provider sealed',
    [
      hi,
      sealed(reasoning({ text: 'Secret.', encrypted_content: 'x' }), { type: 'reasoning' }, 'openai-responses'),
      yes,
      and,
    ],
    ['foreign-reasoning 1'],
    plain,
  ],
  [
    'reasoning of another provider in an older turn',
    [hi, reasoning({ text: 'Secret.', item_id: 'rs_1' }), yes, and],
    ['foreign-reasoning 1'],
    plain,
  ],
  [
    'a thought that Gemini signed',
    [hi, thoughtSignatureKey.set(secret, 's'), yes, and],
    ['foreign-reasoning 1'],
    plain,
  ],
  [
    'a signature of whoever else made the block',
    [hi, blockResultKey.set(secret, { finish_class: 'completed', provider: 'gemini' }), yes, and],
    ['foreign-reasoning 1'],
    plain,
  ],
  ['reasoning without a seal', [hi, reasoning({ text: 'Secret.' }), yes, and], ['unsigned-reasoning 1'], plain],
  ['reasoning that was cut off', [hi, partialKey.set(secret, true), yes, and], ['partial-reasoning 1'], plain],
  ['reasoning with no answer behind it', [hi, thought, and], ['trailing-reasoning 1'], ['user "Hi" "And?"']],
  [
    'reasoning that was edited',
    [hi, sealed(reasoning({ text: 'Hm!', signature: 'c2ln' }), thinking), yes, and],
    ['edited-block 1'],
    plain,
  ],
  [
    'cited text that was edited',
    [hi, sealed(yes, { citations: [{}], type: 'text', text: 'No.' }), and],
    ['edited-block 1'],
    plain,
  ],
  [
    'a call that was edited',
    [hi, sealed(toolCall('a', 'weather', { city: 'B' }), direct), toolResult('a', 1)],
    ['edited-block 1'],
    ['user "Hi"', 'assistant a: weather({"city":"B"})', 'user a = 1'],
  ],
  [
    'an item of another provider',
    [hi, item({ type: 'x', secret: 'Secret.' }, 'openai-responses'), yes, and],
    ['foreign-item 1'],
    plain,
  ],
  [
    'a block of a kind that is not known',
    [hi, otherBlock('widget', { text: 'Secret.' }), yes, and],
    ['unknown-block 1'],
    plain,
  ],
  ['a server tool that was cut off', [hi, yes, item(search), and], ['orphan-server-tool 2'], plain],
  [
    'a server tool that was cut off at the end of a reply that did not pause',
    [hi, yes, item(search)],
    ['orphan-server-tool 2', 'missing-user-message 1'],
    ['user "Hi"', 'assistant "Yes."', 'user "Continue."'],
  ],
  [
    'a second result of a server tool',
    [hi, item(search), item(found), item(found), yes, and],
    ['orphan-server-tool 3'],
    ['user "Hi"', `assistant ${JSON.stringify(search)} ${JSON.stringify(found)} "Yes."`, 'user "And?"'],
  ],
  ['a server result without its call', [hi, item(found), yes, and], ['orphan-server-tool 1'], plain],
  [
    "a program that is gone, whose call then counts as the model's own",
    [hi, item(search), sealed(callOf('a'), programmed), toolResult('a', 1), and],
    ['orphan-server-tool 1', 'orphan-server-tool 2'],
    ['user "Hi"', 'assistant a: weather({})', 'user a = 1 "And?"'],
  ],
  [
    'input of a server tool that is no object',
    [hi, item({ ...search, input: '{"que' }), item(found), yes, and],
    ['invalid-arguments 1'],
    [
      'user "Hi"',
      `assistant ${JSON.stringify({ ...search, input: {} })} ${JSON.stringify(found)} "Yes."`,
      'user "And?"',
    ],
  ],
  [
    'a conversation that ends with the assistant',
    [hi, yes],
    ['missing-user-message 1'],
    ['user "Hi"', 'assistant "Yes."', 'user "Continue."'],
  ],
  [
    'a conversation that begins with the assistant',
    [yes, and],
    ['missing-user-message 0'],
    ['user "Continue."', 'assistant "Yes."', 'user "And?"'],
  ],
  ['a turn with nothing to say', [systemText('Be brief.')], ['missing-user-message 0'], ['user "Continue."']],
  [
    'white space at the end of a paused reply',
    [hi, paused(assistantText('Yes. '))],
    ['trailing-space 1'],
    ['user "Hi"', 'assistant "Yes."'],
  ],
  [
    'half of a surrogate pair',
    [userText('Hi\ud800'), yes, and],
    ['lone-surrogate 0'],
    ['user "Hi\ufffd"', 'assistant "Yes."', 'user "And?"'],
  ],
  [
    'half of a surrogate pair in what is sealed',
    [
      hi,
      sealed(reasoning({ text: '\udc00', signature: 's' }), { ...thinking, thinking: '\udc00', signature: 's' }),
      yes,
      and,
    ],
    ['lone-surrogate 1'],
    plain,
  ],
  [
    "a file of Gemini's",
    [userText('Hi', [{ file_uri: 'gs://a', media_type: 'image/png' }]), yes, and],
    ['foreign-image 0'],
    plain,
  ],
  [
    'an image of a type that is not taken',
    [userText('Hi', [{ content: 'x', media_type: 'image/bmp' }]), yes, and],
    ['unsupported-image 0'],
    plain,
  ],
  ['an image that is none', [userText('Hi', [{ url: 'data:text' }]), yes, and], ['invalid-image 0'], plain],
])('%s', (_name, blocks, expected, messages) => {
  const { body, repairs } = project(createTurn(blocks))
  const told = repairs.filter(({ repair }) => repair !== 'undeclared-tools')
  expect(told.map(({ repair, block }) => `${repair} ${block}`)).toEqual(expected)
  expect(outline(body)).toEqual(messages)
  expect(validateAnthropicRequest(body)).toEqual([])
  expect(JSON.stringify(body)).not.toContain('Secret.')
})

test('tools that were called and are not offered now are named, and cannot be called', () => {
  const { body, repairs } = project(createTurn([hi, callOf('a'), toolResult('a', 1), and]))
  expect(body['tools']).toEqual([
    { name: 'weather', description: 'No longer available.', input_schema: { type: 'object' } },
  ])
  expect(body['tool_choice']).toEqual({ type: 'none' })
  expect(repairs).toMatchObject([{ repair: 'undeclared-tools', block: 1 }])
  expect(project(createTurn([hi])).body).not.toHaveProperty('tools')
})

test('a tool loop that began without thinking goes on without it', () => {
  const settings = { inference: { thinking_budget: 2000 } }
  const loop = createTurn([hi, callOf('a'), toolResult('a', 1)])
  const { body, repairs } = project(loop, settings, [weather])
  expect(body).not.toHaveProperty('thinking')
  expect(repairs).toMatchObject([{ repair: 'thinking-paused', block: 1 }])
  const thinks = (turn: typeof loop, inference: InferenceConfig = settings.inference) =>
    'thinking' in project(turn, { inference }, [weather]).body
  expect(thinks(append(loop, yes, and))).toBe(true)
  expect(thinks(createTurn([hi, thought, ...loop.blocks.slice(1)]))).toBe(true)
  expect(thinks(loop, { thinking_type: 'adaptive' })).toBe(true)
})
