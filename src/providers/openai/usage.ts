import type { JsonObject } from '../../json.ts'
import type { Usage } from '../../turns/values.ts'
import { number, object } from '../wire.ts'

/**
 * The inclusive usage. Some vendors (xAI) count reasoning beside `completion_tokens`: the total then says more than its
 * two parts, and what is over is reasoning. Cached tokens go by three names.
 */
export function toUsage(raw: JsonObject): Usage | undefined {
  const prompt = number(raw, 'prompt_tokens')
  const completion = number(raw, 'completion_tokens')
  if (prompt === undefined && completion === undefined) return undefined
  const input = prompt ?? 0
  const promptDetails = object(raw, 'prompt_tokens_details') ?? {}
  const reasoning =
    number(object(raw, 'completion_tokens_details') ?? {}, 'reasoning_tokens') ?? number(raw, 'reasoning_tokens')
  const beside = (number(raw, 'total_tokens') ?? 0) - input - (completion ?? 0)
  const output = (completion ?? 0) + (reasoning !== undefined && beside > 0 ? beside : 0)
  const read =
    number(promptDetails, 'cached_tokens') ?? number(raw, 'prompt_cache_hit_tokens') ?? number(raw, 'cached_tokens')
  const written = number(promptDetails, 'cache_write_tokens')
  return {
    input_tokens: input,
    output_tokens: output,
    ...(read !== undefined && { cached_tokens: read, cache_read_input_tokens: read }),
    ...(written !== undefined && { cache_creation_input_tokens: written }),
    ...(reasoning !== undefined && { reasoning_tokens: reasoning }),
  }
}
