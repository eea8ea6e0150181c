import type { EventOf, InferenceEvent } from '../../../events/event.ts'
import type { JsonObject } from '../../../json.ts'
import type { FinishClass, InferenceResult } from '../../../turns/values.ts'
import type { Approval, Chunk, FinishReason } from './chunk.ts'

/** Text or reasoning that is being written. */
interface Segment {
  readonly id: string
  readonly kind: 'text' | 'reasoning'
  /** UTF-16 code units that were told. */
  readonly length: number
}

/** A call of a tool. */
export interface Call {
  /** As the client knows it: the provider's id, made unique in the message. */
  readonly id: string
  readonly toolCallId: string
  readonly providerCallId: string | undefined
  /** The model still writes its arguments. */
  readonly isWriting: boolean
  readonly isAnswered: boolean
  /** The last one that was asked for. */
  readonly approval?: Approval
  /** The leg that its decision began, or that it came into. */
  readonly decidedIn?: number
}

/**
 * An inference as the assistant's message of a chat. A message comes in legs: one ends when the client has to decide
 * something or to run a tool, and the next goes on with the same message once it has.
 */
export interface MessageState {
  /** The leg that is open, or was last; -1 before the first one. */
  readonly leg: number
  readonly isOpen: boolean
  readonly hasEnded: boolean
  /** The provider call whose step is open. */
  readonly step: string | undefined
  /** Whether the step shows something that a retry makes void. */
  readonly isShown: boolean
  readonly segments: readonly Segment[]
  readonly calls: readonly Call[]
  /** How many of the calls were there when the step began. */
  readonly callsBefore: number
  /** Addresses that the step has named as sources. */
  readonly sources: readonly string[]
}

export const emptyMessage: MessageState = {
  leg: -1,
  isOpen: false,
  hasEnded: false,
  step: undefined,
  isShown: false,
  segments: [],
  calls: [],
  callsBefore: 0,
  sources: [],
}

type Step = readonly [MessageState, readonly Chunk[]]

/** Whether nothing goes on before the client, or a person, has answered. */
export function isWaiting({ hasEnded, calls }: MessageState): boolean {
  const open = calls.filter((call) => !call.isAnswered)
  return !hasEnded && open.length > 0 && open.every(({ approval }) => approval !== undefined && isPending(approval))
}

export function isPending({ decision }: Approval): boolean {
  return decision === undefined
}

/** These begin a leg though they tell a client nothing. */
const openers: ReadonlySet<InferenceEvent['type']> = new Set(['prompt-accepted', 'approval-decided'] as const)

/** The message after `event`, one of its inference, and the chunks that tell a client of it. */
export function applyToMessage(state: MessageState, event: InferenceEvent): Step {
  if (state.hasEnded) return [state, []]
  const [next, body] = bodyOf(state, event)
  const opens = !state.isOpen && (body.length > 0 || next.hasEnded || openers.has(event.type))
  const opened = opens ? { ...next, leg: next.leg + 1, isOpen: true } : next
  const chunks = opens ? [startOf(event), ...body] : body
  if (!opened.isOpen || !(opened.hasEnded || isWaiting(opened))) return [opened, chunks]
  const [closed, ends] = endStep(opened)
  return [{ ...closed, isOpen: false }, [...chunks, ...ends, ...endOf(event)]]
}

function bodyOf(state: MessageState, event: InferenceEvent): Step {
  switch (event.type) {
    case 'provider-call-started': {
      if (state.step === event.providerCallId) return [state, []]
      const [ended, ends] = endStep(state)
      const step = { step: event.providerCallId, callsBefore: ended.calls.length }
      return [{ ...ended, ...step }, [...ends, { type: 'start-step' }]]
    }
    case 'attempt-discarded': {
      if (state.step !== event.providerCallId) return [state, []]
      const calls = state.calls.slice(0, state.callsBefore)
      const cleared = { ...state, calls, segments: [], sources: [], isShown: false }
      return [cleared, state.isShown ? [{ type: 'reset-step' }] : []]
    }
    case 'text-delta':
    case 'reasoning-delta': {
      const kind = event.type === 'text-delta' ? 'text' : 'reasoning'
      return write(state, event.segmentId, kind, event.offset, event.delta)
    }
    case 'text-segment-finished':
    case 'reasoning-segment-finished': {
      const kind = event.type === 'text-segment-finished' ? 'text' : 'reasoning'
      const [written, chunks] = write(state, event.segmentId, kind, 0, event.block.payload.text ?? '')
      const open = written.segments.find(({ id }) => id === event.segmentId)
      const segments = written.segments.filter((segment) => segment !== open)
      return [{ ...written, segments }, open ? [...chunks, { type: `${open.kind}-end`, id: open.id }] : chunks]
    }
    case 'citation': {
      const { url, title } = event
      if (url === undefined || state.sources.includes(url)) return [state, []]
      const source = { sourceId: `source-${event.ordinal}`, url, ...(title !== undefined && { title }) }
      return [shown({ ...state, sources: [...state.sources, url] }), [{ type: 'source-url', ...source }]]
    }
    case 'tool-call-started': {
      if (findCall(state, event) !== undefined) return [state, []]
      const [called, { id }] = withCall(state, event)
      return [called, [{ type: 'tool-input-start', toolCallId: id, toolName: event.toolName }]]
    }
    case 'tool-call-arguments-delta': {
      const call = findCall(state, event)
      if (call?.isWriting !== true) return [state, []]
      return [state, [{ type: 'tool-input-delta', toolCallId: call.id, inputTextDelta: event.delta }]]
    }
    case 'tool-call-requested': {
      const [called, call] = withCall(state, event)
      if (call.isAnswered) return [state, []]
      const { name: toolName, args: input } = event.block.payload
      const available: Chunk = { type: 'tool-input-available', toolCallId: call.id, toolName, input }
      return [changeCall(called, call, { isWriting: false }), [available]]
    }
    case 'tool-progress': {
      const call = findCall(state, event)
      const { toolName, progress } = event
      return [state, call ? [{ type: 'progress', toolCallId: call.id, toolName, progress }] : []]
    }
    case 'approval-requested':
      return requested(state, event)
    case 'approval-decided':
      return decided(state, event)
    case 'tool-result-ready':
      return answered(state, event)
    case 'inference-stopped':
      return end(state, { type: 'abort' })
    case 'inference-failed':
      return end(state, { type: 'error', errorText: errorText(event.error.code, event.error.message, event) })
    case 'inference-interrupted':
      return end(state, { type: 'error', errorText: errorText('INFERENCE_INTERRUPTED', event.reason, event) })
    case 'inference-finished':
      return end(state)
    // What makes no difference to the message, or is told of by what follows it.
    default:
      return [state, []]
  }
}

// A delta knows where it begins: what was told is not told again.
function write(state: MessageState, id: string, named: Segment['kind'], offset: number, text: string): Step {
  const open = state.segments.find((segment) => segment.id === id)
  const kind = open?.kind ?? named
  const length = open?.length ?? 0
  const delta = text.slice(Math.max(length - offset, 0))
  if (delta === '') return [state, []]
  const others = state.segments.filter((segment) => segment !== open)
  const next = shown({ ...state, segments: [...others, { id, kind, length: length + delta.length }] })
  const told: Chunk = { type: `${kind}-delta`, id, delta }
  return [next, open === undefined ? [{ type: `${kind}-start`, id }, told] : [told]]
}

function shown(state: MessageState): MessageState {
  return state.isShown ? state : { ...state, isShown: true }
}

type CallEvent = Extract<InferenceEvent, { readonly toolCallId: string }>

function findCall(state: MessageState, { toolCallId, providerCallId }: CallEvent): Call | undefined {
  return state.calls.findLast(
    (call) =>
      call.toolCallId === toolCallId && (providerCallId === undefined || call.providerCallId === providerCallId),
  )
}

function withCall(state: MessageState, event: CallEvent): readonly [MessageState, Call] {
  const known = findCall(state, event)
  if (known !== undefined) return [shown(state), known]
  const { toolCallId, providerCallId } = event
  // A provider may give an id again in its next reply; a client tells the calls of a message apart by their ids.
  const isTaken = state.calls.some(({ id }) => id === toolCallId)
  const id = isTaken ? `${toolCallId}~${state.calls.length}` : toolCallId
  const call: Call = { id, toolCallId, providerCallId, isWriting: true, isAnswered: false }
  return [shown({ ...state, calls: [...state.calls, call] }), call]
}

function changeCall(state: MessageState, call: Call, change: Partial<Call>): MessageState {
  return { ...state, calls: state.calls.map((each) => (each === call ? { ...each, ...change } : each)) }
}

function requested(state: MessageState, event: EventOf<'approval-requested'>): Step {
  const call = findCall(state, event)
  if (call === undefined || call.approval?.approvalId === event.approvalId) return [state, []]
  const { approvalId, toolName, input, reason, hash, expiresAt } = event
  const named = { approvalId, toolCallId: call.id, toolName, input, reason, hash }
  const approval: Approval = { ...named, ...(expiresAt !== undefined && { expiresAt }) }
  // The call itself is all that a client needs which is to run it.
  return [changeCall(state, call, { approval }), reason === 'client-tool' ? [] : [{ type: 'approval', approval }]]
}

function decided(state: MessageState, event: EventOf<'approval-decided'>): Step {
  const call = findCall(state, event)
  if (call?.approval?.approvalId !== event.approvalId) return [state, []]
  const { decision, message } = event
  const approval = { ...call.approval, decision, ...(message !== undefined && { message }) }
  const decidedIn = state.isOpen ? state.leg : state.leg + 1
  const next = changeCall(state, call, { approval, decidedIn })
  return [next, approval.reason === 'client-tool' ? [] : [{ type: 'approval', approval }]]
}

function answered(state: MessageState, event: EventOf<'tool-result-ready'>): Step {
  const call = findCall(state, event)
  if (call === undefined || call.isAnswered) return [state, []]
  const toolCallId = call.id
  const next = changeCall(state, call, { isAnswered: true })
  const { result = null, error } = event.block.payload
  if (event.status === 'success') return [next, [{ type: 'tool-output-available', toolCallId, output: result }]]
  const text = error ?? 'It is not known what the tool has done.'
  const { reason, decision = 'approved' } = call.approval ?? {}
  const isDenied = reason === 'policy' && decision !== 'approved'
  return [next, [{ type: isDenied ? 'denied' : 'tool-output-error', toolCallId, errorText: text }]]
}

function endStep(state: MessageState): Step {
  const segments = state.segments.map(({ kind, id }): Chunk => ({ type: `${kind}-end`, id }))
  const ends: readonly Chunk[] = state.step === undefined ? segments : [...segments, { type: 'finish-step' }]
  return [{ ...state, segments: [], step: undefined, isShown: false, sources: [] }, ends]
}

function end(state: MessageState, ...said: readonly Chunk[]): Step {
  // Nobody need wait any more for what was not run.
  const unanswered = state.calls.filter(({ isAnswered }) => !isAnswered)
  const errorText = 'The answer ended before the tool was run.'
  const errors = unanswered.map(({ id }): Chunk => ({ type: 'tool-output-error', toolCallId: id, errorText }))
  const calls = state.calls.map((call) => ({ ...call, isWriting: false, isAnswered: true }))
  const [ended, ends] = endStep({ ...state, calls, hasEnded: true })
  return [ended, [...errors, ...ends, ...said]]
}

function startOf({ sessionId, inferenceId = '', turnId }: InferenceEvent): Chunk {
  const messageMetadata = { session_id: sessionId, inference_id: inferenceId, turn_id: turnId }
  return { type: 'start', messageId: inferenceId, messageMetadata }
}

function endOf(event: InferenceEvent): readonly Chunk[] {
  if (!('result' in event) || event.type === 'approval-decided')
    return [{ type: 'finish', finishReason: 'tool-calls', messageMetadata: {} }]
  const { result } = event
  return [{ type: 'finish', finishReason: finishReasons[result.finish_class], messageMetadata: resultMetadata(result) }]
}

const finishReasons: Readonly<Record<FinishClass, FinishReason>> = {
  completed: 'stop',
  max_tokens: 'length',
  refusal: 'content-filter',
  tool_calls_pending: 'tool-calls',
  error: 'error',
  interrupted: 'other',
  incomplete: 'other',
  unknown: 'other',
}

function resultMetadata({ finish_class, model, usage, cost }: InferenceResult): JsonObject {
  return {
    finish_class,
    ...(model !== undefined && { model }),
    ...(usage !== undefined && { usage: usage as JsonObject }), // it was read from JSON
    ...(cost !== undefined && { cost }),
  }
}

// What is not an error of ours may say things that are for nobody outside.
function errorText(code: string, message: string, { inferenceId = '' }: InferenceEvent): string {
  if (code !== 'INTERNAL') return `${code}: ${message}`
  return `INTERNAL: The inference failed; the server's log says why under ${inferenceId}.`
}
