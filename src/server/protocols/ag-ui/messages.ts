import type { Entity, MessageEntity, ToolCallEntity } from '../../../timeline/entity.ts'
import type { ImagePart } from '../../../turns/block.ts'
import {
  argumentsText,
  callPrefix,
  resultContent,
  resultMessageId,
  unansweredContent,
  wireCallId,
  type AgUiContentPart,
  type AgUiMessage,
} from './event.ts'

type Assistant = Extract<AgUiMessage, { role: 'assistant' }>

/**
 * What a person sees of a session as the messages of a thread. A tool call belongs to the text before it of the same
 * answer, or to a message of its own when there is none. A call whose arguments are still being written is left out:
 * whoever joins in gets it from its beginning.
 */
export function messagesOf(entities: readonly Entity[], isCurrent: boolean): readonly AgUiMessage[] {
  const messages: AgUiMessage[] = []
  let carrier: { readonly at: number; readonly call: string | undefined } | undefined
  for (const entity of entities) {
    switch (entity.kind) {
      case 'message':
        messages.push(entity.role === 'user' ? userMessage(entity, isCurrent) : textMessage(entity))
        carrier = entity.role === 'user' ? undefined : { at: messages.length - 1, call: callPrefix(entity) }
        break
      case 'reasoning':
        messages.push({ id: entity.id, role: 'reasoning', content: entity.text })
        break
      case 'tool-call': {
        if (entity.status === 'writing') break
        const call = callPrefix(entity)
        if (carrier === undefined || carrier.call !== call) {
          messages.push({ id: carrierId(entity), role: 'assistant' })
          carrier = { at: messages.length - 1, call }
        }
        const assistant = messages[carrier.at] as Assistant // carrier is where one was put
        messages[carrier.at] = withCall(assistant, entity)
        messages.push(...resultOf(entity))
        break
      }
      case 'activity':
      case 'notice':
      case 'inference':
        break
    }
  }
  return messages
}

/** The message that carries the calls of an answer without text. */
export function carrierId(call: {
  readonly providerCallId?: string
  readonly attempt?: number
  readonly toolCallId: string
}): string {
  return `${callPrefix(call) ?? wireCallId(call)}:calls`
}

function textMessage({ id, text }: MessageEntity): Assistant {
  return { id, role: 'assistant', content: text }
}

function withCall(message: Assistant, entity: ToolCallEntity): Assistant {
  const call = {
    id: wireCallId(entity),
    type: 'function' as const,
    function: { name: entity.toolName, arguments: argumentsText(entity.input ?? entity.argumentsText) },
  }
  return { ...message, toolCalls: [...(message.toolCalls ?? []), call] }
}

function resultOf(entity: ToolCallEntity): readonly AgUiMessage[] {
  const toolCallId = wireCallId(entity)
  const base = { id: resultMessageId(toolCallId), role: 'tool' as const, toolCallId }
  switch (entity.status) {
    case 'success':
    case 'error':
    case 'unknown': {
      const isAnswered = entity.result !== undefined || entity.error !== undefined
      return [{ ...base, content: isAnswered ? resultContent(entity) : unansweredContent }]
    }
    case 'unanswered':
      return [{ ...base, content: unansweredContent }]
    case 'writing':
    case 'requested':
    case 'awaiting-approval':
    case 'running':
      return []
  }
}

function userMessage({ id, text, images = [] }: MessageEntity, isCurrent: boolean): AgUiMessage {
  const parts = images.flatMap((image) => imagePart(image, isCurrent))
  const content = parts.length === 0 ? text : [{ type: 'text' as const, text }, ...parts]
  return { id, role: 'user', content }
}

// An image that lies with the provider is a name that no client can do anything with.
function imagePart(image: ImagePart, isCurrent: boolean): readonly AgUiContentPart[] {
  if ('content' in image) {
    const { content: data, media_type: mimeType } = image
    return isCurrent
      ? [{ type: 'image', source: { type: 'data', value: data, mimeType } }]
      : [{ type: 'binary', mimeType, data }]
  }
  if (!('url' in image)) return []
  const { url, media_type: mimeType = 'image/*' } = image
  return isCurrent ? [{ type: 'image', source: { type: 'url', value: url } }] : [{ type: 'binary', mimeType, url }]
}
