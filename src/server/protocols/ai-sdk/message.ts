import type { Json, JsonObject } from '../../../json.ts'
import type { WireChunk } from './chunk.ts'

// A message as the AI SDK keeps it. What a client has after a stream and what it gets when it loads the messages are the
// same, for both are folds of the same chunks.

interface ToolPart {
  readonly type: `tool-${string}`
  readonly toolCallId: string
  readonly state:
    | 'input-streaming'
    | 'input-available'
    | 'approval-requested'
    | 'approval-responded'
    | 'output-available'
    | 'output-error'
    | 'output-denied'
  readonly input?: Json
  readonly output?: Json
  readonly errorText?: string
  readonly approval?: { readonly id: string; readonly approved?: boolean; readonly reason?: string }
}

export type MessagePart =
  | { readonly type: 'step-start' }
  | { readonly type: 'text' | 'reasoning'; readonly text: string; readonly state?: 'streaming' | 'done' }
  | { readonly type: 'file'; readonly mediaType: string; readonly url: string }
  | { readonly type: 'source-url'; readonly sourceId: string; readonly url: string; readonly title?: string }
  | { readonly type: 'data-geppetto-approval'; readonly id: string; readonly data: JsonObject }
  | ToolPart

export interface UiMessage {
  readonly id: string
  readonly role: 'user' | 'assistant'
  readonly metadata?: JsonObject
  readonly parts: readonly MessagePart[]
}

/** A message while it is written: `open` says at which part a segment of text is, by its id. */
export interface MessageDraft {
  readonly metadata: JsonObject
  readonly parts: readonly MessagePart[]
  readonly open: Readonly<Record<string, number>>
}

export const emptyDraft: MessageDraft = { metadata: {}, parts: [], open: {} }

/** The message after `chunk`, as a client makes it. */
export function applyToDraft(draft: MessageDraft, chunk: WireChunk): MessageDraft {
  const { parts, open } = draft
  switch (chunk.type) {
    case 'start':
    case 'finish':
      return { ...draft, metadata: { ...draft.metadata, ...chunk.messageMetadata } }
    case 'start-step':
      return { ...draft, parts: [...parts, { type: 'step-start' }] }
    case 'reset-step': {
      const begin = parts.findLastIndex(({ type }) => type === 'step-start')
      return { ...draft, parts: parts.slice(0, begin + 1), open: {} }
    }
    case 'text-start':
    case 'reasoning-start': {
      const type = chunk.type === 'text-start' ? 'text' : 'reasoning'
      const part: MessagePart = { type, text: '', state: 'streaming' }
      return { ...draft, parts: [...parts, part], open: { ...open, [chunk.id]: parts.length } }
    }
    case 'text-delta':
    case 'reasoning-delta':
      return changeText(draft, chunk.id, (text) => ({ text: text + chunk.delta }))
    case 'text-end':
    case 'reasoning-end':
      return changeText(draft, chunk.id, (text) => ({ text, state: 'done' }))
    case 'source-url':
      return { ...draft, parts: [...parts, chunk] }
    case 'data-geppetto-approval':
      return { ...draft, parts: replaced(parts, (part) => part.type === chunk.type && part.id === chunk.id, chunk) }
    case 'tool-input-start':
      return changeTool(draft, chunk.toolCallId, { state: 'input-streaming' }, chunk.toolName)
    case 'tool-input-available':
      return changeTool(draft, chunk.toolCallId, { state: 'input-available', input: chunk.input }, chunk.toolName)
    case 'tool-approval-request':
      return changeTool(draft, chunk.toolCallId, { state: 'approval-requested', approval: { id: chunk.approvalId } })
    case 'tool-approval-response': {
      const { approvalId, approved, reason } = chunk
      const call = parts.find((part) => isToolPart(part) && part.approval?.id === approvalId)
      if (call === undefined || !isToolPart(call)) return draft
      const approval = { id: approvalId, approved, ...(reason !== undefined && { reason }) }
      return changeTool(draft, call.toolCallId, { state: 'approval-responded', approval })
    }
    case 'tool-output-available':
      return changeTool(draft, chunk.toolCallId, { state: 'output-available', output: chunk.output })
    case 'tool-output-error':
      return changeTool(draft, chunk.toolCallId, { state: 'output-error', errorText: chunk.errorText })
    case 'tool-output-denied':
      return changeTool(draft, chunk.toolCallId, { state: 'output-denied' })
    // A client makes nothing of these that it keeps.
    case 'tool-input-delta':
    case 'data-geppetto-progress':
    case 'finish-step':
    case 'abort':
    case 'error':
      return draft
  }
}

export function isToolPart(part: MessagePart): part is ToolPart {
  return part.type.startsWith('tool-')
}

function changeText(
  draft: MessageDraft,
  id: string,
  change: (text: string) => { readonly text: string; readonly state?: 'done' },
): MessageDraft {
  const at = draft.open[id]
  const part = at === undefined ? undefined : draft.parts[at]
  if (at === undefined || (part?.type !== 'text' && part?.type !== 'reasoning')) return draft
  return { ...draft, parts: draft.parts.with(at, { ...part, ...change(part.text) }) }
}

function changeTool(draft: MessageDraft, toolCallId: string, change: Partial<ToolPart>, toolName = ''): MessageDraft {
  const isIt = (part: MessagePart) => isToolPart(part) && part.toolCallId === toolCallId
  const known = draft.parts.find(isIt)
  const part: ToolPart =
    known !== undefined && isToolPart(known)
      ? { ...known, ...change }
      : { type: `tool-${toolName}`, toolCallId, state: 'input-streaming', ...change }
  return { ...draft, parts: replaced(draft.parts, isIt, part) }
}

/** The parts with `part` in the place of the one that is it, or at the end. */
function replaced(
  parts: readonly MessagePart[],
  isIt: (part: MessagePart) => boolean,
  part: MessagePart,
): readonly MessagePart[] {
  const at = parts.findIndex(isIt)
  return at < 0 ? [...parts, part] : parts.with(at, part)
}
