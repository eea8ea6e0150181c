import { metrics } from '@opentelemetry/api'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { calculator, scripted, Session, toolLoop } from 'geppetto'
import { telemetrySink } from 'geppetto/telemetry'

const exporter = new InMemorySpanExporter() // in a program: one that sends to your backend
const traces = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] })

// #region sink
const telemetry = telemetrySink({ tracer: traces.getTracer('my-program'), meter: metrics.getMeter('my-program') })
const session = new Session({
  id: 'support-42',
  engine: toolLoop(scripted({ pace: 0 }), [calculator]),
  sinks: [telemetry],
})
// #endregion sink
session.prompt('What is 17 * 23?')
await session.startInference().result

await traces.forceFlush()
for (const { name, attributes } of exporter.getFinishedSpans()) {
  console.log(name, '|', attributes['gen_ai.conversation.id'], attributes['gen_ai.usage.input_tokens'] ?? '')
}
