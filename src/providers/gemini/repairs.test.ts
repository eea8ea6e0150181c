import { describe, expect, test } from 'vitest'
import { answered, called, item, own, project } from '../../../test/support/gemini-requests.ts'
import {
  assistantText,
  otherBlock,
  reasoning,
  systemText,
  toolCall,
  toolResult,
  userText,
  type Block,
} from '../../turns/block.ts'
import { partialKey, sidecarKey, thoughtSignatureKey } from '../../turns/keys.ts'

const foreign = <B extends Block>(block: B): B =>
  sidecarKey.set(block, { provider: 'anthropic', item: { type: 'thinking', thinking: 'Hm.', signature: 'sealed' } })
const hi = { text: 'Hi' }
const go = { text: 'Continue.' }
const missing = { error: 'interrupted: no result was recorded' }

describe('what would be refused', () => {
  type Row = readonly [string, readonly Block[], readonly unknown[], readonly (readonly [string, number])[]]
  test.each<Row>([
    ['nothing at all', [], [['user', go]], [['missing-user-message', 0]]],
    ['nothing but rules', [systemText('Be brief.')], [['user', go]], [['missing-user-message', 0]]],
    [
      'a beginning and an end without the user',
      [assistantText('Hello.')],
      [
        ['user', go],
        ['model', { text: 'Hello.' }],
        ['user', go],
      ],
      [
        ['missing-user-message', 0],
        ['missing-user-message', 0],
      ],
    ],
    [
      'texts without words',
      [systemText(' '), userText(''), userText('Hi'), assistantText('\n'), systemText('')],
      [['user', hi]],
      [
        ['empty-block', 0],
        ['empty-block', 1],
        ['empty-block', 3],
        ['empty-block', 4],
      ],
    ],
    [
      'a call without a result, and a prompt behind it',
      [userText('Hi'), toolCall('a', 'f', {}), userText('Never mind.')],
      [
        ['user', hi],
        ['model', called('f')],
        ['user', { text: 'Never mind.' }, answered('f', missing)],
      ],
      [['orphan-tool-call', 1]],
    ],
    [
      'a prompt right behind results: words come before them',
      [userText('Hi'), toolCall('a', 'f', {}), toolResult('a', 1), userText('And?'), systemText('Be brief.')],
      [
        ['user', hi],
        ['model', called('f')],
        ['user', { text: 'And?' }, { text: 'Be brief.' }, answered('f', { result: 1 })],
      ],
      [],
    ],
    [
      'a result without a call, and one too many',
      [userText('Hi'), toolResult('b', 1), toolCall('a', 'f', {}), toolResult('a', 1), toolResult('a', 2)],
      [
        ['user', hi],
        ['model', called('f')],
        ['user', answered('f', { result: 1 })],
      ],
      [
        ['orphan-tool-result', 1],
        ['orphan-tool-result', 4],
      ],
    ],
    [
      'a result that stands elsewhere',
      [userText('Hi'), toolCall('a', 'f', {}), userText('Wait.'), toolResult('a', 1)],
      [
        ['user', hi],
        ['model', called('f')],
        ['user', { text: 'Wait.' }, answered('f', { result: 1 })],
      ],
      [['moved-tool-result', 3]],
    ],
    [
      'results in another order than their calls, and an id that is used again',
      [
        userText('Hi'),
        toolCall('a', 'f', {}),
        toolCall('b', 'g', {}),
        toolResult('b', 2),
        toolResult('a', 1),
        toolCall('a', 'h', {}),
        toolResult('a', 3),
      ],
      [
        ['user', hi],
        ['model', called('f'), called('g')],
        ['user', answered('f', { result: 1 }), answered('g', { result: 2 })],
        ['model', called('h')],
        ['user', answered('h', { result: 3 })],
      ],
      [],
    ],
    [
      'text between a call and its result',
      [userText('Hi'), toolCall('a', 'f', {}), assistantText('Wait.'), toolResult('a', 1)],
      [
        ['user', hi],
        ['model', called('f'), { text: 'Wait.' }],
        ['user', answered('f', { result: 1 })],
      ],
      [],
    ],
    [
      'arguments that are no object, and names that are none',
      [
        userText('Hi'),
        toolCall('a', '1 f', '{"x":'),
        toolCall('b', '', ''),
        toolCall('c', `${'x'.repeat(70)}`, '{"y":1}'),
        toolResult('a', 1),
        toolResult('b', null),
        toolResult('c', 'text'),
      ],
      [
        ['user', hi],
        ['model', called('_1_f'), called('_'), called('x'.repeat(64), { y: 1 })],
        [
          'user',
          answered('_1_f', { result: 1 }),
          answered('_', { result: null }),
          answered('x'.repeat(64), { result: 'text' }),
        ],
      ],
      [
        ['invalid-arguments', 1],
        ['renamed-tool', 1],
        ['renamed-tool', 2],
        ['renamed-tool', 3],
      ],
    ],
    [
      'what was changed since Gemini said it',
      [
        userText('Hi'),
        own(reasoning({ text: 'Edited.' }), { text: 'Hm.', thought: true, thoughtSignature: 's' }),
        thoughtSignatureKey.set(own(assistantText('YES'), { text: 'Yes', thoughtSignature: 's' }), 's'),
        thoughtSignatureKey.set(own(toolCall('a', 'f', { b: 2 }), { ...called('f'), thoughtSignature: 's' }), 's'),
        own(toolCall('b', 'g', {}), { ...called('f'), thoughtSignature: 's' }),
        toolResult('a', 1),
        toolResult('b', 2),
      ],
      [
        ['user', hi],
        ['model', { text: 'YES' }, called('f', { b: 2 }), called('g')],
        ['user', answered('f', { result: 1 }), answered('g', { result: 2 })],
      ],
      [
        ['edited-block', 1],
        ['edited-block', 2],
        ['edited-block', 3],
        ['edited-block', 4],
      ],
    ],
    [
      'what is kept of Gemini and cannot be its',
      [
        userText('Hi'),
        own(assistantText('Yes'), called('f'), { text: 'Yes' }),
        own(reasoning({ text: '' }), { text: '', thought: true }),
        own(toolCall('a', 'f', {}), { text: 'f' }),
        own(toolCall('b', 'f', {})),
        item({}),
        item({ text: '' }),
        item({ thought: true, thoughtSignature: 's' }),
        item(called('f')),
        item(answered('f', {})),
        otherBlock('provider_item', { provider: 'gemini' }),
        toolResult('a', 1),
        toolResult('b', 2),
      ],
      [
        ['user', hi],
        ['model', { text: 'Yes' }, called('f'), called('f')],
        ['user', answered('f', { result: 1 }), answered('f', { result: 2 })],
      ],
      [
        ['edited-block', 1],
        ['edited-block', 2],
        ['edited-block', 3],
        ['edited-block', 4],
        ...[5, 6, 7, 8, 9, 10].map((block): [string, number] => ['unsendable-item', block]),
      ],
    ],
    [
      "what is another provider's, is cut off or has no place here",
      [
        userText('Hi'),
        foreign(reasoning({ text: 'Hm.', signature: 'sealed' })),
        reasoning({ encrypted_content: 'sealed' }),
        partialKey.set(own(reasoning({ text: 'H' }), { text: 'H', thought: true, thoughtSignature: 's' }), true),
        foreign(assistantText('Yes.')),
        item({ type: 'web_search_call' }, 'openai-responses'),
        otherBlock('widget', { x: 1 }),
        partialKey.set(assistantText('An'), true),
        userText('Go on.'),
      ],
      [
        ['user', hi],
        ['model', { text: 'Yes.' }, { text: 'An' }],
        ['user', { text: 'Go on.' }],
      ],
      [
        ['foreign-reasoning', 1],
        ['foreign-reasoning', 2],
        ['partial-reasoning', 3],
        ['foreign-item', 5],
        ['unknown-block', 6],
      ],
    ],
    [
      'half of a surrogate pair, wherever it is',
      [
        systemText('S \ud800'),
        userText('Hi \udc00'),
        toolCall('a', 'f', { '\ud800': 'x' }),
        toolResult('a', { deep: ['\udfff'] }),
      ],
      [
        ['user', { text: 'Hi \ufffd' }],
        ['model', called('f', { '\ufffd': 'x' })],
        ['user', answered('f', { result: { deep: ['\ufffd'] } })],
      ],
      [0, 1, 2, 3].map((block): [string, number] => ['lone-surrogate', block]),
    ],
    [
      'blocks of kinds to come say what they say',
      [
        { ...otherBlock('note', { text: 'N' }), role: 'user' },
        otherBlock('remark', { text: 'R' }),
        { ...otherBlock('rule', { text: 'S' }), role: 'system' },
      ],
      [
        ['user', { text: 'N' }],
        ['model', { text: 'R' }],
        ['user', { text: 'S' }],
      ],
      [],
    ],
  ])('%s', (_name, blocks, contents, repaired) => {
    const projected = project(blocks)
    expect(projected.contents).toEqual(contents)
    expect(projected.repaired).toEqual(repaired)
  })
})
