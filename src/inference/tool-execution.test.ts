import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { eventEngine, forEver, testIds, textReply, toolReply } from '../../test/support/event-engine.ts'
import { settle } from '../../test/support/fake-clock.ts'
import { answersOf, echo, finishRun, startRun, testTool, typesOf } from '../../test/support/runs.ts'
import { collect } from '../../test/support/values.ts'
import type { InferenceEvent } from '../events/event.ts'
import type { Json } from '../json.ts'
import { toolLoop } from './tool-loop.ts'
import type { Tool, ToolContext } from './tool.ts'

describe('a call that cannot be executed', () => {
  const strict = testTool('strict', () => 'ran', {
    input: z.strictObject({ city: z.string(), at: z.object({ day: z.number() }).optional() }),
  })

  test.each<readonly [string, string, Json, string]>([
    ['of an unknown tool', 'nobody', {}, 'tool not found: nobody'],
    ['of a tool in other letters', 'Echo', {}, 'tool not found: Echo'],
    ['of a tool in letters that look the same', 'еcho', {}, 'tool not found: еcho'],
    ['of what every object has', 'constructor', {}, 'tool not found: constructor'],
    ['of a tool that is not allowed', 'hidden', {}, 'tool not allowed: hidden'],
    ['whose arguments were cut off', 'echo', '{"files": ["a", "b', 'not a valid JSON object, or were cut off'],
    ['whose arguments are a list', 'echo', [1], 'not a valid JSON object, or were cut off'],
    ['whose arguments do not fit', 'strict', { city: 1 }, 'city: '],
    ['whose arguments do not fit inside', 'strict', { city: 'P', at: { day: 'x' } }, 'at.day: '],
    ['with an argument too many', 'strict', { city: 'P', force: true }, '"force"'],
  ])('%s is answered with an error and never starts', async (_what, name, args, error) => {
    const loop = toolLoop(
      eventEngine(toolReply(['c1', name, args]), textReply('Done.')),
      [echo, strict, testTool('hidden', () => 'ran')],
      {
        allowedTools: ['echo', 'strict'],
      },
    )
    const { events, turn } = await finishRun(loop)
    expect(answersOf(turn)).toEqual([['c1', expect.stringContaining(error)]])
    const ofTool = events.filter((event) => /^tool-(?!call-requested)/.test(event.type))
    expect(ofTool).toMatchObject([
      { type: 'tool-result-ready', toolName: name, status: 'error' },
      { type: 'tool-call-finished', toolName: name, status: 'error' },
    ])
  })

  test('because no tool may be called is not executed', async () => {
    const loop = toolLoop(eventEngine(toolReply(['c1', 'echo']), textReply('Done.')), [echo], { toolChoice: 'none' })
    expect(answersOf((await finishRun(loop)).turn)).toEqual([['c1', 'tool not allowed: echo']])
  })
})

describe('a tool', () => {
  test('gets what its schema made of the arguments, even when that takes time', async () => {
    const input = z.object({ n: z.number().default(7) }).refine(async () => true)
    const { turn } = await finishRun(
      toolLoop(eventEngine(toolReply(['c1', 'n', '']), textReply('Done.')), [
        testTool('n', (given) => given as Json, { input }),
      ]),
    )
    expect(answersOf(turn)).toEqual([['c1', { n: 7 }]])
  })

  test('is told who calls, and cannot reach further than its own call', async () => {
    const contexts: ToolContext[] = []
    const spy = testTool('spy', (_input, context) => {
      contexts.push(context)
      return null
    })
    const { turn, clock } = await finishRun(toolLoop(eventEngine(toolReply(['c1', 'spy']), textReply('Done.')), [spy]))
    expect(contexts[0]?.ids).toEqual({ ...testIds, toolCallId: 'c1' })
    expect(contexts[0]?.clock).toBe(clock)
    expect(answersOf(turn)).toEqual([['c1', null]])
  })

  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  test.each<readonly [string, () => unknown, unknown]>([
    [
      'throws',
      () => {
        throw new Error('no such city')
      },
      'no such city',
    ],
    [
      'throws no error',
      () => {
        throw 'text'
      },
      'text',
    ],
    [
      'throws a cycle',
      () => {
        throw cycle
      },
      'a thrown object that has no text',
    ],
    ['rejects', () => Promise.reject(new TypeError('bad')), 'bad'],
    ['gives nothing', () => undefined, null],
    ['gives a cycle', () => cycle, 'the result is not JSON at $.self'],
    ['gives a BigInt', () => ({ big: 1n }), 'the result is not JSON at $.big'],
    ['gives NaN', () => Promise.resolve(Number.NaN), 'the result is not JSON at $'],
    ['gives half a character', () => '\ud800', '\ufffd'],
    [
      'gives 50 MB',
      () => 'x'.repeat(50_000_000),
      `${'x'.repeat(200_000)}\n[cut: the first 200000 of 50000000 characters]`,
    ],
  ])('that %s is answered all the same', async (_what, execute, answer) => {
    const loop = toolLoop(eventEngine(toolReply(['c1', 'odd']), textReply('Done.')), [
      testTool('odd', execute as Tool['execute']),
    ]) // on purpose not what the type asks
    const { turn, status } = await finishRun(loop)
    expect(status).toBe('finished')
    expect(answersOf(turn)).toEqual([['c1', answer]])
  })

  test('cannot change its result once it has given it', async () => {
    const shared = { items: ['first'] }
    const { turn } = await finishRun(
      toolLoop(eventEngine(toolReply(['c1', 'list']), textReply('Done.')), [testTool('list', () => shared)]),
    )
    shared.items.push('second')
    expect(answersOf(turn)).toEqual([['c1', { items: ['first'] }]])
  })

  test('shows its progress while it works, and nothing once it has ended', async () => {
    const work = Promise.withResolvers<Json>()
    let report: ToolContext['report'] = () => {}
    const slow = testTool('slow', (_input, context) => {
      report = context.report
      report({ percent: 10 })
      return work.promise
    })
    const { inference } = startRun(toolLoop(eventEngine(toolReply(['c1', 'slow']), textReply('Done.')), [slow]))
    const events: InferenceEvent[] = []
    const reading = (async () => {
      for await (const event of inference) events.push(event)
    })()
    await settle()
    expect(events.at(-1)).toMatchObject({
      type: 'tool-progress',
      toolCallId: 'c1',
      toolName: 'slow',
      progress: { percent: 10 },
    })
    report(null)
    await settle()
    expect(events.at(-1)).toMatchObject({ type: 'tool-progress', progress: null })
    work.resolve('done')
    await reading
    report({ percent: 100 })
    await settle()
    expect(typesOf(events).filter((type) => type === 'tool-progress')).toHaveLength(2)
  })

  test.each(['ended', 'had its time'])('that has %s is not heard while another works', async (how) => {
    const reports: ToolContext['report'][] = []
    const talks = testTool(
      'talks',
      (_input, { report }) => {
        reports.push(report)
        return how === 'ended' ? 'done' : forEver()
      },
      { timeoutMs: 10 },
    )
    const works = testTool('works', () => forEver())
    const { inference, clock } = startRun(
      toolLoop(eventEngine(toolReply(['c1', 'talks'], ['c2', 'works']), textReply('Done.')), [talks, works]),
    )
    await clock.advance(20)
    reports[0]?.('too late')
    await clock.advance(30_000)
    await inference.result
    expect(typesOf(await collect(inference))).not.toContain('tool-progress')
  })

  test('that reports what is not JSON has failed', async () => {
    const odd = testTool('odd', (_input, { report }) => (report(Number.NaN), 1))
    const { turn } = await finishRun(toolLoop(eventEngine(toolReply(['c1', 'odd']), textReply('Done.')), [odd]))
    expect(answersOf(turn)).toEqual([['c1', 'the progress is not JSON at $']])
  })

  test('shows events its input masked, and gets it whole', async () => {
    const masked = testTool('masked', (input) => input as Json, { mask: () => ({ password: '***' }) })
    const { events, turn } = await finishRun(
      toolLoop(eventEngine(toolReply(['c1', 'masked', { password: 'x' }]), textReply('Done.')), [masked]),
    )
    expect(events.find((event) => event.type === 'tool-execution-started')).toMatchObject({
      input: { password: '***' },
    })
    expect(answersOf(turn)).toEqual([['c1', { password: 'x' }]])
  })

  test('whose mask fails is not run, for its input cannot be shown', async () => {
    const masked = testTool('masked', () => 'ran', {
      mask: () => {
        throw new Error('no mask')
      },
    })
    const { events, turn } = await finishRun(
      toolLoop(eventEngine(toolReply(['c1', 'masked']), textReply('Done.')), [masked]),
    )
    expect(typesOf(events)).not.toContain('tool-execution-started')
    expect(answersOf(turn)).toEqual([['c1', 'no mask']])
  })
})

describe('time', () => {
  test.each([
    ['the loop’s', {}, 30_000],
    ['its own', { timeoutMs: 50 }, 50],
  ])('of a tool that ignores its signal ends when %s is up', async (_whose, options, timeoutMs) => {
    const signals: AbortSignal[] = []
    const stuck = testTool(
      'stuck',
      (_input, { signal }) => {
        signals.push(signal)
        return forEver()
      },
      options,
    )
    const { inference, clock } = startRun(
      toolLoop(eventEngine(toolReply(['c1', 'stuck']), textReply('Done.')), [stuck]),
    )
    await clock.advance(timeoutMs - 1)
    expect(inference.status).toBe('running')
    expect(signals[0]?.aborted).toBe(false)
    await clock.advance(1)
    expect(signals[0]?.aborted).toBe(true)
    expect(answersOf(await inference.result)).toEqual([['c1', `the tool did not finish within ${timeoutMs} ms`]])
    expect(clock.pending).toBe(0)
  })

  test('of a validation counts too', async () => {
    const input = z.object({}).refine(() => forEver())
    const { inference, clock } = startRun(
      toolLoop(eventEngine(toolReply(['c1', 'echo']), textReply('Done.')), [testTool('echo', () => 1, { input })]),
    )
    await clock.advance(30_000)
    expect(answersOf(await inference.result)).toEqual([['c1', 'the tool did not finish within 30000 ms']])
  })

  test('is not kept by a tool that ends in time', async () => {
    const { clock } = await finishRun(toolLoop(eventEngine(toolReply(['c1', 'echo']), textReply('Done.')), [echo]))
    expect(clock.pending).toBe(0)
  })
})

describe('when a tool fails', () => {
  function failing(times: number) {
    let attempts = 0
    const flaky = testTool('flaky', () => {
      attempts += 1
      if (attempts <= times) throw new Error(`failed ${attempts}`)
      return `worked at ${attempts}`
    })
    return { flaky, attempts: () => attempts }
  }

  test('`continue` shows the model the error', async () => {
    const { flaky, attempts } = failing(9)
    const engine = eventEngine(toolReply(['c1', 'flaky']), textReply('Sorry.'))
    const { turn, status } = await finishRun(toolLoop(engine, [flaky]))
    expect([status, attempts()]).toEqual(['finished', 1])
    expect(answersOf(turn)).toEqual([['c1', 'failed 1']])
  })

  test('`continue` runs the calls behind it too', async () => {
    const engine = eventEngine(toolReply(['c1', 'flaky'], ['c2', 'flaky']), textReply('Done.'))
    const { turn } = await finishRun(toolLoop(engine, [failing(1).flaky], { maxParallel: 1 }))
    expect(answersOf(turn)).toEqual([
      ['c1', 'failed 1'],
      ['c2', 'worked at 2'],
    ])
  })

  test('`retry` runs it again after a wait that doubles', async () => {
    const { flaky, attempts } = failing(2)
    const { inference, clock } = startRun(
      toolLoop(eventEngine(toolReply(['c1', 'flaky']), textReply('Done.')), [flaky], { onError: 'retry' }),
    )
    await clock.advance(0)
    expect(attempts()).toBe(1)
    await clock.advance(999)
    expect(attempts()).toBe(1)
    await clock.advance(1)
    expect(attempts()).toBe(2)
    await clock.advance(1999)
    expect(attempts()).toBe(2)
    await clock.advance(1)
    expect(answersOf(await inference.result)).toEqual([['c1', 'worked at 3']])
  })

  test('`retry` gives up after its retries and shows the last error', async () => {
    const { flaky, attempts } = failing(9)
    const retry = { maxRetries: 3, backoffMs: 10, backoffFactor: 3 }
    const { inference, clock } = startRun(
      toolLoop(eventEngine(toolReply(['c1', 'flaky']), textReply('Sorry.')), [flaky], { onError: 'retry', retry }),
    )
    await clock.advance(10 + 30 + 90)
    expect(answersOf(await inference.result)).toEqual([['c1', 'failed 4']])
    expect(attempts()).toBe(4)
  })

  test.each([
    [undefined, 1],
    ['read', 3],
    ['idempotent', 3],
  ] as const)('`retry` runs a tool of effect %s, whose time was up, %i times', async (effect, runs) => {
    let starts = 0
    const hanging = testTool(
      'hanging',
      () => {
        starts += 1
        return forEver()
      },
      effect === undefined ? {} : { effect },
    )
    const { inference, clock } = startRun(
      toolLoop(eventEngine(toolReply(['c1', 'hanging']), textReply('Sorry.')), [hanging], { onError: 'retry' }),
    )
    await clock.advance(200_000)
    expect(answersOf(await inference.result)).toEqual([['c1', 'the tool did not finish within 30000 ms']])
    expect(starts).toBe(runs)
  })

  test('`retry` ends its wait when the run is cancelled', async () => {
    const { flaky, attempts } = failing(9)
    const { inference, clock } = startRun(
      toolLoop(eventEngine(toolReply(['c1', 'flaky'])), [flaky], { onError: 'retry' }),
    )
    await settle()
    inference.cancel()
    await expect(inference.result).rejects.toMatchObject({ code: 'INFERENCE_CANCELLED' })
    expect(answersOf(inference.turn)).toEqual([['c1', 'failed 1']])
    await clock.advance(100_000)
    expect([attempts(), clock.pending]).toEqual([1, 0])
  })

  test.each(['nobody', 'strict'])('`retry` does not repeat a call of %s, which cannot be executed', async (name) => {
    const strict = testTool('strict', () => 1, { input: z.object({ a: z.string() }) })
    const { turn, clock } = await finishRun(
      toolLoop(eventEngine(toolReply(['c1', name]), textReply('Done.')), [strict], { onError: 'retry' }),
    )
    expect(answersOf(turn)).toHaveLength(1)
    expect(clock.pending).toBe(0)
  })

  test('`abort` ends the run with its error, after every call has an answer', async () => {
    const { flaky } = failing(1)
    const engine = eventEngine(toolReply(['c1', 'echo', { n: 1 }], ['c2', 'flaky'], ['c3', 'echo', { n: 3 }]))
    const { events, turn, inference } = await finishRun(
      toolLoop(engine, [echo, flaky], { onError: 'abort', maxParallel: 1 }),
    )
    await expect(inference.result).rejects.toMatchObject({
      code: 'TOOL_FAILED',
      message: expect.stringMatching(/flaky.*c2.*failed 1/),
    })
    expect(answersOf(turn)).toEqual([
      ['c1', { n: 1 }],
      ['c2', 'failed 1'],
      ['c3', 'the tool was not run: flaky failed before it'],
    ])
    expect(events.at(-1)).toMatchObject({ type: 'inference-failed', error: { code: 'TOOL_FAILED' } })
    expect(events.filter((event) => event.type === 'tool-execution-started')).toHaveLength(2)
  })

  test('`abort` lets the tools that run come to their end', async () => {
    const work = Promise.withResolvers<Json>()
    const engine = eventEngine(toolReply(['c1', 'slow'], ['c2', 'flaky']))
    const { inference } = startRun(
      toolLoop(engine, [testTool('slow', () => work.promise), failing(1).flaky], { onError: 'abort' }),
    )
    await settle()
    expect(inference.status).toBe('running')
    work.resolve('slow but done')
    await expect(inference.result).rejects.toMatchObject({ code: 'TOOL_FAILED' })
    expect(answersOf(inference.turn)).toEqual([
      ['c1', 'slow but done'],
      ['c2', 'failed 1'],
    ])
  })
})
