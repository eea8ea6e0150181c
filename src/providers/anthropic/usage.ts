import { isJsonObject, type JsonObject } from '../../json.ts'
import type { Usage } from '../../turns/values.ts'
import { list, number, object } from '../wire.ts'

const inputParts = ['input_tokens', 'cache_creation_input_tokens', 'cache_read_input_tokens'] as const

/** The raw usage of a reply so far: every figure is a total of the whole reply, so a later one replaces an earlier one. */
export function mergeUsage(known: JsonObject, update: JsonObject): JsonObject {
  // Some gateways end with an input of zero after they began with the right one; no reply has read nothing.
  const forgetsInput = tokensRead(update) === 0 && tokensRead(known) > 0
  const said = Object.entries(update).filter(([name, value]) => {
    return value !== null && !(forgetsInput && inputParts.some((part) => part === name))
  })
  return { ...known, ...Object.fromEntries(said) }
}

/**
 * The inclusive usage: Anthropic's `input_tokens` leaves out what was read from and written to the cache, and its totals
 * leave out what server-side compaction cost (`iterations` has it).
 */
export function toUsage(raw: JsonObject): Usage | undefined {
  const output = number(raw, 'output_tokens')
  if (number(raw, 'input_tokens') === undefined && output === undefined) return undefined
  const compactions = list(raw, 'iterations')
    .filter(isJsonObject)
    .filter((entry) => entry['type'] === 'compaction')
  const sum = (name: string) => [raw, ...compactions].reduce((total, entry) => total + count(entry, name), 0)
  const has = (name: string) => number(raw, name) !== undefined
  const details = object(raw, 'output_tokens_details') ?? {}
  const read = sum('cache_read_input_tokens')
  return {
    input_tokens: inputParts.reduce((total, part) => total + sum(part), 0),
    output_tokens: sum('output_tokens'),
    ...(has('cache_read_input_tokens') && { cached_tokens: read, cache_read_input_tokens: read }),
    ...(has('cache_creation_input_tokens') && { cache_creation_input_tokens: sum('cache_creation_input_tokens') }),
    ...(number(details, 'thinking_tokens') !== undefined && { reasoning_tokens: count(details, 'thinking_tokens') }),
  }
}

function tokensRead(raw: JsonObject): number {
  return inputParts.reduce((total, part) => total + count(raw, part), 0)
}

function count(record: JsonObject, name: string): number {
  return Math.max(number(record, name) ?? 0, 0)
}
