import type { ErrorInfo, InferenceEvent, ReasoningSource } from '../../../events/event.ts'
import type { Json, JsonObject } from '../../../json.ts'
import type { ToolCallBlock } from '../../../turns/block.ts'
import { unknownRuntime, type AskedRuntime } from './asked.ts'
import { noTokens, type Tokens } from './usage.ts'

export type ResponseStatus = 'queued' | 'in_progress' | 'completed' | 'incomplete' | 'failed' | 'cancelled'

/** What the client is asked for: the output of a function, or its word on a call of the server's. */
export interface Wait {
  readonly toolCallId: string
  readonly kind: 'function' | 'approval'
}

export interface ResponseState {
  readonly sessionId: string
  readonly inferenceId: string
  readonly turnId: string
  readonly part: number
  /** Of the next event. */
  readonly sequence: number
  readonly status: ResponseStatus
  /** ISO 8601. */
  readonly createdAt: string
  readonly completedAt?: string
  readonly runtime: AskedRuntime
  /** By output index; a message that was withdrawn is void. */
  readonly items: readonly (JsonObject | undefined)[]
  /** How many there were when the provider call began that is under way. */
  readonly callStart: number
  readonly open: readonly OpenItem[]
  /** Calls of the last reply. */
  readonly requested: readonly ToolCallBlock[]
  /** What this part ended for, until it is answered. */
  readonly waits: readonly Wait[]
  /** Every approval that was asked for; the ids of those that were decided on, and of calls that have their result. */
  readonly approvals: readonly { readonly toolCallId: string; readonly approvalId: string }[]
  readonly answered: readonly string[]
  readonly clientCalls: readonly string[]
  /** What happened between two parts, to be told in the next. */
  readonly held: readonly InferenceEvent[]
  readonly tokens: Tokens
  readonly error?: ErrorInfo
  readonly incompleteReason?: 'max_output_tokens' | 'content_filter'
}

/** An item that is being told. */
export interface OpenItem {
  readonly index: number
  readonly itemId: string
  readonly of:
    | { readonly kind: 'message'; readonly annotations: readonly Json[] }
    | { readonly kind: 'reasoning'; readonly source: ReasoningSource }
    | { readonly kind: 'call'; readonly toolName: string; readonly input: Json }
  /** The segment, or the call. */
  readonly source: string
  readonly text: string
}

/** An event of a response, and of which one. */
export interface ResponseFrame {
  readonly part: number
  readonly event: JsonObject & { readonly type: string; readonly sequence_number: number }
}

export const emptyResponse: ResponseState = {
  sessionId: '',
  inferenceId: '',
  turnId: '',
  part: 0,
  sequence: 0,
  status: 'queued',
  createdAt: '',
  runtime: unknownRuntime,
  items: [],
  callStart: 0,
  open: [],
  requested: [],
  waits: [],
  approvals: [],
  answered: [],
  clientCalls: [],
  held: [],
  tokens: noTokens,
}

/** Whether nothing more is told of this part. */
export function isOver({ status }: Pick<ResponseState, 'status'>): boolean {
  return status !== 'queued' && status !== 'in_progress'
}
