import { describe, expect, test } from 'vitest'
import { messagesOf, project, sealed, sentCall, thought } from '../../../test/support/chat-requests.ts'
import type { JsonObject } from '../../json.ts'
import {
  assistantText,
  otherBlock,
  systemText,
  toolCall,
  toolError,
  toolResult,
  userText,
  type Block,
} from '../../turns/block.ts'
import { blockResultKey, partialKey } from '../../turns/keys.ts'
import { turnFromText, turnToYaml } from '../../turns/document.ts'
import { createTurn } from '../../turns/turn.ts'

const hi = userText('Hi')
const bye = userText('Bye')
const user = (content: string) => ({ role: 'user', content })
const assistant = (content: string | null, ...calls: readonly JsonObject[]) => ({
  role: 'assistant',
  content,
  ...(calls.length > 0 && { tool_calls: calls }),
})
const tool = (id: string, content: string) => ({ role: 'tool', tool_call_id: id, content })
const of = <B extends Block>(block: B, response: string): B =>
  blockResultKey.set(block, { finish_class: 'completed', provider: 'openai', response_id: response })

describe('messages', () => {
  test('a whole conversation', () => {
    const blocks = [
      systemText('Be brief.'),
      userText('Weather?'),
      thought('Hm.'),
      assistantText('One moment.'),
      toolCall('a', 'weather', { city: 'A' }),
      sealed(toolCall('b', 'weather', { city: 'B' }), sentCall('b', 'weather', '{"city": "B"}')),
      toolResult('a', { celsius: 21 }),
      toolError('b', 'no such city'),
      assistantText('21 degrees.'),
      bye,
    ]
    const request = project(blocks)
    expect(messagesOf(request)).toEqual([
      { role: 'system', content: 'Be brief.' },
      user('Weather?'),
      assistant('One moment.', sentCall('a', 'weather', '{"city":"A"}'), sentCall('b', 'weather', '{"city": "B"}')),
      tool('a', '{"celsius":21}'),
      tool('b', '{"error":"no such city"}'),
      assistant('21 degrees.'),
      user('Bye'),
    ])
    expect(request.repairs).toEqual([])
  })

  test.each<[string, readonly Block[], readonly JsonObject[]]>([
    [
      'text of one reply goes on where it was',
      [hi, of(assistantText('One '), 'r1'), of(assistantText('reply.'), 'r1'), bye],
      [user('Hi'), assistant('One reply.'), user('Bye')],
    ],
    [
      'text of the next reply is a paragraph',
      [hi, of(assistantText('One.'), 'r1'), of(assistantText('Two.'), 'r2'), bye],
      [user('Hi'), assistant('One.\n\nTwo.'), user('Bye')],
    ],
    [
      'what is said after calls waits for their results',
      [hi, toolCall('a', 'f', {}), assistantText('So.'), toolResult('a', 1), bye],
      [user('Hi'), assistant(null, sentCall('a', 'f', {})), tool('a', '1'), assistant('So.'), user('Bye')],
    ],
    [
      'a user who interrupts is heard behind the results',
      [hi, toolCall('a', 'f', {}), bye, toolResult('a', 1)],
      [user('Hi'), assistant(null, sentCall('a', 'f', {})), tool('a', '1'), user('Bye')],
    ],
    [
      'results are in the order of the calls',
      [hi, toolCall('a', 'f', {}), toolCall('b', 'g', {}), toolResult('b', 2), toolResult('a', 1)],
      [user('Hi'), assistant(null, sentCall('a', 'f', {}), sentCall('b', 'g', {})), tool('a', '1'), tool('b', '2')],
    ],
    ['users are not made one', [hi, bye], [user('Hi'), user('Bye')]],
    [
      'a system message may come late',
      [hi, systemText('Be brief.')],
      [user('Hi'), { role: 'system', content: 'Be brief.' }],
    ],
    [
      'arguments that are a text go as they are',
      [hi, toolCall('a', 'f', '{"x": 1}'), toolResult('a', 1)],
      [user('Hi'), assistant(null, sentCall('a', 'f', '{"x": 1}')), tool('a', '1')],
    ],
    [
      'a custom call goes back as one',
      [
        hi,
        sealed(toolCall('a', 'sql', 'SELECT 1'), {
          id: 'a',
          type: 'custom',
          custom: { name: 'sql', input: 'SELECT 1' },
        }),
        toolResult('a', 1),
      ],
      [
        user('Hi'),
        assistant(null, { id: 'a', type: 'custom', custom: { name: 'sql', input: 'SELECT 1' } }),
        tool('a', '1'),
      ],
    ],
    [
      'a result that says nothing says so',
      [hi, toolCall('a', 'f', {}), toolResult('a', '')],
      [user('Hi'), assistant(null, sentCall('a', 'f', {})), tool('a', '(no output)')],
    ],
    [
      'text that was cut off is sent',
      [hi, partialKey.set(assistantText('Hal'), true), bye],
      [user('Hi'), assistant('Hal'), user('Bye')],
    ],
    [
      'a block of another kind that has text is said',
      [hi, { ...otherBlock('note', { text: 'Psst.' }), role: 'assistant' }, bye],
      [user('Hi'), assistant('Psst.'), user('Bye')],
    ],
    ['… by whom its role names', [{ ...otherBlock('note', { text: 'Psst.' }), role: 'user' }], [user('Psst.')]],
    [
      '… by the model, where it names nobody',
      [hi, otherBlock('note', { text: 'Psst.' }), bye],
      [user('Hi'), assistant('Psst.'), user('Bye')],
    ],
    [
      'a call that came without arguments goes back with none',
      [hi, sealed(toolCall('a', 'f', {}), sentCall('a', 'f', '', { extra_content: 1 })), toolResult('a', 1)],
      [user('Hi'), assistant(null, sentCall('a', 'f', {})), tool('a', '1')],
    ],
  ])('%s', (_name, blocks, messages) => {
    const request = project(blocks)
    expect(messagesOf(request)).toEqual(messages)
    expect(request.repairs.filter(({ repair }) => repair !== 'moved-tool-result')).toEqual([])
  })

  test('images, in all their forms, after a round through YAML too', () => {
    const turn = createTurn([
      userText('Look', [
        { url: 'https://a.example/a.png' },
        { content: 'aGk=', media_type: 'image/png', detail: 'low' },
        { url: 'data:image/jpeg;base64,aGk=', detail: 'original' },
      ]),
      userText('', [{ url: 'https://a.example/b.png', detail: 'high' }]),
    ])
    const image = (url: string, detail: string) => ({ type: 'image_url', image_url: { url, detail } })
    for (const each of [turn, turnFromText(turnToYaml(turn))]) {
      expect(messagesOf(project(each))).toEqual([
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Look' },
            image('https://a.example/a.png', 'auto'),
            image('data:image/png;base64,aGk=', 'low'),
            image('data:image/jpeg;base64,aGk=', 'high'),
          ],
        },
        { role: 'user', content: [image('https://a.example/b.png', 'high')] },
      ])
    }
  })
})
