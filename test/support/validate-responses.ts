import { isJsonObject, tryParseJson, type Json, type JsonObject } from '../../src/json.ts'

// What OpenAI's Responses API demands of a request, as far as its reference and its error messages say. An item's rules
// are not about which items there are: types that are not named here pass.

const fields = new Set([
  'model',
  'input',
  'include',
  'max_output_tokens',
  'parallel_tool_calls',
  'prompt_cache_retention',
  'reasoning',
  'service_tier',
  'store',
  'stream',
  'temperature',
  'text',
  'tool_choice',
  'tools',
  'top_p',
])
const outputTypes = new Map([
  ['function_call', 'function_call_output'],
  ['custom_tool_call', 'custom_tool_call_output'],
  ['computer_call', 'computer_call_output'],
  ['local_shell_call', 'local_shell_call_output'],
  ['shell_call', 'shell_call_output'],
  ['apply_patch_call', 'apply_patch_call_output'],
])
const inputTypes = new Set([...outputTypes.values(), 'mcp_approval_response'])

/** What the API would refuse; nothing when it accepts the request. */
export function validateResponsesRequest(body: JsonObject): readonly string[] {
  const problems: string[] = []
  const say = (problem: string) => problems.push(problem)
  for (const name of Object.keys(body)) if (!fields.has(name)) say(`unknown parameter ${name}`)
  if (typeof body['model'] !== 'string') say('no model')
  if (body['stream'] !== true) say('not a stream')
  if (/(?<!\\)(?:\\\\)*\\ud[89a-f]/i.test(JSON.stringify(body))) say('half of a surrogate pair')
  const input = (body['input'] ?? []) as readonly Json[] // checked item by item
  if (input.length === 0) say('no input')
  const items = input.filter(isJsonObject)
  if (items.length < input.length) say('an item that is no object')
  for (const [index, item] of items.entries())
    for (const problem of itemProblems(item, body['store'] === true)) say(`input[${index}]: ${problem}`)
  problems.push(...callProblems(items), ...pairProblems(items), ...idProblems(items), ...toolProblems(body))
  return problems
}

function itemProblems(item: JsonObject, store: boolean): readonly string[] {
  const problems: string[] = []
  if ('created_by' in item) problems.push('created_by')
  switch (item['type']) {
    case undefined:
    case 'message':
      problems.push(...messageProblems(item))
      break
    case 'reasoning':
      if ('status' in item) problems.push('status of reasoning')
      if (!Array.isArray(item['summary'])) problems.push('no summary')
      if (!store && !isFilled(item['encrypted_content'])) problems.push('reasoning that the server has not')
      break
    case 'function_call':
      if (!isJsonObject(tryParseJson(String(item['arguments'])))) problems.push('arguments')
      if (!/^[A-Za-z0-9_-]{1,64}$/.test(String(item['name']))) problems.push('name')
      break
    case 'custom_tool_call':
      if (typeof item['input'] !== 'string') problems.push('input')
      break
    case 'function_call_output':
    case 'custom_tool_call_output':
      if (typeof item['output'] !== 'string' && !Array.isArray(item['output'])) problems.push('output')
      break
    case 'image_generation_call':
      if (!store && typeof item['result'] !== 'string') problems.push('an image that the server has not')
      break
    default:
      if (!isFilled(item['type'])) problems.push('type')
  }
  return problems
}

function messageProblems(item: JsonObject): readonly string[] {
  const { role, content } = item
  if (role !== 'user' && role !== 'system' && role !== 'assistant') return ['role']
  if (!Array.isArray(content) || content.length === 0) return ['no content']
  const allowed = role === 'assistant' ? ['output_text', 'refusal'] : ['input_text', 'input_image']
  return (content as readonly Json[]).flatMap((part) => {
    if (!isJsonObject(part) || !allowed.includes(String(part['type'])))
      return [`a ${role} cannot say ${JSON.stringify(part)}`]
    if (part['type'] !== 'input_image') return isFilled(part['text'] ?? part['refusal']) ? [] : ['empty text']
    return isFilled(part['image_url'] ?? part['file_id']) && isFilled(part['detail']) ? [] : ['image']
  })
}

// "No tool output found for function call call_…", "No tool call found for function call output with call_id call_…"
function callProblems(items: readonly JsonObject[]): readonly string[] {
  const problems: string[] = []
  const open = new Map<string, string>()
  const used = new Set<string>()
  for (const [index, item] of items.entries()) {
    const type = String(item['type'])
    const callId = String(item['call_id'] ?? (type === 'local_shell_call_output' ? item['id'] : ''))
    const answer = outputTypes.get(type)
    if (answer !== undefined) {
      if (callId === '' || callId.length > 64) problems.push(`input[${index}]: call_id`)
      if (used.has(callId)) problems.push(`input[${index}]: call_id ${callId} twice`)
      used.add(callId)
      open.set(callId, answer)
    } else if ([...outputTypes.values()].includes(type)) {
      if (open.get(callId) !== type) problems.push(`input[${index}]: no call for the output of ${callId}`)
      open.delete(callId)
    } else if ((item['role'] === 'user' || item['role'] === 'system') && [...open.values()].some(isOfProgram)) {
      problems.push(`input[${index}]: calls are open when the ${item['role']} speaks`)
    }
  }
  return [...problems, ...[...open.keys()].map((callId) => `no output for ${callId}`)]
}

function isOfProgram(type: string): boolean {
  return type === 'function_call_output' || type === 'custom_tool_call_output'
}

// "Item 'rs_…' of type 'reasoning' was provided without its required following item."
function pairProblems(items: readonly JsonObject[]): readonly string[] {
  return items.flatMap((item, index) => {
    if (item['type'] !== 'reasoning') return []
    const next = items[index + 1]
    const isOutput =
      next !== undefined &&
      next['role'] !== 'user' &&
      next['role'] !== 'system' &&
      !inputTypes.has(String(next['type']))
    return isOutput ? [] : [`input[${index}]: reasoning without the item that it led to`]
  })
}

// "Duplicate item found with id msg_…", "Expected an ID that begins with 'fc'"
function idProblems(items: readonly JsonObject[]): readonly string[] {
  const ids = items.flatMap((item) =>
    item['id'] === undefined || item['type'] === 'local_shell_call_output' ? [] : [item['id']],
  )
  const prefixes: Readonly<Record<string, string>> = { message: 'msg', reasoning: 'rs', function_call: 'fc' }
  const wrong = items.filter(({ id, type }) => id !== undefined && !String(id).startsWith(prefixes[String(type)] ?? ''))
  return [
    ...ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `id ${JSON.stringify(id)} twice`),
    ...wrong.map((item) => `the id of ${JSON.stringify(item)}`),
  ]
}

function toolProblems(body: JsonObject): readonly string[] {
  const tools = body['tools']
  if (tools === undefined)
    return ['tool_choice', 'parallel_tool_calls'].filter((name) => name in body).map((name) => `${name} without tools`)
  return Array.isArray(tools) && tools.length > 0 ? [] : ['an empty list of tools']
}

function isFilled(value: Json | undefined): boolean {
  return typeof value === 'string' && value !== ''
}
