import * as v from 'valibot'
import type { JsonObject } from '../json.ts'

// The shapes that are stored under the catalogue's keys. Field names are the stored ones; fields that a version does
// not know are kept.

const count = v.pipe(v.number(), v.minValue(0))
const jsonObject = v.custom<JsonObject>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'must be an object',
)

/**
 * Tokens of a call or of a whole inference. The totals are inclusive: `input_tokens` counts cached tokens too,
 * `output_tokens` counts reasoning too; the parts stand beside them.
 */
export const usageSchema = v.looseObject({
  input_tokens: count,
  output_tokens: count,
  /** The same number as `cache_read_input_tokens`, under the name that OpenAI gave it. */
  cached_tokens: v.optional(count),
  cache_read_input_tokens: v.optional(count),
  cache_creation_input_tokens: v.optional(count),
  reasoning_tokens: v.optional(count),
})
export type Usage = v.InferOutput<typeof usageSchema>

/**
 * How a call ended, in words that hold for every provider. `refusal`: the model or a filter declined. `incomplete`: it
 * ended well but without an answer (reasoning alone, a pause). `interrupted`: cancelled. `error`: it failed.
 */
export const finishClasses = [
  'completed',
  'max_tokens',
  'tool_calls_pending',
  'refusal',
  'incomplete',
  'interrupted',
  'error',
  'unknown',
] as const
export type FinishClass = (typeof finishClasses)[number]

/** The outcome of a provider call, and of a whole inference (usage, cost and duration then cover all its calls). */
export const inferenceResultSchema = v.looseObject({
  provider: v.optional(v.string()),
  model: v.optional(v.string()),
  /** The provider's own word. */
  stop_reason: v.optional(v.string()),
  finish_class: v.picklist(finishClasses),
  /** Whether a token limit cut the output, whatever the class. */
  truncated: v.optional(v.boolean()),
  usage: v.optional(usageSchema),
  max_tokens: v.optional(count),
  duration_ms: v.optional(count),
  /** US dollars; absent when the price is not known. */
  cost: v.optional(v.number()),
  request_id: v.optional(v.string()),
  response_id: v.optional(v.string()),
  /** Why it failed, when it did. */
  error: v.optional(v.looseObject({ code: v.string(), message: v.string() })),
  extra: v.optional(jsonObject),
})
export type InferenceResult = v.InferOutput<typeof inferenceResultSchema>

/** A length of time as text with a unit (`30s`, `1m30s`, `250ms`), or as the nanoseconds that older files hold. */
export const durationSchema = v.union([
  v.pipe(v.string(), v.regex(/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$|^0$/, 'must be a duration such as "30s"')),
  v.number(),
])
export type Duration = v.InferOutput<typeof durationSchema>

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

export function durationMs(duration: Duration): number {
  if (typeof duration === 'number') return duration / 1e6
  let ms = 0
  for (const [, amount = '0', unit = 'ms'] of duration.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    ms += Number(amount) * (unitMs[unit] ?? 0)
  }
  return ms
}

export function durationOf(ms: number): Duration {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`
}

export const toolChoices = ['auto', 'none', 'required'] as const
export type ToolChoice = (typeof toolChoices)[number]
export const toolErrorPolicies = ['continue', 'abort', 'retry'] as const
export type ToolErrorPolicy = (typeof toolErrorPolicies)[number]

/** How tools were offered and run; the tool loop writes it, engines read `tool_choice` and `max_parallel_tools`. */
export const toolConfigSchema = v.looseObject({
  enabled: v.boolean(),
  tool_choice: v.optional(v.picklist(toolChoices)),
  max_iterations: v.optional(count),
  execution_timeout: v.optional(durationSchema),
  max_parallel_tools: v.optional(count),
  tool_error_handling: v.optional(v.picklist(toolErrorPolicies)),
  retry_config: v.optional(
    v.looseObject({
      max_retries: v.optional(count),
      backoff_base: v.optional(durationSchema),
      backoff_factor: v.optional(v.number()),
    }),
  ),
})
export type ToolConfig = v.InferOutput<typeof toolConfigSchema>

/** What was offered to the model, for people who look into a turn; what runs is always the live tool. */
export const toolDefinitionSchema = v.looseObject({
  name: v.string(),
  description: v.optional(v.string()),
  parameters: v.optional(jsonObject),
})
export type ToolDefinition = v.InferOutput<typeof toolDefinitionSchema>

/** Asks the model for JSON of one shape. A turn's value replaces the engine's default as a whole. */
export const structuredOutputSchema = v.looseObject({
  mode: v.picklist(['off', 'json_schema']),
  name: v.optional(v.string()),
  description: v.optional(v.string()),
  schema: v.optional(jsonObject),
  /** Default true. */
  strict: v.optional(v.boolean()),
  /** Whether an unusable configuration, or an answer that is not JSON, fails the run. Default false. */
  require_valid: v.optional(v.boolean()),
})
export type StructuredOutputConfig = v.InferOutput<typeof structuredOutputSchema>

const optionalNumber = v.nullish(v.number())
const optionalText = v.nullish(v.string())

/** Sampling and limits of one turn. A missing or null field inherits the engine's; `stop: []` clears its stops. */
export const inferenceConfigSchema = v.looseObject({
  thinking_budget: optionalNumber,
  reasoning_effort: optionalText,
  thinking_type: optionalText,
  reasoning_summary: optionalText,
  temperature: optionalNumber,
  top_p: optionalNumber,
  max_response_tokens: optionalNumber,
  stop: v.nullish(v.array(v.string())),
  seed: optionalNumber,
})
export type InferenceConfig = v.InferOutput<typeof inferenceConfigSchema>

export const claudeInferenceConfigSchema = v.looseObject({ user_id: optionalText, top_k: optionalNumber })
export type ClaudeInferenceConfig = v.InferOutput<typeof claudeInferenceConfigSchema>

export const openaiInferenceConfigSchema = v.looseObject({
  n: optionalNumber,
  presence_penalty: optionalNumber,
  frequency_penalty: optionalNumber,
  store: v.nullish(v.boolean()),
  service_tier: optionalText,
})
export type OpenAIInferenceConfig = v.InferOutput<typeof openaiInferenceConfigSchema>

/** A provider's own form of a block, sealed: sent back byte for byte to a provider that can use it, to no other. */
export const sidecarSchema = v.looseObject({
  provider: v.string(),
  /** The item as the provider sent it. */
  item: jsonObject,
})
export type Sidecar = v.InferOutput<typeof sidecarSchema>
