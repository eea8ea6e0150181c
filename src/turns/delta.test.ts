import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { editedTurn, turn as anyTurn } from '../../test/support/arbitraries.ts'
import { deepFreeze } from '../../test/support/values.ts'
import { assistantText, systemText, userText } from './block.ts'
import { applyDelta, turnDelta } from './delta.ts'
import { append, createTurn, insertBeforeLast, prepend, replaceBlock } from './turn.ts'

const [system, user, answer] = [systemText('S'), userText('U'), assistantText('A')]
const turn = deepFreeze(createTurn([system, user, answer], 't'))
const added = userText('new')

describe('turnDelta', () => {
  it.each([
    ['no change', turn, { head: 3, add: [], tail: 0 }],
    ['a block at the end', append(turn, added), { head: 3, add: [added], tail: 0 }],
    ['a block at the beginning', prepend(turn, added), { head: 0, add: [added], tail: 3 }],
    ['a block in between', insertBeforeLast(turn, added), { head: 2, add: [added], tail: 1 }],
    ['another block in a place', replaceBlock(turn, 1, added), { head: 1, add: [added], tail: 1 }],
    ['a block less', { ...turn, blocks: [system, answer] }, { head: 1, add: [], tail: 1 }],
    ['the same block twice', append(turn, answer), { head: 3, add: [answer], tail: 0 }],
    ['new data alone', { ...turn, data: { 'app.k@v1': 1 } }, { head: 3, add: [], tail: 0, data: { 'app.k@v1': 1 } }],
    ['new metadata alone', { ...turn, metadata: {} }, { head: 3, add: [], tail: 0, metadata: {} }],
  ])('says %s', (_what, next, delta) => {
    expect(turnDelta(turn, next)).toEqual(delta)
  })
})

describe('applyDelta', () => {
  it('gives the turn that the delta was made of, sharing what did not change', () => {
    fc.assert(
      fc.property(editedTurn, ([base, next]) => {
        deepFreeze(base)
        const applied = applyDelta(base, turnDelta(base, next))
        expect(applied).toEqual(next)
        const known = new Set([...base.blocks, ...next.blocks])
        expect(applied.blocks.every((block) => known.has(block))).toBe(true)
      }),
    )
  })

  it('gives any turn from any other of the same id', () => {
    fc.assert(
      fc.property(anyTurn, anyTurn, (base, other) => {
        const next = { ...base, blocks: other.blocks, metadata: other.metadata, data: other.data }
        expect(applyDelta(base, turnDelta(base, next))).toEqual(next)
      }),
    )
  })
})
