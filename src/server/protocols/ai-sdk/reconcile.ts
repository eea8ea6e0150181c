import { GeppettoError } from '../../../errors.ts'
import { jsonEqual, type Json } from '../../../json.ts'
import type { ApprovalAnswer } from '../../../session/stored-session.ts'
import type { Exchange, History } from './history.ts'
import { userMessageId } from './history.ts'
import { isToolPart, type MessagePart } from './message.ts'
import { isPending, type Call } from './projection.ts'
import {
  promptOf,
  type ChatRequest,
  type SentApproval,
  type SentMessage,
  type SentPart,
  type SentPrompt,
} from './request.ts'

/** An answer to a call that waits, or that waited: then `isKnown`. */
export interface Answer extends ApprovalAnswer {
  readonly approvalId: string
  readonly isKnown: boolean
}

/** What a post asks for. */
export type Command =
  | { readonly do: 'submit'; readonly messageId: string; readonly prompt: SentPrompt }
  /** The prompt is known: its answer is streamed, once more or for the first time. */
  | { readonly do: 'follow'; readonly exchange: Exchange }
  /** The prompt is to be answered anew, as it is or changed: another session goes on from before it. */
  | {
      readonly do: 'branch'
      readonly from: Exchange
      readonly messageId: string
      readonly prompt: SentPrompt
      /** The answer that is not wanted; absent when the prompt was changed. */
      readonly replaces?: string
    }
  /** `knownParts` is how many parts the client knows of the message, those with data left out. */
  | {
      readonly do: 'answer'
      readonly exchange: Exchange
      readonly answers: readonly Answer[]
      readonly knownParts: number
    }

/**
 * What the messages of a client ask for, against what the log knows. The log is what counts: what a client sends of it is
 * looked at and not used. Throws HISTORY_REFUSED for messages that say what the log does not.
 */
export function reconcile(history: History, request: ChatRequest): Command {
  const { messages, trigger, approvals } = request
  const last = messages[messages.length - 1] as SentMessage // the schema wants one
  const answers: Answer[] = []
  let isKnown = history.isComplete
  for (const message of messages) {
    if (message === last && message.role === 'user') break
    const answered = verify(history, message)
    // What came before the log begins can neither be looked up nor matter.
    if (answered === undefined && isKnown) throw refused(message, 'the log has no such message')
    if (answered !== undefined) {
      isKnown = true
      answers.push(...answered)
    }
  }
  answers.push(...approvals.flatMap((approval) => answerTo(history, approval)))
  if (last.role === 'user') {
    if (answers.some(({ isKnown }) => !isKnown)) throw refused(last, 'a post either answers calls or brings a prompt')
    return promptCommand(history, last, trigger === 'regenerate-message')
  }
  const exchange = history.exchanges.find(({ accepted }) => accepted.inferenceId === last.id)
  if (exchange === undefined) throw refused(last, 'there is nothing in it to go on from')
  const knownParts = last.parts.filter(({ type }) => !type.startsWith('data-')).length
  return { do: 'answer', exchange, answers, knownParts }
}

function promptCommand(history: History, message: SentMessage, isRegeneration: boolean): Command {
  const prompt = promptOf(message)
  const exchange = history.exchanges.findLast((each) => userMessageId(each) === message.id)
  if (exchange === undefined) {
    if (history.earlier.some(({ id }) => id === message.id))
      throw refused(message, 'it came without a turn of its own, so nothing can go on from before it')
    return { do: 'submit', messageId: message.id, prompt }
  }
  const { accepted } = exchange
  if (isRegeneration)
    return { do: 'branch', from: exchange, messageId: message.id, prompt, replaces: accepted.inferenceId }
  if (isSamePrompt(exchange, prompt)) return { do: 'follow', exchange }
  return { do: 'branch', from: exchange, messageId: message.id, prompt }
}

/** Whether the prompt of the exchange says just this. */
export function isSamePrompt({ accepted }: Exchange, { text, images }: SentPrompt): boolean {
  const { payload } = accepted.block
  return payload.text === text && jsonEqual(payload.images ?? [], images)
}

/** The answers in a message that the log knows; undefined when it knows no such message. */
function verify(history: History, message: SentMessage): readonly Answer[] | undefined {
  switch (message.role) {
    case 'system':
      throw refused(message, "what the model is told is the profile's to say")
    case 'user': {
      const exchange = history.exchanges.findLast((each) => userMessageId(each) === message.id)
      if (exchange !== undefined) {
        if (isSamePrompt(exchange, promptOf(message))) return []
        throw refused(message, 'the log has it in other words; to change a prompt, send it last')
      }
      return history.earlier.some(({ id, role }) => id === message.id && role === 'user') ? [] : undefined
    }
    case 'assistant': {
      const exchange = history.exchanges.find(({ accepted }) => accepted.inferenceId === message.id)
      if (exchange !== undefined) {
        const { draft, said, state } = exchange
        const known = { parts: draft.parts, said: Object.values(said), calls: state.calls }
        return message.parts.flatMap((part) => verifyPart(message, part, known))
      }
      const earlier = history.earlier.find(({ id, role }) => id === message.id && role === 'assistant')
      if (earlier === undefined) return undefined
      const said = earlier.parts.flatMap((part) => ('text' in part ? [part.text] : []))
      return message.parts.flatMap((part) => verifyPart(message, part, { parts: earlier.parts, said, calls: [] }))
    }
  }
}

/** What the log has of an assistant's message. */
interface KnownMessage {
  readonly parts: readonly MessagePart[]
  readonly said: readonly string[]
  readonly calls: readonly Call[]
}

function verifyPart(message: SentMessage, part: SentPart, known: KnownMessage): readonly Answer[] {
  const { type, text = '', url } = part
  if (type === 'step-start' || type.startsWith('data-')) return []
  if (type === 'text' || type === 'reasoning') {
    // A client that was cut off, or stopped to read, has the beginning.
    if (known.said.some((said) => said.startsWith(text))) return []
    if (text === '') return []
    throw refused(message, `the log does not have its ${type}`)
  }
  if (type === 'source-url') {
    if (known.parts.some((each) => each.type === 'source-url' && each.url === url)) return []
    throw refused(message, 'the log does not have its source')
  }
  if (type.startsWith('tool-')) return verifyCall(message, part, known)
  throw refused(message, `a part of type ${type} did not come from here`)
}

function verifyCall(message: SentMessage, part: SentPart, { parts, calls }: KnownMessage): readonly Answer[] {
  const { toolCallId = '', state, approval, input, output, errorText } = part
  const known = parts.find((each) => isToolPart(each) && each.toolCallId === toolCallId)
  if (known === undefined || !isToolPart(known) || known.type !== part.type)
    throw refused(message, `the log has no call ${toolCallId} of this tool`)
  const call = calls.find(({ id }) => id === toolCallId)
  if (
    state !== 'input-streaming' &&
    known.state !== 'input-streaming' &&
    !jsonEqual(input ?? null, known.input ?? null)
  )
    throw refused(message, `call ${toolCallId} has other arguments`)
  const asked = call?.approval
  const isClientTool = asked?.reason === 'client-tool'
  switch (state) {
    case 'input-streaming':
    case 'input-available':
    case 'approval-requested':
      return []
    case 'approval-responded': {
      if (asked === undefined || isClientTool || asked.approvalId !== approval?.id)
        throw refused(message, `call ${toolCallId} was not asked about under ${String(approval?.id)}`)
      const { approved = false, reason } = approval
      return decision(message, asked, { approval_id: asked.approvalId, approved, reason })
    }
    case 'output-available': {
      const isSame = known.state === 'output-available' && jsonEqual(output ?? null, known.output ?? null)
      if (isSame && !isClientTool) return []
      if (!isSame && (!isClientTool || call?.isAnswered !== false))
        throw refused(message, `call ${toolCallId} did not give that`)
      if (asked === undefined) return []
      const result = (output ?? null) as Json // it came as JSON
      return [{ approvalId: asked.approvalId, isKnown: !isPending(asked), decision: 'approved', result }]
    }
    case 'output-error':
    case 'output-denied': {
      const isSame = known.state === 'output-error' || known.state === 'output-denied'
      if (isSame && !isClientTool) return []
      if (!isSame && (!isClientTool || call?.isAnswered !== false))
        throw refused(message, `call ${toolCallId} did not fail`)
      if (asked === undefined) return []
      const why = errorText ?? 'the tool failed'
      return [{ approvalId: asked.approvalId, isKnown: !isPending(asked), decision: 'denied', message: why }]
    }
    default:
      throw refused(message, `call ${toolCallId} is in no state that there is (${String(state)})`)
  }
}

function answerTo(history: History, sent: SentApproval): readonly Answer[] {
  for (const { accepted, state } of history.exchanges.toReversed()) {
    const asked = state.calls.find(({ approval }) => approval?.approvalId === sent.approval_id)?.approval
    if (asked !== undefined && asked.reason !== 'client-tool')
      return decision({ id: accepted.inferenceId }, asked, sent)
  }
  throw new GeppettoError('HISTORY_REFUSED', `The chat has no approval ${sent.approval_id}.`)
}

function decision(
  message: Pick<SentMessage, 'id'>,
  asked: NonNullable<Call['approval']>,
  { approved, reason }: SentApproval,
): readonly Answer[] {
  const { approvalId, decision: decided } = asked
  if (decided !== undefined && (decided === 'approved') !== approved)
    throw refused(message, `approval ${approvalId} was ${decided} before`)
  const said = { decision: approved ? 'approved' : 'denied', ...(reason !== undefined && { message: reason }) } as const
  return [{ approvalId, isKnown: decided !== undefined, ...said }]
}

function refused({ id }: Pick<SentMessage, 'id'>, why: string): GeppettoError {
  return new GeppettoError(
    'HISTORY_REFUSED',
    `Message ${id} is refused: ${why}. Load the messages anew and go on from them.`,
    { details: { messageId: id } },
  )
}
