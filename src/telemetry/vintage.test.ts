import { describe, expect, test } from 'vitest'
import { eventEngine, providerCallFinished, toolReply } from '../../test/support/event-engine.ts'
import { watchedRun } from '../../test/support/recorded-telemetry.ts'
import { echo } from '../../test/support/runs.ts'
import { toolLoop } from '../inference/tool-loop.ts'
import { assistantText } from '../turns/block.ts'
import { attributeNames, metricKinds, providerName, vintages, type Vintage } from './vintage.ts'

/** A run in which everything happens that has a name. */
async function everything(vintage: Vintage) {
  const usage = {
    input_tokens: 9,
    output_tokens: 5,
    cached_tokens: 4,
    cache_creation_input_tokens: 3,
    reasoning_tokens: 2,
  }
  const about = { model: 'gemini-x-1', response_id: 'r1', stop_reason: 'STOP', max_tokens: 100, usage }
  const broken = { ...echo, name: 'broken', execute: () => Promise.reject(new Error('broken')) }
  const model = eventEngine(toolReply(['c1', 'echo'], ['c2', 'broken']), [
    { type: 'provider-call-started', provider: 'gemini', model: 'gemini-x' },
    { type: 'text-delta', segmentId: '0', offset: 0, delta: 'H' },
    { type: 'text-delta', segmentId: '0', offset: 1, delta: 'i' },
    { type: 'text-segment-finished', segmentId: '0', block: assistantText('Hi') },
    providerCallFinished(1, 'completed', about),
  ])
  const { ended, metrics } = await watchedRun(() => toolLoop(model, [echo, broken]), { vintage, content: true })
  const measured = await metrics()
  const named = (items: readonly { readonly attributes: object }[]) =>
    items.flatMap((item) => Object.keys(item.attributes))
  const isAgent = ({ name }: { readonly name: string }) => name === 'invoke_agent'
  return {
    agent: named(ended.filter(isAgent)),
    calls: named(ended.filter((span) => !isAgent(span))),
    points: [...measured.values()].flatMap((metric) => named(metric.dataPoints as readonly { attributes: object }[])), // whichever kind they are of
    metrics: [...measured.keys()],
  }
}

type Row = readonly [fact: string, in136: string, in141: string, inGenai: string]
type Place = 'calls' | 'agent' | 'points' | 'metrics'

/** Names as the three versions have them; `-` is none. What has one name in all of them is not listed. */
const differences: Readonly<Record<Place, readonly Row[]>> = {
  calls: [
    ['provider', 'gen_ai.system', 'gen_ai.provider.name', 'gen_ai.provider.name'],
    ['stream', '-', 'gen_ai.request.stream', 'gen_ai.request.stream'],
    ['time to first chunk', '-', 'gen_ai.response.time_to_first_chunk', 'gen_ai.response.time_to_first_chunk'],
    ['tokens read from a cache', '-', 'gen_ai.usage.cache_read.input_tokens', 'gen_ai.usage.cache_read.input_tokens'],
    ['tokens put into one', '-', 'gen_ai.usage.cache_creation.input_tokens', 'gen_ai.usage.cache_write.input_tokens'],
    ['tokens of thought', '-', 'gen_ai.usage.reasoning.output_tokens', 'gen_ai.usage.reasoning.output_tokens'],
    ['arguments', '-', 'gen_ai.tool.call.arguments', 'gen_ai.tool.call.arguments'],
    ['result', '-', 'gen_ai.tool.call.result', 'gen_ai.tool.call.result'],
    ['input', '-', 'gen_ai.input.messages', 'gen_ai.input.messages'],
    ['output', '-', 'gen_ai.output.messages', 'gen_ai.output.messages'],
  ],
  agent: [['provider of an inference', 'gen_ai.system', 'gen_ai.provider.name', '-']],
  points: [
    ['kind of token', 'gen_ai.token.type', 'gen_ai.token.type', '-'],
    ['modality', '-', '-', 'gen_ai.token.modality'],
  ],
  metrics: [
    [
      'duration',
      'gen_ai.client.operation.duration',
      'gen_ai.client.operation.duration',
      'gen_ai.client.inference.duration',
    ],
    ['first chunk', '-', 'gen_ai.client.operation.time_to_first_chunk', 'gen_ai.client.inference.time_to_first_chunk'],
    [
      'next chunk',
      '-',
      'gen_ai.client.operation.time_per_output_chunk',
      'gen_ai.client.inference.time_per_output_chunk',
    ],
    ['tokens', 'gen_ai.client.token.usage', 'gen_ai.client.token.usage', '-'],
    ['input tokens', '-', '-', 'gen_ai.client.inference.usage.input_tokens'],
    ['output tokens', '-', '-', 'gen_ai.client.inference.usage.output_tokens'],
    ['cache read', '-', '-', 'gen_ai.client.inference.usage.cache_read.input_tokens'],
    ['cache written', '-', '-', 'gen_ai.client.inference.usage.cache_write.input_tokens'],
    ['thought', '-', '-', 'gen_ai.client.inference.usage.reasoning.output_tokens'],
    ['input of a call', '-', '-', 'gen_ai.client.inference.operation.input_tokens'],
    ['output of a call', '-', '-', 'gen_ai.client.inference.operation.output_tokens'],
    ['inference', '-', '-', 'gen_ai.invoke_agent.duration'],
    ['model calls', '-', '-', 'gen_ai.invoke_agent.inference_calls'],
    ['tool calls', '-', '-', 'gen_ai.invoke_agent.tool_calls'],
    ['tool', '-', '-', 'gen_ai.execute_tool.duration'],
  ],
}
const rowsOf = (vintage: Vintage) =>
  (Object.keys(differences) as Place[]).flatMap((place) =>
    differences[place].map(([fact, ...names]) => {
      const name = names[vintages.indexOf(vintage)] ?? '-'
      return { place, fact, name, names }
    }),
  )

describe.each(vintages)('in %s', (vintage) => {
  test.each(rowsOf(vintage))('$fact is $name', async ({ place, name, names }) => {
    const used = (await everything(vintage))[place]
    expect([...new Set(names)].filter((each) => used.includes(each))).toEqual(name === '-' ? [] : [name])
  })

  test('nothing has a name that is not in the tables', async () => {
    const { metrics, agent, calls, points } = await everything(vintage)
    const attributes = Object.values(attributeNames).map((names) => names[vintage])
    const instruments = Object.values(metricKinds).map(({ names }) => names[vintage])
    expect([...agent, ...calls, ...points].filter((name) => !attributes.includes(name))).toEqual([])
    expect(metrics.toSorted()).toEqual(instruments.filter((name) => name !== undefined).toSorted())
  })
})

test('every difference between the vintages is in these tables', () => {
  const differing = [...Object.values(attributeNames), ...Object.values(metricKinds).map(({ names }) => names)]
    .filter((names) => new Set(Object.values(names)).size > 1)
    .map((names) => vintages.map((vintage) => names[vintage] ?? '-'))
  const listed = Object.values(differences).flatMap((rows) => rows.map((row) => row.slice(1)))
  expect(new Set(differing.map(String))).toEqual(new Set(listed.map(String)))
})

test.each([
  ['openai', 'openai'],
  ['openai-responses', 'openai'],
  ['anthropic', 'anthropic'],
  ['gemini', 'gcp.gemini'],
  ['my-provider', 'my-provider'],
])('the provider %s is %s', (provider, name) => {
  expect(providerName(provider)).toBe(name)
})
