import { isJsonObject, type Json, type JsonObject } from '../../src/json.ts'

// What generateContent demands of a request, as far as its documents and its 400s say.

/** The rules that `body` breaks, each as a sentence; none for a request that is taken. */
export function validateGeminiRequest(body: JsonObject): readonly string[] {
  const contents = objects(body['contents']).map((content) => ({
    role: content['role'],
    parts: objects(content['parts']),
  }))
  return [
    ...(contents[0]?.role === 'user' ? [] : ['it does not begin with the user']),
    ...contents.flatMap(({ role, parts }, index) => [
      ...(role === 'user' || role === 'model' ? [] : [`content ${index} has the role ${String(role)}`]),
      ...(role === contents[index - 1]?.role ? [`content ${index} has the role of the one before`] : []),
      ...(parts.length > 0 ? [] : [`content ${index} has no parts`]),
      ...parts.flatMap((part) => partProblems(part, role, index)),
      ...pairProblems(parts, contents[index + 1]?.parts ?? [], contents[index - 1]?.parts ?? [], index),
    ]),
    ...('toolConfig' in body && !('tools' in body) ? ['toolConfig without tools'] : []),
    ...(JSON.stringify(body).match(/(?<!\\)(?:\\\\)*\\ud[89a-f]/) === null
      ? []
      : ['there is half of a surrogate pair']),
  ]
}

function partProblems(part: JsonObject, role: Json | undefined, index: number): readonly string[] {
  const call = part['functionCall']
  const response = part['functionResponse']
  const isEmpty = typeof part['text'] === 'string' && part['text'] === '' && !('thoughtSignature' in part)
  return [
    ...(isEmpty ? [`content ${index} has an empty text`] : []),
    ...(call !== undefined && role !== 'model' ? [`content ${index} calls, and is not the model's`] : []),
    ...(response !== undefined && role !== 'user' ? [`content ${index} answers, and is not the user's`] : []),
    ...(isJsonObject(call) && !(isNamed(call) && isJsonObject(call['args']))
      ? [`content ${index} has a bad call`]
      : []),
    ...(isJsonObject(response) && !(isNamed(response) && isJsonObject(response['response']))
      ? [`content ${index} has a bad answer`]
      : []),
  ]
}

/** A content with calls is followed by one with as many answers, of the same names and in the same order. */
function pairProblems(
  parts: readonly JsonObject[],
  next: readonly JsonObject[],
  before: readonly JsonObject[],
  index: number,
): readonly string[] {
  const names = (list: readonly JsonObject[], field: string) =>
    list.flatMap((part) => (isJsonObject(part[field]) ? [part[field]['name']] : []))
  const calls = names(parts, 'functionCall')
  const answers = names(parts, 'functionResponse')
  return [
    ...(JSON.stringify(calls) === JSON.stringify(names(next, 'functionResponse')) || calls.length === 0
      ? []
      : [`the calls of content ${index} are not answered`]),
    ...(answers.length === 0 || names(before, 'functionCall').length === answers.length
      ? []
      : [`content ${index} answers what was not asked`]),
  ]
}

function isNamed(record: JsonObject): boolean {
  return /^[A-Za-z_][A-Za-z0-9_:.-]{0,63}$/.test(String(record['name']))
}

function objects(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : []
}
