import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { event as anyEvent } from '../../test/support/arbitraries.ts'
import type { InferenceEvent } from '../events/event.ts'
import { calculator } from '../inference/builtin-tools.ts'
import { stack } from '../inference/engine.ts'
import { run } from '../inference/run.ts'
import { toolLoop } from '../inference/tool-loop.ts'
import { defineTool, jsonSchemaInput } from '../inference/tool.ts'
import { scripted } from '../providers/scripted/engine.ts'
import { assistantText, reasoning, toolCall, toolResult, userText } from '../turns/block.ts'
import { createTurn } from '../turns/turn.ts'
import { testIds } from '../../test/support/event-engine.ts'
import { countingIds } from '../../test/support/values.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import type { Entity } from './entity.ts'
import { timelineFromJson, timelineToJson } from './json.ts'
import { applyTimeline, emptyTimeline, entitiesOf, type Timeline } from './timeline.ts'

const run1 = { at: '2026-01-01T00:00:00.000Z', sessionId: 's', inferenceId: 'i1', turnId: 't1' }
const call1 = { ...run1, providerCallId: 'p1', attempt: 1 }
const segment = { ...call1, segmentId: 'p1:0' }
const tool = { ...call1, toolCallId: 'c1', toolName: 'refund' }
const result = { finish_class: 'completed' as const }
type Unplaced = InferenceEvent extends infer E ? (E extends InferenceEvent ? Omit<E, 'ordinal'> : never) : never

function fold(events: readonly Unplaced[], from: Timeline = emptyTimeline()): Timeline {
  return events.reduce<Timeline>(
    (timeline, event) => applyTimeline(timeline, { ...event, ordinal: timeline.ordinal + 1 }),
    from,
  )
}

function shown(timeline: Timeline): readonly unknown[] {
  return entitiesOf(timeline).map(
    ({ ordinal: _1, updatedOrdinal: _2, at: _3, turnId: _4, inferenceId: _5, ...rest }) => {
      const {
        providerCallId: _6,
        attempt: _7,
        ...entity
      } = rest as Entity & { providerCallId?: string; attempt?: number }
      return entity
    },
  )
}

const asked: readonly Unplaced[] = [
  { ...run1, type: 'prompt-accepted', block: { ...userText('Hi'), id: 'u1' } },
  { ...run1, type: 'turn-opened', delta: { head: 0, add: [{ ...userText('Hi'), id: 'u1' }], tail: 0 } },
  { ...run1, type: 'inference-started' },
  { ...call1, type: 'provider-call-started', provider: 'test', model: 'm' },
]
const person = { id: 'u1', kind: 'message', role: 'user', text: 'Hi', isStreaming: false }
const running = { id: 'i1', kind: 'inference', status: 'running', retries: 0, restarts: 0, model: 'm' }

describe('the timeline', () => {
  it.each<readonly [what: string, events: readonly Unplaced[], expected: readonly unknown[]]>([
    [
      'a prompt that waits',
      asked.slice(0, 1),
      [person, { id: 'i1', kind: 'inference', status: 'queued', retries: 0, restarts: 0 }],
    ],
    ['an inference that runs', asked, [person, running]],
    [
      'text as it comes',
      [
        ...asked,
        { ...segment, type: 'text-delta', offset: 0, delta: 'He' },
        { ...segment, type: 'text-delta', offset: 2, delta: 'y' },
      ],
      [person, running, { id: 'p1:0', kind: 'message', role: 'assistant', text: 'Hey', isStreaming: true }],
    ],
    [
      'text that is finished',
      [
        ...asked,
        { ...segment, type: 'text-delta', offset: 0, delta: 'He' },
        { ...segment, type: 'text-segment-finished', block: assistantText('Hey!') },
      ],
      [person, running, { id: 'p1:0', kind: 'message', role: 'assistant', text: 'Hey!', isStreaming: false }],
    ],
    [
      'a block that came without deltas',
      [...asked, { ...segment, type: 'reasoning-segment-finished', block: reasoning({ text: 'Hm' }) }],
      [person, running, { id: 'p1:0', kind: 'reasoning', text: 'Hm', isStreaming: false }],
    ],
    [
      'no empty text',
      [...asked, { ...segment, type: 'text-segment-finished', block: assistantText('') }],
      [person, running],
    ],
    [
      'no attempt that was discarded',
      [
        ...asked,
        { ...segment, type: 'text-delta', offset: 0, delta: 'He' },
        { ...call1, type: 'attempt-discarded', error: { code: 'X', message: '' }, blocks: 0, retryInMs: 0 },
        { ...segment, attempt: 2, segmentId: 'p1.2:0', type: 'text-delta', offset: 0, delta: 'Hey' },
      ],
      [
        person,
        { ...running, retries: 1 },
        { id: 'p1.2:0', kind: 'message', role: 'assistant', text: 'Hey', isStreaming: true },
      ],
    ],
    [
      'what was cut off when the inference ended',
      [
        ...asked,
        { ...segment, type: 'text-delta', offset: 0, delta: 'He' },
        { ...tool, type: 'tool-call-started' },
        { ...run1, type: 'inference-stopped', reason: 'enough', result },
      ],
      [
        person,
        { ...running, status: 'stopped', reason: 'enough', result },
        { id: 'p1:0', kind: 'message', role: 'assistant', text: 'He', isStreaming: false, isPartial: true },
        { id: 'i1:p1:c1', kind: 'tool-call', toolCallId: 'c1', toolName: 'refund', status: 'unanswered' },
      ],
    ],
    [
      'a tool call from its first letter to its result',
      [
        ...asked,
        { ...tool, type: 'tool-call-started' },
        { ...tool, type: 'tool-call-arguments-delta', offset: 0, delta: '{"n":' },
        { ...tool, type: 'tool-call-requested', block: toolCall('c1', 'refund', { n: 1 }) },
        { ...tool, type: 'approval-requested', approvalId: 'a', input: { n: 1 }, reason: 'policy', hash: 'h' },
        { ...tool, type: 'approval-decided', approvalId: 'a', decision: 'approved', input: { n: 2 }, by: 'ada' },
        { ...tool, type: 'tool-execution-started', input: { n: 2 } },
        { ...tool, type: 'tool-progress', progress: 'half' },
        { ...tool, type: 'tool-progress', progress: 'all' },
        { ...tool, type: 'tool-result-ready', status: 'success', block: toolResult('c1', { paid: true }) },
      ],
      [
        person,
        running,
        {
          id: 'i1:p1:c1',
          kind: 'tool-call',
          toolCallId: 'c1',
          toolName: 'refund',
          status: 'success',
          argumentsText: '{"n":',
          input: { n: 2 },
          progress: { last: 'all', count: 2 },
          result: { paid: true },
          approval: { approvalId: 'a', reason: 'policy', hash: 'h', decision: 'approved', by: 'ada' },
        },
      ],
    ],
    [
      'a call that somebody decided on who does not know where it came from',
      [
        ...asked,
        { ...tool, type: 'approval-requested', approvalId: 'a', input: {}, reason: 'policy', hash: 'h' },
        { ...run1, toolCallId: 'c1', type: 'approval-decided', approvalId: 'a', decision: 'denied', message: 'no' },
      ],
      [
        person,
        running,
        {
          id: 'i1:p1:c1',
          kind: 'tool-call',
          toolCallId: 'c1',
          toolName: 'refund',
          status: 'requested',
          input: {},
          approval: { approvalId: 'a', reason: 'policy', hash: 'h', decision: 'denied', message: 'no' },
        },
      ],
    ],
    [
      'the history of a turn that came without events',
      [
        {
          ...run1,
          type: 'turn-opened',
          origin: { sessionId: 'other', turnId: 't0' },
          delta: {
            head: 0,
            add: [
              { ...userText('Hi'), id: 'u1' },
              { ...toolCall('c1', 'refund', { n: 1 }), id: 'k1' },
              { ...toolResult('c1', 2), id: 'r1' },
              { ...assistantText('Done'), id: 'a1' },
            ],
            tail: 0,
          },
        },
      ],
      [
        person,
        {
          id: 't1:1:c1',
          kind: 'tool-call',
          toolCallId: 'c1',
          toolName: 'refund',
          input: { n: 1 },
          status: 'success',
          result: 2,
        },
        { id: 'a1', kind: 'message', role: 'assistant', text: 'Done', isStreaming: false },
      ],
    ],
  ])('shows %s', (_what, events, expected) => {
    expect(shown(fold(events))).toEqual(expected)
  })

  it('keeps a prompt that came in the meantime behind what was there, and in its place', () => {
    const other = { ...run1, inferenceId: 'i2', turnId: 't2' }
    const timeline = fold([
      ...asked,
      { ...other, type: 'prompt-accepted', block: { ...userText('And?'), id: 'u2' } },
      { ...segment, type: 'text-delta', offset: 0, delta: 'Hey' },
      { ...run1, type: 'inference-finished', result },
    ])
    expect(entitiesOf(timeline).map(({ id }) => id)).toEqual(['u1', 'i1', 'u2', 'i2', 'p1:0'])
    expect(timeline.settled.map(({ id }) => id)).toEqual(['u1', 'i1'])
  })

  it('leaves the entities that an event does not concern as they are', () => {
    const before = fold(asked)
    const after = fold([{ ...segment, type: 'text-delta', offset: 0, delta: 'Hey' }], before)
    expect(after.live[0]).toBe(before.live[0])
    expect(after.live[1]).toBe(before.live[1])
  })

  it('refuses to leave a gap', () => {
    expect(() => applyTimeline(emptyTimeline(), { ...run1, type: 'inference-started', ordinal: 2 })).toThrow(
      /up to 0, and was given 2/,
    )
  })
})

/** The events of a real run with everything in it. */
async function recordedRun(): Promise<readonly InferenceEvent[]> {
  const guarded = defineTool({
    name: 'guarded',
    description: 'Needs approval.',
    input: jsonSchemaInput({ type: 'object' }),
    needsApproval: () => true,
    execute: (_input, { report }) => {
      report('half')
      return 'done'
    },
  })
  const engine = toolLoop(stack(scripted({ pace: 0 })), [calculator, guarded])
  const clock = new FakeClock()
  const inference = run(engine, createTurn([userText('call guarded {"a": 1}')]), {
    ids: testIds,
    clock,
    newId: countingIds(),
  })
  const events: InferenceEvent[] = []
  for await (const event of inference) {
    events.push(event)
    if (event.type === 'approval-requested') inference.decide(event.approvalId, { decision: 'approved', by: 'ada' })
  }
  return events
}

test('a snapshot at any ordinal and the events after it give the same as all events', async () => {
  const events = await recordedRun()
  const whole = events.reduce(applyTimeline, emptyTimeline())
  expect(entitiesOf(whole).some(({ kind }) => kind === 'tool-call')).toBe(true)
  for (let h = 0; h <= events.length; h += 1) {
    const snapshot = events.slice(0, h).reduce(applyTimeline, emptyTimeline())
    const sent = timelineFromJson(JSON.parse(JSON.stringify(timelineToJson(snapshot))))
    const resumed = events.slice(h).reduce(applyTimeline, sent)
    expect(timelineToJson(resumed)).toEqual(timelineToJson(whole))
  }
})

const sequences = fc
  .array(anyEvent, { maxLength: 30 })
  .map((events) => events.map((event, at) => ({ ...event, ordinal: at + 1 })))

test('any events make a timeline, at any snapshot the same, and coming again changes nothing', () => {
  fc.assert(
    fc.property(sequences, fc.nat(30), (events, cut) => {
      const h = Math.min(cut, events.length)
      const whole = events.reduce(applyTimeline, emptyTimeline())
      const snapshot = events.slice(0, h).reduce(applyTimeline, emptyTimeline())
      const sent = timelineFromJson(JSON.parse(JSON.stringify(timelineToJson(snapshot))))
      expect(timelineToJson(events.slice(h).reduce(applyTimeline, sent))).toEqual(timelineToJson(whole))
      expect(events.reduce(applyTimeline, whole)).toBe(whole)
    }),
    { numRuns: 200 },
  )
})

test.each([
  [null, /version/],
  [{ version: 2, ordinal: 0, entities: [] }, /version/],
  [{ version: 1, entities: [] }, /missing/],
])('%j is no timeline', (value, message) => {
  expect(() => timelineFromJson(value)).toThrow(message)
})

test('an entity of a newer kind is left out', () => {
  const entity = { id: 'x', kind: 'hologram', ordinal: 1 }
  expect(entitiesOf(timelineFromJson({ version: 1, ordinal: 1, entities: [entity] }))).toEqual([])
})
