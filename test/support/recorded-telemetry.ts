import { diag, DiagLogLevel, SpanKind, SpanStatusCode, type Attributes, type HrTime } from '@opentelemetry/api'
import { MeterProvider, MetricReader, type MetricData } from '@opentelemetry/sdk-metrics'
import { TracerProvider, type ReadableSpan } from '@opentelemetry/sdk-trace'
import { expect, onTestFinished } from 'vitest'
import type { Engine } from '../../src/inference/engine.ts'
import { telemetrySink, type TelemetryOptions } from '../../src/telemetry/sink.ts'
import { FakeClock } from './fake-clock.ts'
import { finishRun } from './runs.ts'

class PulledMetrics extends MetricReader {
  protected override onShutdown = async () => {}
  protected override onForceFlush = async () => {}
}

/** When the clocks of these tests begin. */
export const origin = Date.UTC(2026, 0, 1)

/**
 * A telemetry sink on the real SDK, and what it made. When the test is over, every span has ended, once, with the four
 * ids, and the SDK had nothing to complain of.
 */
export function recordedTelemetry(options: Partial<TelemetryOptions> = {}) {
  const telemetry = looseTelemetry(options)
  onTestFinished(() => expectWholeSpans(telemetry.started, telemetry.ended))
  const complaints: string[] = []
  const complain = (message: string) => void complaints.push(message)
  const silent = () => {}
  const logger = { error: complain, warn: complain, info: silent, debug: silent, verbose: silent }
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
  onTestFinished(() => expect(complaints).toEqual([]))
  return telemetry
}

function expectWholeSpans(started: readonly ReadableSpan[], ended: readonly ReadableSpan[]): void {
  expect(ended.length).toBeGreaterThan(0)
  expect(ended).toHaveLength(started.length)
  expect(new Set(ended)).toEqual(new Set(started))
  for (const { attributes } of ended) {
    const some = expect.stringMatching(/./)
    expect(attributes).toMatchObject({ 'session.id': some, 'geppetto.inference_id': some, 'geppetto.turn_id': some })
    expect(attributes['gen_ai.conversation.id']).toBe(attributes['session.id'])
  }
}

/** Runs `engine` to its end on a clock that `wait` moves on, and watches it. */
export async function watchedRun(
  engine: (wait: (ms: number) => () => Promise<void>) => Engine,
  options: Partial<TelemetryOptions> = {},
) {
  const telemetry = recordedTelemetry(options)
  const clock = new FakeClock(origin)
  const outcome = await finishRun(
    engine((ms) => () => clock.advance(ms)),
    { clock, sinks: [telemetry.sink] },
  )
  return { ...telemetry, ...outcome, tree: treeOf(telemetry.ended) }
}

/** The same without these checks, for a process that dies. */
export function looseTelemetry(options: Partial<TelemetryOptions> = {}) {
  const started: ReadableSpan[] = []
  const ended: ReadableSpan[] = []
  const nothing = async () => {}
  const tracers = new TracerProvider({
    spanProcessors: [
      {
        onStart: (span) => void started.push(span),
        onEnd: (span) => void ended.push(span),
        forceFlush: nothing,
        shutdown: nothing,
      },
    ],
  })
  const reader = new PulledMetrics()
  const meters = new MeterProvider({ readers: [reader] })
  const tracer = tracers.getTracer('test')
  return {
    tracer,
    sink: telemetrySink({ tracer, meter: meters.getMeter('test'), ...options }),
    started,
    ended,
    span: (name: string, index = 0) => ended.filter((span) => span.name === name)[index],
    metrics: async () => {
      const { resourceMetrics } = await reader.collect()
      return new Map(
        resourceMetrics.scopeMetrics.flatMap(({ metrics }) =>
          metrics.map((metric) => [metric.descriptor.name, metric]),
        ),
      )
    },
  }
}

const msOf = ([seconds, nanoseconds]: HrTime) => seconds * 1000 + nanoseconds / 1e6

/** Spans as lines, each under its parent, in the order in which they began: name, kind, from, to (ms), error. */
export function treeOf(spans: readonly ReadableSpan[]): readonly string[] {
  const inOrder = spans.toSorted((left, right) => msOf(left.startTime) - msOf(right.startTime))
  const under = (parent: string | undefined, indent: string): readonly string[] =>
    inOrder
      .filter((span) => span.parentSpanContext?.spanId === parent)
      .flatMap((span) => [
        `${indent}${span.name} ${SpanKind[span.kind]} ${msOf(span.startTime) - origin}-${msOf(span.endTime) - origin}${errorOf(span)}`,
        ...under(span.spanContext().spanId, `${indent}  `),
      ])
  return under(undefined, '')
}

function errorOf({ status, attributes }: ReadableSpan): string {
  const type = attributes['error.type']
  if (status.code === SpanStatusCode.ERROR) return ` ${String(type)}`
  return type === undefined ? '' : ` ${String(type)} without a status`
}

/** The points of a metric: for a histogram how many, their sum, for a counter the value; with their attributes. */
export function pointsOf(
  metric: MetricData | undefined,
): readonly (readonly [Attributes, ...(number | undefined)[]])[] {
  return (metric?.dataPoints ?? []).map(({ attributes, value }) => {
    return typeof value === 'number' ? [attributes, value] : [attributes, value.count, value.sum]
  })
}
