import { expect, test } from 'vitest'
import { assistantText, toolCall, toolError, toolResult, userText, type Block } from '../turns/block.ts'
import { answersByCall, resultText } from './tool-answers.ts'

const call = (id: string) => toolCall(id, 'f', {})
const result = (id: string) => toolResult(id, 1)

test.each<[string, readonly Block[], readonly (readonly [call: number, result: number])[]]>([
  [
    'each result answers the call of its id',
    [call('a'), call('b'), result('b'), result('a')],
    [
      [1, 2],
      [0, 3],
    ],
  ],
  ['a result before its call answers nothing', [result('a'), call('a')], []],
  ['one result answers one call', [call('a'), result('a'), result('a')], [[0, 1]]],
  [
    'calls of one reply that share an id are answered in order',
    [call('a'), call('a'), result('a'), result('a')],
    [
      [0, 2],
      [1, 3],
    ],
  ],
  [
    'an id that is used again is answered again',
    [call('a'), result('a'), call('a'), result('a')],
    [
      [0, 1],
      [2, 3],
    ],
  ],
  [
    'a new call takes its result from an old one that was left open',
    [call('a'), userText('Again'), call('a'), result('a')],
    [[2, 3]],
  ],
  [
    'an old call is answered late when no new one waits',
    [call('a'), userText('Well?'), assistantText('Soon.'), result('a')],
    [[0, 3]],
  ],
])('%s', (_name, blocks, answers) => {
  expect([...answersByCall(blocks)]).toEqual(answers)
})

test.each([
  [toolResult('a', 'rain'), 'rain'],
  [toolResult('a', { celsius: 21 }), '{"celsius":21}'],
  [toolResult('a', null), 'null'],
  [toolError('a', ''), ''],
  [toolError('a', 'no'), '{"error":"no"}'],
  [toolError('a', 'no', '{"half":1}'), '{"error":"no","result":{"half":1}}'],
  [toolError('a', 'no', 'half'), '{"error":"no","result":"half"}'],
  [toolError('a', 'no', null), '{"error":"no"}'],
])('%# a result is the text that a model reads', (block, text) => {
  expect(resultText(block.payload)).toBe(text)
})
