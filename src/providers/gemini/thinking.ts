import type { CallSettings } from '../../inference/settings.ts'
import type { JsonObject } from '../../json.ts'
import { generationOf } from './model.ts'

// How much a model thinks, and whether it shows it. A level is for Gemini 3, a budget for those before it, and a request
// with both is refused. ai.google.dev/gemini-api/docs/thinking

/** Words of effort as levels; those of other providers as the nearest. */
const levels: ReadonlyMap<string, string> = new Map([
  ['none', 'MINIMAL'],
  ['minimal', 'MINIMAL'],
  ['low', 'LOW'],
  ['medium', 'MEDIUM'],
  ['high', 'HIGH'],
  ['xhigh', 'HIGH'],
  ['max', 'HIGH'],
])

/** Words of effort as budgets, as Google itself translates them. ai.google.dev/gemini-api/docs/openai#thinking */
const budgets: ReadonlyMap<string, number> = new Map([
  ['none', 0],
  ['minimal', 1024],
  ['low', 1024],
  ['medium', 8192],
  ['high', 24_576],
  ['xhigh', 24_576],
  ['max', 24_576],
])

/** The `thinkingConfig` of a call; undefined when nothing is asked of its thinking. */
export function thinkingConfig({ model, inference }: CallSettings): JsonObject | undefined {
  const effort = inference.reasoning_effort?.toLowerCase() ?? ''
  const isOld = generationOf(model) === 2
  const budget = inference.thinking_budget ?? (isOld ? budgetOf(effort, model) : undefined)
  const level = budget === undefined ? levelOf(effort, model) : undefined
  const summary = inference.reasoning_summary
  if (budget === undefined && level === undefined && summary === undefined) return undefined
  return {
    // "include_thoughts is only enabled when thinking is enabled"
    ...(budget !== 0 && { includeThoughts: summary !== 'none' }),
    ...(budget !== undefined && { thinkingBudget: budget }),
    ...(level !== undefined && { thinkingLevel: level }),
  }
}

// Models named `pro` do not go without thinking.
function budgetOf(effort: string, model: string): number | undefined {
  const budget = budgets.get(effort)
  return budget === 0 && isPro(model) ? leastOfPro.budget : budget
}

function levelOf(effort: string, model: string): string | undefined {
  const level = levels.get(effort)
  return level === 'MINIMAL' && isPro(model) ? leastOfPro.level : level
}

const leastOfPro = { budget: 128, level: 'LOW' }

function isPro(model: string): boolean {
  return /\bpro\b/i.test(model)
}

/** Settings of thinking that Gemini has no word for, each with what happens instead. */
export function leftOut({ inference }: CallSettings): readonly string[] {
  const { reasoning_effort: effort, thinking_type: type } = inference
  const isUnknown = effort !== undefined && effort !== '' && !levels.has(effort.toLowerCase())
  return [
    ...(isUnknown ? [`reasoning_effort ${JSON.stringify(effort)} left out: Gemini has no such level`] : []),
    ...(type === undefined ? [] : ['thinking_type left out: Gemini has no such setting; give thinking_budget']),
  ]
}
