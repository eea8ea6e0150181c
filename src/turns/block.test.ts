import { describe, expect, it } from 'vitest'
import {
  assistantText,
  otherBlock,
  reasoning,
  systemText,
  toolArguments,
  toolCall,
  toolError,
  toolResult,
  userText,
  type Block,
} from './block.ts'

describe('builders', () => {
  const image = { url: 'https://example.com/a.png' }
  it.each<[string, Block, Block]>([
    ['systemText', systemText('Be brief.'), { kind: 'system', role: 'system', payload: { text: 'Be brief.' } }],
    ['userText', userText('Hi'), { kind: 'user', role: 'user', payload: { text: 'Hi' } }],
    [
      'userText with images',
      userText('Hi', [image]),
      { kind: 'user', role: 'user', payload: { text: 'Hi', images: [image] } },
    ],
    ['assistantText', assistantText('Hello'), { kind: 'llm_text', role: 'assistant', payload: { text: 'Hello' } }],
    ['reasoning', reasoning({ signature: 's' }), { kind: 'reasoning', role: 'assistant', payload: { signature: 's' } }],
    [
      'toolCall',
      toolCall('c', 'add', { a: 1 }),
      { kind: 'tool_call', id: 'c', payload: { id: 'c', name: 'add', args: { a: 1 } } },
    ],
    ['toolResult', toolResult('c', 3), { kind: 'tool_use', payload: { id: 'c', result: 3 } }],
    ['toolError', toolError('c', 'no'), { kind: 'tool_use', payload: { id: 'c', error: 'no' } }],
    [
      'toolError with what there is',
      toolError('c', 'no', 1),
      { kind: 'tool_use', payload: { id: 'c', result: 1, error: 'no' } },
    ],
    ['otherBlock', otherBlock('video', { url: 'u' }), { kind: 'other', rawKind: 'video', payload: { url: 'u' } }],
  ])('%s', (_name, built, block) => {
    expect(built).toStrictEqual(block)
  })
})

describe('toolArguments', () => {
  it.each([
    ['an object', { a: 1 }, { a: 1 }],
    ['the text of one', ' {"a": 1}\n', { a: 1 }],
    ['nothing', null, {}],
    ['empty text', '', {}],
    ['blank text', '  \n', {}],
    ['text that was cut off', '{"a": ', undefined],
    ['text that is no JSON', 'Paris', undefined],
    ['a list', [1], undefined],
    ['the text of a list', '[1]', undefined],
    ['the text null', 'null', undefined],
    ['a number', 5, undefined],
  ])('%s', (_what, args, value) => {
    expect(toolArguments(toolCall('c', 'add', args))).toEqual(value)
  })
})
