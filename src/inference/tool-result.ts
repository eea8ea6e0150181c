import { GeppettoError } from '../errors.ts'
import { findNonJson, isJsonObject, type Json } from '../json.ts'
import { toolError, type ToolUseBlock } from '../turns/block.ts'

/**
 * What a tool gave, as it is kept: a copy in JSON (`undefined` becomes null) whose texts any provider and any database
 * take. More than `maxChars` characters of JSON become their beginning as text, with a note. Throws TOOL_FAILED, which
 * names `what` and the path, for what JSON cannot say.
 */
export function toStoredJson(what: string, given: unknown, maxChars: number): Json {
  if (given === undefined) return null
  if (typeof given === 'string') return boundedText(given, maxChars)
  const path = findNonJson(given)
  if (path !== undefined)
    throw new GeppettoError('TOOL_FAILED', `${what} is not JSON at ${path}`, { details: { path } })
  const value = storable(given as Json) // findNonJson found nothing
  const text = JSON.stringify(value)
  return text.length > maxChars ? boundedText(text, maxChars) : value
}

/** `text` as it can be stored and sent, cut after `maxChars` characters with a note that says so. */
export function boundedText(text: string, maxChars: number): string {
  if (text.length <= maxChars) return storableText(text)
  return `${storableText(text.slice(0, maxChars))}\n[cut: the first ${maxChars} of ${text.length} characters]`
}

function storable(value: Json): Json {
  if (typeof value === 'string') return storableText(value)
  if (typeof value === 'number') return value + 0 // JSON has no -0
  if (Array.isArray(value)) return value.map(storable)
  if (!isJsonObject(value)) return value
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  return Object.fromEntries(entries.map(([key, item]) => [storableText(key), storable(item)]))
}

// Half of a surrogate pair is no UTF-8, and PostgreSQL cannot hold NUL.
function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD')
}

/** The answer to a call of which nobody knows whether it did its work; `message` is what a person adds to that. */
export function unknownOutcome(toolCallId: string, message?: string): ToolUseBlock {
  const said = 'interrupted: outcome unknown'
  const answer = toolError(toolCallId, message === undefined ? said : `${said}. ${message}`)
  return { ...answer, payload: { ...answer.payload, outcome_unknown: true } }
}
