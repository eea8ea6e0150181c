import { ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api'
import { describe, expect, test } from 'vitest'
import { chunk, ends, spent, stream } from '../../test/support/chat-replies.ts'
import { eventEngine, forEver, testIds, textReply, toolReply, untilAborted } from '../../test/support/event-engine.ts'
import { FakeClock, settle } from '../../test/support/fake-clock.ts'
import {
  looseTelemetry,
  origin,
  pointsOf,
  recordedTelemetry,
  treeOf,
  watchedRun,
} from '../../test/support/recorded-telemetry.ts'
import { replying } from '../../test/support/replies.ts'
import { echo, finishRun, promptTurn, startRun, testTool } from '../../test/support/runs.ts'
import { collect } from '../../test/support/values.ts'
import { isTerminal, type InferenceEvent } from '../events/event.ts'
import { calculator } from '../inference/builtin-tools.ts'
import type { Engine } from '../inference/engine.ts'
import { run } from '../inference/run.ts'
import { toolLoop } from '../inference/tool-loop.ts'
import { unknownOutcome } from '../inference/tool-result.ts'
import { openai } from '../providers/openai/protocol.ts'
import { scripted } from '../providers/scripted/engine.ts'
import { userText } from '../turns/block.ts'
import { createTurn } from '../turns/turn.ts'
import { telemetrySink } from './sink.ts'

const busy = [
  '{"error":{"message":"busy","type":"server_error"}}',
  { status: 503, contentType: 'application/json' },
] as const

describe('spans', () => {
  test('make a tree of the inference, its model calls and its tools, in the time of the events', async () => {
    const slow = testTool('slow', async (_input, { clock }) => {
      await new Promise<void>((done) => clock.schedule(300, done))
      return 'done'
    })
    const { tree, status } = await watchedRun((wait) => {
      const model = eventEngine(
        [wait(100), ...toolReply(['c1', 'slow'], ['c2', 'echo'])],
        [...textReply('Hi').slice(0, 3), wait(50), ...textReply('Hi').slice(3)],
      )
      const engine = toolLoop(model, [slow, echo])
      return async function* (turn, context) {
        for await (const event of engine(turn, context)) {
          yield event
          if (event.type === 'tool-execution-started' && event.toolName === 'echo') await wait(300)()
        }
      }
    })
    expect(status).toBe('finished')
    expect(tree).toEqual([
      'invoke_agent INTERNAL 0-450',
      '  chat test-1 CLIENT 100-100',
      '  execute_tool slow INTERNAL 100-400',
      '  execute_tool echo INTERNAL 100-400',
      '  chat test-1 CLIENT 400-450',
    ])
  })

  test('of the scripted engine say what was asked, what came back and what it cost', async () => {
    const telemetry = recordedTelemetry()
    const { events } = await finishRun(toolLoop(scripted({ pace: 0 }), [calculator]), {
      turn: createTurn([userText('What is 17 * 23?')]),
      sinks: [telemetry.sink],
    })
    expect(treeOf(telemetry.ended).map((line) => line.replace(/ \d.*/, ''))).toEqual([
      'invoke_agent INTERNAL',
      '  chat scripted-1 CLIENT',
      '  execute_tool calculator INTERNAL',
      '  chat scripted-1 CLIENT',
    ])
    const result = events.flatMap((event) => (event.type === 'provider-call-finished' ? [event] : []))
    const usage = result[0]?.result.usage
    expect(telemetry.span('chat scripted-1')?.attributes).toEqual({
      'session.id': 'session-1',
      'gen_ai.conversation.id': 'session-1',
      'geppetto.inference_id': 'inference-1',
      'geppetto.turn_id': 'turn-1',
      'geppetto.provider_call_id': result[0]?.providerCallId,
      'geppetto.attempt': 1,
      'geppetto.finish_class': 'tool_calls_pending',
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'scripted',
      'gen_ai.request.model': 'scripted-1',
      'gen_ai.request.stream': true,
      'gen_ai.response.model': 'scripted-1',
      'gen_ai.response.finish_reasons': ['tool_calls'],
      'gen_ai.response.time_to_first_chunk': 0,
      'gen_ai.usage.input_tokens': usage?.input_tokens,
      'gen_ai.usage.output_tokens': usage?.output_tokens,
      'gen_ai.usage.reasoning.output_tokens': usage?.reasoning_tokens,
    })
    expect(telemetry.span('execute_tool calculator')?.attributes).toEqual({
      'session.id': 'session-1',
      'gen_ai.conversation.id': 'session-1',
      'geppetto.inference_id': 'inference-1',
      'geppetto.turn_id': 'turn-1',
      'geppetto.provider_call_id': result[0]?.providerCallId,
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'calculator',
      'gen_ai.tool.type': 'function',
      'gen_ai.tool.call.id': 'call_1',
    })
    const end = events.find(isTerminal)
    expect(telemetry.span('invoke_agent')?.attributes).toMatchObject({
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.usage.input_tokens': end?.result.usage?.input_tokens,
    })
  })

  test('of a reply that is asked for again are one for each attempt, under the same call', async () => {
    const clock = new FakeClock(origin)
    const telemetry = recordedTelemetry()
    const reply = stream([chunk({ content: 'Hi' }), ends(), spent({ prompt_tokens: 9, completion_tokens: 2 })])
    const engine = openai({ model: 'gpt-test', fetch: replying(busy, [reply]).fetch, retry: { baseDelayMs: 500 } })
    const inference = run(engine, promptTurn, { ids: testIds, clock, sinks: [telemetry.sink] })
    await clock.advance(1000)
    await inference.result
    expect(treeOf(telemetry.ended)).toEqual([
      'invoke_agent INTERNAL 0-500',
      '  chat gpt-test CLIENT 0-0 PROVIDER_STREAM_ERROR',
      '  chat gpt-test CLIENT 500-500',
    ])
    const [first, second] = [telemetry.span('chat gpt-test'), telemetry.span('chat gpt-test', 1)]
    expect([first?.attributes['geppetto.attempt'], second?.attributes['geppetto.attempt']]).toEqual([1, 2])
    expect(second?.attributes['geppetto.provider_call_id']).toBe(first?.attributes['geppetto.provider_call_id'])
    expect(second?.attributes).toMatchObject({ 'gen_ai.provider.name': 'openai', 'gen_ai.usage.input_tokens': 9 })
  })

  test('of a provider that fails have the code of the error, and not what it said', async () => {
    const telemetry = recordedTelemetry()
    const fetch = replying([
      '{"error":{"message":"no such key sk-1"}}',
      { status: 401, contentType: 'application/json' },
    ]).fetch
    const { events, status } = await finishRun(openai({ model: 'gpt-test', fetch }), { sinks: [telemetry.sink] })
    const end = events.at(-1)
    const code = end?.type === 'inference-failed' ? end.error.code : ''
    expect([status, code]).toEqual(['failed', expect.stringMatching(/^PROVIDER_/)])
    expect(treeOf(telemetry.ended)).toEqual([`invoke_agent INTERNAL 0-0 ${code}`, `  chat gpt-test CLIENT 0-0 ${code}`])
    expect(telemetry.ended.map((span) => span.status)).toEqual(Array(2).fill({ code: SpanStatusCode.ERROR }))
  })

  test('of a cancelled run end with it: a cancel is no error, a tool that nobody saw end is', async () => {
    const clock = new FakeClock(origin)
    const telemetry = recordedTelemetry()
    const engine = toolLoop(eventEngine(toolReply(['c1', 'hangs'])), [testTool('hangs', forEver)])
    const { inference } = startRun(engine, { clock, sinks: [telemetry.sink] })
    await clock.advance(200)
    inference.cancel('enough')
    await clock.advance(60_000)
    await collect(inference)
    expect(treeOf(telemetry.ended).map((line) => line.replace(/ \d+-\d+/, ''))).toEqual([
      'invoke_agent INTERNAL',
      '  chat test-1 CLIENT',
      '  execute_tool hangs INTERNAL TOOL_OUTCOME_UNKNOWN',
    ])
    expect(telemetry.span('invoke_agent')?.attributes).toMatchObject({
      'geppetto.finish_class': 'interrupted',
      'gen_ai.response.finish_reasons': ['cancelled'],
    })
  })

  test('of a reply that is cancelled in the middle end there, with what it cost so far', async () => {
    const telemetry = recordedTelemetry()
    const usage = { input_tokens: 7, output_tokens: 1 }
    const engine = eventEngine([
      { type: 'provider-call-started', provider: 'test', model: 'test-1' },
      { type: 'provider-call-metadata-updated', usage },
      { type: 'text-delta', segmentId: '0', offset: 0, delta: 'H' },
      (context) => untilAborted(context),
    ])
    const { inference } = startRun(engine, { sinks: [telemetry.sink] })
    await settle()
    inference.cancel()
    await collect(inference)
    expect(telemetry.span('chat test-1')?.attributes).toMatchObject({
      'geppetto.finish_class': 'interrupted',
      'gen_ai.usage.input_tokens': 7,
    })
    const metrics = await telemetry.metrics()
    expect(pointsOf(metrics.get('gen_ai.client.inference.usage.input_tokens'))).toEqual([[expect.anything(), 7]])
    // Half a call says nothing of what a call costs.
    expect(pointsOf(metrics.get('gen_ai.client.inference.operation.input_tokens'))).toEqual([])
  })

  test('of a tool that fails say so, and the inference goes on', async () => {
    const broken = testTool('broken', () => {
      throw new Error('the password is 1234')
    })
    const { tree, ended } = await watchedRun(() =>
      toolLoop(eventEngine(toolReply(['c1', 'broken']), textReply('Sorry')), [broken]),
    )
    expect(tree[2]).toBe('  execute_tool broken INTERNAL 0-0 TOOL_FAILED')
    expect(tree[0]).toBe('invoke_agent INTERNAL 0-0')
    expect(JSON.stringify(ended.map(({ status, attributes }) => [status, attributes]))).not.toContain('1234')
  })

  test('are a trace of their own, or lie under a context that the program gives', async () => {
    const own = await watchedRun(() => eventEngine(textReply('Hi')))
    expect(own.ended.find(({ name }) => name === 'invoke_agent')?.parentSpanContext).toBeUndefined()
    const telemetry = looseTelemetry()
    const request = telemetry.tracer.startSpan('POST /chat')
    const parents: string[] = []
    const sink = telemetrySink({
      tracer: telemetry.tracer,
      parent: ({ inferenceId }) => {
        parents.push(inferenceId)
        return trace.setSpan(ROOT_CONTEXT, request)
      },
    })
    await finishRun(eventEngine(textReply('Hi')), { sinks: [sink] })
    expect(telemetry.span('invoke_agent')?.parentSpanContext?.spanId).toBe(request.spanContext().spanId)
    expect(telemetry.span('chat test-1')?.spanContext().traceId).toBe(request.spanContext().traceId)
    expect(parents).toEqual(['inference-1'])
  })

  test('never end before they begin, whatever the wall clock does', async () => {
    const telemetry = recordedTelemetry()
    const at = (ms: number) => new Date(origin + ms).toISOString()
    const result = { finish_class: 'completed' as const }
    const scope = { ...testIds, ordinal: 1 }
    telemetry.sink({ type: 'inference-started', ...scope, at: at(1000) })
    telemetry.sink({ type: 'inference-finished', ...scope, at: at(0), result })
    expect(treeOf(telemetry.ended)).toEqual(['invoke_agent INTERNAL 1000-1000'])
  })
})

describe('a run that a dead process left', () => {
  /** Events of a run whose process dies when `lives` of its events are out, and of the one that goes on. */
  async function survivors(
    engine: () => Engine,
    dies: (event: InferenceEvent) => boolean,
    sinks: readonly ReturnType<typeof looseTelemetry>[],
  ) {
    const { events } = await finishRun(engine())
    const past = events.slice(0, events.findIndex(dies) + 1)
    for (const event of past) sinks[0]?.sink(event)
    const plan = { do: 'resume' as const, restarts: 1 }
    const resumed = await finishRun(engine(), { past: { events: past, plan }, sinks: [(sinks[1] ?? sinks[0])!.sink] })
    expect(resumed.status).toBe('finished')
  }

  test('has in the next process the spans of what is done there', async () => {
    const [dead, next] = [looseTelemetry(), recordedTelemetry()]
    await survivors(
      () => eventEngine(textReply('Hi')),
      ({ type }) => type === 'text-delta',
      [dead, next],
    )
    expect(dead.ended).toEqual([])
    expect(treeOf(next.ended)).toEqual(['invoke_agent INTERNAL 0-0', '  chat test-1 CLIENT 0-0'])
    expect(next.span('invoke_agent')?.attributes['geppetto.restarts']).toBe(1)
    expect(next.span('chat test-1')?.attributes['geppetto.attempt']).toBe(2)
  })

  test('is told whole by a reader of the log, each span ended once', async () => {
    const telemetry = recordedTelemetry()
    await survivors(
      () => eventEngine(textReply('Hi')),
      ({ type }) => type === 'text-delta',
      [telemetry],
    )
    expect(treeOf(telemetry.ended)).toEqual([
      'invoke_agent INTERNAL 0-0',
      '  chat test-1 CLIENT 0-0 INFERENCE_INTERRUPTED',
      '  chat test-1 CLIENT 0-0',
    ])
  })

  test('has the span of a tool that waits for a decision now ended where the next process began', () => {
    const telemetry = recordedTelemetry()
    const at = (ms: number) => ({ ...testIds, ordinal: 1, at: new Date(origin + ms).toISOString() })
    const call = { toolCallId: 'c1', toolName: 'pay' }
    const result = { finish_class: 'completed' as const }
    telemetry.sink({ type: 'tool-execution-started', ...at(0), ...call, input: {} })
    telemetry.sink({ type: 'inference-resumed', ...at(10), restarts: 1 })
    telemetry.sink({ type: 'tool-result-ready', ...at(5000), ...call, status: 'unknown', block: unknownOutcome('c1') })
    telemetry.sink({ type: 'inference-finished', ...at(5000), result })
    expect(treeOf(telemetry.ended)).toEqual([
      'invoke_agent INTERNAL 0-5000',
      '  execute_tool pay INTERNAL 0-10 INFERENCE_INTERRUPTED',
    ])
  })

  test('is an error when nobody goes on with it', async () => {
    const telemetry = recordedTelemetry()
    const { events } = await finishRun(eventEngine(textReply('Hi')))
    const plan = { do: 'interrupt' as const, reason: 'its process ended' }
    await finishRun(eventEngine(), { past: { events: events.slice(0, 2), plan }, sinks: [telemetry.sink] })
    expect(treeOf(telemetry.ended)).toEqual(['invoke_agent INTERNAL 0-0 INFERENCE_INTERRUPTED'])
  })

  test('has its spans ended when it is handed over, without an error', async () => {
    const telemetry = recordedTelemetry()
    const [leaving, now] = [new AbortController(), new AbortController()]
    const engine = eventEngine([...textReply('Hi').slice(0, 3), untilAborted])
    const { inference } = startRun(engine, {
      handOver: { beforeNextStep: leaving.signal, now: now.signal },
      record: async () => 1,
      sinks: [telemetry.sink],
    })
    await settle()
    now.abort()
    await collect(inference)
    expect(inference.status).toBe('handed-over')
    expect(treeOf(telemetry.ended)).toEqual(['invoke_agent INTERNAL 0-0', '  chat test-1 CLIENT 0-0'])
  })

  test('has two spans of a tool that is run again', async () => {
    const telemetry = recordedTelemetry()
    const reads = testTool('reads', () => 'read', { effect: 'read' })
    let isDead = false
    const engine = () => {
      const replies = isDead ? [textReply('Hi')] : [toolReply(['c1', 'reads']), textReply('Hi')]
      isDead = true
      return toolLoop(eventEngine(...replies), [reads])
    }
    await survivors(engine, ({ type }) => type === 'tool-execution-started', [telemetry])
    expect(treeOf(telemetry.ended)).toEqual([
      'invoke_agent INTERNAL 0-0',
      '  chat test-1 CLIENT 0-0',
      '  execute_tool reads INTERNAL 0-0 INFERENCE_INTERRUPTED',
      '  execute_tool reads INTERNAL 0-0',
      '  chat test-1 CLIENT 0-0',
    ])
  })
})
