import { isJsonObject, tryParseJson, type Json, type JsonObject } from '../../src/json.ts'

// What Chat Completions endpoints demand of a request, as far as their documents and their 400s say.

/** Whose rules hold: the strictest chat template of an open model, a vendor with rules of its own, or neither. */
export type ChatRules = 'openai' | 'mistral' | 'template' | 'deepseek' | 'service'

/** The rules that `body` breaks, each as a sentence; none for a request that is taken. */
export function validateChatRequest(body: JsonObject, rules: ChatRules = 'service'): readonly string[] {
  const messages = objects(body['messages'])
  return [
    ...messages.flatMap((message, index) => contentProblems(message, index, rules)),
    ...orderProblems(messages, rules),
    ...pairProblems(messages),
    ...messages.flatMap((message) => objects(message['tool_calls'])).flatMap((call) => idProblems(call, rules)),
    ...('tools' in body
      ? []
      : ['tool_choice', 'parallel_tool_calls'].filter((name) => name in body).map((name) => `${name} without tools`)),
    ...(Array.isArray(body['tools']) && body['tools'].length === 0 ? ['an empty list of tools'] : []),
    ...(rules === 'mistral'
      ? ['stream_options', 'seed', 'max_completion_tokens', 'store']
          .filter((name) => name in body)
          .map((name) => `${name} is not permitted`)
      : []),
    ...(isWellFormed(JSON.stringify(body)) ? [] : ['there is half of a surrogate pair']),
  ]
}

const fields: Readonly<Record<string, readonly string[]>> = {
  system: ['role', 'content'],
  user: ['role', 'content'],
  assistant: ['role', 'content', 'tool_calls'],
  tool: ['role', 'content', 'tool_call_id'],
}

function contentProblems(message: JsonObject, index: number, rules: ChatRules): readonly string[] {
  const { role, content } = message
  const calls = objects(message['tool_calls'])
  const at = `message ${index} (${String(role)})`
  const isStrict = rules === 'openai' || rules === 'mistral'
  const unknown = Object.keys(message).filter((name) => fields[String(role)]?.includes(name) !== true)
  const problems = isStrict ? unknown.map((name) => `${at} has the unknown field ${name}`) : []
  switch (role) {
    case 'system':
    case 'user':
      return [
        ...problems,
        ...(isSaid(content, role === 'user' ? ['text', 'image_url'] : ['text']) ? [] : [`${at} is empty`]),
      ]
    case 'assistant':
      return [
        ...problems,
        ...(isSaid(content, rules === 'mistral' ? ['text', 'thinking', 'reference'] : ['text']) ||
        (content === null && calls.length > 0)
          ? []
          : [`${at} is empty`]),
        ...('tool_calls' in message && calls.length === 0 ? [`${at} has an empty list of calls`] : []),
        ...calls.flatMap((call) => callProblems(call, at, isStrict)),
        ...(rules === 'deepseek' && calls.length > 0 && !isFilled(message['reasoning_content'])
          ? [`${at}: the reasoning must be passed back`]
          : []),
      ]
    case 'tool':
      return isVisible(content) ? problems : [...problems, `${at} has no text`]
    default:
      return [`${at} has an unknown role`]
  }
}

function callProblems(call: JsonObject, at: string, isStrict: boolean): readonly string[] {
  const isCustom = call['type'] === 'custom'
  const made = isJsonObject(call['function']) ? call['function'] : isJsonObject(call['custom']) ? call['custom'] : {}
  const args = made['arguments']
  const extras = Object.keys(call).filter((name) => !['id', 'type', 'function', 'custom'].includes(name))
  return [
    ...(isStrict ? extras.map((name) => `${at} has a call with the unknown field ${name}`) : []),
    ...(isFilled(call['id']) ? [] : [`${at} has a call without an id`]),
    ...(/^[A-Za-z0-9_-]{1,64}$/.test(String(made['name'])) ? [] : [`${at} has a call with a bad name`]),
    ...(isCustom || (typeof args === 'string' && isJsonObject(tryParseJson(args)))
      ? []
      : [`${at} has arguments that are no object`]),
    ...(isCustom || isWellFormed(JSON.stringify(tryParseJson(String(args))))
      ? []
      : [`${at} has arguments with half of a surrogate pair`]),
  ]
}

function idProblems(call: JsonObject, rules: ChatRules): readonly string[] {
  const id = String(call['id'])
  if (rules === 'openai' && id.length > 40) return [`the id ${id} is too long`]
  return rules === 'mistral' && !/^[A-Za-z0-9]{9}$/.test(id) ? [`the id ${id} must be nine letters and digits`] : []
}

/** Who speaks after whom. */
function orderProblems(messages: readonly JsonObject[], rules: ChatRules): readonly string[] {
  const roles = messages.map((message) => String(message['role']))
  const spoken = roles.filter((role) => role !== 'system')
  const last = spoken.at(-1)
  const follows = (before: string, after: string) =>
    roles.some((role, index) => role === after && roles[index - 1] === before)
  return [
    ...(last === 'user' || last === 'tool' ? [] : [`the last who speaks is ${last ?? 'nobody'}`]),
    ...(follows('assistant', 'assistant') ? ['assistant after assistant'] : []),
    ...(rules === 'mistral' && follows('tool', 'user') ? ['user after tool'] : []),
    ...(rules === 'template' && (follows('user', 'user') || follows('system', 'system'))
      ? ['roles must alternate']
      : []),
    ...(rules === 'template' && spoken[0] !== 'user' ? ['the user must begin'] : []),
  ]
}

/** Each call is answered once, in the messages directly behind it; ids are used once. */
function pairProblems(messages: readonly JsonObject[]): readonly string[] {
  const problems: string[] = []
  const used = new Set<Json>()
  let open: Json[] = []
  for (const [index, message] of messages.entries()) {
    if (message['role'] === 'tool') {
      if (!open.includes(message['tool_call_id'] ?? null)) problems.push(`message ${index} answers no call before it`)
      open = open.filter((id) => id !== message['tool_call_id'])
      continue
    }
    if (open.length > 0) problems.push(`a call has no answer before message ${index}`)
    open = objects(message['tool_calls']).map(({ id }) => id ?? null)
    for (const id of open) {
      if (used.has(id)) problems.push(`the id ${String(id)} is used twice`)
      used.add(id)
    }
  }
  return open.length > 0 ? [...problems, 'a call at the end has no answer'] : problems
}

function objects(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : []
}

function isSaid(content: Json | undefined, types: readonly string[]): boolean {
  if (typeof content === 'string') return isVisible(content)
  const parts = objects(content)
  return parts.length > 0 && parts.every((part) => types.includes(String(part['type'])))
}

function isVisible(value: Json | undefined): boolean {
  return typeof value === 'string' && value.trim() !== ''
}

function isFilled(value: Json | undefined): boolean {
  return typeof value === 'string' && value !== ''
}

/** Whether JSON text is free of halves of surrogate pairs, which JSON.stringify escapes. */
function isWellFormed(json: string): boolean {
  return !/(?<!\\)(?:\\\\)*\\ud[89a-f]/.test(json)
}
