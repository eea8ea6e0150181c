import * as fc from 'fast-check'
import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { anyEngineEvents } from '../../test/support/arbitrary-engine-events.ts'
import {
  eventEngine,
  forEver,
  providerCallFinished,
  textReply,
  toolReply,
  untilAborted,
  type EngineStep,
} from '../../test/support/event-engine.ts'
import { settle } from '../../test/support/fake-clock.ts'
import { expectWhole, finishWhole, promptTurn, startRun, typesOf } from '../../test/support/runs.ts'
import { collect, deepFreeze } from '../../test/support/values.ts'
import type { EngineEvent, InferenceEvent } from '../events/event.ts'
import { assistantText, userText } from '../turns/block.ts'
import { blockResultKey, inferenceIdKey, inferenceResultKey, partialKey, sessionIdKey } from '../turns/keys.ts'
import { append, createTurn } from '../turns/turn.ts'
import { editTurn, stack, type Engine } from './engine.ts'
import type { RunOptions } from './run-options.ts'

/** Cancels the run when its `ordinal`-th event is shown. */
function cancelAt(engine: Engine, ordinal: number, options: Partial<RunOptions> = {}) {
  const sink = (event: InferenceEvent) => void (event.ordinal === ordinal && started.inference.cancel('enough'))
  const started = startRun(engine, { sinks: [sink], ...options })
  return started.inference
}

const twoCalls: readonly EngineStep[] = [...toolReply(['c1', 'echo']), ...textReply('Hello there.')]
const everyIndex = [...twoCalls.keys(), twoCalls.length]

describe('a run ends exactly once', () => {
  test('finished, when its engine does', async () => {
    const { inference, events, status } = await finishWhole(eventEngine(twoCalls))
    expect([status, events.at(-1)?.type]).toEqual(['finished', 'inference-finished'])
    expect(await inference.result).toBe(inference.turn)
  })

  test('finished, when its engine does nothing', async () => {
    const { events, status } = await finishWhole(eventEngine([]))
    expect([status, typesOf(events)]).toEqual(['finished', ['inference-started', 'inference-finished']])
  })

  test.each(everyIndex)('failed, when its engine throws after %i events', async (index) => {
    const error = new Error('broken')
    const { inference, events, status } = await finishWhole(eventEngine(twoCalls.toSpliced(index, 0, error)))
    await expect(inference.result).rejects.toBe(error)
    expect(status).toBe('failed')
    expect(events.at(-1)).toMatchObject({ type: 'inference-failed', error: { code: 'INTERNAL', message: 'broken' } })
    expect(inferenceResultKey.get(inference.turn)).toMatchObject({
      finish_class: 'error',
      error: { message: 'broken' },
    })
  })

  test.each<readonly [string, Engine]>([
    [
      'throws before it gives events',
      () => {
        throw new Error('broken')
      },
    ],
    [
      'edits the turn and cannot',
      eventEngine([
        {
          type: 'turn-edited',
          by: 'x',
          edit: () => {
            throw new Error('broken')
          },
        },
      ]),
    ],
    [
      'finishes a call with what JSON cannot say',
      eventEngine([providerCallFinished(0, 'completed', { cost: Number.NaN }), new Error('later')]),
    ],
  ])('failed, when its engine %s', async (_what, engine) => {
    expect((await finishWhole(engine)).status).toBe('failed')
  })

  test.each([...everyIndex.map((index) => index + 1)])('stopped, when it is cancelled at event %i', async (ordinal) => {
    const inference = cancelAt(eventEngine([...twoCalls, untilAborted]), ordinal)
    const events = await collect(inference)
    expectWhole(inference, events)
    await expect(inference.result).rejects.toMatchObject({
      code: 'INFERENCE_CANCELLED',
      name: 'InferenceCancelledError',
      details: { inferenceId: 'inference-1', reason: 'enough' },
    })
    expect(inference.status).toBe('stopped')
    expect(events.at(-1)).toMatchObject({ type: 'inference-stopped', reason: 'enough' })
    expect(inferenceResultKey.get(inference.turn)).toMatchObject({
      finish_class: 'interrupted',
      stop_reason: 'cancelled',
    })
  })

  test('stopped, when it is cancelled before it begins: its engine is never called', async () => {
    let isCalled = false
    const engine: Engine = (turn, context) => {
      isCalled = true
      return eventEngine(textReply('Hello'))(turn, context)
    }
    const { inference } = startRun(engine)
    inference.cancel()
    const events = await collect(inference)
    expectWhole(inference, events)
    expect(typesOf(events)).toEqual(['inference-started', 'inference-stopped'])
    expect(isCalled).toBe(false)
  })

  test('stopped, when a sink cancels it: its engine does not take another step', async () => {
    let steps = 0
    const inference = cancelAt(eventEngine([{ type: 'info', message: 'first' }, async () => void (steps += 1)]), 2)
    await collect(inference)
    expect([inference.status, steps]).toEqual(['stopped', 0])
  })

  test('stopped, when a sink cancels it at its last words, and then it is not stored', async () => {
    let stored = 0
    const delta: EngineEvent = { type: 'text-delta', segmentId: 't', offset: 0, delta: 'Hello' }
    const inference = cancelAt(eventEngine([delta]), 3, { persist: () => void (stored += 1) })
    const events = await collect(inference)
    expectWhole(inference, events)
    expect(events[2]?.type).toBe('text-segment-finished')
    expect([inference.status, stored]).toEqual(['stopped', 0])
  })

  test.each(['before it begins', 'while it runs'])(
    'stopped, when the signal that it was given aborts %s',
    async (when) => {
      const abort = new AbortController()
      const { inference } = startRun(eventEngine([untilAborted]), { signal: abort.signal })
      if (when === 'while it runs') await settle()
      abort.abort(new Error('the page was closed'))
      const events = await collect(inference)
      expectWhole(inference, events)
      expect(events.at(-1)).toMatchObject({ type: 'inference-stopped', reason: 'the page was closed' })
    },
  )

  test('and then no longer listens to the signal that it was given', async () => {
    const { signal } = new AbortController()
    await finishWhole(eventEngine(twoCalls), { signal })
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  test('stopped, when it is cancelled and its engine does not listen', async () => {
    const { inference } = startRun(eventEngine([...textReply('Hello').slice(0, 3), forEver]))
    await settle()
    inference.cancel()
    expectWhole(inference, await collect(inference))
    expect(inference.status).toBe('stopped')
  })

  test('stopped, when it is cancelled and its engine throws something else for it', async () => {
    const rude = ({ signal }: { readonly signal: AbortSignal }) =>
      untilAborted({ signal }).catch(() => Promise.reject(new Error('socket hang up')))
    const { inference } = startRun(eventEngine([rude]))
    await settle()
    inference.cancel()
    expectWhole(inference, await collect(inference))
    expect(inference.status).toBe('stopped')
  })

  test('stopped, when its own engine cancels it and then fails', async () => {
    const { inference } = startRun(
      eventEngine([
        () => {
          inference.cancel()
          return Promise.reject(new Error('broken'))
        },
      ]),
    )
    expectWhole(inference, await collect(inference))
    expect(inference.status).toBe('stopped')
  })

  test('and a cancel afterwards, or a second one, does nothing', async () => {
    const { inference, events } = await finishWhole(eventEngine(twoCalls))
    inference.cancel()
    expect([inference.status, await collect(inference)]).toEqual(['finished', events])
    const stopped = startRun(eventEngine([untilAborted])).inference
    stopped.cancel('first')
    stopped.cancel('second')
    expect((await collect(stopped)).at(-1)).toMatchObject({ reason: 'first' })
  })
})

test('whatever an engine yields and however it ends, the turn is the fold of the events', async () => {
  const ending = fc.constantFrom('normal', 'throw', 'cancel')
  const holds = fc.asyncProperty(anyEngineEvents, ending, fc.nat(25), async (planned, how, index) => {
    const steps: EngineStep[] = [...planned]
    if (how === 'throw') steps.splice(index, 0, new Error('broken'))
    const input = deepFreeze(append(promptTurn, assistantText('Yes?'), userText('Go on')))
    const sinks =
      how === 'cancel' ? [(event: InferenceEvent) => void (event.ordinal === index && inference.cancel())] : []
    const { inference } = startRun(eventEngine(steps), { turn: input, sinks })
    expectWhole(inference, await collect(inference))
    expect(input).toEqual(append(promptTurn, assistantText('Yes?'), userText('Go on')))
  })
  await fc.assert(holds, { numRuns: 500 })
})

describe('what an unfinished run has shown is kept', () => {
  const cut: readonly EngineEvent[] = [
    { type: 'provider-call-started', provider: 'test', model: 'test-1' },
    { type: 'provider-call-metadata-updated', usage: { input_tokens: 5, output_tokens: 2 } },
    { type: 'reasoning-segment-started', segmentId: 'r' },
    { type: 'reasoning-delta', segmentId: 'r', offset: 0, delta: 'Hm' },
    { type: 'text-segment-started', segmentId: 't' },
    { type: 'text-delta', segmentId: 't', offset: 0, delta: 'Hel' },
    { type: 'text-delta', segmentId: 't', offset: 3, delta: 'lo' },
  ]

  test.each([
    ['cancelled', 'interrupted', untilAborted],
    ['failed', 'error', new Error('broken')],
  ] as const)('by a run that was %s', async (_how, finishClass, step) => {
    const { inference } = startRun(eventEngine([...cut, step]))
    await settle()
    inference.cancel()
    const events = await collect(inference)
    expectWhole(inference, events)
    const [, hm, hello] = inference.turn.blocks
    expect([hm?.payload, hello?.payload]).toEqual([{ text: 'Hm' }, { text: 'Hello' }])
    for (const block of [hm, hello]) {
      expect(block && partialKey.get(block)).toBe(true)
      expect(block && blockResultKey.get(block)).toMatchObject({
        finish_class: finishClass,
        usage: { input_tokens: 5, output_tokens: 2 },
      })
    }
    expect(events.filter((event) => event.type.endsWith('segment-finished'))).toMatchObject([
      { partial: true },
      { partial: true },
    ])
    expect(events.find((event) => event.type === 'provider-call-finished')).toMatchObject({ finishClass, blocks: 2 })
    expect(inferenceResultKey.get(inference.turn)?.usage).toEqual({ input_tokens: 5, output_tokens: 2 })
  })

  test('by an engine that never said that a call began, and what was there before is not taken for its work', async () => {
    const delta: EngineEvent = { type: 'text-delta', segmentId: 't', offset: 0, delta: 'Hel' }
    const { turn } = await finishWhole(eventEngine([delta, new Error('broken')]))
    expect(turn.blocks.map((block) => blockResultKey.get(block)?.finish_class)).toEqual([undefined, 'error'])
  })

  test('but not by an attempt that was discarded', async () => {
    const discarded: EngineEvent = {
      type: 'attempt-discarded',
      error: { code: 'X', message: 'x' },
      blocks: 0,
      retryInMs: 10,
    }
    const { turn, events } = await finishWhole(eventEngine([...cut, discarded, ...textReply('Hello')]))
    expect(turn.blocks.map((block) => block.kind)).toEqual(['user', 'llm_text'])
    const calls = events.filter((event) => event.type === 'provider-call-started')
    expect(calls.map(({ attempt }) => attempt)).toEqual([1, 2])
    expect(new Set(calls.map(({ providerCallId }) => providerCallId)).size).toBe(1)
    expect(inferenceResultKey.get(turn)?.usage).toEqual({ input_tokens: 5, output_tokens: 2 })
  })
})

test('every reader gets every event from the first on, whenever it comes', async () => {
  const { inference } = startRun(eventEngine([...textReply('Hello'), settle, ...textReply('there')]))
  const early = collect(inference)
  await settle()
  const late = collect(inference)
  await inference.result
  const events = await collect(inference)
  expect([await early, await late]).toEqual([events, events])
})

test('a turn that names another turn, session or inference is run under the ids of the run', async () => {
  const other = deepFreeze(
    inferenceIdKey.set(sessionIdKey.set(createTurn([userText('Go')], 'other'), 'other'), 'other'),
  )
  await finishWhole(eventEngine(textReply('Done.')), { turn: other })
})

test('how long a run took is read from its clock', async () => {
  const started = startRun(eventEngine([() => started.clock.advance(1234)]))
  expect(inferenceResultKey.get(await started.inference.result)?.duration_ms).toBe(1234)
})

test('a block that an edit only moves does not say that it was made by the edit', async () => {
  const turn = append(promptTurn, assistantText('Yes?'))
  const reverse = editTurn('reverse', (at) => ({ ...at, blocks: at.blocks.toReversed() }))
  const ended = await finishWhole(stack(eventEngine([]), reverse), { turn })
  expect(ended.turn.blocks.map(({ kind, metadata }) => [kind, metadata])).toEqual([
    ['llm_text', undefined],
    ['user', undefined],
  ])
})

test('an edit of a middleware is recorded as what it changed, and by whom', async () => {
  const note = { kind: 'system', payload: { text: 'Be brief.' } } as const
  const engine = eventEngine(textReply('Done.'))
  const { events, turn } = await finishWhole(
    stack(
      engine,
      editTurn('brief', (at) => append(at, note)),
    ),
  )
  expect(events[1]).toMatchObject({ type: 'turn-edited', by: 'brief', delta: { head: 1, tail: 0, add: [note] } })
  expect(turn.blocks[1]).toMatchObject({
    ...note,
    id: expect.any(String),
    metadata: { 'geppetto.middleware@v1': 'brief' },
  })
  expect(engine.requests[0]?.turn.blocks[1]).toMatchObject({ ...note, metadata: { 'geppetto.middleware@v1': 'brief' } })
})
