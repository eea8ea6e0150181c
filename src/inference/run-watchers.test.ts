import { describe, expect, test } from 'vitest'
import {
  eventEngine,
  forEver,
  textReply,
  toolReply,
  untilAborted,
  type EngineStep,
} from '../../test/support/event-engine.ts'
import { settle } from '../../test/support/fake-clock.ts'
import { echo, expectWhole, finishWhole, startRun, typesOf } from '../../test/support/runs.ts'
import { collect } from '../../test/support/values.ts'
import { isTerminal, type InferenceEvent } from '../events/event.ts'
import type { Turn } from '../turns/turn.ts'
import { toolLoop } from './tool-loop.ts'

const twoCalls: readonly EngineStep[] = [...toolReply(['c1', 'echo']), ...textReply('Hello there.')]

describe('a sink', () => {
  const warnings = (events: readonly InferenceEvent[]) =>
    events.flatMap((event) => (event.type === 'log' ? [event.message] : []))

  test('sees each event once, in order, however often it was attached', async () => {
    const seen: InferenceEvent[] = []
    const sink = (event: InferenceEvent) => void seen.push(event)
    const { events } = await finishWhole(toolLoop(eventEngine(toolReply(['c1', 'echo']), textReply('Done.')), [echo]), {
      sinks: [sink, sink],
    })
    expect(seen).toEqual(events)
  })

  test.each<readonly [string, () => void | Promise<void>]>([
    [
      'throws',
      () => {
        throw new Error('full')
      },
    ],
    ['rejects', () => Promise.reject(new Error('full'))],
  ])('that %s harms nobody and is reported once', async (_how, sink) => {
    const seen: string[] = []
    const { events, status } = await finishWhole(eventEngine([settle, ...twoCalls, settle]), {
      sinks: [sink, (event) => void seen.push(event.type)],
    })
    expect(status).toBe('finished')
    expect(seen).toEqual(typesOf(events))
    expect(warnings(events)).toEqual(['an event sink failed: full'])
  })

  test('that fails late is reported before the run ends', async () => {
    const { events } = await finishWhole(eventEngine([{ type: 'info', message: 'last' }]), {
      sinks: [
        (event) => {
          if (event.type === 'info') throw new Error('full')
        },
      ],
    })
    expect(typesOf(events)).toEqual(['inference-started', 'info', 'log', 'inference-finished'])
  })

  test('that is slow is not waited for', async () => {
    expect((await finishWhole(eventEngine(twoCalls), { sinks: [() => forEver()] })).status).toBe('finished')
  })
})

describe('the store', () => {
  test('gets the finished turn once, alone, before anyone hears of the end', async () => {
    const stored: unknown[][] = []
    const order: string[] = []
    const { turn } = await finishWhole(toolLoop(eventEngine(toolReply(['c1', 'echo']), textReply('Done.')), [echo]), {
      persist: (...given) => {
        stored.push(given)
        order.push('persist')
      },
      onEnd: () => void order.push('end'),
      sinks: [(event) => void (isTerminal(event) && order.push('terminal'))],
    })
    expect(stored).toEqual([[turn]])
    expect(order).toEqual(['persist', 'end', 'terminal'])
  })

  test.each<readonly [string, () => void | Promise<void>]>([
    [
      'throws',
      () => {
        throw new Error('disk full')
      },
    ],
    ['rejects', () => Promise.reject(new Error('disk full'))],
  ])('that %s is an event, and the run is finished all the same', async (_how, persist) => {
    const { events, status } = await finishWhole(eventEngine(textReply('Done.')), { persist })
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
  const phased: readonly EngineStep[] = [
    { type: 'phase-reached', phase: 'pre_inference', iteration: 0 },
    ...textReply('Done.'),
  ]

  test('of the end is the turn that the run returns, however it ended', async () => {
    for (const step of [settle, new Error('broken')]) {
      const final: Turn[] = []
      const { turn } = await finishWhole(eventEngine([...phased, step]), {
        onSnapshot: (at, phase) => void (phase === 'final' && final.push(at)),
      })
      expect(final).toEqual([turn])
    }
  })

  test('hook that throws harms nobody and is reported', async () => {
    const { events, status } = await finishWhole(eventEngine(phased), {
      onSnapshot: () => {
        throw new Error('full')
      },
    })
    expect(status).toBe('finished')
    expect(events.flatMap((event) => (event.type === 'log' ? [event.message] : []))).toEqual([
      'the snapshot hook failed at pre_inference: full',
      'the snapshot hook failed at final: full',
    ])
  })
})
