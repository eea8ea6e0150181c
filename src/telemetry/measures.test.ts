import { describe, expect, test } from 'vitest'
import {
  eventEngine,
  providerCallFinished,
  textReply,
  toolReply,
  type EngineStep,
} from '../../test/support/event-engine.ts'
import { pointsOf, watchedRun } from '../../test/support/recorded-telemetry.ts'
import { echo } from '../../test/support/runs.ts'
import { toolLoop } from '../inference/tool-loop.ts'
import { assistantText } from '../turns/block.ts'

describe('metrics', () => {
  test('say how long, how many and how much', async () => {
    const usage = {
      input_tokens: 100,
      output_tokens: 20,
      cached_tokens: 60,
      cache_creation_input_tokens: 5,
      reasoning_tokens: 8,
    }
    const delta = (offset: number): EngineStep => ({ type: 'text-delta', segmentId: '0', offset, delta: 'H' })
    const { metrics } = await watchedRun((wait) =>
      toolLoop(
        eventEngine(
          [...toolReply(['c1', 'echo'])],
          [
            { type: 'provider-call-started', provider: 'gemini', model: 'gemini-x' },
            wait(2000),
            delta(0),
            wait(40),
            delta(1),
            wait(60),
            delta(2),
            { type: 'text-segment-finished', segmentId: '0', block: assistantText('HHH') },
            providerCallFinished(1, 'completed', { model: 'gemini-x-1', usage }),
          ],
        ),
        [echo],
      ),
    )
    const call = {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'gcp.gemini',
      'gen_ai.request.model': 'gemini-x',
    }
    const ended = { ...call, 'gen_ai.response.model': 'gemini-x-1' }
    const counted = { ...ended, 'gen_ai.token.modality': 'unknown' }
    const points = new Map([...(await metrics())].map(([name, metric]) => [name, pointsOf(metric)]))
    expect(points.get('gen_ai.client.inference.duration')).toContainEqual([ended, 1, 2.1])
    expect(points.get('gen_ai.client.inference.time_to_first_chunk')).toContainEqual([call, 1, 2])
    expect(points.get('gen_ai.client.inference.time_per_output_chunk')).toEqual([[call, 2, expect.closeTo(0.1)]])
    expect(points.get('gen_ai.client.inference.usage.input_tokens')).toEqual([[counted, 100]])
    expect(points.get('gen_ai.client.inference.usage.output_tokens')).toEqual([[counted, 20]])
    expect(points.get('gen_ai.client.inference.usage.cache_read.input_tokens')).toEqual([[counted, 60]])
    expect(points.get('gen_ai.client.inference.usage.cache_write.input_tokens')).toEqual([[counted, 5]])
    expect(points.get('gen_ai.client.inference.usage.reasoning.output_tokens')).toEqual([[counted, 8]])
    expect(points.get('gen_ai.client.inference.operation.input_tokens')).toEqual([[ended, 1, 100]])
    expect(points.get('gen_ai.client.inference.operation.output_tokens')).toEqual([[ended, 1, 20]])
    const agent = { 'gen_ai.operation.name': 'invoke_agent' }
    expect(points.get('gen_ai.invoke_agent.duration')).toEqual([[agent, 1, 2.1]])
    expect(points.get('gen_ai.invoke_agent.inference_calls')).toEqual([[agent, 1, 2]])
    expect(points.get('gen_ai.invoke_agent.tool_calls')).toEqual([[agent, 1, 1]])
    const tool = { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'echo', 'gen_ai.tool.type': 'function' }
    expect(points.get('gen_ai.execute_tool.duration')).toEqual([[tool, 1, 0]])
  })

  test('count what a discarded attempt has cost, though it is no example of a call', async () => {
    const start: EngineStep = { type: 'provider-call-started', provider: 'test', model: 'test-1' }
    const usage = { input_tokens: 7, output_tokens: 1 }
    const { metrics } = await watchedRun(() =>
      eventEngine([
        start,
        { type: 'provider-call-metadata-updated', usage },
        { type: 'attempt-discarded', error: { code: 'PROVIDER_OVERLOADED', message: 'busy' }, blocks: 0, retryInMs: 0 },
        start,
        providerCallFinished(0, 'completed', { usage: { input_tokens: 10, output_tokens: 2 } }),
      ]),
    )
    const sum = async (name: string) =>
      pointsOf((await metrics()).get(`gen_ai.client.inference.${name}`)).map(([, ...numbers]) => numbers)
    expect(await sum('usage.input_tokens')).toEqual([[17]])
    expect(await sum('operation.input_tokens')).toEqual([[1, 10]])
  })

  test('have the buckets that the conventions ask for', async () => {
    const { metrics } = await watchedRun(() =>
      eventEngine(textReply('Hi', { usage: { input_tokens: 1, output_tokens: 1 } })),
    )
    const bounds = async (name: string) => {
      const [point] = (await metrics()).get(name)?.dataPoints ?? []
      return typeof point?.value === 'object' && 'buckets' in point.value && 'boundaries' in point.value.buckets
        ? [point.value.buckets.boundaries[0], point.value.buckets.boundaries.at(-1)]
        : []
    }
    expect(await bounds('gen_ai.client.inference.duration')).toEqual([0.01, 81.92])
    expect(await bounds('gen_ai.client.inference.operation.input_tokens')).toEqual([1, 67_108_864])
    expect(await bounds('gen_ai.invoke_agent.duration')).toEqual([0.1, expect.closeTo(409.6)])
  })

  test('call an error without a name by the word that the conventions have for it', async () => {
    const { metrics } = await watchedRun(() => eventEngine([textReply('')[0]!, providerCallFinished(0, 'error')]))
    const [point] = pointsOf((await metrics()).get('gen_ai.client.inference.duration'))
    expect(point?.[0]).toMatchObject({ 'error.type': '_OTHER' })
  })

  test('hold what failed apart', async () => {
    const { metrics } = await watchedRun(() => eventEngine([textReply('')[0]!, new Error('broken')]))
    const points = pointsOf((await metrics()).get('gen_ai.client.inference.duration'))
    expect(points.map(([attributes]) => attributes['error.type'])).toEqual(['INTERNAL'])
  })
})
