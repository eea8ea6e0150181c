import type { EventSink } from '../events/sink.ts'
import { UsageError } from './exit.ts'

export interface RunningTelemetry {
  readonly sink: EventSink
  /** Sends what has not been sent; it takes as long as the exporters do. */
  stop(): Promise<void>
}

/** OpenTelemetry as the OTEL_ variables of the environment say. Throws USAGE when its SDK is not installed. */
export async function startTelemetry(): Promise<RunningTelemetry> {
  const [{ NodeSDK }, { metrics, trace }] = await installed()
  const { telemetrySink } = await import('../telemetry/sink.ts')
  const sdk = new NodeSDK()
  sdk.start()
  const name = 'geppetto'
  return {
    sink: telemetrySink({ tracer: trace.getTracer(name), meter: metrics.getMeter(name) }),
    stop: () => sdk.shutdown(),
  }
}

function installed() {
  return Promise.all([import('@opentelemetry/sdk-node'), import('@opentelemetry/api')]).catch((error: unknown) => {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new UsageError('--otel needs a package that is not installed: npm install @opentelemetry/sdk-node.')
  })
}
