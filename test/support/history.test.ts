import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/json.ts'
import { userText } from '../../src/turns/block.ts'
import { createTurn } from '../../src/turns/turn.ts'
import { violations, type Effect, type History } from './history.ts'

// A checker that cannot fail proves nothing: each violation is planted once.

const ids = { at: '', session_id: 's', inference_id: 'i1', turn_id: 't1' }
const block = { id: 'u', kind: 'user', role: 'user', payload: { text: 'Hi' } }
const result = { finish_class: 'completed' }
const call = { ...ids, tool_call_id: 'c1', tool_name: 'pay' }

function log(...events: readonly JsonObject[]): readonly JsonObject[] {
  return events.map((event, at) => ({ ordinal: at + 1, ...event }))
}
const accepted = { type: 'prompt-accepted', ...ids, block, key: 'k1' }
const started = { type: 'inference-started', ...ids }
const intent = { type: 'tool-execution-started', ...call, input: {} }
const finished = { type: 'inference-finished', ...ids, result }
const events = log(accepted, started, intent, finished)
const effect: Effect = { tool: 'pay', effect: 'none', inferenceId: 'i1', toolCallId: 'c1', idempotencyKey: 'key' }
const good: History = {
  events,
  isHealed: true,
  accepted: [{ inferenceId: 'i1', key: 'k1' }],
  effects: [effect],
  viewers: [{ after: 1, events: events.slice(1) }],
}

test('a good history has no violations', () => {
  expect(violations(good)).toEqual([])
})

test.each<readonly [what: string, history: Partial<History>, says: RegExp]>([
  ['a gap', { events: [...events.slice(0, 2), { ...events[3], ordinal: 4 }], viewers: [] }, /place 3 is 4/],
  [
    'two ends',
    { events: log(accepted, started, intent, finished, finished) },
    /inference-finished at 5 comes after the end/,
  ],
  [
    'an event after the end',
    { events: log(accepted, started, finished, intent), viewers: [] },
    /tool-execution-started at 4/,
  ],
  ['no end', { events: log(accepted, started, intent), viewers: [] }, /i1 never ends/],
  [
    'two at a time',
    {
      events: log(accepted, started, intent, { ...started, inference_id: 'i2' }, finished, {
        ...finished,
        inference_id: 'i2',
      }),
      viewers: [],
    },
    /i2 starts at 4 while i1 runs/,
  ],
  ['a lost acknowledgement', { accepted: [{ inferenceId: 'i9' }] }, /i9 was acknowledged/],
  [
    'a key with two inferences',
    {
      events: log(accepted, { ...accepted, inference_id: 'i2' }, { ...finished, inference_id: 'i2' }, finished),
      viewers: [],
      effects: [],
    },
    /the key k1 made two/,
  ],
  ['a key with another answer', { accepted: [{ inferenceId: 'i1', key: 'k2' }] }, /the key k2 was answered/],
  ['a lost cancel', { cancelled: ['i1'] }, /the cancel of i1 was acknowledged/],
  ['a lost decision', { decided: ['a1'] }, /the decision on a1 was acknowledged/],
  [
    'a restart that was not counted',
    {
      events: log(accepted, started, { type: 'inference-resumed', ...ids, restarts: 2 }, intent, finished),
      viewers: [],
    },
    /restart 1 of i1 says 2/,
  ],
  [
    'a hand-over that was counted as a restart',
    {
      events: log(
        accepted,
        started,
        { type: 'inference-handed-over', ...ids },
        { type: 'inference-resumed', ...ids, restarts: 1 },
        finished,
      ),
      viewers: [],
      effects: [],
    },
    /restart 0 of i1 says 1/,
  ],
  [
    'an inference that was given up too early',
    {
      events: log(accepted, started, intent, {
        ...finished,
        type: 'inference-failed',
        error: { code: 'INFERENCE_POISONED', message: '' },
      }),
      viewers: [],
    },
    /i1 was given up after 0 restarts/,
  ],
  [
    'a second start',
    { effects: [effect, effect], events: log(accepted, started, intent, intent, finished), viewers: [] },
    /pay started 2 times/,
  ],
  ['a start without an intent', { events: log(accepted, started, finished), viewers: [] }, /without an intent/],
  [
    'two keys for one call',
    {
      effects: [
        { ...effect, effect: 'idempotent' },
        { ...effect, effect: 'idempotent', idempotencyKey: 'other' },
      ],
      events: log(accepted, started, intent, intent, finished),
      viewers: [],
    },
    /two idempotency keys/,
  ],
  [
    'a viewer who saw what is not there',
    { viewers: [{ after: 3, events: [events[1] ?? {}] }] },
    /saw something else at 4/,
  ],
  ['a viewer who missed something', { viewers: [{ after: 0, events: events.slice(1) }] }, /saw something else at 1/],
  [
    'a snapshot that is no fold',
    { snapshots: [{ turnId: 't1', ordinal: 4, turn: createTurn([userText('other')], 't1') }] },
    /is not the fold/,
  ],
])('%s is found', (_what, planted, says) => {
  expect(violations({ ...good, ...planted }).join('\n')).toMatch(says)
})

test('a second start that somebody allowed is none', () => {
  const asked = {
    ...call,
    type: 'approval-requested',
    approval_id: 'a',
    input: {},
    reason: 'outcome-unknown',
    hash: 'h',
  }
  const decided = { ...call, type: 'approval-decided', approval_id: 'a', decision: 'approved' }
  const { tool_name: _name, ...allowed } = decided
  const history = log(accepted, started, intent, asked, allowed, intent, finished)
  expect(violations({ ...good, events: history, effects: [effect, effect], viewers: [] })).toEqual([])
})
