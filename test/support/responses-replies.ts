import type { Json, JsonObject } from '../../src/json.ts'
import { sse } from './replies.ts'

// Replies of the Responses API, written as the items that they are made of.

export const item = {
  message: (text: string, more: JsonObject = {}): JsonObject => ({
    id: `msg_${text.length}`,
    type: 'message',
    status: 'completed',
    content: [{ type: 'output_text', annotations: [], logprobs: [], text }],
    role: 'assistant',
    ...more,
  }),
  refusal: (refusal: string): JsonObject => ({
    id: 'msg_refusal',
    type: 'message',
    status: 'completed',
    content: [{ type: 'refusal', refusal }],
    role: 'assistant',
  }),
  reasoning: (id: string, summary: readonly string[], seal: string | undefined = `sealed-${id}`): JsonObject => ({
    id,
    type: 'reasoning',
    ...(seal !== undefined && { encrypted_content: seal }),
    summary: summary.map((text) => ({ type: 'summary_text', text })),
  }),
  thinking: (id: string, text: string): JsonObject => ({
    id,
    type: 'reasoning',
    summary: [],
    content: [{ type: 'reasoning_text', text }],
  }),
  call: (callId: string, name: string, args: string, more: JsonObject = {}): JsonObject => ({
    id: `fc_${callId}`,
    type: 'function_call',
    status: 'completed',
    arguments: args,
    call_id: callId,
    name,
    ...more,
  }),
  custom: (callId: string, name: string, input: string): JsonObject => ({
    id: `ctc_${callId}`,
    type: 'custom_tool_call',
    status: 'completed',
    call_id: callId,
    input,
    name,
  }),
}

export const usage: JsonObject = {
  input_tokens: 100,
  input_tokens_details: { cached_tokens: 60, cache_write_tokens: 10 },
  output_tokens: 20,
  output_tokens_details: { reasoning_tokens: 5 },
  total_tokens: 120,
}

export interface ReplyParts {
  readonly id?: string
  /** What the closing event says beside the items. */
  readonly end?: JsonObject
  /** The closing event's name. Default `completed`. */
  readonly status?: string
}

/** All events of a reply of these items, as the API sends them. */
export function events(
  items: readonly JsonObject[],
  { id = 'resp_1', end = {}, status = 'completed' }: ReplyParts = {},
): readonly JsonObject[] {
  const response = {
    id,
    object: 'response',
    created_at: 1,
    status: 'in_progress',
    model: 'gpt-5-2025',
    output: [],
    usage: null,
  }
  return [
    { type: 'response.created', response },
    { type: 'response.in_progress', response },
    ...items.flatMap(itemEvents),
    { type: `response.${status}`, response: { ...response, status, output: items, usage, ...end } },
  ].map((event, index) => ({ ...event, sequence_number: index }))
}

export function itemEvents(whole: JsonObject, index: number): readonly JsonObject[] {
  const place = { output_index: index, item_id: whole['id'] ?? null }
  const { output_index } = place
  return [
    { type: 'response.output_item.added', output_index, item: announced(whole) },
    ...insideOf(whole).map((event) => ({ ...event, ...place })),
    { type: 'response.output_item.done', output_index, item: whole },
  ]
}

function announced(whole: JsonObject): JsonObject {
  switch (whole['type']) {
    case 'message':
      return { ...whole, status: 'in_progress', content: [] }
    case 'reasoning':
      return {
        ...whole,
        ...(whole['encrypted_content'] !== undefined && { encrypted_content: 'not the last' }),
        summary: [],
      }
    case 'function_call':
      return { ...whole, status: 'in_progress', arguments: '' }
    case 'custom_tool_call':
      return { ...whole, status: 'in_progress', input: '' }
    default:
      return whole
  }
}

function insideOf(whole: JsonObject): readonly JsonObject[] {
  switch (whole['type']) {
    case 'message':
      return partsOf(whole, 'content').flatMap((part, index) => [
        { type: 'response.content_part.added', content_index: index, part: empty(part) },
        ...(part['type'] === 'refusal'
          ? written('response.refusal', String(part['refusal']), 'refusal', { content_index: index })
          : written('response.output_text', String(part['text']), 'text', { content_index: index })),
        ...annotationsOf(part, index),
        { type: 'response.content_part.done', content_index: index, part },
      ])
    case 'reasoning':
      return [
        ...partsOf(whole, 'summary').flatMap((part, index) => [
          { type: 'response.reasoning_summary_part.added', summary_index: index, part: { ...part, text: '' } },
          ...written('response.reasoning_summary_text', String(part['text']), 'text', { summary_index: index }),
          { type: 'response.reasoning_summary_part.done', summary_index: index, part },
        ]),
        ...partsOf(whole, 'content').flatMap((part, index) =>
          written('response.reasoning_text', String(part['text']), 'text', { content_index: index }),
        ),
      ]
    case 'function_call':
      return written('response.function_call_arguments', String(whole['arguments']), 'arguments', {})
    case 'custom_tool_call':
      return written('response.custom_tool_call_input', String(whole['input']), 'input', {})
    default:
      return []
  }
}

function empty(part: JsonObject): JsonObject {
  return part['type'] === 'refusal' ? { ...part, refusal: '' } : { ...part, text: '', annotations: [] }
}

function written(name: string, text: string, field: string, place: JsonObject): readonly JsonObject[] {
  const deltas = text.match(/.{1,4}/gsu) ?? []
  return [
    ...deltas.map((delta) => ({ type: `${name}.delta`, ...place, delta })),
    { type: `${name}.done`, ...place, [field]: text },
  ]
}

function annotationsOf(part: JsonObject, contentIndex: number): readonly JsonObject[] {
  const annotations = (part['annotations'] ?? []) as readonly Json[] // as `item` writes them
  return annotations.map((annotation, index) => ({
    type: 'response.output_text.annotation.added',
    content_index: contentIndex,
    annotation_index: index,
    annotation,
  }))
}

function partsOf(whole: JsonObject, name: string): readonly JsonObject[] {
  return (whole[name] ?? []) as readonly JsonObject[] // as `item` writes them
}

/** The stream that says these events. */
export function streamOf(messages: readonly JsonObject[]): string {
  return sse(
    messages.map((message) => JSON.stringify(message)),
    'named',
  )
}
