import type { ToolSpec } from '../../inference/engine.ts'
import type { CallSettings } from '../../inference/settings.ts'
import type { JsonObject } from '../../json.ts'
import type { Turn } from '../../turns/turn.ts'
import type { ProviderRequest } from '../protocol.ts'
import { wellFormed } from '../well-formed.ts'
import { toContents } from './contents.ts'
import { modelPath } from './model.ts'
import { leftOut, thinkingConfig } from './thinking.ts'
import { toolFields } from './tools.ts'

// A turn as the body of POST /models/{model}:streamGenerateContent. ai.google.dev/api/generate-content

/** The request for `turn`: the same turn, settings and tools give the same bytes. */
export function toRequest(turn: Turn, settings: CallSettings, tools: readonly ToolSpec[]): ProviderRequest {
  const { system, contents, repairs } = toContents(turn.blocks, settings.model)
  const config = generationConfig(settings)
  const body: JsonObject = {
    ...(system.length > 0 && { systemInstruction: { parts: system.map(({ content }) => content) } }),
    contents: contents.map(({ role, parts }) => ({ role, parts: parts.map(({ content }) => content) })),
    ...toolFields(turn, settings, tools),
    ...(Object.keys(config).length > 0 && { generationConfig: config }),
  }
  return {
    path: `/${modelPath(settings.model)}:streamGenerateContent?alt=sse`,
    body: wellFormed(body), // the parts are; a schema or a stop word may not be
    repairs,
    warnings: leftOut(settings),
  }
}

function generationConfig(settings: CallSettings): JsonObject {
  const { inference, structuredOutput } = settings
  const thinking = thinkingConfig(settings)
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
    ...(thinking !== undefined && { thinkingConfig: thinking }),
  }
}
