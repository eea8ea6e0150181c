import type { InferenceEvent } from 'geppetto/events'
import type { Json } from '../../session/json.ts'
import type { LogEvent } from './log.ts'

interface ScriptRule {
  readonly name: string
  readonly when: string
  /** The tool whose results the turn ends with; true for several. */
  readonly tool_result?: true | string
  readonly reply: readonly Readonly<Record<string, Json>>[]
  readonly stop_reason?: string
}

/**
 * The session as a script for the scripted engine, so that a test can have the same conversation without a model: one
 * rule for each reply, found again by its prompt. JSON is YAML, so it is both. Of replies that the same prompt got in
 * the same situation, the first is played. Curly braces in pairs, which mean a value in a script, are set apart.
 */
export function scriptOf(events: readonly LogEvent[]): string {
  const rules = new Map<string, ScriptRule>()
  const prompts = new Map<string, string>()
  const attempts = new Map<string, InferenceEvent[]>()
  /** What the last reply of an inference asked for. */
  const asked = new Map<string, readonly string[]>()
  for (const event of events) {
    if (event.type === 'unknown') continue
    if (event.type === 'prompt-accepted') prompts.set(event.inferenceId, event.block.payload.text)
    if (!('providerCallId' in event) || event.providerCallId === undefined) continue
    const attempt = `${event.providerCallId}.${event.attempt}`
    const said = [...(attempts.get(attempt) ?? []), event]
    attempts.set(attempt, said)
    if (event.type !== 'provider-call-finished') continue
    const { inferenceId, result } = event
    const prompt = prompts.get(inferenceId)
    const tools = [...new Set(asked.get(inferenceId))]
    asked.set(
      inferenceId,
      said.flatMap((each) => (each.type === 'tool-call-requested' ? [each.block.payload.name] : [])),
    )
    const reply = said.flatMap(stepOf)
    const key = JSON.stringify([prompt, tools])
    if (prompt === undefined || reply.length === 0 || rules.has(key)) continue
    const [tool, ...others] = tools
    rules.set(key, {
      name: `reply-${rules.size + 1}`,
      when: patternOf(prompt),
      ...(tool !== undefined && { tool_result: others.length === 0 ? tool : true }),
      reply,
      ...(result.stop_reason !== undefined && { stop_reason: result.stop_reason }),
    })
  }
  return [...rules.values()].map((rule) => `- ${JSON.stringify(rule)}\n`).join('')
}

function patternOf(prompt: string): string {
  return `^${prompt.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`)}$`
}

function stepOf(event: InferenceEvent): readonly Readonly<Record<string, Json>>[] {
  switch (event.type) {
    case 'text-segment-finished':
      return [{ text: plain(event.block.payload.text) }]
    case 'reasoning-segment-finished':
      return event.block.payload.text === undefined ? [] : [{ reasoning: plain(event.block.payload.text) }]
    case 'tool-call-requested': {
      const { name, args } = event.block.payload
      return [{ tool_call: { name, args: JSON.parse(plain(JSON.stringify(args))) } }]
    }
    default:
      return []
  }
}

function plain(text: string): string {
  return text.replaceAll('{{', '{ {').replaceAll('}}', '} }')
}
