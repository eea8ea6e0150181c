import type { ApprovalReason, Decision, ErrorInfo, LogLevel, ReasoningSource } from '../events/event.ts'
import type { Json } from '../json.ts'
import type { ImagePart } from '../turns/block.ts'
import type { InferenceResult } from '../turns/values.ts'

/** What every entity has. An entity keeps its place: later events change it and never move it. */
interface EntityBase {
  /** Unique in the session, and the same in every fold of its log. */
  readonly id: string
  /** Of the event that made it. */
  readonly ordinal: number
  /** Of the event that changed it last. */
  readonly updatedOrdinal: number
  /** When it was made, ISO 8601 in UTC. */
  readonly at: string
  readonly turnId?: string
  readonly inferenceId?: string
}
/** What a provider call made: gone when its attempt is discarded. */
interface OfCall {
  readonly providerCallId?: string
  readonly attempt?: number
}

export interface MessageEntity extends EntityBase, OfCall {
  readonly kind: 'message'
  readonly role: 'user' | 'assistant'
  readonly text: string
  readonly images?: readonly ImagePart[]
  readonly isStreaming: boolean
  /** The text was cut off. */
  readonly isPartial?: true
}

export interface ReasoningEntity extends EntityBase, OfCall {
  readonly kind: 'reasoning'
  readonly text: string
  readonly source?: ReasoningSource
  readonly isStreaming: boolean
  readonly isPartial?: true
}

export type ToolCallStatus =
  | 'writing'
  | 'requested'
  | 'awaiting-approval'
  | 'running'
  | 'success'
  | 'error'
  | 'unknown'
  /** The inference ended without running it. */
  | 'unanswered'

export interface ToolCallEntity extends EntityBase, OfCall {
  readonly kind: 'tool-call'
  readonly toolCallId: string
  readonly toolName: string
  readonly status: ToolCallStatus
  /** The arguments as the model writes them. */
  readonly argumentsText?: string
  /** The arguments as the tool got them, masked where it says so. */
  readonly input?: Json
  /** The last report, and how many there were. */
  readonly progress?: { readonly last: Json; readonly count: number }
  readonly result?: Json
  readonly error?: string
  readonly approval?: ApprovalView
}

/** A decision that a call waits for, or waited for. */
export interface ApprovalView {
  readonly approvalId: string
  readonly reason: ApprovalReason
  readonly hash: string
  readonly expiresAt?: string
  readonly decision?: Decision
  readonly by?: string
  readonly message?: string
}

/** What a tool of the provider does, such as a search. */
export interface ActivityEntity extends EntityBase, OfCall {
  readonly kind: 'activity'
  /** As `web-search`. */
  readonly activity: string
  /** The last step that was told of, as `searching`. */
  readonly step: string
  readonly detail?: string
}

export interface NoticeEntity extends EntityBase {
  readonly kind: 'notice'
  readonly level: LogLevel
  readonly message: string
}

/** `queued`: it waits for a process to take it up, for the first time or again. */
export type InferenceViewStatus = 'queued' | 'running' | 'waiting' | 'finished' | 'stopped' | 'failed' | 'interrupted'

/** The inference itself: where it stands, what it cost. */
export interface InferenceEntity extends EntityBase {
  readonly kind: 'inference'
  readonly status: InferenceViewStatus
  readonly model?: string
  /** Attempts that failed and were followed by another. */
  readonly retries: number
  readonly restarts: number
  /** Why it is to stop, or did. */
  readonly reason?: string
  readonly error?: ErrorInfo
  readonly result?: InferenceResult
}

/** Something that a person sees in a conversation. */
export type Entity = MessageEntity | ReasoningEntity | ToolCallEntity | ActivityEntity | NoticeEntity | InferenceEntity

export type EntityKind = Entity['kind']
export const entityKinds = [
  'message',
  'reasoning',
  'tool-call',
  'activity',
  'notice',
  'inference',
] as const satisfies readonly EntityKind[]

const endedStatuses: ReadonlySet<InferenceViewStatus> = new Set<InferenceViewStatus>([
  'finished',
  'stopped',
  'failed',
  'interrupted',
])

/** Whether this is an inference that may still change. */
export function isOpenInference(entity: Entity): entity is InferenceEntity {
  return entity.kind === 'inference' && !endedStatuses.has(entity.status)
}
