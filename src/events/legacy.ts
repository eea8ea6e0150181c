import { isJsonObject, tryParseJson, type Json, type JsonObject } from '../json.ts'

// Events of older versions, read as those of this one. Two formats: the first (`start`, `partial`, `final`, …, with the
// ids under `meta`, where `run_id` is a session) and the one after it (today's names but for `run-…`, with the ids under
// `correlation`, where `run_id` is an inference). Neither had an ordinal or a time.

interface LegacyIds {
  readonly providerCallId: string
  readonly toolCallId: string
}
/** Makes the type and the fields of today from an old event. */
type Upgrade = (old: JsonObject, ids: LegacyIds) => JsonObject

const started: Upgrade = (old) => ({ type: 'provider-call-started', provider: '', model: text(metaOf(old)['model']) })
const toolRequested: Upgrade = (old, { toolCallId }) => {
  const { name, input } = toolCallOf(old)
  return { type: 'tool-call-requested', block: toolCallBlock(toolCallId, name, input) }
}
const toolStarted: Upgrade = (old) => {
  const { name, input } = toolCallOf(old)
  return { type: 'tool-execution-started', tool_name: name, input: parsed(input) }
}
const toolReady: Upgrade = (old, { toolCallId }) => {
  const answer = recordOf(old['tool_result'])['result'] ?? old['result'] ?? null
  const failed = old['status'] === 'error'
  const error = typeof answer === 'string' ? answer : JSON.stringify(answer)
  const payload = failed ? { id: toolCallId, error } : { id: toolCallId, result: answer }
  return {
    type: 'tool-result-ready',
    tool_name: text(old['tool_name']),
    status: failed ? 'error' : 'success',
    block: { kind: 'tool_use', payload },
  }
}
const inferenceFailed: Upgrade = (old) => {
  const error = { code: 'INTERNAL', message: text(old['error_string']) || text(old['error']) || 'the run failed' }
  return { type: 'inference-failed', error, result: { ...resultOf(old), finish_class: 'error', error } }
}

/** Types that only older versions wrote. */
const renamed: Readonly<Record<string, Upgrade>> = {
  start: started,
  partial: (old) => ({ type: 'text-delta', ...deltaOf(old, 'completion') }),
  'partial-thinking': (old) => ({ type: 'reasoning-delta', ...deltaOf(old, 'completion') }),
  final: (old) => ({ type: 'text-segment-finished', block: textBlock(old) }),
  interrupt: (old) => ({ type: 'text-segment-finished', block: textBlock(old), partial: true }),
  error: inferenceFailed,
  'tool-call': toolRequested,
  'tool-call-execute': toolStarted,
  'tool-result': toolReady,
  'tool-call-execution-result': toolReady,
  'run-started': () => ({ type: 'inference-started' }),
  'run-finished': (old) => ({ type: 'inference-finished', result: { ...resultOf(old), finish_class: 'completed' } }),
  'run-stopped': (old) => ({
    type: 'inference-stopped',
    reason: text(old['reason']),
    result: { ...resultOf(old), finish_class: 'interrupted' },
  }),
  'run-failed': inferenceFailed,
}

/** Types of today whose fields were others. */
const reshaped: Readonly<Record<string, Upgrade>> = {
  'provider-call-started': started,
  'provider-call-metadata-updated': (old) => ({
    type: 'provider-call-metadata-updated',
    ...named('stop_reason', text(old['stop_reason'])),
    ...named('model', text(metaOf(old)['model'])),
    ...usageOf(old),
  }),
  'provider-call-finished': (old) => {
    const finish_class =
      text(old['finish_class']) || (old['has_tool_calls'] === true ? 'tool_calls_pending' : 'unknown')
    return { type: 'provider-call-finished', finish_class, result: { ...resultOf(old), finish_class }, blocks: 0 }
  },
  'text-segment-started': () => ({ type: 'text-segment-started' }),
  'text-delta': (old) => ({ type: 'text-delta', ...deltaOf(old, 'text') }),
  'text-segment-finished': (old) => ({ type: 'text-segment-finished', block: textBlock(old) }),
  'reasoning-segment-started': (old) => ({
    type: 'reasoning-segment-started',
    ...named('source', text(old['source'])),
  }),
  'reasoning-delta': (old) => ({ type: 'reasoning-delta', ...deltaOf(old, 'text') }),
  'reasoning-segment-finished': (old) => ({
    type: 'reasoning-segment-finished',
    block: { kind: 'reasoning', role: 'assistant', payload: { text: text(old['text']) } },
  }),
  'tool-call-started': (old) => ({ type: 'tool-call-started', tool_name: text(old['tool_name']) }),
  'tool-call-arguments-delta': (old) => ({ type: 'tool-call-arguments-delta', ...deltaOf(old, 'arguments') }),
  'tool-call-requested': toolRequested,
  'tool-execution-started': toolStarted,
  'tool-result-ready': toolReady,
  'tool-call-finished': (old) => ({
    type: 'tool-call-finished',
    tool_name: text(old['tool_name']),
    status: old['status'] === 'error' ? 'error' : 'success',
  }),
  log: (old) => ({ ...own(old), level: text(old['level']) || 'info', message: text(old['message']) }),
  info: (old) => ({ ...own(old), message: text(old['message']) }),
  'agent-mode-switch': (old) => ({ ...own(old), message: text(old['message']), data: recordOf(old['data']) }),
  'tool-search-results': (old) => ({ ...own(old), tool: text(old['tool']), results: old['results'] ?? [] }),
}

/** Whether an older version wrote `value`. */
export function isLegacyEvent(value: JsonObject): boolean {
  const type = value['type']
  if (typeof type !== 'string') return false
  if (Object.hasOwn(renamed, type) || isJsonObject(value['correlation'])) return true
  if (typeof value['session_id'] === 'string') return false
  return isJsonObject(value['meta']) || typeof value['run_id'] === 'string'
}

/** The stored form that this version would have written for an event of an older one. */
export function upgradeEvent(old: JsonObject): JsonObject {
  const type = text(old['type'])
  const ids = idsOf(old)
  const inferenceId = ids.inferenceId ?? ids.messageId ?? `${ids.sessionId ?? ''}:inference`
  const providerCallId = ids.providerCallId ?? ids.messageId ?? `${inferenceId}:call`
  const toolCallId = ids.toolCallId ?? `${providerCallId}:tool`
  const table = Object.hasOwn(renamed, type) ? renamed : reshaped
  const upgrade = Object.hasOwn(table, type) ? table[type] : undefined
  return {
    ordinal: ordinalOf(old),
    at: text(old['at']),
    ...named('session_id', ids.sessionId),
    inference_id: inferenceId,
    turn_id: ids.turnId ?? `${inferenceId}:turn`,
    provider_call_id: providerCallId,
    attempt: 1,
    segment_id: ids.segmentId ?? `${providerCallId}:${isReasoning(type) ? 'reasoning' : 'text'}`,
    tool_call_id: toolCallId,
    ...(upgrade === undefined ? own(old) : upgrade(old, { providerCallId, toolCallId })),
  }
}

/** An old event as it came, with the ids that it has where this version looks for them. */
export function legacyFields(old: JsonObject): JsonObject {
  const ids = idsOf(old)
  return {
    ...old,
    ordinal: ordinalOf(old),
    at: text(old['at']),
    ...named('session_id', ids.sessionId),
    ...named('inference_id', ids.inferenceId),
    ...named('turn_id', ids.turnId),
    ...named('provider_call_id', ids.providerCallId ?? ids.messageId),
    ...named('segment_id', ids.segmentId),
    ...named('tool_call_id', ids.toolCallId),
  }
}

const noMessage = '00000000-0000-0000-0000-000000000000'

function idsOf(old: JsonObject) {
  const meta = metaOf(old)
  const correlation = recordOf(old['correlation'])
  return {
    sessionId: first(correlation['session_id'], meta['session_id'], old['session_id'], meta['run_id'], old['run_id']),
    inferenceId: first(correlation['run_id'], meta['inference_id'], old['inference_id']),
    turnId: first(correlation['turn_id'], meta['turn_id'], old['turn_id']),
    messageId: meta['message_id'] === noMessage ? undefined : first(meta['message_id']),
    providerCallId: first(correlation['provider_call_id'], old['provider_call_id']),
    segmentId: first(correlation['segment_id'], old['segment_id']),
    toolCallId: first(
      correlation['tool_call_id'],
      old['tool_call_id'],
      recordOf(old['tool_call'])['id'],
      recordOf(old['tool_result'])['id'],
    ),
  }
}

// The text so far ends with the delta, so the delta begins where the rest of it ends.
function deltaOf(old: JsonObject, soFar: string): JsonObject {
  const delta = text(old['delta'])
  return { offset: Math.max(text(old[soFar]).length - delta.length, 0), delta }
}

function textBlock(old: JsonObject): JsonObject {
  return { kind: 'llm_text', role: 'assistant', payload: { text: text(old['text']) } }
}

function toolCallBlock(id: string, name: string, input: Json): JsonObject {
  return { kind: 'tool_call', id, payload: { id, name, args: parsed(input) } }
}

function toolCallOf(old: JsonObject): { readonly name: string; readonly input: Json } {
  const call = recordOf(old['tool_call'])
  return { name: text(call['name']) || text(old['tool_name']), input: call['input'] ?? old['input'] ?? {} }
}

// Arguments were stored as the text that the model wrote.
function parsed(input: Json): Json {
  const value = typeof input === 'string' ? tryParseJson(input) : input
  return isJsonObject(value) ? value : input
}

function resultOf(old: JsonObject): JsonObject {
  const meta = metaOf(old)
  const duration = old['duration_ms'] ?? meta['duration_ms']
  return {
    ...named('model', text(meta['model'])),
    ...named('stop_reason', text(old['stop_reason']) || text(meta['stop_reason'])),
    ...usageOf(old),
    ...(typeof duration === 'number' && { duration_ms: duration }),
  }
}

function usageOf(old: JsonObject): JsonObject {
  const usage = recordOf(old['usage'] ?? metaOf(old)['usage'])
  const isUsage = typeof usage['input_tokens'] === 'number' && typeof usage['output_tokens'] === 'number'
  return isUsage ? { usage } : {}
}

function own(old: JsonObject): JsonObject {
  const { meta: _meta, correlation: _correlation, run_id: _runId, ...fields } = old
  return fields
}

function ordinalOf(old: JsonObject): number {
  const ordinal = old['ordinal']
  return typeof ordinal === 'number' && Number.isSafeInteger(ordinal) && ordinal > 0 ? ordinal : 0
}

function isReasoning(type: string): boolean {
  return type.startsWith('reasoning') || type === 'partial-thinking'
}

function metaOf(old: JsonObject): JsonObject {
  return recordOf(old['meta'])
}

function recordOf(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {}
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}

function named(name: string, value: string | undefined): JsonObject {
  return value === undefined || value === '' ? {} : { [name]: value }
}

function first(...candidates: readonly (Json | undefined)[]): string | undefined {
  return candidates.find((candidate): candidate is string => typeof candidate === 'string' && candidate !== '')
}
