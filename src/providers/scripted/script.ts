import * as v from 'valibot'
import { parse } from 'yaml'
import { GeppettoError, messageOf, type ErrorCode } from '../../errors.ts'
import { findNonJson, type Json } from '../../json.ts'
import { placeholdersOf, type ValueRoot } from './placeholders.ts'

// A script is a YAML list of rules; the first whose conditions all hold answers.
//
//   - name: sums                     # for error messages
//     when: 'what is (?<sum>.+)\?'   # a regular expression over the last user text; case does not matter
//     tools: [calculator]            # all of these are offered; a tool that the reply calls counts as named here
//     reply:                         # steps, played one after the other
//       - reasoning: Let me see.
//       - text: I will work that out.
//       - tool_call: {name: calculator, args: {expression: '{{sum}}'}}
//   - tool_result: calculator        # the turn ends with results of this tool (true: of any tool)
//     failed: false                  # the last result is no error
//     reply:
//       - text: 'It is {{result}}.'
//   - when: 'cut'
//     reply:
//       - text: This is cut
//       - pause_ms: 500
//       - fail: {code: PROVIDER_OVERLOADED, message: Too much to do.}
//   - reply: [{text: 'You said: {{prompt}}'}]
//     stop_reason: max_tokens        # the provider's word for the end; default stop, or tool_calls
//
// A rule without tool_result never answers a tool call, so a script cannot call for ever by accident. Text steps that
// follow each other are one segment. What `fail` follows is left cut off. `{{…}}` takes a value: a group of `when` by
// name or number, `prompt`, and for a tool result `result`, `error`, `tool`, `args` (with a path, as `result.utc`) and
// `results` (a list of all that the turn ends with). A rule with a path that leads nowhere does not match.

export interface Rule {
  /** How messages name the rule. */
  readonly label: string
  readonly when?: RegExp
  readonly tools: readonly string[]
  readonly toolResult?: true | string
  readonly failed?: boolean
  readonly reply: readonly Step[]
  readonly stopReason?: string
}

export type Step =
  | { readonly type: 'text' | 'reasoning'; readonly text: string }
  | { readonly type: 'tool_call'; readonly name: string; readonly args: Json }
  | { readonly type: 'fail'; readonly code: ErrorCode; readonly message: string }
  | { readonly type: 'pause'; readonly ms: number }

const failures = [
  'PROVIDER_AUTH',
  'PROVIDER_EMPTY_RESPONSE',
  'PROVIDER_HTTP',
  'PROVIDER_MALFORMED_TOOL_CALL',
  'PROVIDER_NOT_A_STREAM',
  'PROVIDER_OVERLOADED',
  'PROVIDER_PROTOCOL',
  'PROVIDER_RATE_LIMITED',
  'PROVIDER_STALLED',
  'PROVIDER_STREAM_ERROR',
  'PROVIDER_STREAM_TRUNCATED',
  'PROVIDER_UNREACHABLE',
] as const satisfies readonly ErrorCode[]

const text = v.string('must be text')
const json = v.pipe(
  v.unknown(),
  v.check((value) => findNonJson(value) === undefined, 'must be JSON'),
)
const pauseMs = v.pipe(
  v.number('must be milliseconds'),
  v.minValue(0, 'must be 0 or more'),
  v.maxValue(3_600_000, 'must be at most an hour'),
)

const stepSchema = v.pipe(
  v.strictObject({
    text: v.optional(text),
    reasoning: v.optional(text),
    tool_call: v.optional(v.strictObject({ name: text, args: v.optional(json, {}) })),
    fail: v.optional(
      v.strictObject({ code: v.optional(v.picklist(failures), 'PROVIDER_STREAM_ERROR'), message: text }),
    ),
    pause_ms: v.optional(pauseMs),
  }),
  v.check((step) => Object.keys(step).length === 1, 'must be one of text, reasoning, tool_call, fail and pause_ms'),
)

const ruleSchema = v.strictObject({
  name: v.optional(text),
  when: v.optional(text),
  tools: v.optional(v.array(text, 'must be a list of names'), []),
  tool_result: v.optional(v.union([v.literal(true), text], 'must be true or the name of a tool')),
  failed: v.optional(v.boolean('must be true or false')),
  reply: v.pipe(v.array(stepSchema, 'must be a list of steps'), v.minLength(1, 'must have a step')),
  stop_reason: v.optional(text),
})
type RuleFields = v.InferOutput<typeof ruleSchema>

/** Reads a script. Throws SCRIPT_INVALID with the rule that is wrong and what is wrong with it. */
export function parseScript(source: string): readonly Rule[] {
  const rules = readYaml(source)
  if (!Array.isArray(rules) || rules.length === 0) throw invalid('the script', 'it must be a list of rules')
  return rules.map((value: unknown, index) => {
    const label = labelOf(value, index)
    const read = v.safeParse(ruleSchema, value)
    if (!read.success) throw invalid(label, problemOf(read.issues))
    return readRule(read.output, label)
  })
}

function readYaml(source: string): unknown {
  try {
    return parse(source, { logLevel: 'error' })
  } catch (error) {
    throw invalid('the script', `it is no YAML (${messageOf(error).split('\n')[0]})`, error)
  }
}

function labelOf(value: unknown, index: number): string {
  const name = typeof value === 'object' && value !== null && 'name' in value ? value.name : undefined
  return typeof name === 'string' ? `rule ${index + 1} (${name})` : `rule ${index + 1}`
}

function problemOf([issue]: readonly v.BaseIssue<unknown>[]): string {
  const path = issue === undefined ? null : v.getDotPath(issue)
  if (issue?.type === 'strict_object') {
    const problem =
      issue.expected === 'never' ? 'is not known' : issue.received === 'undefined' ? 'is missing' : 'must be an object'
    return `${path ?? 'the rule'} ${problem}`
  }
  return `${path ?? 'it'} ${issue?.message ?? 'cannot be read'}`
}

function readRule(fields: RuleFields, label: string): Rule {
  const { when, tools, failed, reply, tool_result: toolResult, stop_reason: stopReason } = fields
  const pattern = when === undefined ? undefined : readPattern(when, label)
  if (failed !== undefined && toolResult === undefined) throw invalid(label, 'failed needs tool_result beside it')
  const steps = reply.map(readStep)
  const called = steps.flatMap((step) => (step.type === 'tool_call' ? [step.name] : []))
  const rule = {
    label,
    tools: [...new Set([...tools, ...called])],
    reply: steps,
    ...(pattern !== undefined && { when: pattern }),
    ...(toolResult !== undefined && { toolResult }),
    ...(failed !== undefined && { failed }),
    ...(stopReason !== undefined && { stopReason }),
  }
  requireKnownPlaceholders(rule)
  return rule
}

function readStep(step: RuleFields['reply'][number]): Step {
  if (step.text !== undefined) return { type: 'text', text: step.text }
  if (step.reasoning !== undefined) return { type: 'reasoning', text: step.reasoning }
  if (step.tool_call !== undefined)
    return { type: 'tool_call', name: step.tool_call.name, args: step.tool_call.args as Json } // checked
  if (step.fail !== undefined) return { type: 'fail', ...step.fail }
  return { type: 'pause', ms: step.pause_ms ?? 0 }
}

function readPattern(source: string, label: string): RegExp {
  try {
    return new RegExp(source, 'iu')
  } catch (error) {
    throw invalid(label, `when is no regular expression (${messageOf(error)})`, error)
  }
}

const resultRoots: readonly ValueRoot[] = ['result', 'error', 'tool', 'args', 'results']

function requireKnownPlaceholders(rule: Rule): void {
  const known = new Set<string>([
    'prompt',
    ...groupsOf(rule.when),
    ...(rule.toolResult === undefined ? [] : resultRoots),
  ])
  for (const name of placeholdersOf([rule.tools, rule.reply])) {
    if (known.has(name) || (rule.toolResult !== undefined && /^(?:result|args)\./.test(name))) continue
    throw invalid(
      rule.label,
      `{{${name}}} stands for nothing; it may use ${[...known].map((each) => `{{${each}}}`).join(', ')}`,
    )
  }
}

// A pattern that may also match nothing shows its groups without a text to match.
function groupsOf(pattern: RegExp | undefined): readonly string[] {
  if (pattern === undefined) return []
  const match = new RegExp(`${pattern.source}|`, pattern.flags).exec('')
  return [...(match?.keys() ?? [])].map(String).concat(Object.keys(match?.groups ?? {}))
}

function invalid(where: string, problem: string, cause?: unknown): GeppettoError {
  return new GeppettoError(
    'SCRIPT_INVALID',
    `The script of the scripted engine cannot be used: in ${where}, ${problem}.`,
    {
      ...(cause !== undefined && { cause }),
    },
  )
}
