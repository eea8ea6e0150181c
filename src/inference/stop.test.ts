import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { eventEngine, forEver, textReply, toolReply, untilAborted } from '../../test/support/event-engine.ts'
import { FakeClock, settle } from '../../test/support/fake-clock.ts'
import { answersOf, expectWhole, startRun, testTool, typesOf } from '../../test/support/runs.ts'
import { collect } from '../../test/support/values.ts'
import { applyEvent } from '../events/apply.ts'
import type { EngineEvent, InferenceEvent } from '../events/event.ts'
import type { Json } from '../json.ts'
import type { Engine } from './engine.ts'
import { StepController } from './steps.ts'
import { cancelGraceMs } from './stop.ts'
import { toolLoop } from './tool-loop.ts'
import type { Tool, ToolContext } from './tool.ts'

const unknown = 'interrupted: outcome unknown'
const calls = (...names: readonly string[]) => eventEngine(toolReply(...names.map((name) => [name, name] as const)))

describe('a cancel while a tool runs', () => {
  /** A run of one tool, cancelled while it runs. */
  async function cancelled(execute: Tool['execute'], changes: Partial<Tool> = {}) {
    let signal: AbortSignal | undefined
    const slow = testTool(
      'slow',
      (input, context) => {
        signal = context.signal
        return execute(input, context)
      },
      changes,
    )
    const { inference, clock } = startRun(toolLoop(calls('slow'), [slow]))
    const events = collect(inference)
    await settle()
    inference.cancel('enough')
    expect(signal?.aborted).toBe(true)
    return { inference, clock, events }
  }
  const afterAbort = (end: () => Json) => async (_input: unknown, context: ToolContext) => {
    await untilAborted(context).catch(() => {})
    return end()
  }

  test.each<readonly [what: string, execute: Tool['execute'], answer: Json]>([
    ['ends well', afterAbort(() => 'all done'), 'all done'],
    [
      'fails',
      afterAbort(() => {
        throw new Error('half done')
      }),
      'half done',
    ],
    [
      'passes its signal on',
      (_input, context) => untilAborted(context),
      'Inference inference-1 was cancelled: enough.',
    ],
  ])('has the answer of a tool that %s', async (_what, execute, answer) => {
    const { inference, clock, events } = await cancelled(execute)
    expectWhole(inference, await events)
    expect([inference.status, answersOf(inference.turn)]).toEqual(['stopped', [['slow', answer]]])
    expect(typesOf(await events).slice(-3)).toEqual(['tool-result-ready', 'tool-call-finished', 'inference-stopped'])
    expect(clock.pending).toBe(0)
  })

  test.each([
    ['unknown', {}, unknown],
    ['that it was interrupted, as it changes nothing', { effect: 'read' as const }, 'interrupted'],
    ['unknown, whatever its own time was', { timeoutMs: 100 }, unknown],
  ])('waits no longer than the grace: then the answer is %s', async (_what, changes, answer) => {
    const { inference, clock, events } = await cancelled(forEver, changes)
    await clock.advance(cancelGraceMs - 1)
    expect(inference.status).toBe('running')
    await clock.advance(1)
    expectWhole(inference, await events)
    expect([inference.status, answersOf(inference.turn)]).toEqual(['stopped', [['slow', answer]]])
    expect(clock.pending).toBe(0)
  })

  test('keeps what one tool gave when another does not end', async () => {
    const tools = [
      testTool('never', forEver),
      testTool('waits', () => 1, { needsApproval: () => true }),
      testTool(
        'soon',
        afterAbort(() => 'done'),
      ),
      testTool('next', () => 'ran'),
    ]
    const { inference, clock } = startRun(toolLoop(calls('never', 'waits', 'soon', 'next'), tools, { maxParallel: 2 }))
    const events = collect(inference)
    await settle()
    inference.cancel()
    await clock.advance(cancelGraceMs)
    expectWhole(inference, await events)
    expect(answersOf(inference.turn)).toEqual([
      ['soon', 'done'],
      ['never', unknown],
    ])
  })

  test('tells what was done before it and waited for its place', async () => {
    const tools = [testTool('first', forEver), testTool('second', () => 2)]
    const { inference, clock } = startRun(toolLoop(calls('first', 'second'), tools))
    await settle()
    inference.cancel()
    await clock.advance(cancelGraceMs)
    expect(answersOf(inference.turn)).toEqual([
      ['second', 2],
      ['first', unknown],
    ])
  })

  test('runs no tool whose start was just recorded, and says so', async () => {
    let runs = 0
    const { inference } = startRun(toolLoop(calls('tool'), [testTool('tool', () => (runs += 1))]), {
      sinks: [(event) => void (event.type === 'tool-execution-started' && inference.cancel())],
    })
    await expect(inference.result).rejects.toMatchObject({ code: 'INFERENCE_CANCELLED' })
    expect([runs, answersOf(inference.turn)]).toEqual([
      0,
      [['tool', 'the tool was not run: the run was cancelled before']],
    ])
  })

  test('does not wait for an engine that ignores everything', async () => {
    const start: EngineEvent = { type: 'tool-execution-started', toolCallId: 'tool', toolName: 'tool', input: {} }
    const { inference, clock } = startRun(eventEngine([...toolReply(['tool', 'tool']), start, forEver]))
    await settle()
    inference.cancel()
    await clock.advance(cancelGraceMs)
    expect([inference.status, answersOf(inference.turn)]).toEqual(['stopped', [['tool', unknown]]])
  })

  test('ends at once when no tool runs any more, whatever the engine still does', async () => {
    const { inference, clock } = startRun(
      toolLoop(calls('waits'), [testTool('waits', () => 1, { needsApproval: () => true })]),
    )
    await settle()
    inference.cancel()
    await expect(inference.result).rejects.toMatchObject({ code: 'INFERENCE_CANCELLED' })
    expect([answersOf(inference.turn), clock.pending]).toEqual([[], 0])
  })

  test('at any event lets no step begin after it, and gives each tool that began one answer', async () => {
    const holds = fc.asyncProperty(fc.nat(30), fc.nat(3), fc.boolean(), async (at, heeding, isThrowing) => {
      const begun = new Set<string>()
      const names = ['a', 'b', 'c']
      const tools = names.map((name, index) =>
        testTool(name, async (_input, context) => {
          begun.add(name)
          await settle()
          if (index < heeding) return name
          return isThrowing ? untilAborted(context) : forEver()
        }),
      )
      let cancelledAt = Number.POSITIVE_INFINITY
      const engine = eventEngine(toolReply(...names.map((name) => [name, name] as const)), textReply('Done.'))
      const { inference, clock } = startRun(toolLoop(engine, tools, { maxParallel: 2 }), {
        sinks: [
          (event) => {
            if (event.ordinal !== at) return
            inference.cancel()
            cancelledAt = event.ordinal
          },
        ],
      })
      const ending = collect(inference)
      await clock.advance(40_000)
      inference.cancel()
      await clock.advance(cancelGraceMs)
      const events = await ending
      expectWhole(inference, events)
      const late = events.filter(({ ordinal }) => ordinal > cancelledAt).map(({ type }) => type)
      const ends = ['tool-result-ready', 'tool-call-finished', 'text-segment-finished', 'provider-call-finished']
      expect(late.slice(0, -1).filter((type) => !ends.includes(type))).toEqual([])
      const answered = answersOf(inference.turn).map(([id]) => id)
      expect(new Set(answered).size).toBe(answered.length)
      for (const name of begun) expect(answered).toContain(name)
      expect(clock.pending).toBe(0)
    })
    await fc.assert(holds, { numRuns: 200 })
  })
})

describe('a hand-over', () => {
  /** A run that another process can go on with; `log` is what that one finds. */
  function recorded(engine: Engine) {
    const soon = new AbortController()
    const now = new AbortController()
    const log: InferenceEvent[] = []
    const { inference, clock } = startRun(engine, {
      handOver: { beforeNextStep: soon.signal, now: now.signal },
      record: async (events) => {
        log.push(...events)
        return log.length - events.length + 1
      },
    })
    inference.result.catch(() => {})
    return { inference, clock, log, soon, now }
  }
  const handedOver = { code: 'INFERENCE_HANDED_OVER' }

  test('lets a tool that runs end, and stops before the next call', async () => {
    const work = Promise.withResolvers<Json>()
    const engine = eventEngine(toolReply(['a', 'slow'], ['b', 'next']), textReply('never'))
    const tools = [testTool('slow', () => work.promise), testTool('next', () => 'ran')]
    const { inference, log, soon, clock } = recorded(toolLoop(engine, tools, { maxParallel: 1 }))
    const reading = collect(inference)
    await clock.advance(100)
    soon.abort()
    await clock.advance(100)
    expect(inference.status).toBe('running')
    work.resolve('done')
    await expect(inference.result).rejects.toMatchObject(handedOver)
    expect(inference.status).toBe('handed-over')
    expect(typesOf(log).slice(-2)).toEqual(['tool-call-finished', 'inference-handed-over'])
    expect(answersOf(inference.turn)).toEqual([['a', 'done']])
    expect(log.reduce(applyEvent, inference.input)).toEqual(inference.turn)
    expect(await reading).toEqual(log)
    expect(await collect(inference)).toEqual(log)
    expect([engine.requests.length, clock.pending]).toEqual([1, 0])
  })

  test('keeps the result of a call behind one that waits for its approval', async () => {
    const tools = [testTool('asks', () => 1, { needsApproval: () => true }), testTool('fast', () => 2)]
    const { inference, soon, clock, log } = recorded(toolLoop(calls('asks', 'fast'), tools))
    await clock.advance(100)
    soon.abort()
    await expect(inference.result).rejects.toMatchObject(handedOver)
    expect(answersOf(inference.turn)).toEqual([['fast', 2]])
    expect([typesOf(log).at(-1), clock.pending]).toEqual(['inference-handed-over', 0])
  })

  test('ends a pause of the debugger', async () => {
    const { inference, soon, clock, log } = recorded(
      toolLoop(calls('tool'), [testTool('tool', () => 1)], { steps: enabledSteps() }),
    )
    await clock.advance(100)
    expect(typesOf(log).at(-1)).toBe('debugger.pause')
    soon.abort()
    await expect(inference.result).rejects.toMatchObject(handedOver)
  })

  test('does not ask a model again that is about to be', async () => {
    const gate = Promise.withResolvers<void>()
    const engine = eventEngine([() => gate.promise, ...textReply('Hello')])
    const { inference, soon, log } = recorded(engine)
    await settle()
    soon.abort()
    gate.resolve()
    await expect(inference.result).rejects.toMatchObject(handedOver)
    expect(typesOf(log)).toEqual(['inference-started', 'inference-handed-over'])
  })

  test('lets a run end that has nothing more to do', async () => {
    const gate = Promise.withResolvers<void>()
    const [start, ...rest] = textReply('Hello')
    const { inference, soon, clock } = recorded(
      toolLoop(eventEngine([...(start === undefined ? [] : [start]), () => gate.promise, ...rest]), []),
    )
    await clock.advance(100)
    soon.abort()
    gate.resolve()
    await inference.result
    expect(inference.status).toBe('finished')
  })

  test('without a boundary leaves everything open, and nothing follows', async () => {
    const { inference, soon, now, clock, log } = recorded(toolLoop(calls('tool'), [testTool('tool', forEver)]))
    await clock.advance(100)
    soon.abort()
    await clock.advance(100)
    now.abort()
    await expect(inference.result).rejects.toMatchObject(handedOver)
    await clock.advance(cancelGraceMs)
    expect(typesOf(log).slice(-2)).toEqual(['tool-execution-started', 'inference-handed-over'])
    expect([answersOf(inference.turn), clock.pending]).toEqual([[], 0])
  })

  test('of a cancelled run is its end', async () => {
    const { inference, now, clock, log } = recorded(toolLoop(calls('tool'), [testTool('tool', forEver)]))
    await clock.advance(100)
    inference.cancel()
    await clock.advance(100)
    now.abort()
    await expect(inference.result).rejects.toMatchObject({ code: 'INFERENCE_CANCELLED' })
    expect(typesOf(log).slice(-2)).toEqual(['tool-call-finished', 'inference-stopped'])
  })

  test('that the log refuses rejects with what the log said', async () => {
    const soon = new AbortController()
    const refusal = new Error('no room')
    const { inference } = startRun(
      toolLoop(calls('asks'), [testTool('asks', () => 1, { needsApproval: () => true })]),
      {
        handOver: { beforeNextStep: soon.signal, now: new AbortController().signal },
        record: async (events) => {
          if (events.some(({ type }) => type === 'inference-handed-over')) throw refusal
          return events[0]?.ordinal ?? 0
        },
      },
    )
    await settle()
    soon.abort()
    await expect(inference.result).rejects.toBe(refusal)
    expect(inference.status).toBe('handed-over')
  })
})

function enabledSteps(): StepController {
  const steps = new StepController({ clock: new FakeClock() })
  steps.enable({ sessionId: 'session-1' })
  return steps
}
