import { isJsonObject, jsonEqual, type Json } from '../json.ts'
import type { RequestContent } from './request.ts'

type Step = string | number

interface Difference {
  readonly path: readonly Step[]
  readonly recorded: Json | undefined
  readonly came: Json | undefined
}

/** What differs first between the recorded request and the one that came, in a person's words; undefined when nothing. */
export function requestDifference(recorded: RequestContent, came: RequestContent): string | undefined {
  if (recorded.method !== came.method || recorded.url !== came.url) {
    return `it goes to another address: ${recorded.method} ${recorded.url} was recorded, ${came.method} ${came.url} came`
  }
  if (recorded.sha256 === came.sha256) {
    return recorded.sent_sha256 === came.sent_sha256 ? undefined : 'only the order of keys differs'
  }
  const difference = firstOf(recorded.body, came.body, tellingFields) ?? firstDifference(recorded.body, came.body, [])
  if (difference === undefined)
    return 'its recorded hash is not that of its recorded body: the file was changed by hand'
  return `${reason(difference, recorded.body, came.body)}. ${quoted(difference)}`
}

/** What differs first between two values, with its path; undefined when nothing does. */
export function valueDifference(recorded: Json, came: Json): string | undefined {
  const difference = firstDifference(recorded, came, [])
  return difference && quoted(difference)
}

function firstDifference(
  recorded: Json | undefined,
  came: Json | undefined,
  path: readonly Step[],
): Difference | undefined {
  if (jsonEqual(recorded, came)) return undefined
  const steps = innerSteps(recorded, came)
  for (const step of steps) {
    const inner = firstDifference(at(recorded, step), at(came, step), [...path, step])
    if (inner !== undefined) return inner
  }
  return { path, recorded, came }
}

function innerSteps(recorded: Json | undefined, came: Json | undefined): readonly Step[] {
  if (Array.isArray(recorded) && Array.isArray(came)) {
    return Array.from({ length: Math.max(recorded.length, came.length) }, (_each, index) => index)
  }
  if (!isJsonObject(recorded) || !isJsonObject(came)) return []
  return [...new Set([...Object.keys(recorded), ...Object.keys(came)])].toSorted()
}

/** The difference in the first of `fields` that differs. */
function firstOf(recorded: Json, came: Json, fields: readonly string[]): Difference | undefined {
  const field = fields.find((name) => !jsonEqual(at(recorded, name), at(came, name)))
  return field === undefined ? undefined : firstDifference(at(recorded, field), at(came, field), [field])
}

const messageLists = ['messages', 'input', 'contents']
const systemFields = ['system', 'instructions', 'systemInstruction', 'system_instruction']
/** What says most of why a request is another; other settings often follow from these. */
const tellingFields = ['model', ...systemFields, 'tools', ...messageLists]

function reason(difference: Difference, before: Json, after: Json): string {
  const [field, index] = difference.path
  if (typeof field !== 'string') return 'its body is another'
  if (systemFields.includes(field)) return 'the system prompt changed'
  if (field === 'model') return 'another model is asked for'
  if (field === 'tools') return toolReason(difference, at(before, field), at(after, field))
  if (!messageLists.includes(field)) return `the setting ${field} changed`
  const [old, now] = [at(before, field), at(after, field)]
  if (!Array.isArray(old) || !Array.isArray(now) || typeof index !== 'number') return 'the messages differ'
  const roles = [at(old[index], 'role'), at(now[index], 'role')]
  if (roles.some((role) => role === 'system' || role === 'developer')) return 'the system prompt changed'
  if (index >= old.length)
    return now.length - old.length === 1
      ? 'there is one message more'
      : `there are ${now.length - old.length} messages more`
  if (index >= now.length)
    return old.length - now.length === 1
      ? 'there is one message fewer'
      : `there are ${old.length - now.length} messages fewer`
  return `message ${index + 1} differs`
}

function toolReason({ path }: Difference, before: Json | undefined, after: Json | undefined): string {
  const [old, now] = [toolsOf(before), toolsOf(after)]
  const gone = [...old.keys()].find((name) => !now.has(name))
  const added = [...now.keys()].find((name) => !old.has(name))
  if (gone !== undefined && added !== undefined) return `the tool ${gone} is not offered any more, and ${added} is`
  if (gone !== undefined) return `the tool ${gone} is not offered any more`
  if (added !== undefined) return `the tool ${added} is offered and was not`
  const changed = [...old].find(([name, tool]) => !jsonEqual(tool, now.get(name)))
  if (changed === undefined) return 'the tools stand in another order'
  return path.at(-1) === 'description' && !path.includes('properties')
    ? `the description of the tool ${changed[0]} changed`
    : `the schema of the tool ${changed[0]} changed`
}

/** The tools by name, in whichever shape a provider takes them. */
function toolsOf(tools: Json | undefined): ReadonlyMap<string, Json> {
  const list = Array.isArray(tools) ? tools : []
  const declared = list.flatMap((tool: Json) => {
    const inner = at(tool, 'functionDeclarations') ?? at(tool, 'function_declarations')
    return Array.isArray(inner) ? inner : [tool]
  })
  return new Map(
    declared.map((tool: Json, index) => {
      const name = at(tool, 'name') ?? at(at(tool, 'function'), 'name') ?? at(tool, 'type') ?? index + 1
      return [typeof name === 'string' ? name : JSON.stringify(name), tool]
    }),
  )
}

function quoted({ path, recorded, came }: Difference): string {
  const where = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('')
  const from = typeof recorded === 'string' && typeof came === 'string' ? commonStart(recorded, came) : 0
  return `At $${where}, ${shown(recorded, from)} was recorded and ${shown(came, from)} came`
}

const shownChars = 80

function shown(value: Json | undefined, from: number): string {
  if (value === undefined) return 'nothing'
  if (typeof value !== 'string') return shorten(JSON.stringify(value))
  const start = Math.max(from - 20, 0)
  return `${start > 0 ? '…' : ''}${shorten(JSON.stringify(value.slice(start)))}`
}

function shorten(text: string): string {
  return text.length > shownChars ? `${text.slice(0, shownChars)}…` : text
}

function commonStart(left: string, right: string): number {
  let index = 0
  while (index < left.length && left[index] === right[index]) index += 1
  return index
}

function at(value: Json | undefined, step: Step): Json | undefined {
  if (Array.isArray(value)) return typeof step === 'number' ? (value as readonly Json[])[step] : undefined
  return isJsonObject(value) ? value[step] : undefined
}
