import { GeppettoError } from '../../errors.ts'
import type { CallSettings } from '../../inference/settings.ts'
import type { JsonObject } from '../../json.ts'
import type { Message } from './message.ts'

// How much the model thinks, and what that forbids beside it. platform.claude.com/docs/en/build-with-claude/extended-thinking

/** What is asked for when nobody says how much: the field is required. */
const defaultMaxTokens = 4096
/** The API takes no smaller budget. */
const leastBudget = 1024

export type Thinking =
  | { readonly type: 'enabled'; readonly budget_tokens: number; readonly display?: string }
  | { readonly type: string; readonly display?: string }

/** The `thinking` field. A type is passed on as it is (`adaptive`, `disabled`, …); a budget alone means `enabled`. */
export function thinkingOf({ inference }: CallSettings): Thinking | undefined {
  const type = inference.thinking_type?.trim().toLowerCase() ?? ''
  const budget = inference.thinking_budget ?? 0
  const display = displayOf(inference.reasoning_summary)
  if (type === 'enabled' || (type === '' && budget > 0)) {
    return { type: 'enabled', budget_tokens: Math.max(Math.floor(budget), leastBudget), ...display }
  }
  if (type === '') return undefined
  return type === 'adaptive' ? { type, ...display } : { type }
}

function displayOf(summary: string | undefined): { readonly display?: string } {
  if (summary === undefined || summary.trim() === '') return {}
  return { display: ['none', 'off', 'omitted'].includes(summary.trim().toLowerCase()) ? 'omitted' : 'summarized' }
}

export function thinks(thinking: Thinking | undefined): boolean {
  return thinking !== undefined && thinking.type !== 'disabled'
}

/** `max_tokens` counts thinking too: an answer that would find no room behind the budget gets its own on top. */
export function maxTokens({ inference }: CallSettings, thinking: Thinking | undefined): number {
  const wanted = Math.max(Math.floor(inference.max_response_tokens ?? defaultMaxTokens), 1)
  const budget = budgetOf(thinking)
  return wanted > budget ? wanted : budget + wanted
}

function budgetOf(thinking: Thinking | undefined): number {
  return thinking !== undefined && 'budget_tokens' in thinking ? thinking.budget_tokens : 0
}

/**
 * Sampling, which thinking forbids. 1 is the API's default for both settings, and not sent. Throws SETTINGS_INVALID when
 * both are set to something else: the models take one of them.
 */
export function sampling({ inference, claude }: CallSettings, thinking: Thinking | undefined): JsonObject {
  if (thinks(thinking)) return {}
  const { temperature = 1, top_p: topP = 1 } = inference
  if (temperature !== 1 && topP !== 1) {
    throw new GeppettoError(
      'SETTINGS_INVALID',
      `Both temperature (${temperature}) and top_p (${topP}) are set to non-default values; Claude models require only one to be specified.`,
    )
  }
  return {
    ...(temperature !== 1 && { temperature }),
    ...(topP !== 1 && { top_p: topP }),
    ...(claude.top_k !== undefined && { top_k: claude.top_k }),
  }
}

/** Settings that are not sent, each with the reason. */
export function leftOut(
  { inference, claude, toolConfig }: CallSettings,
  thinking: Thinking | undefined,
): readonly string[] {
  const samplings = { temperature: inference.temperature, top_p: inference.top_p, top_k: claude.top_k }
  const dropped = Object.entries(samplings).flatMap(([name, value]) => (value === undefined ? [] : [name]))
  const isOn = thinks(thinking)
  return [
    ...(isOn && dropped.length > 0
      ? [`${dropped.join(' and ')} left out: Anthropic takes no sampling settings while the model thinks`]
      : []),
    ...(isOn && toolConfig?.tool_choice === 'required'
      ? ['tool_choice "required" is sent as "auto": a model that thinks cannot be forced to call a tool']
      : []),
    ...(inference.seed !== undefined ? ['seed left out: Anthropic has none'] : []),
  ]
}

/**
 * The first block of a tool loop that is going on and did not begin with thinking, where there is one: with a fixed
 * budget the API refuses to go on with such a loop ("a final `assistant` message must start with a thinking block").
 * It begins so when another provider made the call, or when thinking was turned on in between.
 */
export function loopWithoutThinking(messages: readonly Message[]): number | undefined {
  if (!beginsWith(messages.at(-1), 'user', ['tool_result'])) return undefined
  const prompt = messages.findLastIndex(
    (message) => message.role === 'user' && !beginsWith(message, 'user', ['tool_result']),
  )
  const first = messages[prompt + 1]
  return beginsWith(first, 'assistant', ['thinking', 'redacted_thinking']) ? undefined : first?.parts[0]?.block
}

function beginsWith(message: Message | undefined, role: Message['role'], types: readonly string[]): boolean {
  return message?.role === role && types.some((type) => message.parts[0]?.content['type'] === type)
}
