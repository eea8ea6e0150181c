import { toolConfigKey } from '../../turns/keys.ts'
import type { ToolSpec } from '../../inference/engine.ts'
import type { Json } from '../../json.ts'
import type { ToolCallBlock, ToolUseBlock } from '../../turns/block.ts'
import type { Turn } from '../../turns/turn.ts'
import { resultText } from '../tool-answers.ts'
import { fillText, placeholdersOf, valueAt, type Lookup } from './placeholders.ts'
import type { Rule } from './script.ts'

/** What a rule looks at. */
export interface Situation {
  /** The last text of the user. */
  readonly prompt: string
  /** Names of the tools on offer. */
  readonly tools: ReadonlySet<string>
  /** The tool results that the turn ends with, each with the call that it answers where the turn has it. */
  readonly answers: readonly { readonly result: ToolUseBlock; readonly call?: ToolCallBlock }[]
}

export interface Match {
  readonly rule: Rule
  readonly lookup: Lookup
}

export function situationOf(turn: Turn, tools: readonly ToolSpec[]): Situation {
  const { blocks } = turn
  const lastUser = blocks.findLast((block) => block.kind === 'user')
  const from = blocks.findLastIndex((block) => block.kind !== 'tool_use') + 1
  const results = blocks.slice(from).filter((block) => block.kind === 'tool_use')
  const answers = results.map((result) => {
    const call = blocks.findLast((block) => block.kind === 'tool_call' && block.payload.id === result.payload.id)
    return { result, ...(call?.kind === 'tool_call' && { call }) }
  })
  const isForbidden = toolConfigKey.get(turn)?.tool_choice === 'none'
  return {
    prompt: lastUser?.payload.text ?? '',
    tools: new Set(isForbidden ? [] : tools.map((tool) => tool.name)),
    answers,
  }
}

/** The first rule that fits, with the values of its placeholders. */
export function firstMatch(rules: readonly Rule[], situation: Situation): Match | undefined {
  for (const rule of rules) {
    const lookup = matchRule(rule, situation)
    if (lookup !== undefined) return { rule, lookup }
  }
  return undefined
}

function matchRule(rule: Rule, situation: Situation): Lookup | undefined {
  if (!fitsResults(rule, situation)) return undefined
  const groups = rule.when === undefined ? undefined : rule.when.exec(situation.prompt)
  if (groups === null) return undefined
  const lookup: Lookup = (name) => groupValue(groups, name) ?? situationValue(situation, name)
  if (!rule.tools.every((name) => situation.tools.has(fillText(name, lookup)))) return undefined
  const leadsNowhere = (name: string) => name.includes('.') && lookup(name) === undefined
  return placeholdersOf(rule.reply).some(leadsNowhere) ? undefined : lookup
}

function fitsResults({ toolResult, failed }: Rule, { answers }: Situation): boolean {
  if (toolResult === undefined || answers.length === 0) return toolResult === undefined && answers.length === 0
  const isOfTool = toolResult === true || answers.every(({ call }) => call?.payload.name === toolResult)
  const hasFailed = (answers.at(-1)?.result.payload.error ?? '') !== ''
  return isOfTool && (failed === undefined || failed === hasFailed)
}

function groupValue(groups: RegExpExecArray | undefined, name: string): string | undefined {
  if (/^\d+$/.test(name)) return groups?.[Number(name)]
  return Object.hasOwn(groups?.groups ?? {}, name) ? groups?.groups?.[name] : undefined
}

function situationValue({ prompt, answers }: Situation, name: string): Json | undefined {
  const [root, ...path] = name.split('.')
  const last = answers.at(-1)
  if (root === 'prompt') return prompt
  if (last === undefined) return undefined
  const { result, call } = last
  switch (root) {
    case 'tool':
      return call?.payload.name ?? 'tool'
    case 'args':
      return valueAt(call?.payload.args ?? {}, path)
    case 'result':
      return path.length === 0 ? resultText(result.payload) : valueAt(result.payload.result, path)
    case 'error':
      return result.payload.error ?? ''
    case 'results':
      return answers
        .map((answer) => `- ${answer.call?.payload.name ?? 'tool'}: ${resultText(answer.result.payload)}`)
        .join('\n')
    default:
      return undefined
  }
}
