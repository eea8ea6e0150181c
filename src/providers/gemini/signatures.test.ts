import { describe, expect, test } from 'vitest'
import { called, own, project } from '../../../test/support/gemini-requests.ts'
import { callSettings } from '../../inference/settings.ts'
import { assistantText, toolCall, toolResult, userText } from '../../turns/block.ts'
import { createTurn } from '../../turns/turn.ts'
import { toRequest } from './request.ts'

describe('calls that Gemini 3 has not signed', () => {
  const step = (id: string) => [toolCall(id, 'f', {}), toolResult(id, 1)]
  const unsigned = { ...called('f'), thoughtSignature: 'skip_thought_signature_validator' }

  test('say so in the running turn: the first of each step, and none of an earlier turn', () => {
    const { contents, repaired } = project(
      [
        userText('Hi'),
        ...step('a'),
        assistantText('One.'),
        userText('And?'),
        toolCall('b', 'f', {}),
        toolCall('c', 'f', {}),
        toolResult('b', 1),
        toolResult('c', 1),
        own(toolCall('d', 'f', {}), { ...called('f'), thoughtSignature: 's' }),
        toolResult('d', 1),
        ...step('e'),
      ],
      'gemini-3.1-pro-preview',
    )
    expect(contents.filter(([role]) => role === 'model')).toEqual([
      ['model', called('f')],
      ['model', { text: 'One.' }],
      ['model', unsigned, called('f')],
      ['model', { ...called('f'), thoughtSignature: 's' }],
      ['model', unsigned],
    ])
    expect(repaired).toEqual([
      ['unsigned-call', 5],
      ['unsigned-call', 11],
    ])
  })

  test('say so as well where a prompt and results share a content, for it may count as either', () => {
    const { contents } = project([userText('Hi'), ...step('a'), userText('And?')], 'gemini-3-flash')
    expect(contents[1]).toEqual(['model', unsigned])
  })

  test.each([
    ['gemini-3-pro-preview', true],
    ['models/gemini-4.0-flash', true],
    ['gemini-flash-latest', true],
    ['gemini-flash-lite-latest', true],
    ['gemini-12-pro', true],
    ['gemini-2.5-pro', false],
    ['gemini-2.0-flash', false],
    ['gemini-1.5-pro', false],
    ['gemma-3-27b', false],
    ['tunedModels/mine', false],
  ])('%s: %s', (model, says) => {
    const turn = createTurn([userText('Hi'), ...step('a')])
    const { body } = toRequest(turn, callSettings(turn, { model }), [])
    expect(JSON.stringify(body).includes('skip_thought_signature_validator')).toBe(says)
  })
})
