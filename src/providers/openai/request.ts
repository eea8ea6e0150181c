import { GeppettoError } from '../../errors.ts'
import type { ToolSpec } from '../../inference/engine.ts'
import type { CallSettings } from '../../inference/settings.ts'
import { toolParameters } from '../../inference/tool.ts'
import type { JsonObject } from '../../json.ts'
import type { Turn } from '../../turns/turn.ts'
import type { ProviderRequest } from '../protocol.ts'
import { wellFormed } from '../well-formed.ts'
import { toMessages } from './messages.ts'

// A turn as the body of POST /chat/completions. platform.openai.com/docs/api-reference/chat/create

/** The request for `turn`: the same turn, settings and tools give the same bytes. */
export function toRequest(turn: Turn, settings: CallSettings, tools: readonly ToolSpec[]): ProviderRequest {
  const { messages, repairs } = toMessages(turn.blocks, settings.model)
  const { inference, openai, model } = settings
  if (openai.n !== undefined && openai.n !== 1) {
    throw new GeppettoError('SETTINGS_INVALID', `A turn holds one answer, so n must be 1, not ${openai.n}.`)
  }
  const thinking = thinkingMode(inference.thinking_type)
  const { temperature, top_p } = thinking?.type === 'enabled' ? {} : inference
  const body: JsonObject = {
    model,
    messages,
    ...tokenLimit(settings),
    ...(temperature !== undefined && { temperature }),
    ...(top_p !== undefined && { top_p }),
    ...(openai.presence_penalty !== undefined && { presence_penalty: openai.presence_penalty }),
    ...(openai.frequency_penalty !== undefined && { frequency_penalty: openai.frequency_penalty }),
    ...(inference.stop !== undefined && inference.stop.length > 0 && { stop: [...inference.stop] }),
    ...(inference.seed !== undefined && { seed: inference.seed }),
    ...(inference.reasoning_effort !== undefined && { reasoning_effort: inference.reasoning_effort }),
    ...(thinking !== undefined && { thinking }),
    ...responseFormat(settings),
    ...toolFields(settings, tools),
    ...(openai.store !== undefined && { store: openai.store }),
    ...(openai.service_tier !== undefined && { service_tier: openai.service_tier }),
    stream: true,
    // Mistral refuses the field and sends its usage unasked.
    ...(!/mistral|mixtral|magistral|codestral|devstral|pixtral/.test(model) && {
      stream_options: { include_usage: true },
    }),
  }
  return { path: '/chat/completions', body: wellFormed(body), repairs, warnings: leftOut(settings) }
}

function tokenLimit({ inference, isReasoningModel }: CallSettings): JsonObject {
  const limit = inference.max_response_tokens
  if (limit === undefined) return {}
  return isReasoningModel ? { max_completion_tokens: limit } : { max_tokens: limit }
}

// DeepSeek's switch. api-docs.deepseek.com/guides/thinking_mode
function thinkingMode(type: string | undefined): { readonly type: string } | undefined {
  if (type === undefined || type === '' || type === 'auto') return undefined
  if (type === 'enabled' || type === 'disabled') return { type }
  throw new GeppettoError(
    'SETTINGS_INVALID',
    `unsupported openai chat thinking_type ${JSON.stringify(type)}: use "enabled", "disabled" or "auto".`,
  )
}

function responseFormat({ structuredOutput }: CallSettings): JsonObject {
  if (structuredOutput === undefined) return {}
  const { name, description, schema, strict } = structuredOutput
  return {
    response_format: {
      type: 'json_schema',
      json_schema: { name, ...(description !== undefined && { description }), schema, strict },
    },
  }
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

function leftOut({ inference }: CallSettings): readonly string[] {
  const names = (['thinking_budget', 'reasoning_summary'] as const).filter((name) => inference[name] !== undefined)
  return names.length === 0 ? [] : [`${names.join(' and ')} left out: Chat Completions has no such setting`]
}
