import { expect, test } from 'vitest'
import { eventEngine, testIds, textReply, toolReply } from '../../test/support/event-engine.ts'
import { settle } from '../../test/support/fake-clock.ts'
import { answersOf, finishRun, startRun, testTool } from '../../test/support/runs.ts'
import { collect, countingIds } from '../../test/support/values.ts'
import type { InferenceEvent } from '../events/event.ts'
import { blocksOf, type Turn } from '../turns/turn.ts'
import type { Engine } from './engine.ts'
import { StepController, type StepEdit } from './steps.ts'
import { toolLoop } from './tool-loop.ts'

/** Asks for two calls, and speaks when they are answered. */
const model: Engine = (turn, context) =>
  eventEngine(
    blocksOf(turn, 'tool_use').length > 0
      ? textReply('Done.')
      : toolReply(['c1', 'echo', { n: 1 }], ['c2', 'echo', { n: 2 }]),
  )(turn, context)

function echo() {
  const ran: unknown[] = []
  const tool = testTool(
    'echo',
    (input, { ids }) => {
      ran.push([ids.toolCallId, input])
      return input as { n: number }
    },
    { effect: 'read' },
  )
  return { tool, ran }
}

const withoutCall = (id: string) => (turn: Turn) => ({
  ...turn,
  blocks: turn.blocks.filter(({ kind, payload }) => !(kind === 'tool_call' && payload.id === id)),
})

/** A run in which a person takes one call away and changes another. */
async function editedRun(): Promise<readonly InferenceEvent[]> {
  const { tool } = echo()
  const steps = new StepController({ newId: countingIds('pause') })
  steps.enable({ sessionId: testIds.sessionId, phases: ['after_inference', 'before_tool'] })
  const { inference } = startRun(toolLoop(model, [tool], { steps }))
  const reading = collect(inference)
  const edits: readonly StepEdit[] = [{ turn: withoutCall('c1') }, { arguments: { c2: { n: 'other' } } }]
  for (const edit of edits) {
    await settle()
    const [pause] = steps.pausesOf(testIds.sessionId)
    steps.continue(pause?.pauseId ?? '', edit)
  }
  const events = await reading
  expect(answersOf(inference.turn)).toEqual([['c2', { n: 'other' }]])
  return events
}

test('a process that goes on from any event of a run does what a person had made of its calls', async () => {
  const events = JSON.parse(JSON.stringify(await editedRun())) as readonly InferenceEvent[] // what a log gives back
  const edits = events.flatMap((event, at) => (event.type === 'turn-edited' && event.by === 'debugger' ? [at] : []))
  const results = events.flatMap(({ type }, at) => (type === 'tool-result-ready' ? [at] : []))
  expect([edits.length, results.length]).toEqual([2, 1])
  const [removed = 0, changed = 0] = edits
  const [answered = 0] = results
  for (let known = 1; known < events.length; known += 1) {
    const { tool, ran } = echo()
    const past = { events: events.slice(0, known), plan: { do: 'resume' as const, restarts: 1 } }
    const { turn, status } = await finishRun(toolLoop(model, [tool]), { past })
    const isRemoved = known > removed
    const isChanged = known > changed
    const c2 = { n: isChanged ? 'other' : 2 }
    const expected = [...(isRemoved ? [] : [['c1', { n: 1 }]]), ['c2', c2]]
    expect([known, status, answersOf(turn)]).toEqual([known, 'finished', expected])
    expect([known, ran]).toEqual([known, known > answered ? [] : expected])
  }
})
