import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { isTerminal, type InferenceEvent } from '../events/event.ts'
import type { EventSink } from '../events/sink.ts'
import type { Usage } from '../turns/values.ts'

/** What `/metrics` tells, in the text format of Prometheus. Labels have few values, none of which a caller chooses. */
export interface Metrics {
  readonly registry: Registry
  readonly requests: Counter<'method' | 'route' | 'status'>
  readonly requestSeconds: Histogram<'route'>
  readonly streams: Gauge<'transport'>
  readonly inferences: Counter<'outcome'>
  readonly inferenceSeconds: Histogram<'outcome'>
  readonly tokens: Counter<'kind'>
  /** Counts an event that an inference of this process has recorded. */
  readonly countEvent: (type: string) => void
  readonly commitSeconds: Histogram
  /** These three are of the moment of asking. */
  readonly queuedPrompts: Gauge
  readonly busySessions: Gauge
  readonly runningInferences: Gauge
}

export function createMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  // Counted here until somebody asks: looking a label up for every token would cost more than anything else that is counted.
  const events = new Map<string, number>()
  const allEvents = new Counter({
    name: 'geppetto_events_total',
    help: 'Events that inferences of this process have recorded, by type.',
    labelNames: ['type'],
    registers,
    collect() {
      for (const [type, count] of events) allEvents.inc({ type }, count)
      events.clear()
    },
  })
  return {
    registry,
    requests: new Counter({
      name: 'geppetto_http_requests_total',
      help: 'Requests answered, by method, route and status.',
      labelNames: ['method', 'route', 'status'],
      registers,
    }),
    requestSeconds: new Histogram({
      name: 'geppetto_http_request_duration_seconds',
      help: 'From a request to the beginning of its answer.',
      labelNames: ['route'],
      buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5],
      registers,
    }),
    streams: new Gauge({
      name: 'geppetto_open_streams',
      help: 'Viewers that follow a session now.',
      labelNames: ['transport'],
      registers,
    }),
    inferences: new Counter({
      name: 'geppetto_inferences_total',
      help: 'Inferences that ended in this process, by how.',
      labelNames: ['outcome'],
      registers,
    }),
    inferenceSeconds: new Histogram({
      name: 'geppetto_inference_duration_seconds',
      help: 'From the start of an inference to its end, by how it ended.',
      labelNames: ['outcome'],
      buckets: [0.1, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 1200],
      registers,
    }),
    tokens: new Counter({
      name: 'geppetto_tokens_total',
      help: 'Tokens of inferences that ended in this process. cache_read and cache_write are part of input, reasoning of output.',
      labelNames: ['kind'],
      registers,
    }),
    countEvent: (type) => events.set(type, (events.get(type) ?? 0) + 1),
    commitSeconds: new Histogram({
      name: 'geppetto_store_commit_duration_seconds',
      help: 'How long the store took for a commit.',
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5],
      registers,
    }),
    queuedPrompts: new Gauge({
      name: 'geppetto_queued_prompts',
      help: 'Prompts in the store that wait to be answered.',
      registers,
    }),
    busySessions: new Gauge({
      name: 'geppetto_busy_sessions',
      help: 'Sessions in the store where an inference runs or waits, in whatever process.',
      registers,
    }),
    runningInferences: new Gauge({
      name: 'geppetto_running_inferences',
      help: 'Inferences that this process runs.',
      registers,
    }),
  }
}

const tokenKinds = {
  input: 'input_tokens',
  output: 'output_tokens',
  cache_read: 'cache_read_input_tokens',
  cache_write: 'cache_creation_input_tokens',
  reasoning: 'reasoning_tokens',
} as const satisfies Record<string, keyof Usage>

/** Counts what inferences of this process do. */
export function countingSink(metrics: Metrics): EventSink {
  return (event: InferenceEvent) => {
    metrics.countEvent(event.type)
    if (!isTerminal(event)) return
    const { usage, duration_ms: duration } = event.result
    metrics.inferences.inc({ outcome: event.type })
    if (duration !== undefined) metrics.inferenceSeconds.observe({ outcome: event.type }, duration / 1000)
    for (const [kind, name] of Object.entries(tokenKinds)) metrics.tokens.inc({ kind }, usage?.[name] ?? 0)
  }
}
