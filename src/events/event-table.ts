import * as v from 'valibot'
import { isJsonObject, type Json, type JsonObject } from '../json.ts'
import type { Block, BlockKind } from '../turns/block.ts'
import { decodeBlock } from '../turns/decode.ts'
import type { TurnDelta } from '../turns/delta.ts'
import { encodeBlock } from '../turns/encode.ts'
import { finishClasses, inferenceResultSchema, usageSchema, type InferenceResult, type Usage } from '../turns/values.ts'
import { decisions, type ErrorInfo, type EventOf, type InferenceEventType, type ProjectionRepair } from './event.ts'

// One row for each type of the catalogue: the ids that it must carry, and how each of its own fields is stored. The
// types of event.ts demand a row for every event and a column for every field.

/** How a field is stored. */
export interface Field<T> {
  /** Absent when the stored form is the value itself. */
  readonly encode?: (value: T) => Json
  /** Gives undefined when `stored` is no value of this field. */
  readonly decode: (stored: Json) => T | undefined
}

/** A field as seen by code that does not know which one it is. */
export interface AnyField {
  readonly encode?: (value: never) => Json
  readonly decode: (stored: Json) => unknown
  readonly isOptional?: true
}

type ScopeOf<Event> = Event extends { segmentId: string }
  ? 'segment'
  : Event extends { toolCallId: string }
    ? 'tool-call'
    : Event extends { providerCallId: string }
      ? 'provider-call'
      : undefined extends Event['inferenceId' & keyof Event]
        ? 'turn'
        : 'inference'
export type EventScope = ScopeOf<EventOf<InferenceEventType>>

type SharedField =
  | 'type'
  | 'ordinal'
  | 'at'
  | 'sessionId'
  | 'inferenceId'
  | 'turnId'
  | 'providerCallId'
  | 'attempt'
  | 'segmentId'
  | 'toolCallId'
type FieldsOf<Event> = {
  readonly [Name in Exclude<keyof Event, SharedField>]: Field<Event[Name]> &
    (undefined extends Event[Name] ? { readonly isOptional: true } : { readonly isOptional?: never })
}
type EventTable = {
  readonly [T in InferenceEventType]: readonly [scope: ScopeOf<EventOf<T>>, fields: Required<FieldsOf<EventOf<T>>>]
}

function field<T extends Json>(is: (stored: Json) => stored is T): Field<T> {
  return { decode: (stored) => (is(stored) ? stored : undefined) }
}

function optional<T>(of: Field<T>): Field<T | undefined> & { readonly isOptional: true } {
  const { encode, decode } = of
  return {
    decode,
    ...(encode !== undefined && { encode: (value: T | undefined) => encode(value as T) }), // never for undefined
    isOptional: true,
  }
}

function oneOf<T extends string>(...words: readonly T[]): Field<T> {
  return { decode: (stored) => words.find((word) => word === stored) }
}

/** A value that is kept in its stored form; `schema` says what it must have. */
function storedAs<T extends object>(schema: v.GenericSchema): Field<T> {
  return {
    encode: (value) => value as unknown as JsonObject, // it is JSON already: the types of these values say so
    decode: (stored) => (v.is(schema, stored) ? (stored as unknown as T) : undefined), // the schema is that of T
  }
}

function blockOf<K extends BlockKind>(kind: K): Field<Extract<Block, { kind: K }>> {
  const isKind = (block: Block): block is Extract<Block, { kind: K }> => block.kind === kind
  return {
    encode: encodeBlock,
    decode: (stored) => {
      const block = tryDecodeBlock(stored)
      return block !== undefined && isKind(block) ? block : undefined
    },
  }
}

const blocks: Field<readonly Block[]> = {
  encode: (value) => value.map(encodeBlock),
  decode: (stored) => {
    if (!Array.isArray(stored)) return undefined
    const decoded = stored.flatMap((block: Json) => tryDecodeBlock(block) ?? [])
    return decoded.length === stored.length ? decoded : undefined
  },
}

function tryDecodeBlock(stored: Json): Block | undefined {
  try {
    return decodeBlock(stored)
  } catch {
    return undefined
  }
}

const text = field((stored) => typeof stored === 'string')
const number = field((stored) => typeof stored === 'number')
const object = field(isJsonObject)
const list = field((stored): stored is readonly Json[] => Array.isArray(stored))
const json = field((_stored): _stored is Json => true)
const isTrue = field((stored) => stored === true)
const result = storedAs<InferenceResult>(inferenceResultSchema)
const usage = storedAs<Usage>(usageSchema)
const errorInfo = storedAs<ErrorInfo>(v.looseObject({ code: v.string(), message: v.string() }))
const repairs = storedAs<readonly ProjectionRepair[]>(
  v.array(v.looseObject({ repair: v.string(), block: v.number(), detail: v.string() })),
)
const origin: Field<NonNullable<EventOf<'turn-opened'>['origin']>> = {
  encode: ({ sessionId, turnId, before }) => ({
    session_id: sessionId,
    turn_id: turnId,
    ...(before !== undefined && { before }),
  }),
  decode: (stored) => {
    if (!isJsonObject(stored)) return undefined
    const { session_id: sessionId, turn_id: turnId, before } = stored
    if (typeof sessionId !== 'string' || typeof turnId !== 'string') return undefined
    return { sessionId, turnId, ...(typeof before === 'string' && { before }) }
  },
}
const delta: Field<TurnDelta> = {
  encode: ({ head, add, tail, metadata, data, extra }) => ({
    head,
    add: add.map(encodeBlock),
    tail,
    ...(metadata !== undefined && { metadata }),
    ...(data !== undefined && { data }),
    ...(extra !== undefined && { extra }),
  }),
  decode: decodeDelta,
}

function decodeDelta(stored: Json): TurnDelta | undefined {
  if (!isJsonObject(stored)) return undefined
  const { head, add, tail, metadata, data, extra } = stored
  if (typeof head !== 'number' || typeof tail !== 'number' || !Array.isArray(add)) return undefined
  const blocks = add.map(tryDecodeBlock)
  if (!blocks.every((block) => block !== undefined)) return undefined
  return {
    head,
    add: blocks,
    tail,
    ...(isJsonObject(metadata) && { metadata }),
    ...(isJsonObject(data) && { data }),
    ...(isJsonObject(extra) && { extra }),
  }
}

const item = { itemId: optional(text) }
const itemDelta = { ...item, delta: text }
const segmentDelta = { offset: number, delta: text }
const failed = { error: errorInfo, result }
const status = oneOf('success', 'error', 'unknown')

export const eventTable: EventTable = {
  'turn-opened': ['turn', { base: optional(text), delta, origin: optional(origin) }],
  'session-renamed': ['turn', { title: text }],
  'prompt-accepted': [
    'inference',
    {
      block: blockOf('user'),
      key: optional(text),
      runtime: optional(json),
      before: optional(blocks),
      after: optional(blocks),
      data: optional(object),
    },
  ],
  'inference-started': ['inference', {}],
  'inference-resumed': ['inference', { restarts: number }],
  'inference-handed-over': ['inference', {}],
  'cancel-requested': ['inference', { reason: text }],
  'inference-finished': ['inference', { result }],
  'inference-stopped': ['inference', { reason: text, result }],
  'inference-failed': ['inference', failed],
  'inference-interrupted': ['inference', { reason: text, result }],
  'phase-reached': ['inference', { phase: oneOf('pre_inference', 'post_inference', 'post_tools'), iteration: number }],
  'persist-failed': ['inference', { error: errorInfo }],
  log: ['inference', { level: oneOf('debug', 'info', 'warn', 'error'), message: text, fields: optional(object) }],
  info: ['inference', { message: text, data: optional(object) }],
  'debugger.pause': [
    'inference',
    { pauseId: text, phase: text, summary: text, deadlineMs: number, extra: optional(object) },
  ],
  'agent-mode-switch': ['inference', { message: text, data: object }],
  custom: ['inference', { name: text, data: json }],
  'turn-edited': ['inference', { by: text, delta }],
  'provider-call-started': ['provider-call', { provider: text, model: text, requestHash: optional(text) }],
  'request-projected': ['provider-call', { repairs }],
  'provider-call-metadata-updated': [
    'provider-call',
    { responseId: optional(text), model: optional(text), stopReason: optional(text), usage: optional(usage) },
  ],
  'provider-call-finished': ['provider-call', { finishClass: oneOf(...finishClasses), result, blocks: number }],
  'attempt-discarded': ['provider-call', { error: errorInfo, blocks: number, retryInMs: number }],
  'block-received': ['provider-call', { block: blockOf('other') }],
  citation: [
    'provider-call',
    {
      url: optional(text),
      title: optional(text),
      citedText: optional(text),
      startIndex: optional(number),
      endIndex: optional(number),
      outputIndex: optional(number),
      contentIndex: optional(number),
      annotationIndex: optional(number),
    },
  ],
  'web-search-started': ['provider-call', { ...item, query: optional(text) }],
  'web-search-searching': ['provider-call', item],
  'web-search-open-page': ['provider-call', { ...item, url: optional(text) }],
  'web-search-done': ['provider-call', item],
  'file-search-started': ['provider-call', item],
  'file-search-searching': ['provider-call', item],
  'file-search-done': ['provider-call', item],
  'code-interpreter-started': ['provider-call', item],
  'code-interpreter-interpreting': ['provider-call', item],
  'code-interpreter-done': ['provider-call', item],
  'code-interpreter-code-delta': ['provider-call', itemDelta],
  'code-interpreter-code-done': ['provider-call', { ...item, code: text }],
  'mcp-args-delta': ['provider-call', itemDelta],
  'mcp-args-done': ['provider-call', { ...item, arguments: text }],
  'mcp-in-progress': ['provider-call', item],
  'mcp-completed': ['provider-call', item],
  'mcp-failed': ['provider-call', item],
  'mcp-list-tools-in-progress': ['provider-call', item],
  'mcp-list-tools-completed': ['provider-call', item],
  'mcp-list-tools-failed': ['provider-call', item],
  'image-generation-in-progress': ['provider-call', item],
  'image-generation-generating': ['provider-call', item],
  'image-generation-completed': ['provider-call', item],
  'image-generation-partial-image': ['provider-call', { ...item, partialImageBase64: optional(text) }],
  'tool-search-results': ['provider-call', { tool: text, ...item, results: list }],
  'text-segment-started': ['segment', {}],
  'text-delta': ['segment', segmentDelta],
  'text-segment-finished': ['segment', { block: blockOf('llm_text'), partial: optional(isTrue) }],
  'reasoning-segment-started': ['segment', { source: optional(oneOf('provider', 'thinking', 'summary')) }],
  'reasoning-delta': ['segment', segmentDelta],
  'reasoning-segment-finished': ['segment', { block: blockOf('reasoning'), partial: optional(isTrue) }],
  'tool-call-started': ['tool-call', { toolName: text }],
  'tool-call-arguments-delta': ['tool-call', segmentDelta],
  'tool-call-requested': ['tool-call', { block: blockOf('tool_call') }],
  'tool-execution-started': [
    'tool-call',
    { toolName: text, input: json, effect: optional(oneOf('read', 'idempotent')) },
  ],
  'approval-requested': [
    'tool-call',
    {
      approvalId: text,
      toolName: text,
      input: json,
      reason: oneOf('policy', 'outcome-unknown', 'client-tool'),
      hash: text,
      expiresAt: optional(text),
    },
  ],
  'approval-decided': [
    'tool-call',
    {
      approvalId: text,
      decision: oneOf(...decisions),
      input: optional(json),
      result: optional(json),
      message: optional(text),
      by: optional(text),
    },
  ],
  'tool-progress': ['tool-call', { toolName: text, progress: json }],
  'tool-result-ready': ['tool-call', { toolName: text, status, block: blockOf('tool_use') }],
  'tool-call-finished': ['tool-call', { toolName: text, status }],
}
