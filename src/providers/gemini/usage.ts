import type { JsonObject } from '../../json.ts'
import type { Usage } from '../../turns/values.ts'
import { number } from '../wire.ts'

/**
 * The inclusive usage. Gemini counts thoughts beside the answer, and what its own tools brought beside the prompt; the
 * cached part is within the prompt. Undefined while nothing is counted: Vertex begins with the kind of traffic alone.
 * ai.google.dev/api/generate-content#UsageMetadata
 */
export function toUsage(raw: JsonObject): Usage | undefined {
  const prompt = count(raw, 'promptTokenCount')
  const answer = count(raw, 'candidatesTokenCount')
  const thoughts = count(raw, 'thoughtsTokenCount')
  if (prompt === undefined && answer === undefined && thoughts === undefined) return undefined
  const cached = count(raw, 'cachedContentTokenCount')
  const input = (prompt ?? 0) + (count(raw, 'toolUsePromptTokenCount') ?? 0)
  // Where the sum says that the thoughts are within the answer already, they are not counted twice.
  const isWithin = answer !== undefined && answer >= (thoughts ?? 0) && count(raw, 'totalTokenCount') === input + answer
  return {
    input_tokens: input,
    output_tokens: (answer ?? 0) + (isWithin ? 0 : (thoughts ?? 0)),
    ...(cached !== undefined && { cached_tokens: cached, cache_read_input_tokens: cached }),
    ...(thoughts !== undefined && { reasoning_tokens: thoughts }),
  }
}

function count(raw: JsonObject, name: string): number | undefined {
  const value = number(raw, name)
  return value !== undefined && value >= 0 ? value : undefined
}
