import { isJsonObject, type Json, type JsonObject } from '../../src/json.ts'

// What generateContent demands of a request, as far as its documents and its 400s say.

interface Content {
  readonly role: Json | undefined
  readonly parts: readonly JsonObject[]
}

/** The rules that `body` breaks, each as a sentence; none for a request that is taken. Gemini 3 wants its calls signed. */
export function validateGeminiRequest(body: JsonObject, { signsCalls = true } = {}): readonly string[] {
  const contents = objects(body['contents']).map((content) => ({
    role: content['role'],
    parts: objects(content['parts']),
  }))
  const system = isJsonObject(body['systemInstruction']) ? objects(body['systemInstruction']['parts']) : undefined
  return [
    ...(contents[0]?.role === 'user' ? [] : ['it does not begin with the user']),
    ...(contents.at(-1)?.role === 'user' ? [] : ['requests ending with a model turn are not supported']),
    ...contents.flatMap((content, index) => contentProblems(content, contents[index - 1], contents[index + 1], index)),
    ...(signsCalls ? signatureProblems(contents) : []),
    ...(system === undefined || (system.length > 0 && system.every((part) => part['text'] !== ''))
      ? []
      : ['the system instruction is empty']),
    ...('toolConfig' in body && !('tools' in body) ? ['toolConfig without tools'] : []),
    ...thinkingProblems(body),
    ...(/(?<!\\)(?:\\\\)*\\ud[89a-f]/.test(JSON.stringify(body)) ? ['there is half of a surrogate pair'] : []),
  ]
}

function contentProblems(
  { role, parts }: Content,
  before: Content | undefined,
  after: Content | undefined,
  index: number,
): readonly string[] {
  const at = `content ${index}`
  const calls = parts.flatMap((part) => fieldOf(part, 'functionCall'))
  const responses = parts.flatMap((part) => fieldOf(part, 'functionResponse'))
  const answered = (after?.parts ?? []).flatMap((part) => fieldOf(part, 'functionResponse'))
  const asked = (before?.parts ?? []).flatMap((part) => fieldOf(part, 'functionCall'))
  const firstResponse = parts.findIndex((part) => 'functionResponse' in part)
  const isTail = firstResponse === -1 || parts.slice(firstResponse).every((part) => 'functionResponse' in part)
  return [
    ...(role === 'user' || role === 'model' ? [] : [`${at} has the role ${String(role)}`]),
    ...(role === before?.role ? [`${at} has the role of the one before`] : []),
    ...(parts.length > 0 ? [] : [`${at} has no parts`]),
    ...parts.flatMap((part) => partProblems(part, role).map((problem) => `${at}: ${problem}`)),
    ...(isTail ? [] : [`${at} has something behind its function responses`]),
    ...(calls.length === 0 || sameCalls(calls, answered) ? [] : [`the calls of ${at} are not answered`]),
    ...(responses.length === 0 || sameCalls(asked, responses) ? [] : [`${at} answers what was not asked`]),
  ]
}

const contentFields = [
  'text',
  'inlineData',
  'fileData',
  'functionCall',
  'functionResponse',
  'executableCode',
  'codeExecutionResult',
  'toolCall',
  'toolResponse',
]

function partProblems(part: JsonObject, role: Json | undefined): readonly string[] {
  const { functionCall, functionResponse, inlineData, fileData, thoughtSignature } = part
  const fields = contentFields.filter((field) => field in part)
  return [
    ...(fields.length === 1 ? [] : [`a part has ${fields.length} fields of content`]),
    ...(part['text'] === '' && thoughtSignature === undefined ? ['an empty text'] : []),
    ...(thoughtSignature === undefined || (typeof thoughtSignature === 'string' && thoughtSignature !== '')
      ? []
      : ['a signature that is none']),
    ...(functionCall !== undefined && role !== 'model' ? ['a call that is not the model’s'] : []),
    ...(functionResponse !== undefined && role !== 'user' ? ['an answer that is not the user’s'] : []),
    ...(isJsonObject(functionCall) && !(isNamed(functionCall) && isJsonObject(functionCall['args'] ?? {}))
      ? ['a bad call']
      : []),
    ...(isJsonObject(functionResponse) && !(isNamed(functionResponse) && isJsonObject(functionResponse['response']))
      ? ['a bad answer']
      : []),
    ...(isJsonObject(inlineData) && !(hasText(inlineData, 'mimeType') && hasText(inlineData, 'data'))
      ? ['bytes without a type']
      : []),
    ...(isJsonObject(fileData) && !hasText(fileData, 'fileUri') ? ['a file without a URI'] : []),
  ]
}

// The current turn is all behind the last content in which the user says something and answers no call.
function signatureProblems(contents: readonly Content[]): readonly string[] {
  const start = contents.findLastIndex(
    ({ role, parts }) => role === 'user' && parts.every((part) => !('functionResponse' in part)),
  )
  return contents.slice(start + 1).flatMap(({ parts }, offset) => {
    const first = parts.find((part) => 'functionCall' in part)
    return first === undefined || 'thoughtSignature' in first
      ? []
      : [`the first call of content ${start + 1 + offset} is missing a thought_signature`]
  })
}

function thinkingProblems(body: JsonObject): readonly string[] {
  const config = isJsonObject(body['generationConfig']) ? body['generationConfig']['thinkingConfig'] : undefined
  if (!isJsonObject(config)) return []
  return [
    ...('thinkingBudget' in config && 'thinkingLevel' in config ? ['a thinking budget and a level'] : []),
    ...(config['thinkingBudget'] === 0 && config['includeThoughts'] === true
      ? ['include_thoughts is only enabled when thinking is enabled']
      : []),
  ]
}

function sameCalls(calls: readonly JsonObject[], answers: readonly JsonObject[]): boolean {
  const names = (list: readonly JsonObject[]) => JSON.stringify(list.map(({ name, id }) => [name, id]))
  return names(calls) === names(answers)
}

function fieldOf(part: JsonObject, field: string): readonly JsonObject[] {
  const value = part[field]
  return isJsonObject(value) ? [value] : []
}

function isNamed(record: JsonObject): boolean {
  return /^[A-Za-z_][A-Za-z0-9_:.-]{0,63}$/.test(String(record['name']))
}

function hasText(record: JsonObject, field: string): boolean {
  return typeof record[field] === 'string' && record[field] !== ''
}

function objects(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : []
}
