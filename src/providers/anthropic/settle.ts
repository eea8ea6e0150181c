import { isJsonObject, type Json, type JsonObject } from '../../json.ts'
import { object, text } from '../wire.ts'
import type { NoteAt, Part } from '../part.ts'
import type { Message } from './message.ts'
import { isServerCall, isServerResult } from './server-tools.ts'

// What only the whole conversation shows: which server tools were answered, where it begins and how it ends.

/** Stands in where the API needs a user message and the turn has none. */
const goOn: Part = { block: -1, content: { type: 'text', text: 'Continue.' } }

/** The messages with what the API would refuse put right. A paused reply at the end is sent as it is. */
export function settle(messages: readonly Message[], isPaused: boolean, noteAt: NoteAt): readonly Message[] {
  const resumes = isPaused && messages.at(-1)?.role === 'assistant'
  const paired = withServerToolsPaired(messages, resumes, noteAt)
  const told = paired.map((message, index) =>
    resumes && index === paired.length - 1 ? message : withoutLastThinking(message, noteAt),
  )
  return withUserAtBothEnds(joined(told), resumes, noteAt)
}

/**
 * A server tool's call needs its result, somewhere behind it. Two wait for theirs rightly: in a paused reply, and beside
 * calls of ours when all that follows is their results.
 * platform.claude.com/docs/en/agents-and-tools/tool-use/server-tools
 */
function withServerToolsPaired(messages: readonly Message[], resumes: boolean, noteAt: NoteAt): readonly Message[] {
  const waiting = waitingMessage(messages, resumes)
  const answered = answeredIds(messages)
  const kept = new Set<string>()
  const results = new Set<string>()
  const keep = (part: Part, message: Message): readonly Part[] => {
    const { content, block } = part
    if (isServerCall(content)) {
      const id = text(content, 'id') ?? ''
      if (!kept.has(id) && (answered.has(id) || message === waiting)) {
        kept.add(id)
        return [withObjectInput(part, noteAt)]
      }
      noteAt(block)('orphan-server-tool', `the call ${JSON.stringify(id)} has no result, and the reply does not go on`)
      return []
    }
    if (!isServerResult(content)) return [part]
    const id = text(content, 'tool_use_id') ?? ''
    if (kept.has(id) && !results.has(id)) {
      results.add(id)
      return [part]
    }
    noteAt(block)('orphan-server-tool', `the result of ${JSON.stringify(id)} has no call before it`)
    return []
  }
  const paired = messages.map((message) => ({
    ...message,
    parts: message.parts.flatMap((part) => keep(part, message)),
  }))
  return paired.map((message) => ({
    ...message,
    parts: message.parts.map((part) => withKnownCaller(part, kept, noteAt)),
  }))
}

/** The message whose server tools may still be running. */
function waitingMessage(messages: readonly Message[], resumes: boolean): Message | undefined {
  if (resumes) return messages.at(-1)
  const last = messages.at(-1)
  const onlyResults = last?.role === 'user' && last.parts.every(({ content }) => content['type'] === 'tool_result')
  return onlyResults ? messages.at(-2) : undefined
}

/** Ids of server calls whose result comes behind them. */
function answeredIds(messages: readonly Message[]): ReadonlySet<string> {
  const called = new Set<string>()
  const answered = new Set<string>()
  for (const { content } of messages.flatMap((message) => message.parts)) {
    if (isServerCall(content)) called.add(text(content, 'id') ?? '')
    const id = isServerResult(content) ? text(content, 'tool_use_id') : undefined
    if (id !== undefined && called.has(id)) answered.add(id)
  }
  return answered
}

function withObjectInput(part: Part, noteAt: NoteAt): Part {
  if (isJsonObject(part.content['input'])) return part
  noteAt(part.block)('invalid-arguments', 'the input of a server tool is no JSON object; {} is sent')
  return { ...part, content: { ...part.content, input: {} } }
}

// A call that a program made names the call of the program; without that one it counts as the model's own.
function withKnownCaller(part: Part, kept: ReadonlySet<string>, noteAt: NoteAt): Part {
  const caller =
    part.content['type'] === 'tool_use' || isServerCall(part.content) ? object(part.content, 'caller') : undefined
  const id = caller === undefined ? undefined : text(caller, 'tool_id')
  if (id === undefined || kept.has(id)) return part
  noteAt(part.block)(
    'orphan-server-tool',
    `the program ${JSON.stringify(id)} that made this call is not in the conversation`,
  )
  const { caller: _caller, ...content } = part.content
  return { ...part, content }
}

// "The final block in an assistant message cannot be `thinking`": a reply that was cut off before its answer.
function withoutLastThinking(message: Message, noteAt: NoteAt): Message {
  if (message.role === 'user') return message
  const end = message.parts.findLastIndex(({ content }) => !isThinking(content)) + 1
  for (const { block } of message.parts.slice(end))
    noteAt(block)('trailing-reasoning', 'reasoning without an answer behind it')
  return end === message.parts.length ? message : { ...message, parts: message.parts.slice(0, end) }
}

function isThinking(content: JsonObject): boolean {
  return content['type'] === 'thinking' || content['type'] === 'redacted_thinking'
}

/** Without empty messages, and with neighbours of one role made one. */
function joined(messages: readonly Message[]): readonly Message[] {
  const result: Message[] = []
  for (const message of messages.filter(({ parts }) => parts.length > 0)) {
    const last = result.at(-1)
    if (last?.role !== message.role) result.push(message)
    else result.splice(-1, 1, { ...message, parts: [...last.parts, ...message.parts] })
  }
  return result
}

// Models of today refuse a conversation that ends with the assistant ("prefill"), and all do one that begins with it.
function withUserAtBothEnds(messages: readonly Message[], resumes: boolean, noteAt: NoteAt): readonly Message[] {
  const first = messages[0]
  const last = messages.at(-1)
  if (first === undefined || last === undefined) {
    noteAt(0)('missing-user-message', 'there is nothing to send; a user message is put in')
    return [{ role: 'user', parts: [goOn] }]
  }
  const before: Message[] = first.role === 'user' ? [] : [{ role: 'user', parts: [goOn] }]
  if (before.length > 0)
    noteAt(first.parts[0]?.block ?? 0)('missing-user-message', 'a conversation begins with the user')
  if (last.role === 'user') return [...before, ...messages]
  if (resumes) return [...before, ...messages.slice(0, -1), withoutTrailingSpace(last, noteAt)]
  noteAt(last.parts.at(-1)?.block ?? 0)('missing-user-message', 'a conversation ends with the user')
  return [...before, ...messages, { role: 'user', parts: [goOn] }]
}

// "final assistant content cannot end with trailing whitespace"
function withoutTrailingSpace(message: Message, noteAt: NoteAt): Message {
  const last = message.parts.at(-1)
  const said: Json | undefined = last?.content['text']
  if (last === undefined || last.content['type'] !== 'text' || typeof said !== 'string' || said === said.trimEnd())
    return message
  noteAt(last.block)('trailing-space', 'white space at the end of a reply that goes on')
  return {
    ...message,
    parts: [...message.parts.slice(0, -1), { ...last, content: { ...last.content, text: said.trimEnd() } }],
  }
}
