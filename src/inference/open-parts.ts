import { GrowingText } from '../growing-text.ts'
import type { EngineEvent, EventOf, InferenceEvent } from '../events/event.ts'
import { assistantText, reasoning, toolError } from '../turns/block.ts'
import { partialKey } from '../turns/keys.ts'
import { unknownOutcome } from './tool-result.ts'

/** What has begun in a run and not ended: when the run ends before it, it must be said what became of it. */
export class OpenParts {
  /** Text of the segments that have begun, by their local id. */
  readonly #segments = new Map<string, { readonly kind: 'text' | 'reasoning'; readonly text: GrowingText }>()
  /** Tools that were let run and have given no result. */
  readonly #tools = new Map<string, Pick<EventOf<'tool-execution-started'>, 'toolName' | 'effect'>>()
  /** Those that have given one, while it is not said yet that they have ended. */
  readonly #answered = new Map<string, Pick<EventOf<'tool-result-ready'>, 'toolName' | 'status'>>()

  /** Takes note of an event; whether it concerns nothing but these parts. */
  track(event: EngineEvent | InferenceEvent): boolean {
    switch (event.type) {
      case 'text-delta':
      case 'reasoning-delta': {
        const kind = event.type === 'text-delta' ? 'text' : 'reasoning'
        const open = this.#segments.get(event.segmentId) ?? { kind, text: new GrowingText() }
        if (open.text.length === 0) this.#segments.set(event.segmentId, open)
        open.text.add(event.delta)
        return true
      }
      case 'text-segment-finished':
      case 'reasoning-segment-finished':
        this.#segments.delete(event.segmentId)
        return true
      case 'attempt-discarded':
        this.#segments.clear()
        return false
      case 'tool-execution-started':
        this.#tools.set(event.toolCallId, event)
        return false
      case 'tool-result-ready':
        if (this.#tools.delete(event.toolCallId)) this.#answered.set(event.toolCallId, event)
        return false
      case 'tool-call-finished':
        this.#answered.delete(event.toolCallId)
        return false
      default:
        return false
    }
  }

  /** Whether a tool was let run and has not ended. */
  get areToolsRunning(): boolean {
    return this.#tools.size > 0 || this.#answered.size > 0
  }

  /** Whether the event is the end, or a part of the end, of a tool that runs. */
  isToolEnd(event: EngineEvent): boolean {
    if (event.type === 'tool-result-ready') return this.#tools.has(event.toolCallId)
    return event.type === 'tool-call-finished' && this.#answered.has(event.toolCallId)
  }

  /** Ends the segments: text that was shown is kept, marked as cut off. */
  segmentEnds(): readonly EngineEvent[] {
    const open = [...this.#segments].filter(([, { text }]) => text.length > 0)
    this.#segments.clear()
    return open.map(([segmentId, { kind, text: written }]): EngineEvent => {
      const text = written.toString()
      if (kind === 'text') {
        const block = partialKey.set(assistantText(text), true)
        return { type: 'text-segment-finished', segmentId, block, partial: true }
      }
      const block = partialKey.set(reasoning({ text }), true)
      return { type: 'reasoning-segment-finished', segmentId, block, partial: true }
    })
  }

  /** Answers the calls that run: what a tool did that nobody saw end cannot be said, unless it changes nothing. */
  toolEnds(): readonly EngineEvent[] {
    const open = [...this.#tools]
    const answered = [...this.#answered]
    this.#tools.clear()
    this.#answered.clear()
    const ends = answered.map(([toolCallId, { toolName, status }]): EngineEvent => ({
      type: 'tool-call-finished',
      toolCallId,
      toolName,
      status,
    }))
    const answers = open.flatMap(([toolCallId, { toolName, effect }]): readonly EngineEvent[] => {
      const isRead = effect === 'read'
      const block = isRead ? toolError(toolCallId, 'interrupted') : unknownOutcome(toolCallId)
      const status = isRead ? ('error' as const) : ('unknown' as const)
      return [
        { type: 'tool-result-ready', toolCallId, toolName, status, block },
        { type: 'tool-call-finished', toolCallId, toolName, status },
      ]
    })
    return [...ends, ...answers]
  }
}
