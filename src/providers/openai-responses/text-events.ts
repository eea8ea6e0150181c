import type { ReasoningSource } from '../../events/event.ts'
import type { JsonObject } from '../../json.ts'
import { number, object, text } from '../wire.ts'
import type { ItemKind } from './output-item.ts'

/** What an event says of the text of an item: a delta of one of its parts, or all of the part. */
export interface TextEvent {
  readonly kind: ItemKind
  readonly part: string
  readonly content: { readonly delta: string } | { readonly whole: string }
  readonly source?: ReasoningSource
  readonly isRefusal: boolean
}

interface Reading {
  readonly kind: ItemKind
  readonly part: 'content' | 'summary' | 'input'
  /** The field that holds all of the part; absent for a delta. */
  readonly whole?: string
  readonly source?: ReasoningSource
  readonly isRefusal?: boolean
}

const answer: Reading = { kind: 'message', part: 'content' }
const refusal: Reading = { ...answer, isRefusal: true }
const summary: Reading = { kind: 'reasoning', part: 'summary', source: 'summary' }
const thinking: Reading = { kind: 'reasoning', part: 'content', source: 'thinking' }
const input: Reading = { kind: 'call', part: 'input' }

// `response.reasoning.*` and `response.reasoning_summary.*` are what older versions and some endpoints say.
const readings: ReadonlyMap<string, Reading> = new Map<string, Reading>([
  ['response.output_text.delta', answer],
  ['response.output_text.done', { ...answer, whole: 'text' }],
  ['response.output_json.delta', answer],
  ['response.refusal.delta', refusal],
  ['response.refusal.done', { ...refusal, whole: 'refusal' }],
  ['response.reasoning_summary_text.delta', summary],
  ['response.reasoning_summary_text.done', { ...summary, whole: 'text' }],
  ['response.reasoning_summary.delta', summary],
  ['response.reasoning_summary.done', { ...summary, whole: 'text' }],
  ['response.reasoning_text.delta', thinking],
  ['response.reasoning_text.done', { ...thinking, whole: 'text' }],
  ['response.reasoning.delta', thinking],
  ['response.reasoning.done', { ...thinking, whole: 'text' }],
  ['response.function_call_arguments.delta', input],
  ['response.function_call_arguments.done', { ...input, whole: 'arguments' }],
  ['response.custom_tool_call_input.delta', input],
  ['response.custom_tool_call_input.done', { ...input, whole: 'input' }],
])

/** Reads an event that writes text; undefined when it is none. */
export function textEvent(type: string, message: JsonObject): TextEvent | undefined {
  const reading = readings.get(type)
  if (reading === undefined) return undefined
  const { kind, part, whole, source, isRefusal = false } = reading
  const index = part === 'input' ? 0 : (number(message, part === 'summary' ? 'summary_index' : 'content_index') ?? 0)
  return {
    kind,
    part: `${part}-${index}`,
    content: whole === undefined ? { delta: deltaOf(message) } : { whole: text(message, whole) ?? '' },
    ...(source !== undefined && { source }),
    isRefusal,
  }
}

// Some gateways wrap the delta.
function deltaOf(message: JsonObject): string {
  const wrapped = object(message, 'delta') ?? {}
  const inner = object(message, 'text') ?? {}
  return text(message, 'delta') ?? text(wrapped, 'text') ?? text(inner, 'delta') ?? ''
}
