import type { JsonObject } from '../../json.ts'
import type { Usage } from '../../turns/values.ts'
import { number, object } from '../wire.ts'

// Where vendors put their figures. Cached tokens: OpenAI, DeepSeek, Moonshot. Written ones: OpenRouter, Alibaba, LiteLLM.
const cacheRead = ['prompt_tokens_details.cached_tokens', 'prompt_cache_hit_tokens', 'cached_tokens']
const cacheWritten = [
  'prompt_tokens_details.cache_write_tokens',
  'prompt_tokens_details.cache_creation_input_tokens',
  'cache_creation_input_tokens',
]
const reasoningTokens = ['completion_tokens_details.reasoning_tokens', 'reasoning_tokens']

/** The inclusive usage of a reply; undefined when it reports none. */
export function toUsage(raw: JsonObject): Usage | undefined {
  const prompt = figure(raw, ['prompt_tokens', 'input_tokens'])
  const completion = figure(raw, ['completion_tokens', 'output_tokens'])
  if (prompt === undefined && completion === undefined) return undefined
  const read = figure(raw, cacheRead)
  const written = figure(raw, cacheWritten)
  const reasoning = figure(raw, reasoningTokens)
  return {
    input_tokens: prompt ?? 0,
    output_tokens: inclusiveOutput(prompt, completion ?? 0, reasoning ?? 0, figure(raw, ['total_tokens']) ?? 0),
    ...(read !== undefined && { cached_tokens: read, cache_read_input_tokens: read }),
    ...(written !== undefined && { cache_creation_input_tokens: written }),
    ...(reasoning !== undefined && { reasoning_tokens: reasoning }),
  }
}

// "Reasoning token consumption will be counted separately from completion_tokens, but will be counted in the
// total_tokens": docs.x.ai/docs/key-information/consumption-and-rate-limits. OpenAI counts it in both, so a total beyond
// its two parts tells who counts how. Without a total, more reasoning than completion tells it too.
function inclusiveOutput(prompt: number | undefined, completion: number, reasoning: number, total: number): number {
  const rest = prompt === undefined ? 0 : total - prompt
  if (rest > completion) return rest
  return total === 0 && reasoning > completion ? completion + reasoning : completion
}

/** The first of `paths` that has a figure. */
function figure(raw: JsonObject, paths: readonly string[]): number | undefined {
  for (const path of paths) {
    const [first = '', second] = path.split('.')
    const value = second === undefined ? number(raw, first) : number(object(raw, first) ?? {}, second)
    if (value !== undefined) return Math.max(value, 0)
  }
  return undefined
}
