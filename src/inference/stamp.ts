import { timeText, type Clock, type NewId } from '../clock.ts'
import { editDelta } from '../events/apply.ts'
import type { EngineEvent, InferenceEvent, InferenceScope, LifecycleFields } from '../events/event.ts'
import type { Block } from '../turns/block.ts'
import type { Turn } from '../turns/turn.ts'

export type LifecycleEvent = {
  [T in keyof LifecycleFields]: { readonly type: T } & LifecycleFields[T]
}[keyof LifecycleFields]

interface OpenCall {
  readonly providerCallId: string
  readonly attempt: number
  /** Segment ids of this attempt as the engine names them → as the session knows them. */
  readonly segments: Map<string, string>
}

/**
 * Adds to each fact of one run what only the run knows: ids, attempt, ordinal and time. The ids of a provider call are
 * derived from the order of events: it opens at `provider-call-started`, and a start after `attempt-discarded` is the
 * same call's next attempt. Blocks without an id get one, and what a middleware edits says by whom.
 */
export class Stamper {
  readonly #ids: InferenceScope
  readonly #clock: Clock
  readonly #newId: NewId
  readonly #nextOrdinal: () => number
  #call: OpenCall | undefined
  #discarded: OpenCall | undefined
  readonly #callOfTool = new Map<string, OpenCall>()

  constructor(ids: InferenceScope, clock: Clock, newId: NewId, nextOrdinal: () => number = counter()) {
    this.#ids = { sessionId: ids.sessionId, inferenceId: ids.inferenceId, turnId: ids.turnId }
    this.#clock = clock
    this.#newId = newId
    this.#nextOrdinal = nextOrdinal
  }

  /** Whether a provider call has begun and not ended. */
  get isCallOpen(): boolean {
    return this.#call !== undefined
  }

  /** Takes note of an event that an earlier process stamped. */
  observe(event: InferenceEvent): void {
    switch (event.type) {
      case 'provider-call-finished':
        this.#call = undefined
        return
      case 'attempt-discarded':
        this.#discarded = this.#call
        this.#call = undefined
        return
      case 'tool-execution-started':
      case 'tool-progress':
      case 'tool-result-ready':
      case 'tool-call-finished':
      case 'approval-requested':
      case 'approval-decided':
        return
      default:
    }
    if (!('providerCallId' in event) || event.providerCallId === undefined) return
    const { providerCallId, attempt = 1 } = event
    if (this.#call?.providerCallId !== providerCallId || this.#call.attempt !== attempt) {
      this.#call = { providerCallId, attempt, segments: new Map() }
      this.#discarded = undefined
    }
    if ('segmentId' in event) this.#call.segments.set(event.segmentId, event.segmentId)
    if ('toolCallId' in event) this.#callOfTool.set(event.toolCallId, this.#call)
  }

  lifecycle(event: LifecycleEvent): InferenceEvent {
    return { ...event, ...this.#envelope(), ...this.#ids }
  }

  /** The recorded form of `event`; `turn` is the turn before it. */
  stamp(event: EngineEvent, turn: Turn): InferenceEvent {
    switch (event.type) {
      case 'text-delta':
      case 'reasoning-delta':
        return this.#delta(event)
      case 'text-segment-started':
      case 'reasoning-segment-started':
        return { ...event, ...this.#envelope(), ...this.#callScope(), segmentId: this.#segmentId(event.segmentId) }
      case 'text-segment-finished': {
        const segmentId = this.#segmentId(event.segmentId)
        return { ...event, ...this.#envelope(), ...this.#callScope(), segmentId, block: withId(event.block, segmentId) }
      }
      case 'reasoning-segment-finished': {
        const segmentId = this.#segmentId(event.segmentId)
        return { ...event, ...this.#envelope(), ...this.#callScope(), segmentId, block: withId(event.block, segmentId) }
      }
      case 'tool-call-started':
      case 'tool-call-arguments-delta':
        this.#callOfTool.set(event.toolCallId, this.#openCall())
        return { ...event, ...this.#envelope(), ...this.#toolScope(event.toolCallId) }
      case 'tool-call-requested':
        this.#callOfTool.set(event.toolCallId, this.#openCall())
        return {
          ...event,
          ...this.#envelope(),
          ...this.#toolScope(event.toolCallId),
          block: withId(event.block, event.toolCallId),
        }
      case 'tool-result-ready':
        return {
          ...event,
          ...this.#envelope(),
          ...this.#toolScope(event.toolCallId),
          block: withId(event.block, `${event.toolCallId}:result`),
        }
      case 'tool-execution-started':
      case 'tool-progress':
      case 'approval-requested':
      case 'approval-decided':
      case 'tool-call-finished':
        return { ...event, ...this.#envelope(), ...this.#toolScope(event.toolCallId) }
      case 'turn-edited': {
        const delta = editDelta(turn, event)
        const add = delta.add.map((block) => withId(block, this.#newId()))
        return { type: event.type, ...this.#envelope(), ...this.#ids, by: event.by, delta: { ...delta, add } }
      }
      case 'phase-reached':
      case 'persist-failed':
      case 'log':
      case 'info':
      case 'debugger.pause':
      case 'agent-mode-switch':
      case 'custom':
        return { ...event, ...this.#envelope(), ...this.#ids }
      case 'provider-call-started':
        this.#open()
        return { ...event, ...this.#envelope(), ...this.#callScope() }
      case 'provider-call-finished': {
        const stamped = { ...event, ...this.#envelope(), ...this.#callScope() }
        this.#call = undefined
        return stamped
      }
      case 'attempt-discarded': {
        const stamped = { ...event, ...this.#envelope(), ...this.#callScope() }
        this.#discarded = this.#call
        this.#call = undefined
        return stamped
      }
      case 'block-received':
        return { ...event, ...this.#envelope(), ...this.#callScope(), block: withId(event.block, this.#newId()) }
      default:
        return { ...event, ...this.#envelope(), ...this.#callScope() }
    }
  }

  // The one path that runs for every token: no spread, no lookup that can be spared.
  #delta(event: Extract<EngineEvent, { type: 'text-delta' | 'reasoning-delta' }>): InferenceEvent {
    const call = this.#openCall()
    const ids = this.#ids
    return {
      type: event.type,
      ordinal: this.#nextOrdinal(),
      at: this.#now(),
      sessionId: ids.sessionId,
      inferenceId: ids.inferenceId,
      turnId: ids.turnId,
      providerCallId: call.providerCallId,
      attempt: call.attempt,
      segmentId: call.segments.get(event.segmentId) ?? this.#segmentId(event.segmentId),
      offset: event.offset,
      delta: event.delta,
    }
  }

  #envelope() {
    return { ordinal: this.#nextOrdinal(), at: this.#now() }
  }

  #callScope() {
    const { providerCallId, attempt } = this.#openCall()
    return { ...this.#ids, providerCallId, attempt }
  }

  #toolScope(toolCallId: string) {
    const call = this.#callOfTool.get(toolCallId)
    const scope = call === undefined ? {} : { providerCallId: call.providerCallId, attempt: call.attempt }
    return { ...this.#ids, ...scope, toolCallId }
  }

  #segmentId(local: string): string {
    const call = this.#openCall()
    const known = call.segments.get(local)
    if (known !== undefined) return known
    const retry = call.attempt === 1 ? '' : `.${call.attempt}`
    const segmentId = `${call.providerCallId}${retry}:${local}`
    call.segments.set(local, segmentId)
    return segmentId
  }

  // An engine that does not speak of provider calls is one call.
  #openCall(): OpenCall {
    return this.#call ?? this.#open()
  }

  #open(): OpenCall {
    const previous = this.#discarded
    this.#discarded = undefined
    this.#call = {
      providerCallId: previous?.providerCallId ?? this.#newId(),
      attempt: (previous?.attempt ?? 0) + 1,
      segments: new Map(),
    }
    return this.#call
  }

  #now(): string {
    return timeText(this.#clock.now())
  }
}

function withId<B extends Block>(block: B, id: string): B {
  return block.id === undefined || block.id === '' ? { ...block, id } : block
}

function counter(): () => number {
  let count = 0
  return () => {
    count += 1
    return count
  }
}
