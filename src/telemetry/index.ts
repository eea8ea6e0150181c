// Telemetry: events as OpenTelemetry spans and metrics. Needs the package @opentelemetry/api, as nothing else here does.
export { telemetrySink, type TelemetryOptions } from './sink.ts'
export { vintages, type Vintage } from './vintage.ts'
