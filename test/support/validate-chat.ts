import { isJsonObject, tryParseJson, type Json, type JsonObject } from '../../src/json.ts'

// What Chat Completions endpoints demand of a request, as far as their documents and their 400s say.

/** The rules that `body` breaks, each as a sentence; none for a request that is taken. */
export function validateChatRequest(body: JsonObject): readonly string[] {
  const messages = objects(body['messages'])
  return [
    ...(messages.length > 0 ? [] : ['there is no message']),
    ...messages.flatMap((message, index) => contentProblems(message, index)),
    ...pairProblems(messages),
    ...('tool_choice' in body && !('tools' in body) ? ['tool_choice without tools'] : []),
    ...('parallel_tool_calls' in body && !('tools' in body) ? ['parallel_tool_calls without tools'] : []),
    ...(JSON.stringify(body).match(/(?<!\\)(?:\\\\)*\\ud[89a-f]/) === null
      ? []
      : ['there is half of a surrogate pair']),
  ]
}

function contentProblems(message: JsonObject, index: number): readonly string[] {
  const { role, content } = message
  const calls = objects(message['tool_calls'])
  const at = `message ${index} (${String(role)})`
  switch (role) {
    case 'system':
    case 'user':
      if (Array.isArray(content)) return content.length > 0 ? [] : [`${at} has no parts`]
      return isVisible(content) ? [] : [`${at} is empty`]
    case 'assistant':
      return [
        ...(calls.length > 0 || isVisible(content) ? [] : [`${at} is empty`]),
        ...('tool_calls' in message && calls.length === 0 ? [`${at} has an empty list of calls`] : []),
        ...calls.flatMap((call) => callProblems(call, at)),
        ...(new Set(calls.map(({ id }) => id)).size === calls.length ? [] : [`${at} uses an id twice`]),
      ]
    case 'tool':
      return typeof content === 'string' ? [] : [`${at} has no text`]
    default:
      return [`${at} has an unknown role`]
  }
}

function callProblems(call: JsonObject, at: string): readonly string[] {
  const made = isJsonObject(call['function']) ? call['function'] : {}
  const args = made['arguments']
  return [
    ...(typeof call['id'] === 'string' && call['id'] !== '' ? [] : [`${at} has a call without an id`]),
    ...(/^[A-Za-z0-9_-]{1,64}$/.test(String(made['name'])) ? [] : [`${at} has a call with a bad name`]),
    ...(typeof args === 'string' && isJsonObject(tryParseJson(args)) ? [] : [`${at} has arguments that are no object`]),
  ]
}

/** Each call is answered once, in the messages directly behind it. */
function pairProblems(messages: readonly JsonObject[]): readonly string[] {
  const problems: string[] = []
  let open: Json[] = []
  for (const [index, message] of messages.entries()) {
    if (message['role'] === 'tool') {
      if (!open.includes(message['tool_call_id'] ?? null)) problems.push(`message ${index} answers no call before it`)
      open = open.filter((id) => id !== message['tool_call_id'])
      continue
    }
    if (open.length > 0) problems.push(`a call has no answer before message ${index}`)
    open = objects(message['tool_calls']).map(({ id }) => id ?? null)
  }
  return open.length > 0 ? [...problems, 'a call at the end has no answer'] : problems
}

function objects(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : []
}

function isVisible(value: Json | undefined): boolean {
  return typeof value === 'string' && value.trim() !== ''
}
