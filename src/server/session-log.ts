import type { InferenceEvent } from '../events/event.ts'
import type { EventSink } from '../events/sink.ts'
import type { JsonObject } from '../json.ts'
import type { InferenceResult } from '../turns/values.ts'
import { logIds, type Log } from './log.ts'

interface Told {
  readonly level: keyof Log
  readonly message: string
  readonly fields?: JsonObject
}

/** Tells the log what happens in sessions, each record with the ids of its event. What was said is not told. */
export function logSink(log: Log): EventSink {
  return (event) => {
    const told = recordOf(event)
    if (told === undefined) return
    log[told.level]({ ...idsOf(event), event: event.type, ...told.fields }, told.message)
  }
}

function idsOf(event: InferenceEvent): JsonObject {
  return {
    ...logIds(event),
    ordinal: event.ordinal,
    ...('providerCallId' in event &&
      event.providerCallId !== undefined && { provider_call_id: event.providerCallId, attempt: event.attempt ?? 1 }),
    ...('toolCallId' in event && { tool_call_id: event.toolCallId }),
    ...('approvalId' in event && { approval_id: event.approvalId }),
  }
}

function recordOf(event: InferenceEvent): Told | undefined {
  switch (event.type) {
    case 'inference-started':
      return { level: 'info', message: 'an inference began' }
    case 'inference-resumed':
      return { level: 'warn', message: 'an inference goes on', fields: { restarts: event.restarts } }
    case 'inference-handed-over':
      return { level: 'info', message: 'an inference was handed over' }
    case 'inference-finished':
      return { level: 'info', message: 'an inference ended', fields: outcomeOf(event.result) }
    case 'inference-stopped':
    case 'inference-interrupted':
      return {
        level: 'info',
        message: 'an inference ended',
        fields: { reason: event.reason, ...outcomeOf(event.result) },
      }
    case 'inference-failed': {
      const { code, message } = event.error
      return {
        level: 'error',
        message: 'an inference failed',
        fields: { code, error: message, ...outcomeOf(event.result) },
      }
    }
    case 'attempt-discarded': {
      const { code, message } = event.error
      return { level: 'warn', message: 'a call failed and is tried again', fields: { code, error: message } }
    }
    case 'persist-failed':
      return { level: 'error', message: 'an event could not be recorded', fields: { code: event.error.code } }
    case 'approval-requested':
      return {
        level: 'info',
        message: 'a decision is waited for',
        fields: { tool: event.toolName, reason: event.reason },
      }
    case 'provider-call-started':
      return { level: 'debug', message: 'a model is asked', fields: { provider: event.provider, model: event.model } }
    case 'tool-execution-started':
      return { level: 'debug', message: 'a tool runs', fields: { tool: event.toolName } }
    case 'tool-result-ready':
      return { level: 'debug', message: 'a tool answered', fields: { tool: event.toolName, status: event.status } }
    case 'log':
      return { level: event.level, message: event.message }
    default:
      return undefined
  }
}

function outcomeOf({ finish_class, duration_ms, usage, model }: InferenceResult): JsonObject {
  return {
    finish_class,
    ...(model !== undefined && { model }),
    ...(duration_ms !== undefined && { duration_ms }),
    ...(usage && { input_tokens: usage.input_tokens, output_tokens: usage.output_tokens }),
  }
}
