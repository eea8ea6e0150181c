import { ROOT_CONTEXT, type Context, type Meter, type Tracer } from '@opentelemetry/api'
import { isTerminal, type InferenceEvent, type InferenceScope } from '../events/event.ts'
import { Measures } from './measures.ts'
import { interrupted, OpenInference, type Telemetry } from './open-inference.ts'
import type { Vintage } from './vintage.ts'

export interface TelemetryOptions {
  readonly tracer: Tracer
  /** Without one there are no metrics. */
  readonly meter?: Meter
  /** Which version of the conventions is spoken. Default `genai-0.1`. */
  readonly vintage?: Vintage
  /** Whether spans hold what was said: output, arguments and results of tools, messages of errors. Default false. */
  readonly content?: boolean
  /** The context that the span of an inference belongs under. By default each inference is a trace of its own. */
  readonly parent?: (scope: InferenceScope) => Context
}

/** An inference whose process has lost its session tells nobody of its end; the oldest of so many is given up. */
const mostOpen = 10_000

/**
 * Turns events into OpenTelemetry spans and metrics: a span for each inference, and in it one for each attempt of a
 * provider call and one for each execution of a tool. One sink serves any number of sessions, and keeps nothing of an
 * inference that has ended.
 */
export function telemetrySink(options: TelemetryOptions): (event: InferenceEvent) => void {
  const { tracer, meter, vintage = 'genai-0.1', content = false, parent = () => ROOT_CONTEXT } = options
  const measures = new Measures(meter, vintage)
  const telemetry: Telemetry = { tracer, measures, vintage, hasContent: content, parentOf: parent }
  const open = new Map<string, OpenInference>()

  return (event) => {
    const { inferenceId } = event
    if (inferenceId === undefined) return
    let inference = open.get(inferenceId)
    if (inference === undefined) {
      if (!opens(event)) return
      inference = new OpenInference(
        telemetry,
        { sessionId: event.sessionId, turnId: event.turnId, inferenceId },
        event.at,
      )
      open.set(inferenceId, inference)
      if (open.size > mostOpen) giveUpOldest(open, event.at)
    }
    const isHandedOver = event.type === 'inference-handed-over'
    if (!isHandedOver && !isTerminal(event)) return inference.add(event)
    open.delete(inferenceId)
    if (isHandedOver) inference.giveUp(event.at, {})
    else inference.end(event)
  }
}

/** Whether work begins with this event. A prompt that waits, and what is said about one, is no work yet. */
function opens(event: InferenceEvent): boolean {
  switch (event.type) {
    case 'turn-opened':
    case 'inference-started':
    case 'inference-resumed':
    case 'provider-call-started':
    case 'tool-execution-started':
      return true
    default:
      return isTerminal(event)
  }
}

function giveUpOldest(open: Map<string, OpenInference>, at: string): void {
  for (const [inferenceId, oldest] of open) {
    open.delete(inferenceId)
    return oldest.giveUp(at, interrupted)
  }
}
