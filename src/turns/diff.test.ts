import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { block as anyBlock, editedTurn, turn as anyTurn } from '../../test/support/arbitraries.ts'
import { assistantText, systemText, toolCall, userText, type Block } from './block.ts'
import { diffTurns, isEmptyDiff, type BlockChange } from './diff.ts'
import { createTurn } from './turn.ts'

const named = (id: string, block: Block): Block => ({ ...block, id })
const [system, user, answer] = [systemText('S'), userText('U'), assistantText('A')]

/** `=before:after`, `~before:after`, `-before` and `+after`. */
function lines(changes: readonly BlockChange[]): string {
  const signs = { same: '=', changed: '~', removed: '-', added: '+' }
  return changes
    .map(
      (row) =>
        signs[row.change] +
        [...('before' in row ? [row.before] : []), ...('after' in row ? [row.after] : [])].join(':'),
    )
    .join(' ')
}

describe('diffTurns', () => {
  it.each<[string, readonly Block[], readonly Block[], string]>([
    ['equal turns', [system, user], [system, user], '=0:0 =1:1'],
    ['empty turns', [], [], ''],
    ['another id alone', [named('a', user)], [named('b', user)], '=0:0'],
    ['other key order alone', [toolCall('c', 'f', { a: 1, b: 2 })], [toolCall('c', 'f', { b: 2, a: 1 })], '=0:0'],
    ['a block at the end', [system, user], [system, user, answer], '=0:0 =1:1 +2'],
    ['a block at the beginning', [user], [system, user], '+0 =0:1'],
    ['a block in between', [system, answer], [system, user, answer], '=0:0 +1 =1:2'],
    ['a block less', [system, user, answer], [system, answer], '=0:0 -1 =2:1'],
    ['a change under the same id', [named('a', user), answer], [named('a', userText('V')), answer], '~0:0 =1:1'],
    ['a change in place, without ids', [system, user, answer], [system, userText('V'), answer], '=0:0 ~1:1 =2:2'],
    ['another kind in its place', [system, user], [system, answer], '=0:0 -1 +1'],
    ['a change under another id', [named('a', user)], [named('b', userText('V'))], '-0 +0'],
    ['a block that moved', [user, system, answer], [system, answer, user], '-0 =1:0 =2:1 +2'],
    ['everything', [system], [answer, user], '-0 +0 +1'],
    ['a change among repeated blocks', [user, user, user], [user, answer, user, user], '=0:0 +1 =1:2 =2:3'],
  ])('%s', (_what, before, after, rows) => {
    expect(lines(diffTurns(createTurn(before), createTurn(after)).blocks)).toBe(rows)
  })

  it('gives a changed block as it was and as it is', () => {
    const [from, to] = [named('a', user), named('a', userText('V'))]
    expect(diffTurns(createTurn([from]), createTurn([to])).blocks).toEqual([
      { change: 'changed', before: 0, after: 0, from, to },
    ])
  })

  it('names the keys whose values differ, sorted', () => {
    const before = { ...createTurn(), metadata: { same: { a: 1, b: 2 }, gone: 1, other: 1 }, data: { k: [1, 2] } }
    const after = { ...createTurn(), metadata: { same: { b: 2, a: 1 }, other: 2, added: null }, data: { k: [2, 1] } }
    const { metadata, data } = diffTurns(before, after)
    expect([metadata, data]).toEqual([['added', 'gone', 'other'], ['k']])
  })

  it('finds nothing between a turn and itself under other ids', () => {
    fc.assert(
      fc.property(anyTurn, fc.array(fc.uuid()), (turn, ids) => {
        const renamed = { ...turn, blocks: turn.blocks.map((block, index) => ({ ...block, id: ids[index] ?? '' })) }
        expect(isEmptyDiff(diffTurns(turn, renamed))).toBe(true)
      }),
    )
  })

  it('accounts for each block of both turns once', () => {
    const pair = fc.oneof(editedTurn, fc.tuple(anyTurn, anyTurn), shuffledBlocks())
    fc.assert(
      fc.property(pair, ([before, after]) => {
        const { blocks } = diffTurns(before, after)
        const befores = blocks.flatMap((row) => ('before' in row ? [row.before] : []))
        const afters = blocks.flatMap((row) => ('after' in row ? [row.after] : []))
        expect(befores.toSorted((a, b) => a - b)).toEqual([...before.blocks.keys()])
        expect(afters.toSorted((a, b) => a - b)).toEqual([...after.blocks.keys()])
      }),
    )
  })
})

function shuffledBlocks() {
  return fc
    .array(anyBlock, { maxLength: 5 })
    .chain((blocks) => fc.tuple(fc.constant(blocks), fc.shuffledSubarray(blocks)))
    .map(([before, after]) => [createTurn(before), createTurn(after)] as const)
}
