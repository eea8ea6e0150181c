import { expect, test } from 'vitest'
import { answered, called, item, own, project } from '../../../test/support/gemini-requests.ts'
import { assistantText, reasoning, systemText, toolCall, toolError, toolResult, userText } from '../../turns/block.ts'
import { thoughtKey, thoughtSignatureKey } from '../../turns/keys.ts'

test('a whole conversation goes out as it came in', () => {
  const { contents, body, repaired } = project([
    systemText('Be brief.'),
    systemText('Be kind.'),
    userText('Look'),
    thoughtKey.set(reasoning({ text: 'Only for people.' }), true),
    own(reasoning({ text: 'Hm.' }), { text: 'Hm.', thought: true, thoughtSignature: 's0' }),
    own(
      assistantText('I see.'),
      { text: 'I ' },
      { text: 'see.', thoughtSignature: 's1' },
      { text: '', thoughtSignature: 's2' },
    ),
    userText('Weather?'),
    userText('Now.'),
    own(toolCall('x', 'weather', { city: 'A' }), {
      functionCall: { args: { city: 'A' }, id: 'x', name: 'weather' },
      thoughtSignature: 's3',
    }),
    item({ text: '', thoughtSignature: 's4' }),
    toolCall('b', 'weather', { city: 'B' }),
    toolError('b', 'no such city', { near: 'C' }),
    toolResult('x', { error: 'is a word of the result' }),
    item({ executableCode: { code: '1' }, thoughtSignature: 's5' }),
    item({ inlineData: { mimeType: 'image/png', data: 'aGk=' }, thought: true }),
    assistantText('21.'),
    systemText('Be quick.'),
  ])
  expect(repaired).toEqual([])
  expect(body['systemInstruction']).toEqual({ parts: [{ text: 'Be brief.' }, { text: 'Be kind.' }] })
  expect(contents).toEqual([
    ['user', { text: 'Look' }],
    [
      'model',
      { text: 'Hm.', thought: true, thoughtSignature: 's0' },
      { text: 'I ' },
      { text: 'see.', thoughtSignature: 's1' },
      { text: '', thoughtSignature: 's2' },
    ],
    ['user', { text: 'Weather?' }, { text: 'Now.' }],
    [
      'model',
      { functionCall: { args: { city: 'A' }, id: 'x', name: 'weather' }, thoughtSignature: 's3' },
      { text: '', thoughtSignature: 's4' },
      called('weather', { city: 'B' }),
    ],
    [
      'user',
      { functionResponse: { id: 'x', name: 'weather', response: { result: { error: 'is a word of the result' } } } },
      answered('weather', { error: 'no such city', result: { near: 'C' } }),
    ],
    ['model', { executableCode: { code: '1' }, thoughtSignature: 's5' }, { text: '21.' }],
    ['user', { text: 'Be quick.' }],
  ])
})

test('turns of older versions, which kept signatures under their key alone, are signed', () => {
  const { contents, repaired } = project(
    [
      userText('Hi'),
      thoughtSignatureKey.set(thoughtKey.set(reasoning({ text: 'Hm.' }), true), 's0'),
      thoughtSignatureKey.set(assistantText('Yes.'), 's1'),
      thoughtSignatureKey.set(toolCall('a', 'f', {}), 's2'),
      toolResult('a', 1),
    ],
    'gemini-3-pro-preview',
  )
  expect(repaired).toEqual([])
  expect(contents[1]).toEqual([
    'model',
    { text: 'Hm.', thought: true, thoughtSignature: 's0' },
    { text: 'Yes.', thoughtSignature: 's1' },
    { ...called('f'), thoughtSignature: 's2' },
  ])
})
