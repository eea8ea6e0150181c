import { describe, expect, it } from 'vitest'
import { toolArguments, toolCall, toolError, toolResult, userText, type Block } from './block.ts'
import { pendingToolCalls } from './tool-calls.ts'
import { createTurn } from './turn.ts'

const [a, b, again] = [toolCall('a', 'f', {}), toolCall('b', 'f', {}), toolCall('a', 'f', { again: true })]

describe('pendingToolCalls', () => {
  it.each<[string, readonly Block[], number, readonly Block[]]>([
    ['none in a turn without calls', [userText('Hi')], 0, []],
    ['calls without a result, in order', [b, a], 0, [b, a]],
    ['not the answered ones', [a, b, toolResult('a', 1)], 0, [b]],
    ['not those answered by an error', [a, toolError('a', 'no')], 0, []],
    ['not those answered by null', [a, toolResult('a', null)], 0, []],
    ['none without an id', [toolCall('', 'f', {})], 0, []],
    ['results of nothing count for nothing', [toolResult('x', 1), a], 0, [a]],
    ['a result before its call answers it too', [toolResult('a', 1), a], 0, []],
    ['a call whose id was answered before, when it is used again', [a, toolResult('a', 1), again], 0, [again]],
    ['each call of an id by its own result', [a, again, toolResult('a', 1)], 0, [again]],
    ['none when all calls of an id are answered', [a, toolResult('a', 1), again, toolResult('a', 2)], 0, []],
    ['only calls from an index on', [a, userText('go on'), b], 2, [b]],
    ['not by results before that index', [a, toolResult('a', 1), again], 2, [again]],
    ['nothing from the end on', [a], 1, []],
  ])('gives %s', (_what, blocks, from, pending) => {
    expect(pendingToolCalls(createTurn(blocks), from)).toEqual(pending)
  })

  it('gives calls whose arguments are text', () => {
    const [call] = pendingToolCalls(createTurn([toolCall('a', 'f', '{"x": 1}')]))
    expect(call && toolArguments(call)).toEqual({ x: 1 })
  })
})
