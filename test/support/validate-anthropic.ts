import { isJsonObject, type Json, type JsonObject } from '../../src/json.ts'

// What the Messages API demands of a request, as far as its documents and its 400s say.

interface Message {
  readonly role: Json | undefined
  readonly content: readonly JsonObject[]
}

const idForm = /^[A-Za-z0-9_-]+$/
const nameForm = /^[A-Za-z0-9_-]{1,64}$/
const userTypes = new Set<Json | undefined>(['text', 'image', 'document', 'search_result', 'tool_result'])
const userOnly = new Set<Json | undefined>(['image', 'document', 'search_result', 'tool_result'])

/** The rules that `body` breaks, each as a sentence; none for a request that the API takes. */
export function validateAnthropicRequest(body: JsonObject): readonly string[] {
  const messages = objects(body['messages']).map((message): Message => ({
    role: message['role'],
    content: objects(message['content']),
  }))
  return [
    ...settingsProblems(body, messages),
    ...toolProblems(body, messages),
    ...shapeProblems(messages),
    ...messages.flatMap((message, index) => contentProblems(message, index, messages)),
    ...pairProblems(messages),
    ...serverPairProblems(messages),
    ...cacheProblems(body, messages),
    ...(JSON.stringify(body).match(/(?<!\\)(?:\\\\)*\\ud[89a-f]/) === null
      ? []
      : ['there is half of a surrogate pair']),
  ]
}

function settingsProblems(body: JsonObject, messages: readonly Message[]): readonly string[] {
  const thinking = isJsonObject(body['thinking']) ? body['thinking'] : undefined
  const isOn = thinking !== undefined && thinking['type'] !== 'disabled'
  const budget = Number(thinking?.['budget_tokens'] ?? 0)
  const most = Number(body['max_tokens'])
  const choice = isJsonObject(body['tool_choice']) ? body['tool_choice']['type'] : undefined
  return [
    ...(typeof body['model'] === 'string' && body['model'] !== '' ? [] : ['model is missing']),
    ...(Number.isInteger(most) && most >= 1 ? [] : ['max_tokens is no positive integer']),
    ...(body['stream'] === true ? [] : ['stream is not true']),
    ...(thinking?.['type'] === 'enabled' && (!Number.isInteger(budget) || budget < 1024)
      ? ['the thinking budget is below 1024']
      : []),
    ...(budget > 0 && budget >= most ? ['the thinking budget is not below max_tokens'] : []),
    ...(isOn && ['temperature', 'top_p', 'top_k'].some((name) => name in body) ? ['sampling beside thinking'] : []),
    ...(isOn && (choice === 'any' || choice === 'tool') ? ['a forced tool beside thinking'] : []),
    ...('temperature' in body && 'top_p' in body ? ['temperature and top_p together'] : []),
    ...(objects(body['system']).every(({ text }) => isVisible(text))
      ? []
      : ['system text without a visible character']),
    ...(list(body['stop_sequences']).every(isVisible) ? [] : ['a stop sequence without a visible character']),
    ...(thinking?.['type'] === 'enabled' ? loopProblems(messages) : []),
  ]
}

function loopProblems(messages: readonly Message[]): readonly string[] {
  const isResults = (message: Message | undefined) =>
    message?.role === 'user' && message.content[0]?.['type'] === 'tool_result'
  if (!isResults(messages.at(-1))) return []
  const prompt = messages.findLastIndex((message) => message.role === 'user' && !isResults(message))
  return isThinking(messages[prompt + 1]?.content[0])
    ? []
    : ['a tool loop that did not begin with thinking goes on with it']
}

function toolProblems(body: JsonObject, messages: readonly Message[]): readonly string[] {
  const tools = objects(body['tools'])
  const names = tools.flatMap(({ name }) => (typeof name === 'string' ? [name] : []))
  const usesTools = messages.some(({ content }) =>
    content.some(({ type }) => type === 'tool_use' || type === 'tool_result'),
  )
  const own = tools.filter(({ type }) => type === undefined)
  return [
    ...('tools' in body && tools.length === 0 ? ['an empty list of tools'] : []),
    ...('tool_choice' in body && tools.length === 0 ? ['tool_choice without tools'] : []),
    ...(usesTools && tools.length === 0 ? ['tool blocks without tools'] : []),
    ...(new Set(names).size === names.length ? [] : ['two tools of one name']),
    ...own.filter((tool) => !nameForm.test(String(tool['name']))).map(() => 'a tool name that the API refuses'),
    ...own
      .filter((tool) => !isJsonObject(tool['input_schema']) || tool['input_schema']['type'] !== 'object')
      .map(() => 'a tool without an object schema'),
  ]
}

function shapeProblems(messages: readonly Message[]): readonly string[] {
  return [
    ...(messages.length > 0 ? [] : ['no messages']),
    ...(messages[0]?.role === 'user' ? [] : ["the first message is not the user's"]),
    ...messages.flatMap((message, index) =>
      index > 0 && message.role === messages[index - 1]?.role
        ? [`messages ${index - 1} and ${index} are of one role`]
        : [],
    ),
  ]
}

function contentProblems({ role, content }: Message, index: number, messages: readonly Message[]): readonly string[] {
  const at = `message ${index}`
  const isLast = index === messages.length - 1
  const last = content.at(-1)
  return [
    ...(content.length > 0 ? [] : [`${at} is empty`]),
    ...(role === 'user' || role === 'assistant' ? [] : [`${at} is of the role ${String(role)}`]),
    ...content
      .filter(({ type }) => (role === 'user' ? !userTypes.has(type) : userOnly.has(type)))
      .map(({ type }) => `${at}: ${String(type)} in a message of the ${String(role)}`),
    ...content
      .filter(({ type, text }) => type === 'text' && !isVisible(text))
      .map(() => `${at}: text without a visible character`),
    ...content
      .filter(({ type, signature }) => type === 'thinking' && !isVisible(signature))
      .map(() => `${at}: thinking without a signature`),
    ...content
      .filter(({ type, data }) => type === 'redacted_thinking' && !isVisible(data))
      .map(() => `${at}: redacted thinking without data`),
    ...content
      .filter(({ type, source }) => type === 'image' && !isImageSource(source))
      .map(() => `${at}: an image without a usable source`),
    ...(role === 'assistant' && !isLast && isThinking(last) ? [`${at} ends with thinking`] : []),
    ...(isLast && role === 'assistant' && last?.['type'] === 'text' && /\s$/.test(String(last['text']))
      ? [`${at} ends with white space`]
      : []),
  ]
}

function isImageSource(source: Json | undefined): boolean {
  if (!isJsonObject(source)) return false
  if (source['type'] === 'url') return /^https?:\/\//.test(String(source['url']))
  if (source['type'] === 'file') return isVisible(source['file_id'])
  return source['type'] === 'base64' && /^image\/(?:jpeg|png|gif|webp)$/.test(String(source['media_type']))
}

function pairProblems(messages: readonly Message[]): readonly string[] {
  const calls = messages.flatMap(({ content }) => content.filter(({ type }) => type === 'tool_use'))
  const ids = calls.map(({ id }) => String(id))
  return [
    ...(new Set(ids).size === ids.length ? [] : ['tool_use ids are not unique']),
    ...calls
      .filter(({ id, name }) => !idForm.test(String(id)) || !nameForm.test(String(name)))
      .map(({ id }) => `the API refuses the id or name of the call ${String(id)}`),
    ...calls.filter(({ input }) => !isJsonObject(input)).map(({ id }) => `the input of ${String(id)} is no object`),
    ...messages.flatMap(({ content }, index) => {
      const called = content.filter(({ type }) => type === 'tool_use').map(({ id }) => id)
      const next = messages[index + 1]?.content ?? []
      const answers = next.filter(({ type }) => type === 'tool_result').map((result) => result['tool_use_id'])
      const leading = next.slice(0, answers.length)
      return [
        ...(called.length === answers.length && called.every((id) => answers.includes(id))
          ? []
          : [`message ${index}: calls and results do not match`]),
        ...(leading.every(({ type }) => type === 'tool_result')
          ? []
          : [`message ${index + 1}: results do not come first`]),
      ]
    }),
    ...(messages[0]?.content.some(({ type }) => type === 'tool_result') === true ? ['a result before every call'] : []),
  ]
}

function serverPairProblems(messages: readonly Message[]): readonly string[] {
  const last = messages.at(-1)
  const waits =
    last?.role === 'assistant'
      ? last
      : last?.content.every(({ type }) => type === 'tool_result') === true
        ? messages.at(-2)
        : undefined
  const open = new Map<Json | undefined, Message>()
  const problems: string[] = []
  for (const message of messages) {
    for (const content of message.content) {
      const type = String(content['type'])
      if (type !== 'tool_use' && type.endsWith('tool_use')) {
        if (open.has(content['id'])) problems.push('a server tool id twice')
        if (!isJsonObject(content['input'])) problems.push('the input of a server tool is no object')
        open.set(content['id'], message)
      }
      if (type !== 'tool_result' && type.endsWith('tool_result') && !open.delete(content['tool_use_id']))
        problems.push('a server result without its call')
    }
  }
  return [
    ...problems,
    ...[...open]
      .filter(([, message]) => message !== waits)
      .map(([id]) => `the server call ${String(id)} has no result`),
  ]
}

function cacheProblems(body: JsonObject, messages: readonly Message[]): readonly string[] {
  const all = [...objects(body['tools']), ...objects(body['system']), ...messages.flatMap(({ content }) => content)]
  const marked = all.filter((content) => 'cache_control' in content)
  const lives = marked.map(({ cache_control: mark }) => (isJsonObject(mark) && mark['ttl'] === '1h' ? '1h' : '5m'))
  return [
    ...(marked.length <= 4 ? [] : [`${marked.length} cache marks`]),
    ...(marked.some(isThinking) ? ['a cache mark on thinking'] : []),
    ...(marked.some(
      ({ type, content, text }) =>
        (type === 'tool_result' && content === undefined) || (type === 'text' && text === ''),
    )
      ? ['a cache mark on nothing']
      : []),
    ...(lives.lastIndexOf('1h') > lives.indexOf('5m') && lives.includes('5m')
      ? ['a longer cache life behind a shorter one']
      : []),
  ]
}

function isThinking(content: JsonObject | undefined): boolean {
  return content?.['type'] === 'thinking' || content?.['type'] === 'redacted_thinking'
}

function isVisible(value: Json | undefined): boolean {
  return typeof value === 'string' && value.trim() !== ''
}

function list(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [] // a list in a JSON value
}

function objects(value: Json | undefined): readonly JsonObject[] {
  return list(value).filter(isJsonObject)
}
