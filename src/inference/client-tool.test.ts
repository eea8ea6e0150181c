import { describe, expect, test } from 'vitest'
import { eventEngine, textReply, toolReply } from '../../test/support/event-engine.ts'
import { answersOf, startRun, testTool } from '../../test/support/runs.ts'
import { settle } from '../../test/support/fake-clock.ts'
import type { EventOf, InferenceEvent } from '../events/event.ts'
import { jsonSchemaInput, type ClientTool } from './tool.ts'
import { toolLoop } from './tool-loop.ts'

const showMap: ClientTool = {
  name: 'show_map',
  description: 'Shows a map.',
  input: jsonSchemaInput({ type: 'object' }),
  runsOn: 'client',
}

describe('a tool of the client', () => {
  const started = (...ids: readonly string[]) => {
    const calls = ids.map((id) => [id, id.startsWith('own') ? 'own' : 'show_map'] as const)
    const own = testTool('own', () => 'done here')
    const engine = eventEngine(toolReply(...calls), textReply('Done.'))
    const events: InferenceEvent[] = []
    const { inference } = startRun(toolLoop(engine, [showMap, own], { maxParallel: 1 }), {
      sinks: [(event) => void events.push(event)],
    })
    const requests = () =>
      events.flatMap((event): EventOf<'approval-requested'>[] => (event.type === 'approval-requested' ? [event] : []))
    return { inference, events, requests }
  }

  test('is asked for, however many calls there are, and what the client gives is the result', async () => {
    const { inference, events, requests } = started('c1', 'c2', 'own', 'c3')
    await settle()
    expect(requests().map(({ toolCallId, reason }) => [toolCallId, reason])).toEqual([
      ['c1', 'client-tool'],
      ['c2', 'client-tool'],
      ['c3', 'client-tool'],
    ])
    const [first, second, third] = requests()
    inference.decide(second?.approvalId ?? '', { decision: 'denied', message: 'no screen' })
    inference.decide(third?.approvalId ?? '', { decision: 'approved' })
    inference.decide(first?.approvalId ?? '', { decision: 'approved', result: { shown: true } })
    await inference.result
    expect(answersOf(inference.turn)).toEqual([
      ['c1', { shown: true }],
      ['c2', 'the tool was not run: no screen'],
      ['own', 'done here'],
      ['c3', null],
    ])
    const ran = events.flatMap((event) => (event.type === 'tool-execution-started' ? [event.toolCallId] : []))
    expect(ran).toEqual(['own'])
  })
})
