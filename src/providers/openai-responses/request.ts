import type { ToolSpec } from '../../inference/engine.ts'
import type { CallSettings } from '../../inference/settings.ts'
import { toolParameters } from '../../inference/tool.ts'
import { isJsonObject, type JsonObject } from '../../json.ts'
import { responsesServerToolsKey } from '../../turns/keys.ts'
import type { Turn } from '../../turns/turn.ts'
import type { ProviderRequest } from '../protocol.ts'
import { wellFormed } from '../well-formed.ts'
import { toInput } from './input.ts'

// A turn as the body of POST /responses. developers.openai.com/api/reference/resources/responses/methods/create

/** The request for `turn`: the same turn, settings and tools give the same bytes. */
export function toRequest(turn: Turn, settings: CallSettings, tools: readonly ToolSpec[]): ProviderRequest {
  const { inference, openai } = settings
  const store = openai.store ?? false
  const { items, repairs } = toInput(turn.blocks, store)
  const body: JsonObject = {
    model: settings.model,
    input: items,
    ...(inference.max_response_tokens !== undefined && { max_output_tokens: inference.max_response_tokens }),
    ...(inference.temperature !== undefined && { temperature: inference.temperature }),
    ...(inference.top_p !== undefined && { top_p: inference.top_p }),
    ...reasoning(settings),
    ...textFormat(settings),
    ...toolFields(turn, settings, tools),
    ...(openai.service_tier !== undefined && { service_tier: openai.service_tier }),
    // The server caches long beginnings by itself, and that cannot be turned off; it can be asked to keep them longer.
    ...(settings.promptCache === 'long' && { prompt_cache_retention: '24h' }),
    store,
    stream: true,
  }
  return { path: '/responses', body: wellFormed(body), repairs, warnings: leftOut(settings) }
}

/**
 * How to reason, and the seal under which reasoning can be sent back to a server that keeps nothing; models that do not
 * reason refuse to be asked for it. A summary is sent for when it is configured only: the API refuses it to organizations
 * that are not verified ("Your organization must be verified to generate reasoning summaries").
 */
function reasoning({ inference, isReasoningModel }: CallSettings): JsonObject {
  const { reasoning_effort: effort, reasoning_summary: summary } = inference
  const isConfigured = effort !== undefined || summary !== undefined
  return {
    ...(isConfigured && {
      reasoning: { ...(effort !== undefined && { effort }), ...(summary !== undefined && { summary }) },
    }),
    ...((isConfigured || isReasoningModel) && { include: ['reasoning.encrypted_content'] }),
  }
}

function textFormat({ structuredOutput }: CallSettings): JsonObject {
  if (structuredOutput === undefined) return {}
  const { name, description, schema, strict } = structuredOutput
  return {
    text: { format: { type: 'json_schema', name, ...(description !== undefined && { description }), schema, strict } },
  }
}

function toolFields(turn: Turn, { toolConfig }: CallSettings, tools: readonly ToolSpec[]): JsonObject {
  const serverTools = (responsesServerToolsKey.get(turn) ?? []).filter(isJsonObject)
  const offered = [...tools.map(toTool), ...serverTools]
  if (offered.length === 0) return {}
  const parallel = toolConfig?.max_parallel_tools ?? 0
  return {
    tools: offered,
    ...(toolConfig?.tool_choice !== undefined && { tool_choice: toolConfig.tool_choice }),
    ...(parallel > 0 && { parallel_tool_calls: parallel > 1 }),
  }
}

// Left out, `strict` is true here, and a schema with an optional property is refused.
function toTool(spec: ToolSpec): JsonObject {
  return {
    type: 'function',
    name: spec.name,
    description: spec.description,
    parameters: toolParameters(spec),
    strict: false,
  }
}

/** Settings that are not sent, each with the reason. */
function leftOut({ inference, openai }: CallSettings): readonly string[] {
  const unknown = {
    stop: inference.stop?.length === 0 ? undefined : inference.stop,
    seed: inference.seed,
    thinking_budget: inference.thinking_budget,
    thinking_type: inference.thinking_type,
    n: openai.n,
    presence_penalty: openai.presence_penalty,
    frequency_penalty: openai.frequency_penalty,
  }
  const names = Object.entries(unknown).flatMap(([name, value]) => (value === undefined ? [] : [name]))
  return names.length === 0 ? [] : [`${names.join(' and ')} left out: the Responses API has no such setting`]
}
