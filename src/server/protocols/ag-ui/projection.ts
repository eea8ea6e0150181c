import type { EventOf, InferenceEvent, TerminalEvent } from '../../../events/event.ts'
import { argumentsText, callPrefix, resultContent, resultMessageId, wireCallId, type AgUiEvent } from './event.ts'
import { carrierId } from './messages.ts'

/** Something that the client has been shown the beginning of. */
type Open =
  | { readonly kind: 'text' | 'reasoning'; readonly id: string }
  | {
      readonly kind: 'call'
      readonly id: string
      readonly name: string
      readonly parentMessageId: string
      readonly written: string
    }

/** A call of the model that has no result yet. */
export interface OpenCall {
  readonly id: string
  /** What is asked of it, until it is decided. */
  readonly asked?: EventOf<'approval-requested'>
  /** Its client has run it and has the result already. */
  readonly isAnsweredByClient?: true
}

/** Where an inference stands for a client, as a fold of its events. */
export interface Projection {
  readonly open: readonly Open[]
  /** In the order in which the model made them: their results come in that order. */
  readonly calls: readonly OpenCall[]
  /** The last text of the answer that is being made: its calls belong to it. */
  readonly text?: { readonly id: string; readonly call: string | undefined }
  /** The answer that the client was shown something of last. */
  readonly shown?: string | undefined
  readonly end?: TerminalEvent
}

export const emptyProjection: Projection = { open: [], calls: [] }

/** What an event makes of the projection, and what a client is told of it. */
export interface Step {
  readonly projection: Projection
  readonly events: readonly AgUiEvent[]
  /** The client has been shown something that is void: it gets the messages as they are, after the events. */
  readonly isVoid?: true
}

/** Folds one event of the inference. Its end is told by `endOf`, for the run has a say in that. */
export function project(projection: Projection, event: InferenceEvent): Step {
  switch (event.type) {
    case 'text-delta':
      return append(projection, 'text', event)
    case 'reasoning-delta':
      return append(projection, 'reasoning', event)
    case 'text-segment-finished':
      return finish(projection, 'text', event, event.block.payload.text)
    case 'reasoning-segment-finished': {
      const { text = '', encrypted_content: sealed, signature = sealed } = event.block.payload
      const step = finish(projection, 'reasoning', event, text)
      const isShown = step.events.length > 0 && signature !== undefined
      return isShown ? { ...step, events: [...step.events, sealedThought(event.segmentId, signature)] } : step
    }
    case 'tool-call-started':
      return beginCall(projection, event, event.toolName)
    case 'tool-call-arguments-delta':
      return writeArguments(projection, wireCallId(event), event.delta)
    case 'tool-call-requested':
      return requestCall(projection, event)
    case 'approval-requested': {
      const id = wireCallId(event)
      const { calls } = projection
      const known = calls.some((call) => call.id === id) ? calls : [...calls, { id }]
      return quiet({ ...projection, calls: known.map((call) => (call.id === id ? { ...call, asked: event } : call)) })
    }
    case 'approval-decided':
      return quiet({ ...projection, calls: projection.calls.map((call) => decided(call, event)) })
    case 'tool-result-ready':
      return answerCall(projection, event)
    case 'attempt-discarded': {
      const prefix = callPrefix(event)
      const { events } = closeAll(projection)
      const calls = projection.calls.filter(({ id }) => !id.startsWith(`${prefix}:`))
      return { projection: { open: [], calls }, events, ...(projection.shown === prefix && { isVoid: true }) }
    }
    case 'inference-finished':
    case 'inference-stopped':
    case 'inference-failed':
    case 'inference-interrupted':
      return { ...closeAll(projection), projection: { ...projection, open: [], end: event } }
    default:
      return quiet(projection)
  }
}

/** Begins again what is open, for a client that joins in: with the arguments so far of a call, unless it knows them. */
export function reopen({ open }: Projection, knowsArguments: boolean): readonly AgUiEvent[] {
  return open.flatMap((part): readonly AgUiEvent[] => {
    if (part.kind !== 'call') return begin(part.kind, part.id)
    const { id: toolCallId, name: toolCallName, parentMessageId, written } = part
    const start = { type: 'TOOL_CALL_START' as const, toolCallId, toolCallName, parentMessageId }
    return knowsArguments || written === '' ? [start] : [start, { type: 'TOOL_CALL_ARGS', toolCallId, delta: written }]
  })
}

/**
 * The calls that are asked about, when nothing goes on before an answer. Results come in the order of the calls, so that
 * is when the first call without one is asked about.
 */
export function waitingCalls({ calls, end }: Projection): readonly EventOf<'approval-requested'>[] {
  if (end !== undefined || calls[0]?.asked === undefined) return []
  return calls.flatMap(({ asked }) => (asked === undefined ? [] : [asked]))
}

function quiet(projection: Projection): Step {
  return { projection, events: [] }
}

type Delta = EventOf<'text-delta' | 'reasoning-delta'>

function append(projection: Projection, kind: 'text' | 'reasoning', { segmentId: id, delta, ...event }: Delta): Step {
  if (delta === '') return quiet(projection)
  const content: AgUiEvent =
    kind === 'text'
      ? { type: 'TEXT_MESSAGE_CONTENT', messageId: id, delta }
      : { type: 'REASONING_MESSAGE_CONTENT', messageId: id, delta }
  if (isOpen(projection, kind, id)) return { projection, events: [content] }
  const open = [...projection.open, { kind, id }]
  const shown = callPrefix(event)
  const text = kind === 'text' ? { text: { id, call: shown } } : {}
  return { projection: { ...projection, open, shown, ...text }, events: [...begin(kind, id), content] }
}

function finish(
  projection: Projection,
  kind: 'text' | 'reasoning',
  event: EventOf<'text-segment-finished' | 'reasoning-segment-finished'>,
  text: string,
): Step {
  const { segmentId: id } = event
  if (isOpen(projection, kind, id)) return close(projection, kind, id)
  // It came as a whole.
  const step = append(projection, kind, { ...event, type: 'text-delta', offset: 0, delta: text })
  if (step.events.length === 0) return step
  const closed = close(step.projection, kind, id)
  return { ...closed, events: [...step.events, ...closed.events] }
}

function begin(kind: 'text' | 'reasoning', messageId: string): readonly AgUiEvent[] {
  if (kind === 'text') return [{ type: 'TEXT_MESSAGE_START', messageId, role: 'assistant' }]
  return [
    { type: 'REASONING_START', messageId },
    { type: 'REASONING_MESSAGE_START', messageId, role: 'reasoning' },
  ]
}

function sealedThought(entityId: string, encryptedValue: string): AgUiEvent {
  return { type: 'REASONING_ENCRYPTED_VALUE', subtype: 'message', entityId, encryptedValue }
}

function isOpen({ open }: Projection, kind: Open['kind'], id: string): boolean {
  return open.some((part) => part.kind === kind && part.id === id)
}

function close(projection: Projection, kind: Open['kind'], id: string): Step {
  const open = projection.open.filter((part) => part.kind !== kind || part.id !== id)
  const events = projection.open.filter((part) => !open.includes(part)).flatMap(ending)
  return { projection: { ...projection, open }, events }
}

function closeAll(projection: Projection): Step {
  return { projection: { ...projection, open: [] }, events: projection.open.flatMap(ending) }
}

function ending({ kind, id }: Open): readonly AgUiEvent[] {
  switch (kind) {
    case 'text':
      return [{ type: 'TEXT_MESSAGE_END', messageId: id }]
    case 'reasoning':
      return [
        { type: 'REASONING_MESSAGE_END', messageId: id },
        { type: 'REASONING_END', messageId: id },
      ]
    case 'call':
      return [{ type: 'TOOL_CALL_END', toolCallId: id }]
  }
}

type CallEvent = EventOf<'tool-call-started' | 'tool-call-requested'>

function beginCall(projection: Projection, event: CallEvent, name: string): Step {
  const id = wireCallId(event)
  if (isOpen(projection, 'call', id)) return quiet(projection)
  const call = callPrefix(event)
  const parentMessageId = projection.text?.call === call ? projection.text?.id : undefined
  const part: Open = { kind: 'call', id, name, parentMessageId: parentMessageId ?? carrierId(event), written: '' }
  const next = { ...projection, open: [...projection.open, part], calls: [...projection.calls, { id }], shown: call }
  return { projection: next, events: reopen({ ...projection, open: [part] }, true) }
}

function writeArguments(projection: Projection, id: string, delta: string): Step {
  if (delta === '') return quiet(projection)
  const open = projection.open.map((part) =>
    part.kind === 'call' && part.id === id ? { ...part, written: part.written + delta } : part,
  )
  return { projection: { ...projection, open }, events: [{ type: 'TOOL_CALL_ARGS', toolCallId: id, delta }] }
}

function requestCall(projection: Projection, event: EventOf<'tool-call-requested'>): Step {
  const id = wireCallId(event)
  const { name, args } = event.block.payload
  const begun = beginCall(projection, event, name)
  const isWritten = begun.projection.open.some((part) => part.kind === 'call' && part.id === id && part.written !== '')
  const written = isWritten ? quiet(begun.projection) : writeArguments(begun.projection, id, argumentsText(args))
  const closed = close(written.projection, 'call', id)
  return { ...closed, events: [...begun.events, ...written.events, ...closed.events] }
}

function decided(call: OpenCall, { approvalId, decision }: EventOf<'approval-decided'>): OpenCall {
  const { asked, ...rest } = call
  if (asked?.approvalId !== approvalId) return call
  const isAnsweredByClient = asked.reason === 'client-tool' && decision !== 'expired'
  return { ...rest, ...(isAnsweredByClient && { isAnsweredByClient }) }
}

function answerCall(projection: Projection, event: EventOf<'tool-result-ready'>): Step {
  const id = wireCallId(event)
  const call = projection.calls.find((open) => open.id === id)
  const next = { ...projection, calls: projection.calls.filter((open) => open !== call) }
  // A client that has run the call itself has put the result into its messages.
  if (call?.isAnsweredByClient === true) return quiet(next)
  const content = resultContent(event.block.payload)
  const messageId = resultMessageId(id)
  return { projection: next, events: [{ type: 'TOOL_CALL_RESULT', messageId, toolCallId: id, content, role: 'tool' }] }
}
