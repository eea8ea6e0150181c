import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { eventOf, eventTypes } from '../../test/support/arbitraries.ts'
import { deepFreeze } from '../../test/support/values.ts'
import { assistantText, otherBlock, reasoning, systemText, toolCall, toolResult, userText } from '../turns/block.ts'
import { blockResultKey, inferenceResultKey, middlewareKey } from '../turns/keys.ts'
import { append, createTurn, prepend } from '../turns/turn.ts'
import { applyEvent, editDelta } from './apply.ts'
import type { EngineEvent, InferenceEvent, InferenceEventType, TurnEdit } from './event.ts'

const user = userText('Hi')
const turn = deepFreeze({ ...createTurn([user], 't'), data: { 'app.k@v1': 1 } })
const ids = { ordinal: 1, at: '', sessionId: 's', inferenceId: 'i', turnId: 't' }

describe('applyEvent', () => {
  it.each<EngineEvent & { readonly block: object }>([
    { type: 'text-segment-finished', segmentId: '0', block: assistantText('A') },
    { type: 'text-segment-finished', segmentId: '0', block: assistantText('A'), partial: true },
    { type: 'reasoning-segment-finished', segmentId: '0', block: reasoning({ text: 'R' }) },
    { type: 'block-received', block: otherBlock('server_tool', {}) },
    { type: 'tool-call-requested', toolCallId: 'c', block: toolCall('c', 'f', {}) },
    { type: 'tool-result-ready', toolCallId: 'c', toolName: 'f', status: 'success', block: toolResult('c', 1) },
  ])('$type appends its block', (event) => {
    expect(applyEvent(turn, event)).toEqual({ ...turn, blocks: [user, event.block] })
  })

  const result = { finish_class: 'completed' as const, usage: { input_tokens: 1, output_tokens: 2 } }

  it('provider-call-finished sets the result of the turn and of the blocks that the call made', () => {
    const made = append(turn, assistantText('A'), toolCall('c', 'f', {}))
    const finished = applyEvent(made, { type: 'provider-call-finished', finishClass: 'completed', result, blocks: 2 })
    expect(inferenceResultKey.get(finished)).toEqual(result)
    expect(finished.blocks.map((block) => blockResultKey.get(block))).toEqual([undefined, result, result])
    expect(finished.blocks[0]).toBe(user)
  })

  it('provider-call-finished of a call that made nothing touches no block', () => {
    const finished = applyEvent(turn, { type: 'provider-call-finished', finishClass: 'refusal', result, blocks: 0 })
    expect(finished.blocks).toBe(turn.blocks)
  })

  it('attempt-discarded takes back the blocks of the attempt', () => {
    const error = { code: 'PROVIDER_OVERLOADED', message: '' }
    const made = append(turn, assistantText('A'), assistantText('B'))
    const discard = (blocks: number) => applyEvent(made, { type: 'attempt-discarded', error, blocks, retryInMs: 1 })
    expect(discard(2).blocks).toEqual([user])
    expect(discard(1).blocks).toEqual([user, assistantText('A')])
    expect(discard(0)).toBe(made)
  })

  it.each<InferenceEvent>([
    { type: 'inference-finished', ...ids, result },
    { type: 'inference-stopped', ...ids, reason: '', result },
    { type: 'inference-failed', ...ids, error: { code: 'INTERNAL', message: '' }, result },
    { type: 'inference-interrupted', ...ids, reason: '', result },
  ])('$type sets the result of the turn alone', (event) => {
    const ended = applyEvent(turn, event)
    expect(inferenceResultKey.get(ended)).toEqual(result)
    expect(ended.blocks).toBe(turn.blocks)
  })

  const opened = { type: 'turn-opened' as const, ordinal: 1, at: '', sessionId: 's', turnId: 'turn-2' }
  it('turn-opened changes the turn before it into the next one', () => {
    const delta = { head: 1, add: [userText('next')], tail: 0 }
    expect(applyEvent(turn, { ...opened, base: turn.id, delta })).toEqual({
      ...turn,
      id: 'turn-2',
      blocks: [user, userText('next')],
    })
  })

  it('turn-opened without a base is the whole turn', () => {
    const delta = { head: 0, add: [userText('first')], tail: 0, data: { a: 1 } }
    expect(applyEvent(turn, { ...opened, delta })).toEqual({
      id: 'turn-2',
      blocks: [userText('first')],
      metadata: {},
      data: { a: 1 },
    })
  })

  const changing: readonly InferenceEventType[] = [
    ...(['text-segment-finished', 'reasoning-segment-finished', 'block-received', 'tool-call-requested'] as const),
    ...(['tool-result-ready', 'turn-edited', 'attempt-discarded', 'provider-call-finished'] as const),
    ...([
      'inference-finished',
      'inference-stopped',
      'inference-failed',
      'inference-interrupted',
      'turn-opened',
    ] as const),
  ]
  it.each(eventTypes.filter((type) => !changing.includes(type)))('%s changes nothing', (type) => {
    fc.assert(
      fc.property(eventOf(type), (event) => applyEvent(turn, event) === turn),
      { numRuns: 10 },
    )
  })
})

describe('an edit', () => {
  const edits: readonly (readonly [what: string, edit: TurnEdit['edit']])[] = [
    ['that inserts', (before) => prepend(before, systemText('S'))],
    ['that replaces', (before) => ({ ...before, blocks: before.blocks.map(() => assistantText('A')) })],
    ['that removes', (before) => ({ ...before, blocks: [] })],
    ['that moves', (before) => ({ ...before, blocks: before.blocks.toReversed() })],
    ['of the data', (before) => ({ ...before, data: { 'app.k@v1': 2 } })],
    ['of nothing', (before) => before],
  ]
  const two = deepFreeze(append(turn, assistantText('Hello')))

  it.each(edits)('%s gives the same turn live and from the log', (_what, edit) => {
    const live: TurnEdit = { type: 'turn-edited', by: 'test', edit }
    const recorded = { type: 'turn-edited', ...ids, by: 'test', delta: editDelta(two, live) } as const
    expect(applyEvent(two, recorded)).toEqual(applyEvent(two, live))
  })

  it('says on each block that it made who made it, and on no other', () => {
    const edit: TurnEdit = { type: 'turn-edited', by: 'test', edit: (before) => prepend(before, systemText('S')) }
    expect(applyEvent(two, edit).blocks.map((block) => middlewareKey.get(block))).toEqual([
      'test',
      undefined,
      undefined,
    ])
    const move: TurnEdit = { ...edit, edit: (before) => ({ ...before, blocks: before.blocks.toReversed() }) }
    expect(applyEvent(two, move).blocks).toEqual(two.blocks.toReversed())
  })
})
