import type { ApprovalReason, Decision } from '../../../events/event.ts'
import type { Json, JsonObject } from '../../../json.ts'

// What an answer is to a client of the AI SDK: a list of chunks. What a client of one major takes makes another throw, so
// a chunk is put into words for a major at the very end.

/**
 * Which majors of `ai` must understand it. `5` is what all of them take, from 5.0.0 on; `6` adds the parts for approvals
 * and finish reasons (6.0.0 and later); `7` adds that a step can be taken back (7.0.77 and later).
 */
export const uiVersions = ['5', '6', '7'] as const
export type UiVersion = (typeof uiVersions)[number]

export type FinishReason = 'stop' | 'length' | 'content-filter' | 'tool-calls' | 'error' | 'other'

/** A question whether a call may run, and what was answered. */
export interface Approval {
  readonly approvalId: string
  readonly toolCallId: string
  readonly toolName: string
  readonly input: Json
  readonly reason: ApprovalReason
  readonly hash: string
  readonly expiresAt?: string
  readonly decision?: Decision
  readonly message?: string
}

/** A chunk as all majors have it on the wire. */
type CommonChunk =
  | { readonly type: 'start'; readonly messageId: string; readonly messageMetadata: JsonObject }
  | { readonly type: 'start-step' | 'finish-step' | 'abort' }
  | { readonly type: 'text-start' | 'text-end' | 'reasoning-start' | 'reasoning-end'; readonly id: string }
  | { readonly type: 'text-delta' | 'reasoning-delta'; readonly id: string; readonly delta: string }
  | { readonly type: 'source-url'; readonly sourceId: string; readonly url: string; readonly title?: string }
  | { readonly type: 'tool-input-start'; readonly toolCallId: string; readonly toolName: string }
  | { readonly type: 'tool-input-delta'; readonly toolCallId: string; readonly inputTextDelta: string }
  | {
      readonly type: 'tool-input-available'
      readonly toolCallId: string
      readonly toolName: string
      readonly input: Json
    }
  | { readonly type: 'tool-output-available'; readonly toolCallId: string; readonly output: Json }
  | { readonly type: 'tool-output-error'; readonly toolCallId: string; readonly errorText: string }
  | { readonly type: 'error'; readonly errorText: string }

/** A chunk before it is put into words for a major. */
export type Chunk =
  | CommonChunk
  | { readonly type: 'approval'; readonly approval: Approval }
  | { readonly type: 'denied'; readonly toolCallId: string; readonly errorText: string }
  | { readonly type: 'progress'; readonly toolCallId: string; readonly toolName: string; readonly progress: Json }
  /** All that the current step has shown is void. */
  | { readonly type: 'reset-step' }
  | { readonly type: 'finish'; readonly finishReason: FinishReason; readonly messageMetadata: JsonObject }

/** A chunk as it goes over the wire. */
export type WireChunk =
  | CommonChunk
  | { readonly type: 'reset-step' }
  | { readonly type: 'data-geppetto-approval'; readonly id: string; readonly data: JsonObject }
  | {
      readonly type: 'data-geppetto-progress'
      readonly id: string
      readonly data: JsonObject
      readonly transient: true
    }
  | { readonly type: 'tool-approval-request'; readonly approvalId: string; readonly toolCallId: string }
  | {
      readonly type: 'tool-approval-response'
      readonly approvalId: string
      readonly approved: boolean
      readonly reason?: string
    }
  | { readonly type: 'tool-output-denied'; readonly toolCallId: string }
  | { readonly type: 'finish'; readonly finishReason?: FinishReason; readonly messageMetadata: JsonObject }

/** Whether clients of this major can be told that what they show is void. */
export function canTakeBack(ui: UiVersion): boolean {
  return ui === '7'
}

/** The chunk in the words of a major; undefined when it has none for it. */
export function wireChunk(chunk: Chunk, ui: UiVersion): WireChunk | undefined {
  switch (chunk.type) {
    case 'approval':
      return approvalChunk(chunk.approval, ui)
    case 'denied':
      return ui === '5'
        ? { ...chunk, type: 'tool-output-error' }
        : { type: 'tool-output-denied', toolCallId: chunk.toolCallId }
    case 'progress': {
      const { toolCallId, toolName, progress } = chunk
      const data = { tool_call_id: toolCallId, tool_name: toolName, progress }
      return { type: 'data-geppetto-progress', id: toolCallId, data, transient: true }
    }
    case 'finish':
      return ui === '5' ? { type: 'finish', messageMetadata: chunk.messageMetadata } : chunk
    case 'reset-step':
      return canTakeBack(ui) ? chunk : undefined
    default:
      return chunk
  }
}

function approvalChunk(approval: Approval, ui: UiVersion): WireChunk | undefined {
  const { approvalId, toolCallId, decision, message } = approval
  if (ui === '5') return { type: 'data-geppetto-approval', id: approvalId, data: approvalData(approval) }
  if (decision === undefined) return { type: 'tool-approval-request', approvalId, toolCallId }
  // A client of 6 knows what it has answered itself; the call's end says the rest.
  if (ui === '6') return undefined
  const approved = decision === 'approved'
  return { type: 'tool-approval-response', approvalId, approved, ...(message !== undefined && { reason: message }) }
}

function approvalData(approval: Approval): JsonObject {
  const { approvalId, toolCallId, toolName, input, reason, hash, expiresAt, decision, message } = approval
  return {
    approval_id: approvalId,
    tool_call_id: toolCallId,
    tool_name: toolName,
    input,
    reason,
    hash,
    ...(expiresAt !== undefined && { expires_at: expiresAt }),
    ...(decision !== undefined && { decision }),
    ...(message !== undefined && { message }),
  }
}
