import { describe, expect, test } from 'vitest'
import { recordLog } from '../../../../test/support/recorded-log.ts'
import { editTurn } from '../../../../src/inference/engine.ts'
import { systemPrompt } from '../../../../src/middleware/system-prompt.ts'
import { systemText, userText } from '../../../../src/turns/block.ts'
import { middlewareKey } from '../../../../src/turns/keys.ts'
import { createTurn, prepend } from '../../../../src/turns/turn.ts'
import { compareTexts, compareTurns, countChanges } from './compare.ts'
import { nameOfState, recordTurns, stateOf } from './recorded-turns.ts'

/** Drops the oldest exchange, as a middleware that wants to save tokens does. */
const forgetful = editTurn('forgetful', (turn) => {
  const at = turn.blocks.findIndex(({ kind }) => kind === 'user')
  const isLong = turn.blocks.filter(({ kind }) => kind === 'user').length > 1
  return isLong ? { ...turn, blocks: turn.blocks.toSpliced(at, 2) } : turn
})
const middleware = [systemPrompt('Be brief.'), forgetful]

describe('the turns of a log', () => {
  test('a turn has a state for each phase of each iteration, and one for each request', async () => {
    const [turn] = recordTurns(await recordLog())
    expect(turn?.states.map(({ key }) => key)).toEqual([
      'draft',
      'pre_inference.0',
      'as_sent.0',
      'post_inference.0',
      'post_tools.0',
      'pre_inference.1',
      'as_sent.1',
      'post_inference.1',
      'final',
    ])
    expect(turn?.states.map((state) => state.turn.blocks.map(({ kind }) => kind))).toMatchObject([
      ['user'],
      ['user'],
      ['system', 'user'],
      ['system', 'user', 'reasoning', 'tool_call'],
      ['system', 'user', 'reasoning', 'tool_call', 'tool_use'],
      ['system', 'user', 'reasoning', 'tool_call', 'tool_use'],
      ['system', 'user', 'reasoning', 'tool_call', 'tool_use'],
      ['system', 'user', 'reasoning', 'tool_call', 'tool_use', 'reasoning', 'llm_text'],
      ['system', 'user', 'reasoning', 'tool_call', 'tool_use', 'reasoning', 'llm_text'],
    ])
  })

  test('each block says who made it and who changed it', async () => {
    const change = editTurn('shout', (turn) => ({
      ...turn,
      blocks: turn.blocks.map((block) =>
        block.kind === 'system' && !block.payload.text.endsWith('!')
          ? { ...block, payload: { text: `${block.payload.text}!` } }
          : block,
      ),
    }))
    const [turn] = recordTurns(await recordLog({ middleware: [systemPrompt('Be brief.'), change] }))
    const final = turn && stateOf(turn, 'final')
    expect(final?.touches.map((touches) => touches.map(({ by, act }) => `${act} by ${by}`))).toEqual([
      ['made by systemprompt', 'changed by shout', 'changed by systemprompt', 'changed by shout'],
      ['made by prompt'],
      ['made by model'],
      ['made by model'],
      ['made by calculator'],
      ['made by model'],
      ['made by model'],
    ])
    const marks = final?.turn.blocks.map((block) => middlewareKey.get(block))
    expect(marks?.[0]).toBe('shout')
  })

  test('a dropped block stands in the edit of the middleware that dropped it', async () => {
    const turns = recordTurns(await recordLog({ middleware, prompts: ['My name is Ada', 'Say hello'] }))
    const edits = turns[1]?.edits.filter(({ by }) => by === 'forgetful')
    expect(edits).toHaveLength(1)
    expect(edits?.[0]?.rows).toMatchObject([
      { change: 'removed', before: 1, from: { kind: 'user', payload: { text: 'My name is Ada' } } },
      { change: 'removed', before: 2, from: { kind: 'llm_text' } },
    ])
  })

  test('a place that is come to again, after a process has died, is another state', async () => {
    const log = await recordLog({ prompts: ['Say one'] })
    const at = log.findIndex(({ type }) => type === 'phase-reached')
    const [turn] = recordTurns(log.toSpliced(at, 0, log[at]!))
    const keys = turn?.states.map(({ key }) => key)
    expect(keys?.slice(0, 3)).toEqual(['draft', 'pre_inference.0', 'pre_inference.0~2'])
    expect(turn?.states.slice(0, 3).map((state) => nameOfState(turn, state))).toEqual([
      'Draft',
      'Before the model',
      'Before the model again',
    ])
  })

  test('a turn whose base the log has forgotten is not whole, and neither are those that go on from it', async () => {
    const log = await recordLog({ prompts: ['Say one', 'Say two', 'Say three'] })
    const second = log.findIndex((event) => event.type === 'turn-opened' && event.base !== undefined)
    expect(recordTurns(log).map(({ isWhole }) => isWhole)).toEqual([true, true, true])
    expect(recordTurns(log.slice(second)).map(({ isWhole }) => isWhole)).toEqual([false, false])
  })

  test('what a turn takes over keeps who made it, in the turn before', async () => {
    const turns = recordTurns(await recordLog({ prompts: ['Say one', 'Say two'] }))
    const draft = turns[1]?.states[0]
    const firstTurn = turns[0]?.turnId
    expect(draft?.touches.map(([touch]) => [touch?.by, touch?.turnId === firstTurn])).toEqual([
      ['systemprompt', true],
      ['prompt', true],
      ['model', true],
      ['prompt', false],
    ])
  })
})

describe('a comparison', () => {
  const [one, two, three] = [userText('one'), userText('two'), systemText('three')]

  test.each([
    ['what stayed', [one, two], [one, two], { same: 2 }],
    ['what was added', [one], [one, two], { same: 1, added: 1 }],
    ['what was removed', [one, two], [one], { same: 1, removed: 1 }],
    ['what was moved', [one, two, three], [three, one, two], { same: 2, moved: 1 }],
    ['what was changed in its place', [one, three], [two, three], { changed: 1, same: 1 }],
  ])('tells %s', (_name, before, after, expected) => {
    const counts = countChanges(compareTurns(createTurn(before), createTurn(after)).rows)
    expect(Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))).toEqual(expected)
  })

  test('a block in front moves no other', () => {
    const turn = createTurn([one, two])
    const { rows } = compareTurns(turn, prepend(turn, three))
    expect(rows.map(({ change }) => change)).toEqual(['added', 'same', 'same'])
  })

  test('a text is compared word by word', () => {
    expect(compareTexts('the quick brown fox', 'the slow brown fox jumps')).toEqual([
      { change: 'same', text: 'the ' },
      { change: 'removed', text: 'quick ' },
      { change: 'added', text: 'slow ' },
      { change: 'same', text: 'brown ' },
      { change: 'removed', text: 'fox' },
      { change: 'added', text: 'fox jumps' },
    ])
  })
})
