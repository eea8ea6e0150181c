import { describe, expect, test } from 'vitest'
import { item, sealed, search } from '../../../test/support/anthropic-replies.ts'
import { messagesOf, outline, paused, project } from '../../../test/support/anthropic-requests.ts'
import { validateAnthropicRequest } from '../../../test/support/validate-anthropic.ts'
import type { JsonObject } from '../../json.ts'
import {
  assistantText,
  reasoning,
  systemText,
  toolCall,
  toolError,
  toolResult,
  userText,
  type Block,
  type ImagePart,
} from '../../turns/block.ts'
import { claudeOriginalContentKey } from '../../turns/keys.ts'
import { createTurn } from '../../turns/turn.ts'

const hi = userText('Hi')
const and = userText('And?')
const yes = assistantText('Yes.')
const callOf = (id: string, city = 'A') => toolCall(id, 'weather', { city })
const thought = sealed(reasoning({ text: 'Hm.', signature: 'c2ln' }), {
  type: 'thinking',
  thinking: 'Hm.',
  signature: 'c2ln',
})
const unseen = sealed(reasoning({ signature: 'c2ln' }), { type: 'thinking', thinking: '', signature: 'c2ln' })
const redacted = { type: 'redacted_thinking', data: 'ZGF0YQ==' }
const cited = { citations: [{ type: 'x' }], type: 'text', text: 'Yes.' }
const click = { type: 'tool_use', id: 'a', name: 'left_click', input: { x: 1 }, toolset_name: 'computer' }
const found = { type: 'web_search_tool_result', tool_use_id: 'srv_1', content: [] }
const hologram = { type: 'hologram', shape: 'cube' }
const json = JSON.stringify
const original = [
  { type: 'thinking', thinking: 'Hm.', signature: 'c2ln' },
  { type: 'text', text: 'Yes, indeed.', cache_control: { type: 'ephemeral' } },
  { type: 'tool_use', id: 'a', name: 'weather', input: {} },
  7,
]

test.each<[string, readonly Block[], readonly string[]]>([
  ['a prompt', [hi], ['user "Hi"']],
  ['an exchange', [hi, yes, and], ['user "Hi"', 'assistant "Yes."', 'user "And?"']],
  [
    'neighbours of one role are one message',
    [hi, hi, yes, yes, and],
    ['user "Hi" "Hi"', 'assistant "Yes." "Yes."', 'user "And?"'],
  ],
  [
    'system text behind the beginning is user text',
    [hi, systemText('Be brief.'), yes, and],
    ['user "Hi" "Be brief."', 'assistant "Yes."', 'user "And?"'],
  ],
  [
    'two calls in one reply are answered in one message, in the order of the calls',
    [hi, callOf('a'), callOf('b', 'B'), toolResult('b', 'rain'), toolResult('a', { sun: true })],
    ['user "Hi"', 'assistant a: weather({"city":"A"}) b: weather({"city":"B"})', 'user a = {"sun":true} b = rain'],
  ],
  [
    'one call after the other are two messages',
    [hi, callOf('a'), toolResult('a', 1), callOf('b'), toolResult('b', 2)],
    [
      'user "Hi"',
      'assistant a: weather({"city":"A"})',
      'user a = 1',
      'assistant b: weather({"city":"A"})',
      'user b = 2',
    ],
  ],
  [
    'an error says so, with what there is beside it',
    [hi, callOf('a'), callOf('b'), toolError('a', 'no such city'), toolError('b', 'timeout', '{"partial":1}')],
    [
      'user "Hi"',
      'assistant a: weather({"city":"A"}) b: weather({"city":"A"})',
      'user a ! {"error":"no such city"} b ! {"error":"timeout","result":{"partial":1}}',
    ],
  ],
  [
    'an empty result has no content',
    [hi, callOf('a'), toolResult('a', '')],
    ['user "Hi"', 'assistant a: weather({"city":"A"})', 'user a = undefined'],
  ],
  [
    'sealed thinking goes back as it came',
    [hi, thought, unseen, sealed(reasoning({ encrypted_content: 'ZGF0YQ==' }), redacted), yes, and],
    ['user "Hi"', `assistant think(Hm. #c2ln) think( #c2ln) ${json(redacted)} "Yes."`, 'user "And?"'],
  ],
  [
    'the signature of an older turn is a seal',
    [hi, reasoning({ text: 'Hm.', signature: 'c2ln' }), yes, and],
    ['user "Hi"', 'assistant think(Hm. #c2ln) "Yes."', 'user "And?"'],
  ],
  [
    'cited text goes back with its citations',
    [hi, sealed(yes, cited), and],
    ['user "Hi"', `assistant ${json(cited)}`, 'user "And?"'],
  ],
  [
    'a call keeps what the provider sealed into it, and its family goes on its result',
    [hi, sealed(toolCall('a', 'left_click', { x: 1 }), click), toolResult('a', 'ok')],
    [
      'user "Hi"',
      `assistant ${json(click)}`,
      `user ${json({ type: 'tool_result', tool_use_id: 'a', content: 'ok', toolset_name: 'computer' })}`,
    ],
  ],
  [
    'server tools go back in their place',
    [hi, assistantText('Let me look.'), item(search), item(found), yes, and],
    ['user "Hi"', `assistant "Let me look." ${json(search)} ${json(found)} "Yes."`, 'user "And?"'],
  ],
  [
    'items of kinds that are not known go back',
    [hi, item(hologram), yes, and],
    ['user "Hi"', `assistant ${json(hologram)} "Yes."`, 'user "And?"'],
  ],
  [
    'a paused reply is sent as it is',
    [hi, thought, yes, paused(item(search))],
    ['user "Hi"', `assistant think(Hm. #c2ln) "Yes." ${json(search)}`],
  ],
  [
    'a server tool waits beside calls of ours while they are answered',
    [hi, item(search), callOf('a'), toolResult('a', 1)],
    ['user "Hi"', `assistant ${json(search)} a: weather({"city":"A"})`, 'user a = 1'],
  ],
  [
    'and its result comes in the next reply',
    [hi, item(search), callOf('a'), toolResult('a', 1), item(found), yes, and],
    [
      'user "Hi"',
      `assistant ${json(search)} a: weather({"city":"A"})`,
      'user a = 1',
      `assistant ${json(found)} "Yes."`,
      'user "And?"',
    ],
  ],
  [
    'content of older versions takes the place of the block that it is kept beside',
    [hi, claudeOriginalContentKey.set(yes, original), callOf('a'), toolResult('a', 1)],
    ['user "Hi"', 'assistant think(Hm. #c2ln) "Yes, indeed." a: weather({"city":"A"})', 'user a = 1'],
  ],
  [
    'content that cannot be read does not',
    [hi, claudeOriginalContentKey.set(yes, [{ type: 'text' }, 'x']), and],
    ['user "Hi"', 'assistant "Yes."', 'user "And?"'],
  ],
])('%s', (_name, blocks, messages) => {
  const { body, repairs } = project(createTurn(blocks))
  expect(outline(body)).toEqual(messages)
  expect(repairs.filter(({ repair }) => repair !== 'undeclared-tools')).toEqual([])
  expect(validateAnthropicRequest(body)).toEqual([])
})

test('system text at the beginning is the system prompt, block by block', () => {
  const { body } = project(createTurn([systemText('Be brief.'), systemText('Be kind.'), systemText(' '), hi]))
  expect(body['system']).toEqual([
    { type: 'text', text: 'Be brief.' },
    { type: 'text', text: 'Be kind.' },
  ])
  expect(outline(body)).toEqual(['user "Hi"'])
})

describe('an image behind the text', () => {
  const base64 = (mediaType: string) => ({ type: 'base64', media_type: mediaType, data: 'aGk=' })
  test.each<[string, ImagePart, JsonObject]>([
    [
      'a link',
      { url: 'https://a.example/a.png' },
      { type: 'image', source: { type: 'url', url: 'https://a.example/a.png' } },
    ],
    ['bytes', { content: 'aGk=', media_type: 'image/png' }, { type: 'image', source: base64('image/png') }],
    [
      'bytes under another name',
      { content: 'aGk=', media_type: 'image/jpg' },
      { type: 'image', source: base64('image/jpeg') },
    ],
    ['a data URL', { url: 'data:image/webp;base64,aGk=' }, { type: 'image', source: base64('image/webp') }],
    [
      'a document',
      { content: 'aGk=', media_type: 'application/pdf' },
      { type: 'document', source: base64('application/pdf') },
    ],
    [
      'a file that the provider holds',
      { file_id: 'file_1' },
      { type: 'image', source: { type: 'file', file_id: 'file_1' } },
    ],
  ])('%s', (_name, image, expected) => {
    const { body, headers } = project(createTurn([userText('Look', [image])]))
    expect(messagesOf(body)).toEqual([['user', [{ type: 'text', text: 'Look' }, expected]]])
    expect(messagesOf(project(createTurn([userText('', [image])])).body)).toEqual([['user', [expected]]])
    expect(headers?.['anthropic-beta']).toBe('file_id' in image ? 'files-api-2025-04-14' : undefined)
  })
})
