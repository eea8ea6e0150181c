import { GeppettoError } from '../../../errors.ts'
import type { Entity, ToolCallEntity } from '../../../timeline/entity.ts'
import { resultContent, unansweredContent, wireCallId } from './event.ts'
import { clientResult, textOf, type InputMessage } from './input.ts'
import type { ApprovalAnswer } from '../../../session/stored-session.ts'

type UserMessage = Extract<InputMessage, { role: 'user' }>
type ToolMessage = Extract<InputMessage, { role: 'tool' }>

/** What a client's messages say that the session does not know yet. */
export interface News {
  /** The messages of the user that are to be answered, as one prompt. */
  readonly prompt: readonly UserMessage[]
  /** Results of the client's own tools that are waited for. */
  readonly results: readonly { readonly approvalId: string; readonly answer: ApprovalAnswer }[]
  /** Ids that are in none of `entities`: to be looked for in the rest of the session, and refused when they are not there. */
  readonly strangers: readonly string[]
}

/**
 * Compares a client's messages with what is known of the session, which is what counts: what a client says of an answer
 * or a result changes nothing, and a history that is not this one is refused (HISTORY_REFUSED). `isComplete` says
 * whether `entities` are all of the session; what stands before the first message that they know is then older.
 */
export function newsOf(messages: readonly InputMessage[], entities: readonly Entity[], isComplete: boolean): News {
  const known = new Known(entities)
  const first = messages.findIndex((message) => known.has(message))
  const isOlder = (index: number) => !isComplete && index < Math.max(first, 0)
  const last = messages.findLastIndex((message) => isAnswer(message) || (message.role === 'user' && known.has(message)))
  const news = {
    results: [] as News['results'][number][],
    strangers: [] as string[],
    prompt: [] as UserMessage[],
  }
  for (const [index, message] of messages.entries()) {
    switch (message.role) {
      case 'user':
        known.requireSame(message)
        if (index > last) news.prompt.push(message)
        break
      case 'assistant':
        if (!isOlder(index)) news.strangers.push(...known.check(message))
        break
      case 'tool': {
        const call = known.calls.get(message.toolCallId)
        if (call === undefined) {
          if (!isOlder(index)) news.strangers.push(message.toolCallId)
        } else if (isWaitedFor(call)) {
          news.results.push({ approvalId: call.approval?.approvalId ?? '', answer: clientResult(message) })
        } else requireResult(message, call)
        break
      }
      case 'system':
      case 'developer':
      case 'reasoning':
      case 'activity':
        break
    }
  }
  return news
}

/** Whether a result of the client's is what the call waits for. */
function isWaitedFor({ status, approval }: ToolCallEntity): boolean {
  return status === 'awaiting-approval' && approval?.reason === 'client-tool'
}

function isAnswer({ role }: InputMessage): boolean {
  return role === 'assistant' || role === 'tool'
}

/** What is known of a session, by the ids that it has on the wire. */
class Known {
  readonly calls = new Map<string, ToolCallEntity>()
  readonly #messages = new Map<string, Extract<Entity, { kind: 'message' }>>()

  constructor(entities: readonly Entity[]) {
    for (const entity of entities) {
      if (entity.kind === 'message') this.#messages.set(entity.id, entity)
      if (entity.kind === 'tool-call') this.calls.set(wireCallId(entity), entity)
    }
  }

  has(message: InputMessage): boolean {
    if (message.role === 'tool') return this.calls.has(message.toolCallId)
    if (this.#messages.has(message.id)) return true
    return message.role === 'assistant' && (message.toolCalls ?? []).some(({ id }) => this.calls.has(id))
  }

  requireSame({ id, content }: UserMessage): void {
    const message = this.#messages.get(id)
    const text = textOf(content)
    // Messages that came together are one prompt, and the last of them gives it its id.
    if (message === undefined || message.text === text || message.text.endsWith(`\n\n${text}`)) return
    throw refused(`message ${id} is another one there; to ask anew from an earlier point, fork the session`)
  }

  /** The ids of the message that are not known; throws when what is known of the others is something else. */
  check({ id, content, toolCalls }: Extract<InputMessage, { role: 'assistant' }>): readonly string[] {
    const message = this.#messages.get(id)
    const text = textOf(content ?? '')
    // A client that was cut off has the beginning.
    if (message !== undefined && (message.role !== 'assistant' || !message.text.startsWith(text)))
      throw refused(`message ${id} says something else there`)
    if (message === undefined && text !== '') return [id]
    return (toolCalls ?? []).flatMap((call) => {
      const entity = this.calls.get(call.id)
      if (entity === undefined) return [call.id]
      if (entity.toolName !== call.function.name) throw refused(`call ${call.id} is one of ${entity.toolName} there`)
      return []
    })
  }
}

function requireResult({ content, toolCallId }: ToolMessage, call: ToolCallEntity): void {
  // A client that ran the call itself has said what counts the first time.
  if (call.approval?.reason === 'client-tool') return
  const isAnswered = call.result !== undefined || call.error !== undefined
  if (textOf(content) === (isAnswered ? resultContent(call) : unansweredContent)) return
  throw refused(`the result of call ${toolCallId} is another one there, or not yet there`)
}

export function refused(why: string): GeppettoError {
  return new GeppettoError(
    'HISTORY_REFUSED',
    `The messages are not the history of this thread, which the server keeps: ${why}. Send the messages as they came, and new ones of the user after them.`,
  )
}
