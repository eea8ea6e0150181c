import { describe, expect, test } from 'vitest'
import { eventEngine, testIds, textReply } from '../../test/support/event-engine.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { looseTelemetry, origin, recordedTelemetry, treeOf } from '../../test/support/recorded-telemetry.ts'
import { finishRun } from '../../test/support/runs.ts'
import { isTerminal } from '../events/event.ts'
import { calculator } from '../inference/builtin-tools.ts'
import { toolLoop } from '../inference/tool-loop.ts'
import { scripted } from '../providers/scripted/engine.ts'
import { Session } from '../session/session.ts'
import { MemoryStore } from '../store/memory-store.ts'
import { userText } from '../turns/block.ts'
import { telemetrySink } from './sink.ts'

describe('a sink', () => {
  test('serves many sessions at once, each a trace of its own', async () => {
    const telemetry = recordedTelemetry()
    const clock = new FakeClock(origin)
    const runs = Array.from({ length: 50 }, (_none, index) => {
      const session = new Session({
        id: `session-${index}`,
        engine: toolLoop(scripted({ pace: 0 }), [calculator]),
        sinks: [telemetry.sink],
        clock,
      })
      session.prompt(`What is ${index} * 23?`)
      return session.startInference().result
    })
    await Promise.all(runs)
    const traces = Map.groupBy(telemetry.ended, (span) => span.spanContext().traceId)
    expect(traces.size).toBe(50)
    for (const spans of traces.values()) {
      expect(new Set(spans.map(({ attributes }) => attributes['session.id'])).size).toBe(1)
      expect(treeOf(spans)).toHaveLength(4)
    }
  })

  test('of a stored session, and one that reads its log, tell the same', async () => {
    const clock = new FakeClock(origin)
    const [live, read] = [recordedTelemetry(), recordedTelemetry()]
    const store = new MemoryStore({ clock })
    const engine = toolLoop(scripted({ pace: 0 }), [calculator])
    const session = await Session.open(store, 's', { engine, clock, sinks: [live.sink] })
    const answer = await session.submit('What is 17 * 23?')
    for (let step = 0; step < 20; step += 1) await clock.advance(100)
    await answer.result
    for await (const event of session.events()) {
      if (event.type === 'unknown') continue
      read.sink(event)
      if (isTerminal(event)) break
    }
    expect(treeOf(live.ended)).toHaveLength(4)
    expect(treeOf(read.ended)).toEqual(treeOf(live.ended))
    await session.close()
  })

  test('opens nothing for a prompt that waits, and says when it was never run', () => {
    const telemetry = recordedTelemetry()
    const scope = { ...testIds, ordinal: 1, at: new Date(origin).toISOString() }
    telemetry.sink({ type: 'prompt-accepted', ...scope, block: userText('Hi') })
    telemetry.sink({ type: 'cancel-requested', ...scope, reason: 'enough' })
    expect(telemetry.started).toEqual([])
    const result = { finish_class: 'interrupted' as const, stop_reason: 'cancelled' }
    telemetry.sink({ type: 'inference-stopped', ...scope, reason: 'enough', result })
    expect(treeOf(telemetry.ended)).toEqual(['invoke_agent INTERNAL 0-0'])
  })

  test('keeps nothing of an inference that has ended, nor does it take up what comes after the end', () => {
    const telemetry = recordedTelemetry()
    const scope = { sessionId: 's', turnId: 't', ordinal: 1, at: new Date(origin).toISOString() }
    telemetry.sink({ type: 'inference-started', ...scope, inferenceId: 'long' })
    // Of more than 10,000 that it kept, the oldest would be given up.
    for (let index = 0; index <= 10_000; index += 1) {
      const inferenceId = `inference-${index}`
      telemetry.sink({ type: 'inference-started', ...scope, inferenceId })
      telemetry.sink({ type: 'inference-finished', ...scope, inferenceId, result: { finish_class: 'completed' } })
      telemetry.sink({ type: 'info', ...scope, inferenceId, message: 'late' })
    }
    expect(telemetry.started).toHaveLength(10_002)
    telemetry.sink({ type: 'inference-finished', ...scope, inferenceId: 'long', result: { finish_class: 'completed' } })
    expect(telemetry.ended.at(-1)?.attributes).not.toHaveProperty('error.type')
  })

  test('ends the span of a tool that is started once more under the same id', () => {
    const telemetry = recordedTelemetry()
    const scope = { ...testIds, ordinal: 1, at: new Date(origin).toISOString() }
    const start = { type: 'tool-execution-started', ...scope, toolCallId: 'c1', toolName: 'echo', input: {} } as const
    telemetry.sink(start)
    telemetry.sink(start)
    telemetry.sink({ type: 'inference-finished', ...scope, result: { finish_class: 'completed' } })
    expect(treeOf(telemetry.ended)).toEqual([
      'invoke_agent INTERNAL 0-0',
      '  execute_tool echo INTERNAL 0-0 INFERENCE_INTERRUPTED',
      '  execute_tool echo INTERNAL 0-0',
    ])
  })

  test('gives up the oldest of inferences without an end, so that they cannot fill the memory', () => {
    const telemetry = looseTelemetry()
    const scope = { sessionId: 's', turnId: 't', ordinal: 1, at: new Date(origin).toISOString() }
    for (let index = 0; index <= 10_000; index += 1) {
      telemetry.sink({ type: 'inference-started', ...scope, inferenceId: `inference-${index}` })
    }
    expect(
      telemetry.ended.map(({ attributes }) => [attributes['geppetto.inference_id'], attributes['error.type']]),
    ).toEqual([['inference-0', 'INFERENCE_INTERRUPTED']])
  })

  test('whose tracer throws harms no run', async () => {
    const { tracer } = looseTelemetry()
    const broken = Object.assign(Object.create(tracer) as typeof tracer, {
      startSpan() {
        throw new Error('out of memory')
      },
    })
    const { status, events } = await finishRun(eventEngine(textReply('Hi')), {
      sinks: [telemetrySink({ tracer: broken })],
    })
    expect(status).toBe('finished')
    expect(events.filter(({ type }) => type === 'log')).toHaveLength(1)
  })
})
