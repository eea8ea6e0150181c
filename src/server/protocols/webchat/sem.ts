import { isJsonObject, type Json, type JsonObject } from '../../../json.ts'
import type { InferenceResult } from '../../../turns/values.ts'

// The border: what is said on the socket, with the names that it has there (`llm.delta`, camelCase data, `stream_id`).

type Said<Type extends string, Data> = { readonly type: Type; readonly id: string; readonly data: Data }
interface WithMetadata {
  readonly metadata?: JsonObject
}
interface Text {
  readonly id: string
  readonly text: string
}

/** Everything that a conversation says. `id` is that of the entity that it is about, as a client knows it. */
export type SemEvent =
  | Said<'chat.message', { schemaVersion: 1; role: MessageRole; content: string; streaming: boolean }>
  | (Said<'llm.start', { id: string; role: 'assistant' }> & WithMetadata)
  | Said<'llm.delta', { id: string; delta: string; cumulative: string }>
  | (Said<'llm.final', Text> & WithMetadata)
  | Said<'llm.thinking.start', { id: string; role: 'thinking' }>
  | Said<'llm.thinking.delta', { id: string; delta: string; cumulative: string }>
  | Said<'llm.thinking.final', { id: string }>
  | Said<'llm.thinking.summary', Text>
  | Said<'tool.start', { id: string; name: string; input: JsonObject }>
  | Said<'tool.delta', { id: string; patch: JsonObject }>
  | Said<'tool.result', { id: string; result: string; customKind?: string }>
  | Said<'tool.done', { id: string }>
  /** Ours: the call waits for somebody, or (with `decision`) does no longer. */
  | Said<'tool.approval', { id: string; name: string; input?: Json } & ApprovalData>
  | Said<'log', { id: string; level: string; message: string; fields?: JsonObject }>
  | Said<'agent.mode', { id: string; title: string; data: JsonObject }>
  | Said<
      'debugger.pause',
      { id: string; pauseId: string; phase: string; summary: string; deadlineMs: string; extra?: JsonObject }
    >
  /** Ours: why an inference has no answer, or no whole one. */
  | Said<'llm.error', { id: string; code: string; message: string }>
  /** Ours: the last thing that is said of an inference, once. */
  | Said<'inference.ended', { id: string; status: 'finished' | 'stopped' | 'failed' | 'interrupted'; reason?: string }>
  | Said<'timeline.upsert', { convId: string; version: string; entity: JsonObject }>
  /** What an application says of its own accord; on the wire `name` is the type. */
  | (Said<'custom', JsonObject> & { readonly name: string })

export type MessageRole = 'user' | 'assistant' | 'thinking'

export interface ApprovalData {
  readonly approvalId: string
  readonly reason?: string
  readonly hash?: string
  readonly expiresAt?: string
  readonly decision?: string
}

/** Types that no application's own event can have. */
const ownPrefix = /^(?:chat|llm|tool|timeline|inference|debugger|ws)\.|^(?:log|agent\.mode|custom)$/

export function isOwnType(name: string): boolean {
  return ownPrefix.test(name)
}

/** Which session, inference and turn a frame belongs to; a conversation and its session are one. */
export interface Correlation extends JsonObject {
  readonly conv_id: string
  readonly session_id: string
}

export interface SemFrame {
  readonly seq: number
  readonly correlation: Correlation
  readonly event: SemEvent
}

/** One event of the log may make several frames; their numbers leave room for them. */
const framesPerEvent = 1_000_000

/**
 * The number of a frame: strictly increasing in a conversation, the same in every process and after every restart, and
 * exact in JavaScript for nine thousand million events.
 */
export function seqOf(ordinal: number, index: number): number {
  return ordinal * framesPerEvent + index
}

/** The event that the frame of this number came from. */
export function ordinalOf(seq: number): number {
  return Math.floor(seq / framesPerEvent)
}

/** The last number that a frame of the events up to `ordinal` can have. */
export function lastSeqOf(ordinal: number): number {
  return seqOf(ordinal, framesPerEvent - 1)
}

/** A frame as the socket carries it. */
export function frameJson({ seq, correlation, event }: SemFrame): JsonObject {
  return {
    sem: true,
    event: {
      type: event.type === 'custom' ? event.name : event.type,
      id: event.id,
      data: event.type === 'custom' ? event.data : populated({ ...event.data }),
      ...('metadata' in event && event.metadata !== undefined && { metadata: event.metadata }),
      seq,
      stream_id: String(ordinalOf(seq)),
      correlation,
    },
  }
}

/** What belongs to the socket and to no event: it has no number. */
export function socketFrame(type: 'ws.hello' | 'ws.pong', convId: string, nowMs: number, more: JsonObject = {}) {
  const data = populated({ convId, ...more, serverTime: String(nowMs) })
  return { sem: true, event: { type, id: `${type}:${convId}:${nowMs}`, data, correlation: correlationOf(convId) } }
}

export function correlationOf(sessionId: string, inferenceId?: string, turnId?: string): Correlation {
  return {
    conv_id: sessionId,
    session_id: sessionId,
    ...(inferenceId !== undefined && { inference_id: inferenceId }),
    ...(turnId !== undefined && { turn_id: turnId }),
  }
}

/** A message as protobuf writes it in JSON: fields that have their default value are not there. */
export function populated(fields: Readonly<Record<string, Json | undefined>>): JsonObject {
  const isSaid = (value: Json | undefined) => value !== undefined && value !== '' && value !== 0 && value !== false
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => isSaid(value))) as JsonObject // undefined is gone
}

/** The outcome of a model call as a frame carries it beside its data; undefined when nothing is known of it. */
export function llmMetadata({
  model,
  max_tokens,
  stop_reason,
  usage,
  duration_ms,
}: InferenceResult): JsonObject | undefined {
  const metadata = populated({
    model,
    maxTokens: int32(max_tokens),
    stopReason: stop_reason,
    usage: usage && {
      inputTokens: int32(usage.input_tokens) ?? 0,
      outputTokens: int32(usage.output_tokens) ?? 0,
      ...populated({
        cachedTokens: int32(usage.cached_tokens),
        cacheCreationInputTokens: int32(usage.cache_creation_input_tokens),
        cacheReadInputTokens: int32(usage.cache_read_input_tokens),
      }),
    },
    durationMs: duration_ms === undefined ? undefined : String(Math.round(duration_ms)),
  })
  return Object.keys(metadata).length === 0 ? undefined : metadata
}

function int32(count: number | undefined): number | undefined {
  return count === undefined ? undefined : Math.min(Math.round(count), 2_147_483_647)
}

/** A value where a protobuf struct is expected: what is no object is put into one. */
export function structOf(value: Json): JsonObject {
  return isJsonObject(value) ? value : { raw: value }
}
