import type { JsonObject } from '../../json.ts'
import type { Usage } from '../../turns/values.ts'
import { number, object } from '../wire.ts'

/** The usage that a response reports; its totals are inclusive already. */
export function toUsage(raw: JsonObject): Usage | undefined {
  const input = number(raw, 'input_tokens')
  const output = number(raw, 'output_tokens')
  if (input === undefined && output === undefined) return undefined
  const read = part(raw, 'input_tokens_details', 'cached_tokens')
  const written = part(raw, 'input_tokens_details', 'cache_write_tokens')
  const reasoning = part(raw, 'output_tokens_details', 'reasoning_tokens')
  return {
    input_tokens: Math.max(input ?? 0, 0),
    output_tokens: Math.max(output ?? 0, 0),
    ...(read !== undefined && { cached_tokens: read, cache_read_input_tokens: read }),
    ...(written !== undefined && { cache_creation_input_tokens: written }),
    ...(reasoning !== undefined && { reasoning_tokens: reasoning }),
  }
}

function part(raw: JsonObject, details: string, name: string): number | undefined {
  const value = number(object(raw, details) ?? {}, name)
  return value === undefined ? undefined : Math.max(value, 0)
}
