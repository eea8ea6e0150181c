import type { EngineEvent, ProjectionRepair } from '../events/event.ts'
import type { ToolSpec } from '../inference/engine.ts'
import type { CallSettings } from '../inference/settings.ts'
import type { JsonObject } from '../json.ts'
import type { Turn } from '../turns/turn.ts'
import type { Usage } from '../turns/values.ts'

/**
 * What one provider speaks: a pure projection of a turn to its request, and a pure state machine from its stream to
 * facts. Everything that is the same for all of them (HTTP, retry, watchdogs, cancellation, the result) is in engine.ts.
 */
export interface Protocol {
  readonly name: string
  /** Where the API is when no base URL is given, as the provider's own SDK takes it. */
  readonly defaultBaseUrl: string
  /** The headers that carry the key. */
  authHeaders(apiKey: string): Readonly<Record<string, string>>
  /** Headers that are lists: what the caller sets adds to what the request needs, and does not replace it. */
  readonly listHeaders?: readonly string[]
  project(turn: Turn, settings: CallSettings, tools: readonly ToolSpec[]): ProviderRequest
  decoder(): StreamDecoder
}

/** A request that the provider accepts. The same turn and settings give the same bytes. */
export interface ProviderRequest {
  /** Put behind the base URL, as `/messages`. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body: JsonObject
  /** What was changed so that the provider accepts it. */
  readonly repairs: readonly ProjectionRepair[]
  /** Settings that the provider does not take, each with the reason. */
  readonly warnings?: readonly string[]
}

export type Emit = (event: EngineEvent) => void

/**
 * Reads one reply. Not reused. It emits facts with segment ids of its own (unique in this reply), one
 * `…-segment-finished` with its block for each segment, and `tool-call-requested` only when a call is whole. It throws
 * ProviderError for an error that the stream reports; unknown wire events are counted and passed over.
 */
export interface StreamDecoder {
  /**
   * Takes one decoded SSE message. Not called again once `isComplete`. It may return true for content that makes no event
   * (a server tool's input): the provider is at work, and the call is not idle.
   */
  push(message: JsonObject, emit: Emit): boolean | void
  /** Takes the `[DONE]` mark of those who send one. */
  done?(): void
  /** Whether the provider has said that the reply is over; what comes after it is not read. */
  readonly isComplete: boolean
  /**
   * Whether the provider has said how the reply ends, though its closing mark is still to come: a connection that breaks
   * now has lost nothing.
   */
  readonly isAnswered?: boolean
  /**
   * The stream has ended. Emits what only the end decides and gives the outcome; undefined when the reply was cut off
   * before the provider said how it ends.
   */
  finish(emit: Emit): CallOutcome | undefined
}

export interface CallOutcome {
  /** The provider's own word for why it stopped; '' when it gave none. */
  readonly stopReason: string
  readonly usage?: Usage
  readonly responseId?: string
  /** The model that answered, where the provider names it. */
  readonly model?: string
  /** Whether the provider wants the same turn sent again to go on (Anthropic's `pause_turn`). */
  readonly continues?: boolean
  /** Whether the model's tool call could not be read, so that asking again may help. */
  readonly malformedToolCall?: boolean
  /** More that is worth keeping: the raw usage, counts of ignored events. */
  readonly extra?: JsonObject
}
