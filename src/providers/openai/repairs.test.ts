import { describe, expect, test } from 'vitest'
import {
  messagesOf,
  project,
  sealed,
  sentCall,
  thought,
  type EndpointName,
} from '../../../test/support/chat-requests.ts'
import type { JsonObject } from '../../json.ts'
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
import { blockResultKey, partialKey, thoughtSignatureKey } from '../../turns/keys.ts'

const hi = userText('Hi')
const bye = userText('Bye')
const user = (content: string) => ({ role: 'user', content })
const assistant = (content: string | null, ...calls: readonly JsonObject[]) => ({
  role: 'assistant',
  content,
  ...(calls.length > 0 && { tool_calls: calls }),
})
const tool = (id: string, content: string) => ({ role: 'tool', tool_call_id: id, content })
const interrupted = 'interrupted: no result was recorded'

describe('a repair', () => {
  const foreign = sealed(reasoning({ text: 'Secret', signature: 'x' }), { type: 'thinking' }, 'anthropic')
  const sealedText = sealed(assistantText('Paris'), {
    content: [
      { type: 'text', text: 'Paris' },
      { type: 'reference', reference_ids: [1] },
    ],
  })
  const long = 'x'.repeat(50)

  test.each<[string, readonly Block[], readonly (readonly [string, number])[], readonly JsonObject[]]>([
    [
      'a call without a result is answered with an error',
      [hi, toolCall('a', 'f', {}), bye],
      [['orphan-tool-call', 1]],
      [user('Hi'), assistant(null, sentCall('a', 'f', {})), tool('a', interrupted), user('Bye')],
    ],
    [
      'a call at the end, too',
      [hi, toolCall('a', 'f', {})],
      [['orphan-tool-call', 1]],
      [user('Hi'), assistant(null, sentCall('a', 'f', {})), tool('a', interrupted)],
    ],
    ['a result without a call is left out', [hi, toolResult('a', 1)], [['orphan-tool-result', 1]], [user('Hi')]],
    [
      'a second result is left out',
      [hi, toolCall('a', 'f', {}), toolResult('a', 1), toolResult('a', 2)],
      [['orphan-tool-result', 3]],
      [user('Hi'), assistant(null, sentCall('a', 'f', {})), tool('a', '1')],
    ],
    [
      'a result that came late is moved',
      [hi, toolCall('a', 'f', {}), bye, toolResult('a', 1)],
      [['moved-tool-result', 3]],
      [user('Hi'), assistant(null, sentCall('a', 'f', {})), tool('a', '1'), user('Bye')],
    ],
    [
      'an id that is used again goes by another',
      [hi, toolCall('a', 'f', {}), toolResult('a', 1), toolCall('a', 'f', {}), toolResult('a', 2)],
      [['renamed-tool-call', 3]],
      [
        user('Hi'),
        assistant(null, sentCall('a', 'f', {})),
        tool('a', '1'),
        assistant(null, sentCall('a-2', 'f', {})),
        tool('a-2', '2'),
      ],
    ],
    [
      'an empty id gets one',
      [hi, toolCall('', 'f', {}), toolResult('', 1)],
      [['renamed-tool-call', 1]],
      [user('Hi'), assistant(null, sentCall('call', 'f', {})), tool('call', '1')],
    ],
    [
      'arguments that are cut are {}',
      [hi, toolCall('a', 'f', '{"x'), toolResult('a', 1)],
      [['invalid-arguments', 1]],
      [user('Hi'), assistant(null, sentCall('a', 'f', {})), tool('a', '1')],
    ],
    [
      'a name that no tool may have is changed',
      [hi, toolCall('a', 'my tool', {}), toolResult('a', 1)],
      [['renamed-tool', 1]],
      [user('Hi'), assistant(null, sentCall('a', 'my_tool', {})), tool('a', '1')],
    ],
    [
      'texts without words are left out',
      [hi, systemText(''), userText(' '), assistantText('\n'), bye],
      [
        ['empty-block', 1],
        ['empty-block', 2],
        ['empty-block', 3],
      ],
      [user('Hi'), user('Bye')],
    ],
    [
      "another provider's reasoning is left out",
      [
        hi,
        foreign,
        reasoning({ text: 'x', encrypted_content: 'y' }),
        thoughtSignatureKey.set(reasoning({ text: 'x' }), 's'),
        assistantText('So.'),
        bye,
      ],
      [
        ['foreign-reasoning', 1],
        ['foreign-reasoning', 2],
        ['foreign-reasoning', 3],
      ],
      [user('Hi'), assistant('So.'), user('Bye')],
    ],
    [
      'reasoning that was cut off is left out',
      [hi, partialKey.set(thought('H'), true), assistantText('So.'), bye],
      [['partial-reasoning', 1]],
      [user('Hi'), assistant('So.'), user('Bye')],
    ],
    [
      "another provider's item is left out",
      [hi, otherBlock('provider_item', { provider: 'anthropic', item: { type: 'server_tool_use' } })],
      [['foreign-item', 1]],
      [user('Hi')],
    ],
    [
      'an item of ours that cannot go back is left out',
      [hi, otherBlock('provider_item', { provider: 'openai', item: { type: 'image_url' } })],
      [['unsendable-item', 1]],
      [user('Hi')],
    ],
    ['a block of another kind is left out', [hi, otherBlock('widget', { x: 1 })], [['unknown-block', 1]], [user('Hi')]],
    [
      'a call that was edited says what the edit says',
      [
        hi,
        sealed(toolCall('a', 'f', { x: 2 }), sentCall('a', 'f', '{"x": 1}', { extra_content: 1 })),
        toolResult('a', 1),
      ],
      [['edited-block', 1]],
      [user('Hi'), assistant(null, sentCall('a', 'f', { x: 2 })), tool('a', '1')],
    ],
    [
      'a text that was edited says what the edit says',
      [hi, sealed(assistantText('Rome'), { content: [{ type: 'text', text: 'Paris' }] }), bye],
      [['edited-block', 1]],
      [user('Hi'), assistant('Rome'), user('Bye')],
    ],
    [
      'a text with references is a text elsewhere',
      [hi, sealedText, bye],
      [],
      [user('Hi'), assistant('Paris'), user('Bye')],
    ],
    [
      'images that cannot be sent are left out',
      [
        userText('Hi', [
          { file_id: 'f' },
          { file_uri: 'gs://x', media_type: 'image/png' },
          { content: 'aGk=', media_type: 'application/pdf' },
          { url: 'data:text' },
        ]),
      ],
      [
        ['unsupported-image', 0],
        ['foreign-image', 0],
        ['unsupported-image', 0],
        ['invalid-image', 0],
      ],
      [user('Hi')],
    ],
    [
      'half of a surrogate pair is replaced',
      [
        userText('a\ud800'),
        assistantText('\udc00b'),
        toolCall('x\ud800', 'f', { 'k\ud800': '\ud800' }),
        toolResult('x\ud800', '\ud800'),
      ],
      [
        ['lone-surrogate', 0],
        ['lone-surrogate', 1],
        ['renamed-tool-call', 2],
        ['lone-surrogate', 2],
        ['lone-surrogate', 3],
      ],
      [
        user('a\ufffd'),
        assistant('\ufffdb', sentCall('x\ufffd', 'f', '{"k\ufffd":"\ufffd"}')),
        tool('x\ufffd', '\ufffd'),
      ],
    ],
    [
      'an id of more than 40 characters is shortened',
      [hi, toolCall(long, 'f', {}), toolResult(long, 1)],
      [['renamed-tool-call', 1]],
      [
        user('Hi'),
        assistant(null, sentCall('call_77cf12060d47183ea8c40345e7389e7e', 'f', {})),
        tool('call_77cf12060d47183ea8c40345e7389e7e', '1'),
      ],
    ],
    ['nothing at all', [], [['missing-user-message', 0]], [user('Continue.')]],
    [
      'nobody but the system',
      [systemText('Be brief.')],
      [['missing-user-message', 0]],
      [{ role: 'system', content: 'Be brief.' }, user('Continue.')],
    ],
    [
      'an assistant at the end',
      [hi, assistantText('So.')],
      [['missing-user-message', 1]],
      [user('Hi'), assistant('So.'), user('Continue.')],
    ],
  ])('%s', (_name, blocks, repairs, messages) => {
    const request = project(blocks)
    expect(request.repairs.map(({ repair, block }) => [repair, block])).toEqual(repairs)
    expect(messagesOf(request)).toEqual(messages)
  })

  test.each<[string, EndpointName, readonly Block[], readonly string[], readonly JsonObject[]]>([
    [
      'neighbours are made one for chat templates',
      'llama.cpp',
      [systemText('A'), systemText('B'), hi, userText('Look', [{ url: 'https://a.example/a.png' }]), bye],
      [],
      [
        { role: 'system', content: 'A\n\nB' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Hi' },
            { type: 'text', text: 'Look' },
            { type: 'image_url', image_url: { url: 'https://a.example/a.png', detail: 'auto' } },
            { type: 'text', text: 'Bye' },
          ],
        },
      ],
    ],
    [
      'the user begins for chat templates',
      'vllm',
      [systemText('A'), assistantText('Welcome.'), hi],
      ['missing-user-message'],
      [{ role: 'system', content: 'A' }, user('Continue.'), assistant('Welcome.'), user('Hi')],
    ],
    [
      'the user begins and ends for chat templates',
      'ollama',
      [assistantText('Welcome.')],
      ['missing-user-message', 'missing-user-message'],
      [user('Continue.'), assistant('Welcome.'), user('Continue.')],
    ],
    [
      'Mistral hears the model between tool and user',
      'mistral',
      [hi, toolCall('abcdefghi', 'f', {}), toolResult('abcdefghi', 1), bye],
      ['missing-assistant-message'],
      [
        user('Hi'),
        assistant(null, sentCall('abcdefghi', 'f', {})),
        tool('abcdefghi', '1'),
        assistant('(no answer)'),
        user('Bye'),
      ],
    ],
    [
      'Mistral takes references back where they stood',
      'mistral',
      [hi, sealedText, bye],
      [],
      [
        user('Hi'),
        {
          role: 'assistant',
          content: [
            { type: 'text', text: 'Paris' },
            { type: 'reference', reference_ids: [1] },
          ],
        },
        user('Bye'),
      ],
    ],
  ])('%s', (_name, to, blocks, repairs, messages) => {
    const request = project(blocks, {}, [], to)
    expect(request.repairs.map(({ repair }) => repair)).toEqual(repairs)
    expect(messagesOf(request)).toEqual(messages)
  })

  test('ids for Mistral are nine letters and digits, the same for call and result, and no two alike', () => {
    const request = project(
      [hi, toolCall('toolu_1', 'f', {}), toolCall('toolu_1', 'f', {}), toolCall('toolu_2', 'f', {})],
      {},
      [],
      'mistral',
    )
    const answered = messagesOf(request).flatMap((message) => message['tool_call_id'] ?? [])
    expect(new Set(answered).size).toBe(3)
    for (const id of answered) expect(id).toMatch(/^[a-zA-Z0-9]{9}$/)
  })

  test('reasoning that was edited goes back as the edit says, without what sealed it', () => {
    const edited = sealed(reasoning({ text: 'Hum.' }), {
      reasoning: 'Hm.',
      reasoning_details: [{ type: 'reasoning.text', text: 'Hm.' }],
    })
    const blocks = [hi, edited, toolCall('a', 'f', {}), toolResult('a', 1)]
    const [request, elsewhere] = [project(blocks, {}, [], 'vllm'), project(blocks, {}, [], 'openrouter')]
    expect(request.repairs.map(({ repair }) => repair)).toEqual(['edited-block'])
    expect(messagesOf(request)[1]).toMatchObject({ reasoning: 'Hum.' })
    expect(messagesOf(elsewhere)[1]).not.toHaveProperty('reasoning_details')
  })

  test('reasoning of turns from before there were seals goes back as reasoning_content', () => {
    const blocks = [hi, reasoning({ text: 'Hm.' }), toolCall('a', 'f', {}), toolResult('a', 1)]
    expect(messagesOf(project(blocks, {}, [], 'deepseek'))[1]).toMatchObject({ reasoning_content: 'Hm.' })
    const others = blockResultKey.set(reasoning({ text: 'Hm.' }), { finish_class: 'completed', provider: 'anthropic' })
    expect(messagesOf(project([hi, others, ...blocks.slice(2)], {}, [], 'deepseek'))[1]).toMatchObject({
      reasoning_content: ' ',
    })
  })
})
