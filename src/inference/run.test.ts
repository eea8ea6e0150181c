import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anyEngineEvents } from '../../test/support/arbitrary-events.ts'
import {
  eventEngine,
  forEver,
  providerCallFinished,
  testIds,
  textReply,
  toolReply,
  untilAborted,
  type EngineStep,
} from '../../test/support/event-engine.ts'
import { settle } from '../../test/support/fake-clock.ts'
import { echo, finishRun, promptTurn, startRun, typesOf } from '../../test/support/runs.ts'
import { collect, deepFreeze } from '../../test/support/values.ts'
import { applyEvent } from '../events/apply.ts'
import { isTerminal, type EngineEvent, type InferenceEvent } from '../events/event.ts'
import { assistantText, userText } from '../turns/block.ts'
import { blockResultKey, inferenceIdKey, inferenceResultKey, partialKey, sessionIdKey } from '../turns/keys.ts'
import { append, createTurn, type Turn } from '../turns/turn.ts'
import { editTurn, stack, type Engine } from './engine.ts'
import type { Inference, RunOptions } from './run.ts'
import { toolLoop } from './tool-loop.ts'

/** What holds for every run, however it ends. */
function expectWhole(inference: Inference, events: readonly InferenceEvent[]): void {
  expect(events[0]?.type).toBe('inference-started')
  expect(events.filter(isTerminal)).toEqual([events.at(-1)])
  expect(events.map((event) => event.ordinal)).toEqual(events.map((_event, index) => index + 1))
  for (const event of events) expect(event).toMatchObject(testIds)
  const { turn, input } = inference
  expect(events.reduce(applyEvent, input)).toEqual(turn)
  const stored = JSON.parse(JSON.stringify(events)) as readonly InferenceEvent[] // what a log gives back
  expect(stored.reduce(applyEvent, input)).toEqual(turn)
  expect([turn.id, sessionIdKey.get(turn), inferenceIdKey.get(turn)]).toEqual(['turn-1', 'session-1', 'inference-1'])
  expect(inferenceResultKey.get(turn)?.finish_class).toBeDefined()
}

async function endOf(engine: Engine, options: Partial<RunOptions> & { readonly turn?: Turn } = {}) {
  const ended = await finishRun(engine, options)
  expectWhole(ended.inference, ended.events)
  return ended
}

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
    const { inference, events, status } = await endOf(eventEngine(twoCalls))
    expect([status, events.at(-1)?.type]).toEqual(['finished', 'inference-finished'])
    expect(await inference.result).toBe(inference.turn)
  })

  test('finished, when its engine does nothing', async () => {
    const { events, status } = await endOf(eventEngine([]))
    expect([status, typesOf(events)]).toEqual(['finished', ['inference-started', 'inference-finished']])
  })

  test.each(everyIndex)('failed, when its engine throws after %i events', async (index) => {
    const error = new Error('broken')
    const { inference, events, status } = await endOf(eventEngine(twoCalls.toSpliced(index, 0, error)))
    await expect(inference.result).rejects.toBe(error)
    expect(status).toBe('failed')
    expect(events.at(-1)).toMatchObject({ type: 'inference-failed', error: { code: 'INTERNAL', message: 'broken' } })
    expect(inferenceResultKey.get(inference.turn)).toMatchObject({ finish_class: 'error', error: { message: 'broken' } })
  })

  test.each<readonly [string, Engine]>([
    ['throws before it gives events', () => { throw new Error('broken') }],
    ['edits the turn and cannot', eventEngine([{ type: 'turn-edited', by: 'x', edit: () => { throw new Error('broken') } }])],
    ['finishes a call with what JSON cannot say', eventEngine([providerCallFinished(0, 'completed', { cost: Number.NaN }), new Error('later')])],
  ])('failed, when its engine %s', async (_what, engine) => {
    expect((await endOf(engine)).status).toBe('failed')
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
    expect(inferenceResultKey.get(inference.turn)).toMatchObject({ finish_class: 'interrupted', stop_reason: 'cancelled' })
  })

  test('stopped, when it is cancelled before it begins: its engine is never called', async () => {
    const engine = eventEngine(textReply('Hello'))
    const { inference } = startRun(engine)
    inference.cancel()
    const events = await collect(inference)
    expectWhole(inference, events)
    expect(typesOf(events)).toEqual(['inference-started', 'inference-stopped'])
    expect(engine.requests).toEqual([])
  })

  test.each(['before it begins', 'while it runs'])('stopped, when the signal that it was given aborts %s', async (when) => {
    const abort = new AbortController()
    const { inference } = startRun(eventEngine([untilAborted]), { signal: abort.signal })
    if (when === 'while it runs') await settle()
    abort.abort(new Error('the page was closed'))
    const events = await collect(inference)
    expectWhole(inference, events)
    expect(events.at(-1)).toMatchObject({ type: 'inference-stopped', reason: 'the page was closed' })
  })

  test('stopped, when it is cancelled and its engine does not listen', async () => {
    const { inference } = startRun(eventEngine([...textReply('Hello').slice(0, 3), forEver]))
    await settle()
    inference.cancel()
    expectWhole(inference, await collect(inference))
    expect(inference.status).toBe('stopped')
  })

  test('stopped, when it is cancelled and its engine throws something else for it', async () => {
    const rude = ({ signal }: { readonly signal: AbortSignal }) => untilAborted({ signal }).catch(() => Promise.reject(new Error('socket hang up')))
    const { inference } = startRun(eventEngine([rude]))
    await settle()
    inference.cancel()
    expectWhole(inference, await collect(inference))
    expect(inference.status).toBe('stopped')
  })

  test('and a cancel afterwards, or a second one, does nothing', async () => {
    const { inference, events } = await endOf(eventEngine(twoCalls))
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
    const sinks = how === 'cancel' ? [(event: InferenceEvent) => void (event.ordinal === index && inference.cancel())] : []
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
      expect(block && blockResultKey.get(block)).toMatchObject({ finish_class: finishClass, usage: { input_tokens: 5, output_tokens: 2 } })
    }
    expect(events.filter((event) => event.type.endsWith('segment-finished'))).toMatchObject([{ partial: true }, { partial: true }])
    expect(events.find((event) => event.type === 'provider-call-finished')).toMatchObject({ finishClass, blocks: 2 })
    expect(inferenceResultKey.get(inference.turn)?.usage).toEqual({ input_tokens: 5, output_tokens: 2 })
  })

  test('by an engine that never said that a call began, and what was there before is not taken for its work', async () => {
    const delta: EngineEvent = { type: 'text-delta', segmentId: 't', offset: 0, delta: 'Hel' }
    const { turn } = await endOf(eventEngine([delta, new Error('broken')]))
    expect(turn.blocks.map((block) => blockResultKey.get(block)?.finish_class)).toEqual([undefined, 'error'])
  })

  test('but not by an attempt that was discarded', async () => {
    const discarded: EngineEvent = { type: 'attempt-discarded', error: { code: 'X', message: 'x' }, blocks: 0, retryInMs: 10 }
    const { turn, events } = await endOf(eventEngine([...cut, discarded, ...textReply('Hello')]))
    expect(turn.blocks.map((block) => block.kind)).toEqual(['user', 'llm_text'])
    const calls = events.filter((event) => event.type === 'provider-call-started')
    expect(calls.map(({ attempt }) => attempt)).toEqual([1, 2])
    expect(new Set(calls.map(({ providerCallId }) => providerCallId)).size).toBe(1)
    expect(inferenceResultKey.get(turn)?.usage).toEqual({ input_tokens: 5, output_tokens: 2 })
  })
})

describe('a sink', () => {
  const warnings = (events: readonly InferenceEvent[]) => events.flatMap((event) => (event.type === 'log' ? [event.message] : []))

  test('sees each event once, in order, however often it was attached', async () => {
    const seen: InferenceEvent[] = []
    const sink = (event: InferenceEvent) => void seen.push(event)
    const { events } = await endOf(toolLoop(eventEngine(toolReply(['c1', 'echo']), textReply('Done.')), [echo]), { sinks: [sink, sink] })
    expect(seen).toEqual(events)
  })

  test.each<readonly [string, () => void | Promise<void>]>([
    ['throws', () => { throw new Error('full') }],
    ['rejects', () => Promise.reject(new Error('full'))],
  ])('that %s harms nobody and is reported once', async (_how, sink) => {
    const seen: string[] = []
    const { events, status } = await endOf(eventEngine([settle, ...twoCalls, settle]), { sinks: [sink, (event) => void seen.push(event.type)] })
    expect(status).toBe('finished')
    expect(seen).toEqual(typesOf(events))
    expect(warnings(events)).toEqual(['an event sink failed: full'])
  })

  test('that fails late is reported before the run ends', async () => {
    const { events } = await endOf(eventEngine([{ type: 'info', message: 'last' }]), {
      sinks: [(event) => { if (event.type === 'info') throw new Error('full') }],
    })
    expect(typesOf(events)).toEqual(['inference-started', 'info', 'log', 'inference-finished'])
  })

  test('that is slow is not waited for', async () => {
    expect((await endOf(eventEngine(twoCalls), { sinks: [() => forEver()] })).status).toBe('finished')
  })
})

describe('the store', () => {
  test('gets the finished turn once, alone, before anyone hears of the end', async () => {
    const stored: unknown[][] = []
    const order: string[] = []
    const { turn } = await endOf(toolLoop(eventEngine(toolReply(['c1', 'echo']), textReply('Done.')), [echo]), {
      persist: (...given) => { stored.push(given); order.push('persist') },
      onEnd: () => void order.push('end'),
      sinks: [(event) => void (isTerminal(event) && order.push('terminal'))],
    })
    expect(stored).toEqual([[turn]])
    expect(order).toEqual(['persist', 'end', 'terminal'])
  })

  test.each<readonly [string, () => void | Promise<void>]>([
    ['throws', () => { throw new Error('disk full') }],
    ['rejects', () => Promise.reject(new Error('disk full'))],
  ])('that %s is an event, and the run is finished all the same', async (_how, persist) => {
    const { events, status } = await endOf(eventEngine(textReply('Done.')), { persist })
    expect(status).toBe('finished')
    expect(events.at(-2)).toMatchObject({ type: 'persist-failed', error: { code: 'INTERNAL', message: 'disk full' } })
  })

  test('that hangs is no longer waited for once the run is cancelled', async () => {
    const { inference } = startRun(eventEngine(textReply('Done.')), { persist: () => forEver() })
    await settle()
    expect(inference.status).toBe('running')
    inference.cancel()
    const events = await collect(inference)
    expectWhole(inference, events)
    expect([inference.status, events.at(-2)?.type]).toEqual(['finished', 'persist-failed'])
  })

  test.each([
    ['failed', new Error('broken')],
    ['was cancelled', untilAborted],
  ])('gets nothing of a run that %s', async (_how, step) => {
    let calls = 0
    const { inference } = startRun(eventEngine([...textReply('Hello'), step]), { persist: () => void (calls += 1) })
    await settle()
    inference.cancel()
    await collect(inference)
    expect(calls).toBe(0)
  })
})

describe('a snapshot', () => {
  const phased: readonly EngineStep[] = [{ type: 'phase-reached', phase: 'pre_inference', iteration: 0 }, ...textReply('Done.')]

  test('of the end is the turn that the run returns, however it ended', async () => {
    for (const step of [settle, new Error('broken')]) {
      const final: Turn[] = []
      const { turn } = await endOf(eventEngine([...phased, step]), { onSnapshot: (at, phase) => void (phase === 'final' && final.push(at)) })
      expect(final).toEqual([turn])
    }
  })

  test('hook that throws harms nobody and is reported', async () => {
    const { events, status } = await endOf(eventEngine(phased), { onSnapshot: () => { throw new Error('full') } })
    expect(status).toBe('finished')
    expect(events.flatMap((event) => (event.type === 'log' ? [event.message] : []))).toEqual([
      'the snapshot hook failed at pre_inference: full',
      'the snapshot hook failed at final: full',
    ])
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
  const other = deepFreeze(inferenceIdKey.set(sessionIdKey.set(createTurn([userText('Go')], 'other'), 'other'), 'other'))
  await endOf(eventEngine(textReply('Done.')), { turn: other })
})

test('how long a run took is read from its clock', async () => {
  const started = startRun(eventEngine([() => started.clock.advance(1234)]))
  expect(inferenceResultKey.get(await started.inference.result)?.duration_ms).toBe(1234)
})

test('an edit of a middleware is recorded as what it changed, and by whom', async () => {
  const note = { kind: 'system', payload: { text: 'Be brief.' } } as const
  const engine = eventEngine(textReply('Done.'))
  const { events, turn } = await endOf(stack(engine, editTurn('brief', (at) => append(at, note))))
  expect(events[1]).toMatchObject({ type: 'turn-edited', by: 'brief', delta: { head: 1, tail: 0, add: [note] } })
  expect(turn.blocks[1]).toMatchObject({ ...note, id: expect.any(String), metadata: { 'geppetto.middleware@v1': 'brief' } })
  expect(engine.requests[0]?.turn.blocks[1]).toMatchObject({ ...note, metadata: { 'geppetto.middleware@v1': 'brief' } })
})
