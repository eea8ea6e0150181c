import { GeppettoError } from '../../errors.ts'
import type { ToolSpec } from '../../inference/engine.ts'
import type { CallSettings } from '../../inference/settings.ts'
import { toolParameters } from '../../inference/tool.ts'
import type { JsonObject } from '../../json.ts'
import type { Turn } from '../../turns/turn.ts'
import type { ProviderRequest } from '../protocol.ts'
import { wellFormed } from '../well-formed.ts'
import { toMessages } from './messages.ts'
import { thinkingOf } from './thinking.ts'
import type { Vendor } from './vendors.ts'

// A turn as the body of POST /chat/completions. platform.openai.com/docs/api-reference/chat/create

/** The request for `turn`: the same turn, settings and tools give the same bytes. Throws SETTINGS_INVALID. */
export function toRequest(
  vendor: Vendor,
  turn: Turn,
  settings: CallSettings,
  tools: readonly ToolSpec[],
): ProviderRequest {
  const { openai } = settings
  if (openai.n !== undefined && openai.n !== 1) {
    throw new GeppettoError('SETTINGS_INVALID', `A turn holds one answer, so n must be 1, not ${openai.n}.`)
  }
  const { messages, repairs } = toMessages(turn.blocks, vendor)
  const thinking = thinkingOf(settings, vendor)
  const format = responseFormat(settings, vendor)
  const body: JsonObject = {
    model: settings.model,
    messages,
    ...toolFields(settings, tools),
    ...tokenLimit(settings, vendor),
    ...sampling(settings, vendor, thinking.isOn),
    ...thinking.fields,
    ...format.fields,
    ...(openai.store !== undefined && { store: openai.store }),
    ...(openai.service_tier !== undefined && { service_tier: openai.service_tier }),
    // Long beginnings are kept by themselves, and can be asked to be kept for longer. `prompt_cache_key`, which brings
    // requests of one beginning to one machine, is not sent: the messages are all that a projection knows of a session.
    ...(vendor.keepsPrompt === true && settings.promptCache === 'long' && { prompt_cache_retention: '24h' }),
    stream: true,
    ...(vendor.asksForUsage && { stream_options: { include_usage: true } }),
  }
  const warnings = [...leftOut(settings, thinking.isOn), ...thinking.warnings, ...format.warnings]
  return { path: '/chat/completions', body: wellFormed(body), repairs, warnings }
}

function toolFields({ toolConfig }: CallSettings, tools: readonly ToolSpec[]): JsonObject {
  if (tools.length === 0) return {}
  const parallel = toolConfig?.max_parallel_tools ?? 0
  return {
    tools: tools.map((spec) => ({
      type: 'function',
      function: { name: spec.name, description: spec.description, parameters: toolParameters(spec) },
    })),
    tool_choice: toolConfig?.tool_choice ?? 'auto',
    ...(parallel > 0 && { parallel_tool_calls: parallel > 1 }),
  }
}

// Reasoning models of OpenAI refuse `max_tokens`; many others know nothing else.
function tokenLimit({ inference, isReasoningModel }: CallSettings, vendor: Vendor): JsonObject {
  const limit = inference.max_response_tokens
  if (limit === undefined) return {}
  return isReasoningModel && vendor.knowsCompletionTokens ? { max_completion_tokens: limit } : { max_tokens: limit }
}

function sampling({ inference, openai }: CallSettings, vendor: Vendor, isThinking: boolean): JsonObject {
  const { stop = [] } = inference
  return {
    ...(!isThinking && withValues({ temperature: inference.temperature, top_p: inference.top_p })),
    ...(!isThinking &&
      withValues({ presence_penalty: openai.presence_penalty, frequency_penalty: openai.frequency_penalty })),
    ...(stop.length > 0 && { stop }),
    ...(inference.seed !== undefined && { [vendor.seed]: inference.seed }),
  }
}

function withValues(fields: Readonly<Record<string, number | undefined>>): JsonObject {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}

interface Fields {
  readonly fields: JsonObject
  readonly warnings: readonly string[]
}

function responseFormat({ structuredOutput }: CallSettings, vendor: Vendor): Fields {
  if (structuredOutput === undefined) return { fields: {}, warnings: [] }
  if (!vendor.jsonSchema) {
    const warning = `the schema of ${structuredOutput.name} is left out: ${vendor.name} takes none, and wants the prompt to say "json"`
    return { fields: { response_format: { type: 'json_object' } }, warnings: [warning] }
  }
  const { name, description, schema, strict } = structuredOutput
  const sentName = name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 64)
  const format = { name: sentName, ...(description !== undefined && { description }), schema, strict }
  return {
    fields: { response_format: { type: 'json_schema', json_schema: format } },
    warnings:
      sentName === name ? [] : [`the schema's name ${JSON.stringify(name)} is sent as ${JSON.stringify(sentName)}`],
  }
}

/** Settings that are not sent, each with the reason. */
function leftOut({ inference, openai }: CallSettings, isThinking: boolean): readonly string[] {
  const { temperature, top_p } = inference
  const { presence_penalty, frequency_penalty } = openai
  const dropped = Object.keys(withValues(isThinking ? { temperature, top_p, presence_penalty, frequency_penalty } : {}))
  return [
    ...(dropped.length > 0
      ? [`${dropped.join(' and ')} left out: a model that thinks takes no sampling settings`]
      : []),
    ...(inference.reasoning_summary !== undefined ? ['reasoning_summary left out: Chat Completions have none'] : []),
  ]
}
