import { GeppettoError } from '../errors.ts'
import type { EngineEvent, ErrorInfo, InferenceEvent } from '../events/event.ts'
import { findNonJson } from '../json.ts'
import type { FinishClass, InferenceResult, Usage } from '../turns/values.ts'

/** Dollars for a million tokens. An absent price is not a free one: without `input` and `output` no cost is given. */
export interface ModelCost {
  readonly input: number
  readonly output: number
  readonly cacheRead?: number
  readonly cacheWrite?: number
}

const tokenLimits = new Set([
  'max_tokens',
  'max_output_tokens',
  'length',
  'model_length',
  'model_context_window_exceeded',
  'continuation',
])
const refusals = new Set([
  'refusal',
  'content_filter',
  'safety',
  'recitation',
  'blocklist',
  'blocked',
  'prohibited_content',
  'spii',
  'image_safety',
  'image_recitation',
  'image_prohibited_content',
  'sensitive',
  'model_armor',
  'jailbreak',
])
const interruptions = new Set(['interrupted', 'cancelled', 'canceled'])
const failures = new Set(['error', 'failed'])
/** It ended in the middle, by no limit and by nobody's refusal. */
const breaks = new Set(['incomplete', 'max_messages', 'steered', 'language', 'no_image'])
/** It said what it had to say. A word that is in none of these lists is not taken for success. */
const completions = new Set([
  'stop',
  'end_turn',
  'stop_sequence',
  'completed',
  'tool_use',
  'tool_calls',
  'function_call',
  'eos',
])

/**
 * The class of a stop reason, whichever provider's word it is. Calls that wait for a result decide over `completed` and
 * `max_tokens`, never over a refusal or a failure.
 */
export function finishClass(stopReason: string, hasPendingCalls: boolean): FinishClass {
  const reason = stopReason.trim().toLowerCase()
  if (refusals.has(reason)) return 'refusal'
  if (interruptions.has(reason)) return 'interrupted'
  if (failures.has(reason)) return 'error'
  if (hasPendingCalls) return 'tool_calls_pending'
  if (tokenLimits.has(reason)) return 'max_tokens'
  if (breaks.has(reason)) return 'incomplete'
  return completions.has(reason) ? 'completed' : 'unknown'
}

/** Whether a token limit cut the output; holds beside the class, for a cut tool call is both. */
export function isTruncated(stopReason: string): boolean {
  return tokenLimits.has(stopReason.trim().toLowerCase())
}

/** The price of `usage` in dollars. The inclusive totals are taken apart first, so that no token is paid twice. */
export function costOf(usage: Usage, cost: ModelCost): number {
  const read = usage.cache_read_input_tokens ?? usage.cached_tokens ?? 0
  const written = usage.cache_creation_input_tokens ?? 0
  const fresh = Math.max(usage.input_tokens - read - written, 0)
  const input = fresh * cost.input + read * (cost.cacheRead ?? cost.input) + written * (cost.cacheWrite ?? cost.input)
  return (input + usage.output_tokens * cost.output) / 1_000_000
}

/** The sum of two usages; a part that neither has stays absent. */
export function addUsage(left: Usage | undefined, right: Usage | undefined): Usage | undefined {
  if (left === undefined || right === undefined) return left ?? right
  const parts = ['cached_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens', 'reasoning_tokens'] as const
  const summed = parts
    .filter((part) => left[part] !== undefined || right[part] !== undefined)
    .map((part) => [part, (left[part] ?? 0) + (right[part] ?? 0)])
  return {
    input_tokens: left.input_tokens + right.input_tokens,
    output_tokens: left.output_tokens + right.output_tokens,
    ...(Object.fromEntries(summed) as Partial<Usage>), // only parts of a usage, with numbers
  }
}

/** Throws EVENT_INVALID for a result that JSON cannot say: it cannot be a fact in a log. */
export function requireJsonResult(result: InferenceResult): void {
  const path = findNonJson(result)
  if (path === undefined) return
  throw new GeppettoError('EVENT_INVALID', `The engine gave a result that is not JSON at ${path}.`, {
    details: { path },
  })
}

/** The outcome of an inference so far, kept by looking at its events: the last call's words, all calls' costs. */
export class ResultLedger {
  #last: InferenceResult | undefined
  #calls: readonly InferenceResult[] = []
  #openUsage: Usage | undefined
  #requested = 0
  #answered = 0

  add(event: EngineEvent | InferenceEvent): void {
    switch (event.type) {
      case 'provider-call-metadata-updated':
        this.#openUsage = event.usage ?? this.#openUsage
        break
      case 'provider-call-finished':
        this.#openUsage = undefined
        this.#last = event.result
        this.#calls = [...this.#calls, event.result]
        break
      case 'attempt-discarded':
        this.#keepOpenUsage()
        break
      case 'tool-call-requested':
        this.#requested += 1
        break
      case 'tool-result-ready':
        this.#answered += 1
        break
      default:
    }
  }

  /** What was spent on the open call, for a result that has to stand in for the one that never came. */
  get openUsage(): Usage | undefined {
    return this.#openUsage
  }

  finished(durationMs: number): InferenceResult {
    const pending = this.#requested > this.#answered
    const fallback = { finish_class: pending ? ('tool_calls_pending' as const) : ('unknown' as const) }
    return this.#total(this.#last ?? fallback, durationMs)
  }

  stopped(stopReason: 'cancelled' | 'interrupted', durationMs: number): InferenceResult {
    const { error: _error, ...last } = this.#last ?? {}
    return this.#total({ ...last, stop_reason: stopReason, finish_class: 'interrupted' }, durationMs)
  }

  failed(error: ErrorInfo, durationMs: number): InferenceResult {
    return this.#total({ ...this.#last, finish_class: 'error', error: { ...error } }, durationMs)
  }

  // Tokens that a discarded or cut attempt cost were paid for all the same.
  #keepOpenUsage(): void {
    if (this.#openUsage !== undefined) this.#calls = [...this.#calls, { finish_class: 'error', usage: this.#openUsage }]
    this.#openUsage = undefined
  }

  #total(result: InferenceResult, durationMs: number): InferenceResult {
    this.#keepOpenUsage()
    const usage = this.#calls.map((call) => call.usage).reduce(addUsage, undefined)
    const costs = this.#calls.flatMap((call) => (call.cost === undefined ? [] : [call.cost]))
    return {
      ...result,
      ...(usage !== undefined && { usage: this.#calls.length === 1 && result.usage ? result.usage : usage }),
      ...(costs.length > 0 && { cost: costs.reduce((sum, cost) => sum + cost, 0) }),
      duration_ms: Math.round(durationMs),
    }
  }
}
