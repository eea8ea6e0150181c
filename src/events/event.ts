import type { Json, JsonObject } from '../json.ts'
import type {
  Block,
  OtherBlock,
  ReasoningBlock,
  TextBlock,
  ToolCallBlock,
  ToolUseBlock,
  UserBlock,
} from '../turns/block.ts'
import type { TurnDelta } from '../turns/delta.ts'
import type { Turn } from '../turns/turn.ts'
import type { FinishClass, InferenceResult, Usage } from '../turns/values.ts'

// The catalogue: what can happen, the fields of each event, and the ids that it must carry. Names in this file are
// camelCase; on the wire and in the log every name is snake_case (codec.ts).

/** Ids that an event carries, by how deep in a run it happens. A turn may be there before any inference is. */
export interface TurnScope {
  readonly sessionId: string
  readonly turnId: string
  readonly inferenceId?: string
}
export interface InferenceScope {
  readonly sessionId: string
  readonly inferenceId: string
  readonly turnId: string
}
export interface ProviderCallScope extends InferenceScope {
  readonly providerCallId: string
  /** 1 for the first request of this call, one more for each retry. */
  readonly attempt: number
}
export interface SegmentScope extends ProviderCallScope {
  readonly segmentId: string
}
/** The provider call is the one that asked for the tool; absent when a program did. */
export interface ToolCallScope extends InferenceScope {
  readonly providerCallId?: string
  readonly attempt?: number
  readonly toolCallId: string
}

/** What every recorded event has. */
export interface Envelope {
  /** The place in the session's log: 1, 2, 3, no gaps. 0 in an event that was read from an old format without one. */
  readonly ordinal: number
  /** When it happened, ISO 8601 in UTC. */
  readonly at: string
}

/** An error as events and results carry it. */
export interface ErrorInfo {
  readonly code: string
  readonly message: string
}

/** A change that a projection made so that a provider accepts the turn. */
export interface ProjectionRepair {
  /** What was done, as `orphan-tool-call` or `foreign-reasoning`. */
  readonly repair: string
  /** Index of the block in the turn that was projected. */
  readonly block: number
  readonly detail: string
}

/** Where a run stands; `final` is the turn that it returned. */
export const phases = ['pre_inference', 'post_inference', 'post_tools', 'final'] as const
export type Phase = (typeof phases)[number]
export type ReasoningSource = 'provider' | 'thinking' | 'summary'
/** `unknown`: the process died, or was told to stop, while the tool ran; whether it did its work cannot be said. */
export type ToolStatus = 'success' | 'error' | 'unknown'
/**
 * Why somebody is asked: the tool wants it so, it may have run already and a second time could do harm, or it is the
 * client's own tool, whose result is waited for.
 */
export type ApprovalReason = 'policy' | 'outcome-unknown' | 'client-tool'
export const decisions = ['approved', 'denied', 'expired'] as const
export type Decision = (typeof decisions)[number]
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

type None = Readonly<Record<never, never>>

/** What concerns a session, whatever runs in it. */
export interface TurnFields {
  /**
   * The turn is `base`, the turn before it in this log, changed by `delta`; without a base the delta is the whole turn.
   * `origin` is the turn of another session that it was forked from, and the block that it ends before, if it ends
   * before one.
   */
  'turn-opened': {
    readonly base?: string
    readonly delta: TurnDelta
    readonly origin?: { readonly sessionId: string; readonly turnId: string; readonly before?: string }
  }
  /** A person has given the session a name; `turnId` is the turn that it was at. */
  'session-renamed': { readonly title: string }
}

/** Begin and end of an inference. Exactly one of the last four ends it; only the session and the run emit them. */
export interface LifecycleFields {
  /**
   * A prompt is in the log and its inference waits for its turn; `key` is the idempotency key that it came with, and
   * `runtime` who is to answer, when that was said. `before` and `after` are the blocks that its turn gets around it, `data`
   * the inputs that it sets, or with null takes away.
   */
  'prompt-accepted': {
    readonly block: UserBlock
    readonly key?: string
    readonly runtime?: Json
    readonly before?: readonly Block[]
    readonly after?: readonly Block[]
    readonly data?: JsonObject
  }
  'inference-started': None
  /**
   * Another process goes on from its last whole step; `restarts` is how often one has died in the middle since a step was
   * finished: being handed over and dying while only a decision is waited for do not count.
   */
  'inference-resumed': { readonly restarts: number }
  /** The process that ran it was told to end and gave it up; the next one to open the session goes on. */
  'inference-handed-over': None
  /** Somebody wants it to stop. The end follows, unless it came first. */
  'cancel-requested': { readonly reason: string }
  'inference-finished': { readonly result: InferenceResult }
  /** Cancelled; what had been produced is in the turn. */
  'inference-stopped': { readonly reason: string; readonly result: InferenceResult }
  'inference-failed': { readonly error: ErrorInfo; readonly result: InferenceResult }
  /** The process that ran it died, and nothing goes on from there. */
  'inference-interrupted': { readonly reason: string; readonly result: InferenceResult }
}

/** Things that happen in a run, outside of a provider call. */
export interface RunFields {
  /** The turn as it stood here is a snapshot of this phase; `iteration` counts the loop's provider calls from 0. */
  'phase-reached': { readonly phase: Exclude<Phase, 'final'>; readonly iteration: number }
  'persist-failed': { readonly error: ErrorInfo }
  log: { readonly level: LogLevel; readonly message: string; readonly fields?: JsonObject }
  info: { readonly message: string; readonly data?: JsonObject }
  'debugger.pause': {
    readonly pauseId: string
    readonly phase: string
    readonly summary: string
    readonly deadlineMs: number
    readonly extra?: JsonObject
  }
  'agent-mode-switch': { readonly message: string; readonly data: JsonObject }
  /** An application's own event; see `defineEvent`. */
  custom: { readonly name: string; readonly data: Json }
}

/** One request to a model. None of these makes or ends visible text. */
export interface ProviderCallFields {
  /** `requestHash` is the SHA-256 (hex) of the body that is sent. */
  'provider-call-started': { readonly provider: string; readonly model: string; readonly requestHash?: string }
  'request-projected': { readonly repairs: readonly ProjectionRepair[] }
  'provider-call-metadata-updated': {
    readonly responseId?: string
    readonly model?: string
    readonly stopReason?: string
    readonly usage?: Usage
  }
  /** The last `blocks` blocks of the turn are what this call made. */
  'provider-call-finished': {
    readonly finishClass: FinishClass
    readonly result: InferenceResult
    readonly blocks: number
  }
  /** The attempt failed and another follows: its output, the last `blocks` blocks of the turn, is void. */
  'attempt-discarded': { readonly error: ErrorInfo; readonly blocks: number; readonly retryInMs: number }
  /** A block that is neither text, reasoning nor a call of ours: a server tool's call or result, kept as it came. */
  'block-received': { readonly block: OtherBlock }
  citation: {
    readonly url?: string
    readonly title?: string
    readonly citedText?: string
    readonly startIndex?: number
    readonly endIndex?: number
    readonly outputIndex?: number
    readonly contentIndex?: number
    readonly annotationIndex?: number
  }
  'web-search-started': { readonly itemId?: string; readonly query?: string }
  'web-search-searching': { readonly itemId?: string }
  'web-search-open-page': { readonly itemId?: string; readonly url?: string }
  'web-search-done': { readonly itemId?: string }
  'file-search-started': { readonly itemId?: string }
  'file-search-searching': { readonly itemId?: string }
  'file-search-done': { readonly itemId?: string }
  'code-interpreter-started': { readonly itemId?: string }
  'code-interpreter-interpreting': { readonly itemId?: string }
  'code-interpreter-done': { readonly itemId?: string }
  'code-interpreter-code-delta': { readonly itemId?: string; readonly delta: string }
  'code-interpreter-code-done': { readonly itemId?: string; readonly code: string }
  'mcp-args-delta': { readonly itemId?: string; readonly delta: string }
  'mcp-args-done': { readonly itemId?: string; readonly arguments: string }
  'mcp-in-progress': { readonly itemId?: string }
  'mcp-completed': { readonly itemId?: string }
  'mcp-failed': { readonly itemId?: string }
  'mcp-list-tools-in-progress': { readonly itemId?: string }
  'mcp-list-tools-completed': { readonly itemId?: string }
  'mcp-list-tools-failed': { readonly itemId?: string }
  'image-generation-in-progress': { readonly itemId?: string }
  'image-generation-generating': { readonly itemId?: string }
  'image-generation-completed': { readonly itemId?: string }
  'image-generation-partial-image': { readonly itemId?: string; readonly partialImageBase64?: string }
  'tool-search-results': { readonly tool: string; readonly itemId?: string; readonly results: readonly Json[] }
}

/**
 * One run of text or reasoning. A delta carries its own text and where it begins in the segment (UTF-16 code units),
 * never the text so far; the finished segment carries the block.
 */
export interface SegmentFields {
  'text-segment-started': None
  'text-delta': { readonly offset: number; readonly delta: string }
  'text-segment-finished': { readonly block: TextBlock; readonly partial?: true }
  'reasoning-segment-started': { readonly source?: ReasoningSource }
  'reasoning-delta': { readonly offset: number; readonly delta: string }
  'reasoning-segment-finished': { readonly block: ReasoningBlock; readonly partial?: true }
}

/** A call of one of the program's tools: first the model writes it, then the loop runs it. */
export interface ToolCallFields {
  'tool-call-started': { readonly toolName: string }
  'tool-call-arguments-delta': { readonly offset: number; readonly delta: string }
  'tool-call-requested': { readonly block: ToolCallBlock }
  /**
   * The call runs only after this is in the log. `input` is masked where the tool says so; `effect` is what the tool
   * says of a second execution, absent when it says nothing; `attempt` of the envelope is that of the provider call.
   */
  'tool-execution-started': {
    readonly toolName: string
    readonly input: Json
    readonly effect?: 'read' | 'idempotent'
  }
  /** The call waits for a decision. `hash` binds it to the tool, its arguments, the session and the turn. */
  'approval-requested': {
    readonly approvalId: string
    readonly toolName: string
    readonly input: Json
    readonly reason: ApprovalReason
    readonly hash: string
    /** ISO 8601 in UTC; then it counts as expired. */
    readonly expiresAt?: string
  }
  /** `input` replaces the arguments; `message` is what the model is told of a refusal; `by` is who decided. */
  'approval-decided': {
    readonly approvalId: string
    readonly decision: Decision
    readonly input?: Json
    /** What the call gave: the reason was `client-tool`. */
    readonly result?: Json
    readonly message?: string
    readonly by?: string
  }
  'tool-progress': { readonly toolName: string; readonly progress: Json }
  'tool-result-ready': { readonly toolName: string; readonly status: ToolStatus; readonly block: ToolUseBlock }
  'tool-call-finished': { readonly toolName: string; readonly status: ToolStatus }
}

/** An event of a newer version, kept as it came. */
export interface UnknownEvent extends Partial<ToolCallScope>, Envelope {
  readonly type: 'unknown'
  readonly rawType: string
  readonly fields: JsonObject
}

type Recorded<Fields, Scope> = {
  [T in keyof Fields]: { readonly type: T } & Fields[T] & Scope & Envelope
}[keyof Fields]

/** An edit of the turn, as it is recorded: the delta that `by` made. */
export type TurnEditedEvent = Recorded<
  { 'turn-edited': { readonly by: string; readonly delta: TurnDelta } },
  InferenceScope
>
/** An event as it is recorded, shown and stored: with every id that it must carry, required by type. */
export type InferenceEvent =
  | Recorded<TurnFields, TurnScope>
  | Recorded<LifecycleFields & RunFields, InferenceScope>
  | TurnEditedEvent
  | Recorded<ProviderCallFields, ProviderCallScope>
  | Recorded<SegmentFields, SegmentScope>
  | Recorded<ToolCallFields, ToolCallScope>
export type InferenceEventType = InferenceEvent['type']
export type EventOf<T extends InferenceEventType> = Extract<InferenceEvent, { type: T }>

type Yielded<Fields, Local = None> = { [T in keyof Fields]: { readonly type: T } & Fields[T] & Local }[keyof Fields]

/** An edit while it is live: a pure function that each fold applies to its own turn. */
export interface TurnEdit {
  readonly type: 'turn-edited'
  readonly by: string
  readonly edit: (turn: Turn) => Turn
}
/**
 * A fact that an engine, a middleware or the tool loop yields. The run adds the ids, the attempt and the time. A
 * `segmentId` need only be unique within its provider call: the run makes it unique in the session.
 */
export type EngineEvent =
  | Yielded<RunFields>
  | TurnEdit
  | Yielded<ProviderCallFields>
  | Yielded<SegmentFields, { readonly segmentId: string }>
  | Yielded<ToolCallFields, { readonly toolCallId: string }>

/** Whether it is a piece of text or reasoning, as nearly all events are: it changes neither the turn nor where a run stands. */
export function isToken<Event extends EngineEvent | InferenceEvent>(
  event: Event,
): event is Extract<Event, { readonly type: 'text-delta' | 'reasoning-delta' }> {
  return event.type === 'text-delta' || event.type === 'reasoning-delta'
}

export const terminalTypes = [
  'inference-finished',
  'inference-stopped',
  'inference-failed',
  'inference-interrupted',
] as const satisfies readonly (keyof LifecycleFields)[]
export type TerminalEvent = EventOf<(typeof terminalTypes)[number]>

export function isTerminal(event: InferenceEvent | EngineEvent): event is TerminalEvent {
  return (terminalTypes as readonly string[]).includes(event.type)
}
