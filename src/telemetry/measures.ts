import type { Attributes, Context, Meter } from '@opentelemetry/api'
import type { Usage } from '../turns/values.ts'
import {
  attributesOf,
  metricKinds,
  type AttributeFacts,
  type MetricFact,
  type MetricKind,
  type Vintage,
} from './vintage.ts'

type RecordPoint = (value: number, attributes: Attributes, context: Context) => void

/** The instruments of one vintage. What it has no instrument for is not measured. */
export class Measures {
  readonly #vintage: Vintage
  readonly #records: ReadonlyMap<MetricFact, RecordPoint>

  constructor(meter: Meter | undefined, vintage: Vintage) {
    this.#vintage = vintage
    const kinds = Object.entries(metricKinds) as readonly [MetricFact, MetricKind][] // its keys are the facts
    this.#records = new Map(
      kinds.flatMap(([fact, kind]) => {
        const name = kind.names[vintage]
        return meter === undefined || name === undefined ? [] : [[fact, recorderOf(meter, name, kind)]]
      }),
    )
  }

  measures(fact: MetricFact): boolean {
    return this.#records.has(fact)
  }

  /** `context` is that of the span it belongs to, so that a backend can lead from a number to an example. */
  record(fact: MetricFact, value: number, attributes: Attributes, context: Context): void {
    this.#records.get(fact)?.(value, attributes, context)
  }

  /** What a call has cost; `isWhole` when it was not cut off, and so may stand for what a call costs. */
  tokens(usage: Usage, isWhole: boolean, attributes: Attributes, context: Context): void {
    const and = (facts: AttributeFacts) => ({ ...attributes, ...attributesOf(this.#vintage, facts) })
    // Nobody tells which tokens were text and which an image.
    const counted = and({ tokenModality: 'unknown' })
    for (const [fact, count] of Object.entries(tokenCounts(usage))) {
      if (count !== undefined) this.record(fact as keyof TokenCounts, count, counted, context) // its keys are such facts
    }
    this.record('tokensByType', usage.input_tokens, and({ tokenType: 'input' }), context)
    this.record('tokensByType', usage.output_tokens, and({ tokenType: 'output' }), context)
    if (!isWhole) return
    this.record('inputTokensOfCall', usage.input_tokens, attributes, context)
    this.record('outputTokensOfCall', usage.output_tokens, attributes, context)
  }
}

interface TokenCounts {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheReadTokens: number | undefined
  readonly cacheWriteTokens: number | undefined
  readonly reasoningTokens: number | undefined
}

/** A usage as the conventions take it apart. Their totals are inclusive, as ours are. */
export function tokenCounts(usage: Usage): TokenCounts {
  return {
    inputTokens: usage.input_tokens,
    outputTokens: usage.output_tokens,
    cacheReadTokens: usage.cache_read_input_tokens ?? usage.cached_tokens,
    cacheWriteTokens: usage.cache_creation_input_tokens,
    reasoningTokens: usage.reasoning_tokens,
  }
}

function recorderOf(meter: Meter, name: string, { instrument, unit, boundaries }: MetricKind): RecordPoint {
  if (instrument === 'counter') {
    const counter = meter.createCounter(name, { unit })
    return (value, attributes, context) => counter.add(value, attributes, context)
  }
  const advice = boundaries && { explicitBucketBoundaries: [...boundaries] }
  const histogram = meter.createHistogram(name, { unit, ...(advice && { advice }) })
  return (value, attributes, context) => histogram.record(value, attributes, context)
}
