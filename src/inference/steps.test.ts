import { describe, expect, test } from 'vitest'
import { eventEngine, testIds, textReply, toolReply } from '../../test/support/event-engine.ts'
import { FakeClock, settle } from '../../test/support/fake-clock.ts'
import { answersOf, echo, expectWhole, startRun, typesOf } from '../../test/support/runs.ts'
import { collect, countingIds } from '../../test/support/values.ts'
import { assistantText, toolCall, toolResult, userText } from '../turns/block.ts'
import { sidecarKey } from '../turns/keys.ts'
import { append, createTurn, type Turn } from '../turns/turn.ts'
import { applyStepEdit, StepController, stepPhases, type StepEdit, type StepPause } from './steps.ts'
import { toolLoop } from './tool-loop.ts'

const step = { sessionId: 'session-1', phase: 'after_tools', summary: 'Look' } as const
const never = new AbortController().signal

function controller() {
  const clock = new FakeClock()
  const steps = new StepController({ clock, newId: countingIds('pause') })
  return { clock, steps }
}

function enabled() {
  const { clock, steps } = controller()
  steps.enable({ sessionId: 'session-1' })
  const pause = steps.pause(step) as StepPause // the session is enabled
  return { clock, steps, pause }
}

/** Whether `waiting` has ended, and how. */
async function stateOf(waiting: Promise<unknown>): Promise<unknown> {
  return Promise.race([
    waiting.then(
      () => 'resolved',
      (error: unknown) => error,
    ),
    settle().then(() => 'waiting'),
  ])
}

describe('a pause', () => {
  test('is there only for a session that is enabled', () => {
    const { steps } = controller()
    steps.enable({ sessionId: 'session-2' })
    expect(steps.pause(step)).toBeUndefined()
    expect([steps.isEnabled('session-1'), steps.isEnabled('session-2')]).toEqual([false, true])
  })

  test('carries its scope, its deadline and what is to be looked at', () => {
    const { steps, clock } = controller()
    steps.enable({ sessionId: 'session-1', owner: 'ada', extra: { room: 1, pending_tools: 0 } })
    const pause = steps.pause({ ...step, extra: { pending_tools: 2 } })
    expect(pause).toEqual({
      pauseId: 'pause-1',
      scope: { sessionId: 'session-1', owner: 'ada', extra: { room: 1, pending_tools: 0 } },
      phase: 'after_tools',
      summary: 'Look',
      deadlineMs: clock.now() + 30_000,
      extra: { room: 1, pending_tools: 2 },
    })
    expect(steps.lookup('pause-1')).toBe(pause)
  })

  test('lasts as long as whoever enabled it wants', async () => {
    const { steps, clock } = controller()
    steps.enable({ sessionId: 'session-1', timeoutMs: 60_000 })
    const { deadlineMs, pauseId } = steps.pause(step) as StepPause // the session is enabled
    expect(deadlineMs).toBe(clock.now() + 60_000)
    await clock.advance(59_999)
    expect(steps.lookup(pauseId)).toBeDefined()
    await clock.advance(1)
    expect(steps.lookup(pauseId)).toBeUndefined()
  })

  test('ends when someone continues it', async () => {
    const { steps, pause, clock } = enabled()
    const waiting = steps.wait(pause.pauseId, never)
    expect(await stateOf(waiting)).toBe('waiting')
    expect(steps.continue(pause.pauseId)).toBe(pause)
    expect(await stateOf(waiting)).toBe('resolved')
    expect([steps.lookup(pause.pauseId), steps.continue(pause.pauseId), clock.pending]).toEqual([
      undefined,
      undefined,
      0,
    ])
  })

  test('ends by itself when its time is up', async () => {
    const { steps, pause, clock } = enabled()
    const waiting = steps.wait(pause.pauseId, never)
    await clock.advance(29_999)
    expect(await stateOf(waiting)).toBe('waiting')
    await clock.advance(1)
    expect(await stateOf(waiting)).toBe('resolved')
    expect(steps.lookup(pause.pauseId)).toBeUndefined()
  })

  test('ends with the cancel of its run', async () => {
    const { steps, pause, clock } = enabled()
    const abort = new AbortController()
    const waiting = steps.wait(pause.pauseId, abort.signal)
    const reason = new Error('enough')
    abort.abort(reason)
    expect(await stateOf(waiting)).toBe(reason)
    expect([steps.lookup(pause.pauseId), clock.pending]).toEqual([undefined, 0])
  })

  test('ends when its session is disabled, and no other does', async () => {
    const { steps, pause } = enabled()
    steps.enable({ sessionId: 'session-2' })
    const other = steps.pause({ ...step, sessionId: 'session-2' }) as StepPause // the session is enabled
    const waiting = [pause, other].map(({ pauseId }) => steps.wait(pauseId, never))
    steps.disable('session-1')
    expect(await Promise.all(waiting.map(stateOf))).toEqual(['resolved', 'waiting'])
    expect(steps.isEnabled('session-1')).toBe(false)
  })

  test('that has ended, or never was, is not waited for; a cancel is noticed all the same', async () => {
    const { steps, pause } = enabled()
    steps.continue(pause.pauseId)
    const aborted = AbortSignal.abort(new Error('enough'))
    expect(await stateOf(steps.wait(pause.pauseId, never))).toBe('resolved')
    expect(await stateOf(steps.wait('nobody', aborted))).toBe(aborted.reason)
  })

  test('of a run that was cancelled before it waits ends at once', async () => {
    const { steps, pause } = enabled()
    const aborted = AbortSignal.abort(new Error('enough'))
    expect(await stateOf(steps.wait(pause.pauseId, aborted))).toBe(aborted.reason)
    expect(steps.lookup(pause.pauseId)).toBeUndefined()
  })
})

describe('a tool loop with steps', () => {
  function stepped() {
    const { steps, clock } = controller()
    const engine = eventEngine(toolReply(['c1', 'echo'], ['c2', 'echo']), textReply('Done.'))
    const { inference } = startRun(toolLoop(engine, [echo], { steps }), { clock })
    return { steps, clock, inference }
  }

  test('pauses after the model and after the tools, and goes on when it is told to', async () => {
    const { steps, clock, inference } = stepped()
    steps.enable({ sessionId: testIds.sessionId, extra: { room: 1 } })
    const reading = collect(inference)
    await settle()
    expect(answersOf(inference.turn)).toEqual([])
    expect(steps.continue('pause-1')?.phase).toBe('after_inference')
    await settle()
    expect(answersOf(inference.turn)).toHaveLength(2)
    expect(steps.continue('pause-2')?.phase).toBe('after_tools')
    const pauses = (await reading).filter((event) => event.type === 'debugger.pause')
    const deadlineMs = clock.now() + 30_000
    expect(pauses).toMatchObject([
      {
        ...testIds,
        pauseId: 'pause-1',
        phase: 'after_inference',
        summary: 'Review next action',
        deadlineMs,
        extra: { room: 1, pending_tools: 2 },
      },
      {
        ...testIds,
        pauseId: 'pause-2',
        phase: 'after_tools',
        summary: 'Review tool results',
        deadlineMs,
        extra: { room: 1 },
      },
    ])
    expect(inference.status).toBe('finished')
  })

  test('goes on by itself when nobody comes', async () => {
    const { steps, clock, inference } = stepped()
    steps.enable({ sessionId: testIds.sessionId })
    await clock.advance(60_000)
    expect(inference.status).toBe('finished')
  })

  test('does not pause a session that nobody looks at', async () => {
    const { inference } = stepped()
    expect(typesOf(await collect(inference))).not.toContain('debugger.pause')
  })

  test.each(['while it waits', 'at the event'])('leaves no pause behind when the run is cancelled %s', async (when) => {
    const { steps, clock } = controller()
    steps.enable({ sessionId: testIds.sessionId })
    const engine = eventEngine(toolReply(['c1', 'echo']))
    const { inference } = startRun(toolLoop(engine, [echo], { steps }), {
      clock,
      sinks: [(event) => void (when === 'at the event' && event.type === 'debugger.pause' && inference.cancel())],
    })
    await settle()
    inference.cancel()
    await expect(inference.result).rejects.toMatchObject({ code: 'INFERENCE_CANCELLED' })
    await settle()
    expect([steps.lookup('pause-1'), clock.pending]).toEqual([undefined, 0])
  })

  test('waits wherever somebody wants to look, and runs what they leave', async () => {
    const { steps, inference } = stepped()
    steps.enable({ sessionId: testIds.sessionId, phases: [...stepPhases] })
    const reading = collect(inference)
    const next = async (edit?: StepEdit) => {
      await settle()
      const [pause] = steps.pausesOf(testIds.sessionId)
      steps.continue(pause?.pauseId ?? '', edit)
      return pause?.phase
    }
    const remove = (id: string) => (turn: Turn) => ({
      ...turn,
      blocks: turn.blocks.filter(({ kind, payload }) => !(kind === 'tool_call' && payload.id === id)),
    })
    const note = (turn: Turn) => append(turn, userText('Look twice.'))
    expect(await next({ turn: note })).toBe('before_inference')
    expect(await next({ turn: remove('c1') })).toBe('after_inference')
    expect(await next({ arguments: { c2: { n: 'other' } } })).toBe('before_tool')
    expect(await next()).toBe('after_tools')
    expect(await next()).toBe('before_inference')
    expect(await next({ turn: (turn) => append(turn, assistantText('And more.')) })).toBe('after_answer')
    const events = await reading
    expectWhole(inference, events)
    expect(answersOf(inference.turn)).toEqual([['c2', { n: 'other' }]])
    expect(inference.turn.blocks.map(({ kind }) => kind)).toEqual([
      'user',
      'user',
      'tool_call',
      'tool_use',
      'llm_text',
      'llm_text',
    ])
    const by = events.flatMap((event) => (event.type === 'turn-edited' && event.by === 'debugger' ? [event.by] : []))
    expect(by).toHaveLength(4)
  })

  test('a call with other arguments goes without the seal of its provider', () => {
    const sealed = sidecarKey.set(toolCall('c1', 'echo', { n: 1 }), { provider: 'p', item: {} })
    const turn = createTurn([sealed, toolCall('c2', 'echo', {})])
    const edited = applyStepEdit(turn, { arguments: { c1: { n: 2 } } })
    expect([sidecarKey.get(edited.blocks[0]!), edited.blocks[1]]).toEqual([undefined, turn.blocks[1]])
    expect(applyStepEdit(turn, {})).toBe(turn)
  })

  test('a call that has run keeps what it ran with', () => {
    const turn = createTurn([toolCall('c1', 'echo', { n: 1 }), toolResult('c1', 1), toolCall('c2', 'echo', {})])
    const edited = applyStepEdit(turn, { arguments: { c1: { n: 2 }, c2: { n: 2 } } })
    expect(edited.blocks[0]).toBe(turn.blocks[0])
    expect(edited.blocks[2]).toMatchObject({ payload: { id: 'c2', args: { n: 2 } } })
  })
})
