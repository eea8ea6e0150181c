import { describe, expect, test } from 'vitest'
import { testIds } from '../../../../test/support/event-engine.ts'
import type { InferenceEvent } from '../../../events/event.ts'
import { entityAfter, entityJson, type TimelineEntity } from './entity.ts'
import type { SemEvent } from './sem.ts'
import { emptyView, tell } from './view.ts'

/** The entity that these events make, one after the other. */
function made(...events: readonly SemEvent[]): TimelineEntity | undefined {
  let entity: TimelineEntity | undefined
  for (const [index, event] of events.entries()) {
    entity = entityAfter(entity, event, { atMs: 1_000 * (index + 1), version: index + 1 }) ?? entity
  }
  return entity
}

const start: SemEvent = { type: 'llm.start', id: 'm', data: { id: 'm', role: 'assistant' } }
const thinks: SemEvent = { type: 'llm.thinking.start', id: 'm', data: { id: 'm', role: 'thinking' } }
const grows: SemEvent = { type: 'llm.delta', id: 'm', data: { id: 'm', delta: 'lo', cumulative: 'Hello' } }
const thinksOn: SemEvent = { type: 'llm.thinking.delta', id: 'm', data: { id: 'm', delta: 'm', cumulative: 'Hm' } }
const thought: SemEvent = { type: 'llm.thinking.final', id: 'm', data: { id: 'm' } }
const calls: SemEvent = { type: 'tool.start', id: 'c', data: { id: 'c', name: 'search', input: { q: 1 } } }
const call = { schemaVersion: 1, name: 'search', input: { q: 1 } }
const result = (text: string, customKind?: string): SemEvent => {
  return { type: 'tool.result', id: 'c', data: { id: 'c', result: text, ...(customKind && { customKind }) } }
}
const asks: SemEvent = {
  type: 'tool.approval',
  id: 'c',
  data: { id: 'c', name: 'search', approvalId: 'a', reason: 'policy', hash: 'h', input: { q: 1 } },
}

describe('what is seen of a conversation', () => {
  test.each<[what: string, events: readonly SemEvent[], expected: object]>([
    ['a beginning', [start], { kind: 'message', props: { role: 'assistant', content: '', streaming: true } }],
    ['growth', [start, grows], { props: { role: 'assistant', content: 'Hello', streaming: true } }],
    [
      'an end',
      [start, grows, { type: 'llm.final', id: 'm', data: { id: 'm', text: 'Hello!' } }],
      { props: { role: 'assistant', content: 'Hello!', streaming: false } },
    ],
    [
      'an end without a text keeps what had come',
      [start, grows, { type: 'llm.final', id: 'm', data: { id: 'm', text: '' } }],
      { props: { content: 'Hello', streaming: false } },
    ],
    ['a thought', [thinks, thinksOn, thought], { props: { role: 'thinking', content: 'Hm', streaming: false } }],
    [
      'a summary behind the end of a thought',
      [thinks, thinksOn, thought, { type: 'llm.thinking.summary', id: 'm', data: { id: 'm', text: 'In short' } }],
      { props: { content: 'In short', streaming: false } },
    ],
    ['a call', [calls], { kind: 'tool_call', props: { ...call, status: 'running', progress: 0, done: false } }],
    [
      'a call that has ended',
      [calls, { type: 'tool.done', id: 'c', data: { id: 'c' } }],
      { props: { ...call, status: 'completed', progress: 1, done: true } },
    ],
    [
      'a call that waits for somebody',
      [calls, asks],
      {
        props: { ...call, status: 'awaiting_approval', approval: { approvalId: 'a', reason: 'policy', hash: 'h' } },
      },
    ],
    [
      'a call that was decided on, with other arguments',
      [
        calls,
        asks,
        {
          type: 'tool.approval',
          id: 'c',
          data: { id: 'c', name: '', approvalId: 'a', decision: 'approved', input: { q: 2 } },
        },
      ],
      { props: { input: { q: 2 }, status: 'running', approval: { approvalId: 'a', decision: 'approved' } } },
    ],
    [
      'a result that is an object',
      [result('{"n":1}')],
      {
        id: 'c:result',
        kind: 'tool_result',
        props: { toolCallId: 'c', result: { n: 1 }, resultRaw: '{"n":1}', customKind: '' },
      },
    ],
    ['a result that is none', [result('{n')], { props: { result: { raw: '{n' }, resultRaw: '{n' } }],
    [
      'a result with a card of its own',
      [result('2', 'calc_result')],
      { id: 'c:custom', props: { customKind: 'calc_result' } },
    ],
    [
      'a prompt',
      [{ type: 'chat.message', id: 'u', data: { schemaVersion: 1, role: 'user', content: 'Hi', streaming: false } }],
      { kind: 'message', props: { schemaVersion: 1, role: 'user', content: 'Hi', streaming: false } },
    ],
    [
      'an error',
      [{ type: 'llm.error', id: 'e', data: { id: 'e', code: 'PROVIDER_AUTH', message: 'no' } }],
      { kind: 'error', props: { code: 'PROVIDER_AUTH', message: 'no' } },
    ],
  ])('%s', (_what, events, expected) => {
    expect(made(...events)).toMatchObject(expected)
  })

  test('passes of what is there for the moment', () => {
    expect(made({ type: 'tool.delta', id: 'c', data: { id: 'c', patch: { exec: true } } })).toBeUndefined()
    expect(made({ type: 'log', id: 'l', data: { id: 'l', level: 'info', message: 'x' } })).toBeUndefined()
  })

  test('keeps when it came to be, and is written with numbers of 64 bits as texts', () => {
    const entity = made(start, grows)
    expect(entity).toMatchObject({ createdMs: 1_000, updatedMs: 2_000, version: 2 })
    expect(entity && entityJson(entity)).toEqual({
      ...{ id: 'm', kind: 'message', createdAtMs: '1000', updatedAtMs: '2000' },
      props: { schemaVersion: 1, role: 'assistant', content: 'Hello', streaming: true },
    })
  })
})

describe('a message that grows', () => {
  const call = { ...testIds, providerCallId: 'p', attempt: 1, segmentId: 'p:0' }
  const grown = (ordinal: number, ms: number): InferenceEvent => {
    return { type: 'text-delta', ordinal, at: new Date(ms).toISOString(), ...call, offset: ordinal - 1, delta: 'x' }
  }
  const finished = (ordinal: number, ms: number): InferenceEvent => {
    const { segmentId: _segment, ...scope } = call
    const end = { finishClass: 'completed' as const, blocks: 1, result: { finish_class: 'completed' as const } }
    return { type: 'provider-call-finished', ordinal, at: new Date(ms).toISOString(), ...scope, ...end }
  }

  test('is shown as a whole at first, then four times a second at most, and at its end', () => {
    let view = emptyView
    const upserts: [ordinal: number, content: unknown][] = []
    const events = [
      grown(1, 0),
      grown(2, 100),
      grown(3, 249),
      grown(4, 250),
      grown(5, 499),
      grown(6, 700),
      finished(7, 701),
    ]
    for (const event of events) {
      const [next, told] = tell(view, event)
      view = next
      for (const { event: frame } of told.frames) {
        if (frame.type !== 'timeline.upsert') continue
        const props = frame.data.entity['props'] as { readonly content: string } // a message's
        upserts.push([event.ordinal, props.content])
      }
    }
    // The first two are of one event: its beginning, and its first growth.
    expect(upserts).toEqual([
      [1, ''],
      [1, 'x'],
      [4, 'xxxx'],
      [6, 'xxxxxx'],
      [7, 'xxxxxx'],
    ])
  })
})
