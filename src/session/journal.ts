import type { EventOf, InferenceEvent, UnknownEvent } from '../events/event.ts'
import type { JsonObject } from '../json.ts'

/** A step of an inference as its events tell it: what was begun, and what came of it. */
export interface JournalStep {
  readonly step: 'provider-call' | 'tool-call'
  readonly inference_id: string
  /** The provider call's id, or the tool call's. */
  readonly id: string
  /** Ordinals of the intents and of the result. */
  readonly started: readonly number[]
  readonly ended?: number
  /** How it ended; absent when nobody saw it end. */
  readonly outcome?: string
  readonly model?: string
  readonly tool?: string
  readonly effect?: string
}

/** The steps of a session, in the order in which they began: the journal, as a view of the log. */
export function journalOf(events: Iterable<InferenceEvent | UnknownEvent>): readonly (JournalStep & JsonObject)[] {
  const steps = new Map<string, JournalStep & JsonObject>()
  for (const event of events) {
    switch (event.type) {
      case 'provider-call-started': {
        const key = `${event.inferenceId}/${event.providerCallId}`
        const before = steps.get(key)
        steps.set(key, {
          step: 'provider-call',
          inference_id: event.inferenceId,
          id: event.providerCallId,
          model: event.model,
          started: [...(before?.started ?? []), event.ordinal],
        })
        break
      }
      case 'provider-call-finished':
        end(steps, `${event.inferenceId}/${event.providerCallId}`, event.ordinal, event.finishClass)
        break
      case 'tool-execution-started': {
        const key = toolKey(event)
        const before = steps.get(key)
        steps.set(key, {
          step: 'tool-call',
          inference_id: event.inferenceId,
          id: event.toolCallId,
          tool: event.toolName,
          started: [...(before?.started ?? []), event.ordinal],
          ...(event.effect !== undefined && { effect: event.effect }),
        })
        break
      }
      case 'tool-result-ready':
        end(steps, toolKey(event), event.ordinal, event.status)
        break
      default:
    }
  }
  return [...steps.values()]
}

function toolKey(event: EventOf<'tool-execution-started' | 'tool-result-ready'>): string {
  return `${event.inferenceId}/${event.providerCallId ?? ''}/${event.toolCallId}`
}

function end(steps: Map<string, JournalStep & JsonObject>, key: string, ended: number, outcome: string): void {
  const step = steps.get(key)
  if (step !== undefined) steps.set(key, { ...step, ended, outcome })
}
