import type { ToolSpec } from '../../inference/engine.ts'
import type { CallSettings } from '../../inference/settings.ts'
import { toolParameters } from '../../inference/tool.ts'
import { isJsonObject, type JsonObject } from '../../json.ts'
import { geminiServerToolsKey } from '../../turns/keys.ts'
import type { Turn } from '../../turns/turn.ts'
import type { ProviderRequest } from '../protocol.ts'
import { wellFormed } from '../well-formed.ts'
import { toContents } from './contents.ts'

// A turn as the body of POST /models/{model}:streamGenerateContent. ai.google.dev/api/generate-content

/** The request for `turn`: the same turn, settings and tools give the same bytes. */
export function toRequest(turn: Turn, settings: CallSettings, tools: readonly ToolSpec[]): ProviderRequest {
  const { system, contents, repairs } = toContents(turn.blocks, settings.model)
  const config = generationConfig(settings)
  const body: JsonObject = {
    ...(system.length > 0 && { systemInstruction: { parts: system } }),
    contents,
    ...toolFields(turn, settings, tools),
    ...(Object.keys(config).length > 0 && { generationConfig: config }),
  }
  const model = settings.model.replace(/^models\//, '')
  return {
    path: `/models/${encodeURIComponent(model)}:streamGenerateContent?alt=sse`,
    body: wellFormed(body),
    repairs,
    warnings: leftOut(settings),
  }
}

function generationConfig({ inference, structuredOutput }: CallSettings): JsonObject {
  const thinking = thinkingConfig(inference)
  return {
    ...(inference.temperature !== undefined && { temperature: inference.temperature }),
    ...(inference.top_p !== undefined && { topP: inference.top_p }),
    ...(inference.max_response_tokens !== undefined && { maxOutputTokens: inference.max_response_tokens }),
    ...(inference.stop !== undefined && inference.stop.length > 0 && { stopSequences: [...inference.stop] }),
    ...(inference.seed !== undefined && { seed: inference.seed }),
    ...(structuredOutput !== undefined && {
      responseMimeType: 'application/json',
      responseJsonSchema: structuredOutput.schema,
    }),
    ...(Object.keys(thinking).length > 0 && { thinkingConfig: thinking }),
  }
}

// A level is for Gemini 3, a budget for those before it; a request with both is refused.
function thinkingConfig({
  thinking_budget: budget,
  reasoning_effort: effort,
  reasoning_summary: summary,
}: CallSettings['inference']): JsonObject {
  return {
    ...((budget !== undefined || effort !== undefined || summary !== undefined) && {
      includeThoughts: summary !== 'none',
    }),
    ...(budget !== undefined && { thinkingBudget: budget }),
    ...(budget === undefined && effort !== undefined && { thinkingLevel: effort }),
  }
}

function toolFields(turn: Turn, { toolConfig }: CallSettings, tools: readonly ToolSpec[]): JsonObject {
  const serverTools = (geminiServerToolsKey.get(turn) ?? []).filter(isJsonObject)
  const functionDeclarations = tools.map((spec) => ({
    name: spec.name,
    description: spec.description,
    parametersJsonSchema: toolParameters(spec),
  }))
  const offered = [...(tools.length > 0 ? [{ functionDeclarations }] : []), ...serverTools]
  const mode = { auto: 'AUTO', required: 'ANY', none: 'NONE' }[toolConfig?.tool_choice ?? 'auto']
  return {
    ...(offered.length > 0 && { tools: offered }),
    ...(tools.length > 0 && { toolConfig: { functionCallingConfig: { mode } } }),
  }
}

function leftOut({ inference, openai }: CallSettings): readonly string[] {
  const unknown = {
    thinking_type: inference.thinking_type,
    service_tier: openai.service_tier,
    store: openai.store,
    n: openai.n,
  }
  const names = Object.entries(unknown).flatMap(([name, value]) => (value === undefined ? [] : [name]))
  return names.length === 0 ? [] : [`${names.join(' and ')} left out: Gemini has no such setting`]
}
