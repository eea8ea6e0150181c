import { GeppettoError } from '../errors.ts'
import {
  claudeInferenceConfigKey,
  inferenceConfigKey,
  openaiInferenceConfigKey,
  structuredOutputKey,
  toolConfigKey,
} from '../turns/keys.ts'
import type { JsonObject } from '../json.ts'
import type { Turn } from '../turns/turn.ts'
import type {
  ClaudeInferenceConfig,
  InferenceConfig,
  OpenAIInferenceConfig,
  StructuredOutputConfig,
  ToolConfig,
} from '../turns/values.ts'
import type { ModelCost } from './result.ts'

/** What is known of a model. */
export interface ModelInfo {
  /** Whether it reasons before it answers; such models refuse sampling settings. Default: by the model's name. */
  readonly reasoning?: boolean
  readonly contextWindow?: number
  readonly maxOutputTokens?: number
  readonly cost?: ModelCost
}

/** How inference is done: an engine's defaults, in the same shape as a turn's override. */
export interface InferenceSettings {
  readonly model: string
  readonly modelInfo?: ModelInfo
  readonly inference?: InferenceConfig
  readonly claude?: ClaudeInferenceConfig
  readonly openai?: OpenAIInferenceConfig
  readonly structuredOutput?: StructuredOutputConfig
  /** Whether the provider is asked to keep the prompt's beginning, and how long. Default `short`. */
  readonly promptCache?: 'none' | 'short' | 'long'
}

/** What one provider call is made with: the engine's settings under the turn's overrides, cleaned for the model. */
export interface CallSettings {
  readonly model: string
  readonly isReasoningModel: boolean
  readonly inference: CallInference
  readonly claude: { readonly user_id?: string; readonly top_k?: number }
  readonly openai: {
    readonly n?: number
    readonly presence_penalty?: number
    readonly frequency_penalty?: number
    readonly store?: boolean
    readonly service_tier?: string
  }
  /** Present when the model is to answer in JSON of this shape. */
  readonly structuredOutput?: OutputSchema
  readonly toolConfig?: ToolConfig
  readonly promptCache: 'none' | 'short' | 'long'
  /** Settings that were left out, each with the reason. */
  readonly warnings: readonly string[]
}

/** The inference config of one call: what is absent is not sent. */
export interface CallInference {
  readonly thinking_budget?: number
  readonly reasoning_effort?: string
  readonly thinking_type?: string
  readonly reasoning_summary?: string
  readonly temperature?: number
  readonly top_p?: number
  readonly max_response_tokens?: number
  readonly stop?: readonly string[]
  readonly seed?: number
}

export interface OutputSchema {
  readonly name: string
  readonly description?: string
  readonly schema: JsonObject
  readonly strict: boolean
  /** Whether an answer that is not JSON fails the call. */
  readonly requireValid: boolean
}

/**
 * The settings of one call. A turn's value beats the engine's, field by field; null and absent inherit, `stop: []`
 * clears. A reasoning model gets no sampling settings. Throws KEY_DECODE for an unreadable override, and
 * SETTINGS_INVALID for a structured output that cannot be asked for but is required.
 */
export function callSettings(turn: Turn, settings: InferenceSettings): CallSettings {
  const isReasoningModel = settings.modelInfo?.reasoning ?? hasReasoningName(settings.model)
  const merged = inherit(settings.inference, inferenceConfigKey.get(turn))
  const openai = inherit(settings.openai, openaiInferenceConfigKey.get(turn))
  const inference = isReasoningModel ? without(merged, ['temperature', 'top_p']) : merged
  const output = outputSchema(structuredOutputKey.get(turn) ?? settings.structuredOutput)
  const toolConfig = toolConfigKey.get(turn)
  return {
    model: settings.model,
    isReasoningModel,
    inference,
    claude: inherit(settings.claude, claudeInferenceConfigKey.get(turn)),
    openai: isReasoningModel ? without(openai, ['n', 'presence_penalty', 'frequency_penalty']) : openai,
    ...(output.schema !== undefined && { structuredOutput: output.schema }),
    ...(toolConfig !== undefined && { toolConfig }),
    promptCache: settings.promptCache ?? 'short',
    warnings: [...droppedSampling(merged, inference), ...output.warnings],
  }
}

/** Whether a model of this name reasons before it answers. */
export function hasReasoningName(model: string): boolean {
  return /(?:^|\/)(?:o1|o3|o4|gpt-[5-9])/.test(model.toLowerCase())
}

/** Fields of `over` replace those of `base`; null and undefined inherit. */
function inherit(base: object | undefined, over: object | undefined): Record<string, never> {
  const present = (fields: object | undefined) =>
    Object.entries(fields ?? {}).filter(([, value]) => value !== undefined && value !== null)
  return Object.fromEntries([...present(base), ...present(over)]) as Record<string, never> // the schemas checked both
}

function without<T extends object>(fields: T, names: readonly string[]): T {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name))) as T // optional fields only
}

function droppedSampling(before: object, after: object): readonly string[] {
  const dropped = Object.keys(before).filter((name) => !(name in after))
  return dropped.length === 0 ? [] : [`${dropped.join(' and ')} left out: a reasoning model refuses them`]
}

function outputSchema(config: StructuredOutputConfig | undefined): {
  schema?: OutputSchema
  warnings: readonly string[]
} {
  if (config === undefined || config.mode === 'off') return { warnings: [] }
  const { name = '', description, schema = {}, strict = true, require_valid: requireValid = false } = config
  const missing = name.trim() === '' ? 'schema name' : Object.keys(schema).length === 0 ? 'JSON schema' : undefined
  if (missing === undefined) {
    return {
      schema: { name, ...(description !== undefined && { description }), schema, strict, requireValid },
      warnings: [],
    }
  }
  const problem = `structured output mode "json_schema" requires a non-empty ${missing}`
  if (requireValid) throw new GeppettoError('SETTINGS_INVALID', `${problem}.`)
  return { warnings: [`${problem}; the answer is free text`] }
}
