import { expect, test } from 'vitest'
import { testIds } from '../../test/support/event-engine.ts'
import type { InferenceEvent } from '../events/event.ts'
import { toolCall } from '../turns/block.ts'
import { isWaiting, positionOf } from './position.ts'

const call = { ordinal: 1, at: '', ...testIds, providerCallId: 'p', attempt: 1 }
const asks: readonly InferenceEvent[] = [
  { ...call, type: 'phase-reached', phase: 'pre_inference', iteration: 0 },
  { ...call, type: 'provider-call-started', provider: 'test', model: 'test-1' },
  ...['a', 'b'].map((id): InferenceEvent => {
    return { ...call, type: 'tool-call-requested', toolCallId: id, block: toolCall(id, 'pay', {}) }
  }),
  {
    ...call,
    type: 'provider-call-finished',
    finishClass: 'tool_calls_pending',
    result: { finish_class: 'tool_calls_pending' },
    blocks: 2,
  },
]
const begins = (toolCallId: string): InferenceEvent => {
  return { ...call, type: 'tool-execution-started', toolCallId, toolName: 'pay', input: {} }
}
const isAsked = (toolCallId: string): InferenceEvent => {
  const fields = { approvalId: toolCallId, toolName: 'pay', input: {}, reason: 'policy' as const, hash: '' }
  return { ...call, type: 'approval-requested', toolCallId, ...fields }
}
const isDecided = (toolCallId: string): InferenceEvent => {
  return { ...call, type: 'approval-decided', toolCallId, approvalId: toolCallId, decision: 'approved' }
}

test.each<readonly [what: string, isWaiting: boolean, events: readonly InferenceEvent[]]>([
  ['is asked for a reply', false, asks.slice(0, 2)],
  ['has calls that nobody began', false, asks],
  ['has asked about one of them', true, [...asks, isAsked('a')]],
  ['has its decision', false, [...asks, isAsked('a'), isDecided('a')]],
  ['has asked about one, and the other runs', false, [...asks, isAsked('a'), begins('b')]],
  ['has asked about one, and about the other since it ran', true, [...asks, isAsked('a'), begins('b'), isAsked('b')]],
  [
    'has asked about one, and the other was decided on and has not begun again',
    true,
    [...asks, isAsked('a'), begins('b'), isAsked('b'), isDecided('b')],
  ],
  [
    'has asked about one, and the other runs again',
    false,
    [...asks, isAsked('a'), begins('b'), isAsked('b'), isDecided('b'), begins('b')],
  ],
])('a run that %s only waits: %s', (_what, expected, events) => {
  expect(isWaiting(positionOf(events))).toBe(expected)
})
