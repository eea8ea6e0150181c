import { describe, expect, it } from 'vitest'
import { deepFreeze } from '../../test/support/values.ts'
import { assistantText, systemText, toolCall, userText } from './block.ts'
import { answerText, append, blocksOf, createTurn, insertBeforeLast, prepend, replaceBlock } from './turn.ts'

const [system, user, answer] = [systemText('S'), userText('U'), assistantText('A')]
const turn = deepFreeze({ ...createTurn([system, user], 't1'), data: { 'app.k@v1': 1 } })

describe('a turn', () => {
  it('has no id until one is given', () => {
    expect(createTurn()).toEqual({ id: '', blocks: [], metadata: {}, data: {} })
    expect(createTurn([user], 't').id).toBe('t')
  })

  it.each([
    ['append', append(turn, answer), [system, user, answer]],
    ['append several', append(turn, answer, user), [system, user, answer, user]],
    ['prepend', prepend(turn, answer), [answer, system, user]],
    ['insertBeforeLast', insertBeforeLast(turn, answer), [system, answer, user]],
    ['insertBeforeLast in an empty turn', insertBeforeLast(createTurn(), answer), [answer]],
    ['replaceBlock', replaceBlock(turn, 0, answer), [answer, user]],
  ])('%s makes a new turn of the same blocks', (_name, next, blocks) => {
    expect(next.blocks).toHaveLength(blocks.length)
    for (const [index, block] of blocks.entries()) expect(next.blocks[index]).toBe(block)
    expect(turn.blocks).toEqual([system, user])
  })

  it('keeps its id and bags through a change of its blocks', () => {
    expect(append(turn, answer)).toMatchObject({ id: 't1', data: { 'app.k@v1': 1 } })
  })

  it('finds its blocks of one kind, in order', () => {
    const several = append(turn, answer, userText('again'))
    expect(blocksOf(several, 'user').map(({ payload }) => payload.text)).toEqual(['U', 'again'])
    expect(blocksOf(several, 'reasoning')).toEqual([])
  })

  it('answers with the texts after the last prompt', () => {
    const talk = append(
      turn,
      assistantText('old'),
      userText('and?'),
      assistantText('one'),
      toolCall('c', 'f', {}),
      assistantText('two'),
    )
    expect(answerText(talk)).toBe('one\n\ntwo')
    expect(answerText(createTurn([assistantText('alone')]))).toBe('alone')
    expect(answerText(turn)).toBe('')
  })
})
