import { isJsonObject, jsonEqual, tryParseJson, type Json, type JsonObject } from '../../json.ts'
import { list, text } from '../wire.ts'

// An output item is what a reply is made of: a message, reasoning, a call, the work of a tool that the provider runs.
// developers.openai.com/api/docs/guides/migrate-to-responses#messages-vs-items

/** The protocol's name, on sidecars and in results. */
export const providerName = 'openai-responses'

/** What a person reads of an item: a message's text and refusals, or the reasoning as far as it is shown. */
export function itemText(item: JsonObject): string {
  return item['type'] === 'reasoning' ? reasoningText(item) : list(item, 'content').map(partText).join('')
}

/** What the model wrote to a tool: JSON text for a function, any text for a custom tool. */
export function inputText(item: JsonObject): string {
  return text(item, item['type'] === 'custom_tool_call' ? 'input' : 'arguments') ?? ''
}

export function withInput(item: JsonObject, input: string): JsonObject {
  return { ...item, [item['type'] === 'custom_tool_call' ? 'input' : 'arguments']: input }
}

/** The arguments as a tool call's block has them: what JSON says, otherwise the text as it is. */
export function callArguments(item: JsonObject): Json {
  const input = inputText(item)
  if (item['type'] === 'custom_tool_call') return input
  return input.trim() === '' ? {} : (tryParseJson(input) ?? input)
}

/** Whether a call's item still says what its block says; a middleware may have changed the block. */
export function saysTheSameCall(item: JsonObject, name: string, args: Json): boolean {
  return text(item, 'name') === name && (jsonEqual(callArguments(item), args) || args === inputText(item))
}

/** Whether the model declined in this message. */
export function isRefusal(item: JsonObject): boolean {
  return list(item, 'content').some((part) => isJsonObject(part) && part['type'] === 'refusal')
}

// A summary comes in parts of their own titles; a raw thought, where a model shows it, as content.
function reasoningText(item: JsonObject): string {
  const parts = [...list(item, 'summary'), ...list(item, 'content')].map(partText)
  return parts.filter((part) => part !== '').join('\n\n')
}

function partText(part: Json): string {
  return isJsonObject(part) ? (text(part, 'text') ?? text(part, 'refusal') ?? '') : ''
}
