import { expect, test } from 'vitest'
import type { Json } from '../json.ts'
import { requestDifference, valueDifference } from './difference.ts'
import { requestContent } from './request.ts'

const tool = (name: string, more: object = {}) => ({
  type: 'function',
  function: { name, description: 'd', parameters: { type: 'object' }, ...more },
})
const message = (content: string, role = 'user') => ({ role, content })
const base = {
  model: 'm',
  temperature: 0.5,
  messages: [message('Be kind.', 'system'), message('Hi')],
  tools: [tool('a'), tool('b')],
}

function compare(before: object, after: object, url = 'https://api.example/v1'): string | undefined {
  const content = (address: string, body: object) =>
    requestContent(address, {
      method: 'POST',
      headers: {},
      body: JSON.stringify(body),
      signal: new AbortController().signal,
      redirect: 'manual',
    })
  return requestDifference(content('https://api.example/v1', before), content(url, after))
}

test.each<[string, object, string]>([
  ['the model', { ...base, model: 'n' }, 'another model is asked for. At $.model, "m" was recorded and "n" came'],
  [
    'a setting',
    { ...base, temperature: 1 },
    'the setting temperature changed. At $.temperature, 0.5 was recorded and 1 came',
  ],
  [
    'a setting that is gone',
    { ...base, temperature: undefined },
    'the setting temperature changed. At $.temperature, 0.5 was recorded and nothing came',
  ],
  [
    'the system message',
    { ...base, messages: [message('Be rude.', 'system'), message('Hi')] },
    'the system prompt changed. At $.messages[0].content, "Be kind." was recorded and "Be rude." came',
  ],
  [
    'a message',
    { ...base, messages: [base.messages[0], message('Ho')] },
    'message 2 differs. At $.messages[1].content, "Hi" was recorded and "Ho" came',
  ],
  [
    'one message more',
    { ...base, messages: [...base.messages, message('x')] },
    'there is one message more. At $.messages[2], nothing was recorded and {"content":"x","role":"user"} came',
  ],
  [
    'two messages more',
    { ...base, messages: [...base.messages, message('x'), message('y')] },
    'there are 2 messages more.',
  ],
  ['one message fewer', { ...base, messages: [base.messages[0]] }, 'there is one message fewer.'],
  ['a tool that is gone', { ...base, tools: [tool('a')] }, 'the tool b is not offered any more.'],
  ['a tool that is new', { ...base, tools: [tool('a'), tool('b'), tool('c')] }, 'the tool c is offered and was not.'],
  [
    'a tool with another name',
    { ...base, tools: [tool('a'), tool('c')] },
    'the tool b is not offered any more, and c is.',
  ],
  [
    'a schema',
    { ...base, tools: [tool('a'), tool('b', { parameters: { type: 'string' } })] },
    'the schema of the tool b changed. At $.tools[1].function.parameters.type, "object" was recorded and "string" came',
  ],
  [
    'a description',
    { ...base, tools: [tool('a', { description: 'e' }), tool('b')] },
    'the description of the tool a changed.',
  ],
  ['the order of tools', { ...base, tools: [tool('b'), tool('a')] }, 'the tools stand in another order.'],
])('Names what changed: %s', (_what, after, sentence) => {
  expect(compare(base, after)?.slice(0, sentence.length)).toBe(sentence)
})

test('The fields of every provider are known', () => {
  for (const field of ['system', 'instructions', 'systemInstruction']) {
    expect(compare({ [field]: 'a' }, { [field]: 'b' })).toContain('the system prompt changed')
  }
  for (const field of ['input', 'contents']) {
    expect(compare({ [field]: [] }, { [field]: [{}] })).toContain('there is one message more')
  }
  const gemini = (type: string) => ({ tools: [{ functionDeclarations: [{ name: 'x', parameters: { type } }] }] })
  expect(compare(gemini('a'), gemini('b'))).toContain('the schema of the tool x changed')
  const anthropic = (type: string) => ({ tools: [{ name: 'y', input_schema: { type } }] })
  expect(compare(anthropic('a'), anthropic('b'))).toContain('the schema of the tool y changed')
})

test('Equal requests differ in nothing; the order of keys and the address count', () => {
  expect(compare(base, base)).toBeUndefined()
  expect(compare(base, Object.fromEntries(Object.entries(base).toReversed()))).toBe('only the order of keys differs')
  expect(compare(base, base, 'https://other.example/v1')).toBe(
    'it goes to another address: POST https://api.example/v1 was recorded, POST https://other.example/v1 came',
  )
})

test('A long text is shown from shortly before the place where it differs', () => {
  const long = 'x'.repeat(500)
  expect(valueDifference(`${long}a`, `${long}b`)).toBe(
    `At $, …"${'x'.repeat(20)}a" was recorded and …"${'x'.repeat(20)}b" came`,
  )
  expect(valueDifference({ a: [1, 2] }, { a: [1, 2] } satisfies Json)).toBeUndefined()
})
