import { expect, test } from 'vitest'
import type { Entity } from '../../../timeline/entity.ts'
import { newsOf } from './history.ts'
import type { InputMessage } from './input.ts'

const base = { ordinal: 1, updatedOrdinal: 1, at: '', inferenceId: 'i', isStreaming: false }
const call = { ...base, kind: 'tool-call', providerCallId: 'p', attempt: 1, toolName: 'show' } as const
const approval = { approvalId: 'a', reason: 'client-tool', hash: 'h' } as const
const entities: readonly Entity[] = [
  { ...base, id: 'u1', kind: 'message', role: 'user', text: 'First\n\nHi' },
  { ...base, id: 'p:0', kind: 'message', role: 'assistant', text: 'Hello there', providerCallId: 'p', attempt: 1 },
  { ...call, id: '1', toolCallId: 'c1', status: 'success', result: { n: 1 } },
  { ...call, id: '2', toolCallId: 'c2', status: 'awaiting-approval', approval },
  {
    ...call,
    id: '3',
    toolCallId: 'c3',
    status: 'success',
    result: 'cut…',
    approval: { ...approval, decision: 'approved' },
  },
]
const user = (id: string, content: string): InputMessage => ({ id, role: 'user', content })
const assistant = (
  id: string,
  content?: string,
  ...names: readonly (readonly [id: string, name: string])[]
): InputMessage => ({
  id,
  role: 'assistant',
  content,
  toolCalls: names.map(([callId, name]) => ({ id: callId, function: { name } })),
})
const tool = (toolCallId: string, content: string, error?: string): InputMessage => ({
  id: `${toolCallId}:mine`,
  role: 'tool',
  toolCallId,
  content,
  error,
})
const nothing = { prompt: [], results: [], strangers: [] }

test.each<[what: string, messages: readonly InputMessage[], news: object]>([
  [
    'all that is known',
    [user('u1', 'First\n\nHi'), assistant('p:0', 'Hello there', ['p:c1', 'show']), tool('p:c1', '{"n":1}')],
    nothing,
  ],
  ['what came of several messages as one', [user('u1', 'Hi'), assistant('p:0', 'Hello there')], nothing],
  ['the beginning of an answer', [assistant('p:0', 'Hel')], nothing],
  ['a message of calls alone', [assistant('p:calls', undefined, ['p:c1', 'show'])], nothing],
  [
    'messages of nobody',
    [
      { id: 's', role: 'system' },
      { id: 'r', role: 'reasoning' },
    ],
    nothing,
  ],
  [
    'something new',
    [assistant('p:0', 'Hello there'), user('u2', 'And?')],
    { ...nothing, prompt: [user('u2', 'And?')] },
  ],
  ['two new ones', [user('u2', 'A'), user('u3', 'B')], { ...nothing, prompt: [user('u2', 'A'), user('u3', 'B')] }],
  ['an unknown question that was answered', [user('u0', 'First'), assistant('p:0', 'Hello there')], nothing],
  [
    'a result that is waited for',
    [tool('p:c2', '{"ok":true}')],
    { ...nothing, results: [{ approvalId: 'a', answer: { decision: 'approved', result: { ok: true } } }] },
  ],
  [
    'a failure that is',
    [tool('p:c2', 'no', 'bad')],
    { ...nothing, results: [{ approvalId: 'a', answer: { decision: 'denied', message: 'bad' } }] },
  ],
  ['its own result, whatever has become of it', [tool('p:c3', 'cut off later')], nothing],
  ['an answer from elsewhere', [assistant('x:0', 'No'), tool('x:c', '1')], { ...nothing, strangers: ['x:0', 'x:c'] }],
])('the news in %s', (_what, messages, news) => {
  expect(newsOf(messages, entities, true)).toEqual(news)
})

test('what stands before the first message that is known is older, when not all is', () => {
  const messages = [user('old', 'Old'), assistant('old:0', 'Older'), user('u1', 'Hi'), assistant('x:0', 'No')]
  expect(newsOf(messages, entities, false).strangers).toEqual(['x:0'])
})

test.each<[what: string, message: InputMessage]>([
  ['another answer', assistant('p:0', 'Hello everybody')],
  ['a question as an answer', assistant('u1', 'First')],
  ['another question', user('u1', 'Ho')],
  ['a call of another tool', assistant('p:0', 'Hello there', ['p:c1', 'refund'])],
  ['another result', tool('p:c1', '{"n":2}')],
])('%s is refused', (_what, message) => {
  expect(() => newsOf([message], entities, true)).toThrow(expect.objectContaining({ code: 'HISTORY_REFUSED' }))
})
