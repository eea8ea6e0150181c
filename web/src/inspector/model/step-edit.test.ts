import { describe, expect, test } from 'vitest'
import { systemText, toolCall, userText } from '../../../../src/turns/block.ts'
import { encodeBlock } from '../../../../src/turns/encode.ts'
import { createTurn } from '../../../../src/turns/turn.ts'
import { draftText, readStepEdit, type BlockDraft } from './step-edit.ts'

const blocks = [systemText('Be brief.'), userText('Hello'), toolCall('c', 'calculator', { expression: '1' })]
const turn = createTurn(blocks)
const stored = blocks.map(encodeBlock)
const none = new Map<string, string>()
const drafts = (...entries: readonly (readonly [number, BlockDraft])[]) => new Map(entries)

describe('what somebody wrote while a run waited', () => {
  test('is nothing when nothing was changed', () => {
    expect(readStepEdit(turn, drafts(), none)).toEqual({})
  })

  test('is the whole list of blocks, with a text in its block and without what was taken out', () => {
    expect(readStepEdit(turn, drafts([0, { text: 'Be long.' }], [1, undefined]), none)).toEqual({
      edit: { blocks: [{ ...stored[0], payload: { text: 'Be long.' } }, stored[2]] },
    })
  })

  test('a block without a text is written as JSON', () => {
    const call = { ...stored[2], payload: { id: 'c', name: 'calculator', args: {} } }
    expect(draftText(blocks[2]!)).toBe(JSON.stringify(stored[2], null, 2))
    expect(readStepEdit(turn, drafts([2, { text: JSON.stringify(call) }]), none).edit?.['blocks']).toEqual([
      stored[0],
      stored[1],
      call,
    ])
  })

  test('arguments alone leave the blocks out', () => {
    expect(readStepEdit(turn, drafts(), new Map([['c', '{"expression": "2"}']]))).toEqual({
      edit: { arguments: { c: { expression: '2' } } },
    })
  })

  test.each([
    ['no JSON', drafts(), new Map([['c', '{']]), /^The arguments cannot be read/],
    ['no object', drafts(), new Map([['c', '[1]']]), /^The arguments must be a JSON object/],
    ['no block', drafts([2, { text: '{"kind": 5}' }]), none, /block 2/],
  ])('what is %s is told of', (_name, written, args, problem) => {
    expect(readStepEdit(turn, written, args).problem).toMatch(problem)
  })
})
