import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** What `/metrics` tells, in the text format of Prometheus. */
export interface Metrics {
  readonly registry: Registry
  readonly requests: Counter<'method' | 'route' | 'status'>
  readonly requestSeconds: Histogram<'route'>
  readonly streams: Gauge<'transport'>
  readonly inferences: Counter<'outcome'>
  readonly events: Counter<'type'>
}

export function createMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
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
    events: new Counter({
      name: 'geppetto_events_total',
      help: 'Events that inferences of this process have recorded, by type.',
      labelNames: ['type'],
      registers,
    }),
  }
}
