import type { JsonObject } from '../../json.ts'
import type { Usage } from '../../turns/values.ts'
import { number } from '../wire.ts'

/** The inclusive usage: Gemini counts thoughts beside the candidates and the prompts of its own tools beside the prompt. */
export function toUsage(raw: JsonObject): Usage | undefined {
  const prompt = number(raw, 'promptTokenCount')
  const candidates = number(raw, 'candidatesTokenCount')
  if (prompt === undefined && candidates === undefined) return undefined
  const thoughts = number(raw, 'thoughtsTokenCount')
  const cached = number(raw, 'cachedContentTokenCount')
  return {
    input_tokens: (prompt ?? 0) + (number(raw, 'toolUsePromptTokenCount') ?? 0),
    output_tokens: (candidates ?? 0) + (thoughts ?? 0),
    ...(cached !== undefined && { cached_tokens: cached, cache_read_input_tokens: cached }),
    ...(thoughts !== undefined && { reasoning_tokens: thoughts }),
  }
}
