import type { JsonObject } from '../../../json.ts'
import type { Usage } from '../../../turns/values.ts'

/** Tokens as both APIs count them: the totals include the parts. */
export interface Tokens {
  readonly input: number
  readonly cached: number
  readonly output: number
  readonly reasoning: number
}

export const noTokens: Tokens = { input: 0, cached: 0, output: 0, reasoning: 0 }

export function addUsage(tokens: Tokens, usage: Usage | undefined): Tokens {
  if (usage === undefined) return tokens
  return {
    input: tokens.input + usage.input_tokens,
    cached: tokens.cached + (usage.cache_read_input_tokens ?? usage.cached_tokens ?? 0),
    output: tokens.output + usage.output_tokens,
    reasoning: tokens.reasoning + (usage.reasoning_tokens ?? 0),
  }
}

export function chatUsage({ input, cached, output, reasoning }: Tokens): JsonObject {
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: cached },
    completion_tokens_details: { reasoning_tokens: reasoning },
  }
}

export function responseUsage({ input, cached, output, reasoning }: Tokens): JsonObject {
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: cached },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: reasoning },
    total_tokens: input + output,
  }
}
