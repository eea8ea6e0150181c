import {
  isTerminal,
  type EventOf,
  type InferenceEvent,
  type TerminalEvent,
  type UnknownEvent,
} from '../../../events/event.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../json.ts'
import { spliced } from '../../../timeline/changes.ts'
import { historyOf } from './history.ts'
import { isOwnType, llmMetadata, structOf, type SemEvent } from './sem.ts'

/** A message of the model that may still change: its text, or its being void. */
interface OpenText {
  readonly id: string
  readonly role: 'assistant' | 'thinking'
  readonly providerCallId: string
  /** The segment that writes it; empty when what wrote it is void and nothing does again. */
  readonly segmentId: string
  readonly text: string
  /** Clients have been told that it is whole. */
  readonly isFinal: boolean
}

interface OpenTool {
  readonly id: string
  readonly providerCallId: string | undefined
}

/** What has to be known of the inference that runs to say what comes next. Of one that has ended nothing is kept. */
export interface RunningInference {
  readonly inferenceId: string
  readonly model: string | undefined
  /** Those of the model call that goes on. */
  readonly texts: readonly OpenText[]
  /** Calls without a result. */
  readonly tools: readonly OpenTool[]
}

/** Undefined while no inference runs. */
export type Running = RunningInference | undefined
export type Projected = readonly [running: Running, said: readonly SemEvent[]]

/** What clients are told of an event, and what must be known for the next one. */
export function project(before: Running, event: InferenceEvent | UnknownEvent): Projected {
  if (event.type === 'unknown' || event.type === 'session-renamed') return [before, []]
  if (event.type === 'prompt-accepted') return [before, [...historyOf(event, event.before ?? []), userMessage(event)]]
  // The turn of an inference adds what its prompt has said already.
  if (event.type === 'turn-opened')
    return [before, event.inferenceId === undefined ? historyOf(event, event.delta.add) : []]
  // One that is cancelled while it waits ends without having run.
  if (isTerminal(event) && before?.inferenceId !== event.inferenceId) return [before, endOf(event)]
  return projectRun(runningOf(before, event), event)
}

type RunEvent = Exclude<InferenceEvent, { readonly type: 'prompt-accepted' | 'turn-opened' | 'session-renamed' }>

function runningOf(before: Running, { inferenceId }: RunEvent): RunningInference {
  if (before?.inferenceId === inferenceId) return before
  return { inferenceId, model: undefined, texts: [], tools: [] }
}

function projectRun(running: RunningInference, event: RunEvent): Projected {
  switch (event.type) {
    case 'provider-call-started':
      return [{ ...running, model: event.model }, []]
    case 'text-delta':
    case 'reasoning-delta':
      return grown(running, event)
    case 'text-segment-finished':
    case 'reasoning-segment-finished':
      return segmentFinished(running, event)
    case 'provider-call-finished': {
      const said = running.texts.flatMap((text) => finalOf(text, llmMetadata(event.result)))
      return [{ ...running, texts: [] }, said]
    }
    case 'attempt-discarded':
      return discarded(running, event.providerCallId)
    case 'tool-call-requested': {
      const { toolCallId: id, providerCallId, block } = event
      const { name, args } = block.payload
      const tools = [...running.tools.filter((tool) => tool.id !== id), { id, providerCallId }]
      return [{ ...running, tools }, [{ type: 'tool.start', id, data: { id, name, input: structOf(args) } }]]
    }
    case 'tool-execution-started':
      return [running, [patch(event.toolCallId, { exec: true, input: event.input })]]
    case 'tool-progress':
      return [running, [patch(event.toolCallId, { progress: event.progress })]]
    case 'approval-requested':
    case 'approval-decided':
      return [running, [approval(event)]]
    case 'tool-result-ready': {
      const { toolCallId: id, toolName: name, block } = event
      const { result, error } = block.payload
      const said = error === undefined ? (result ?? null) : { error, ...(result !== undefined && { result }) }
      const tools = running.tools.filter((tool) => tool.id !== id)
      // A call that a program made has not been asked for by the model.
      const start: SemEvent = { type: 'tool.start', id, data: { id, name, input: {} } }
      const begun = tools.length === running.tools.length ? [start] : []
      return [{ ...running, tools }, [...begun, ...answered(id, said, customKinds.get(name))]]
    }
    case 'log': {
      const { level, message, fields } = event
      const id = `log-${event.ordinal}`
      return [running, [{ type: 'log', id, data: { id, level, message, ...(fields && { fields }) } }]]
    }
    case 'persist-failed': {
      const id = `log-${event.ordinal}`
      return [running, [{ type: 'log', id, data: { id, level: 'error', message: event.error.message } }]]
    }
    case 'agent-mode-switch': {
      const id = `agentmode-${event.turnId}-${event.ordinal}`
      return [running, [{ type: 'agent.mode', id, data: { id, title: event.message, data: event.data } }]]
    }
    case 'debugger.pause': {
      const { pauseId, phase, summary, deadlineMs, extra } = event
      const data = { id: pauseId, pauseId, phase, summary, deadlineMs: String(deadlineMs), ...(extra && { extra }) }
      return [running, [{ type: 'debugger.pause', id: pauseId, data }]]
    }
    case 'custom':
      return [running, customEvent(event)]
    case 'inference-finished':
    case 'inference-stopped':
    case 'inference-failed':
    case 'inference-interrupted': {
      const open = running.texts.flatMap((text) => finalOf(text))
      const unanswered = running.tools.flatMap(({ id }) =>
        answered(id, { error: 'the inference ended without a result' }),
      )
      return [undefined, [...open, ...unanswered, ...endOf(event)]]
    }
    default:
      // The catalogue of this dialect has no word for it.
      return [running, []]
  }
}

function userMessage({ turnId, block }: EventOf<'prompt-accepted'>): SemEvent {
  const content = block.payload.text
  return {
    type: 'chat.message',
    id: `user-${turnId}`,
    data: { schemaVersion: 1, role: 'user', content, streaming: false },
  }
}

function grown(running: RunningInference, event: EventOf<'text-delta' | 'reasoning-delta'>): Projected {
  if (event.delta === '') return [running, []]
  const role = event.type === 'text-delta' ? 'assistant' : 'thinking'
  const [known, begun] = textOf(running, event, role)
  const text = { ...known, text: spliced(known.text, event), isFinal: false }
  return [withText(running, text), [...begun, deltaOf(text, event.delta)]]
}

function segmentFinished(
  running: RunningInference,
  event: EventOf<'text-segment-finished' | 'reasoning-segment-finished'>,
): Projected {
  const { text: whole = '' } = event.block.payload
  const role = event.type === 'text-segment-finished' ? 'assistant' : 'thinking'
  const isStreamed = running.texts.some((text) => text.segmentId === event.segmentId && text.role === role)
  // A sealed thought has no text: what was shown of it stays.
  if (whole === '' && !isStreamed) return [running, []]
  const [known, begun] = textOf(running, event, role)
  const isNew = whole !== '' && whole !== known.text
  const text = { ...known, text: isNew ? whole : known.text, isFinal: false }
  const rest = isNew ? [deltaOf(text, whole.startsWith(known.text) ? whole.slice(known.text.length) : whole)] : []
  // The text of an answer is final with its call, for only then is known what it cost.
  if (event.type === 'text-segment-finished') return [withText(running, text), [...begun, ...rest]]
  const { id } = text
  const summary: readonly SemEvent[] =
    event.block.payload.summary === undefined || text.text === ''
      ? []
      : [{ type: 'llm.thinking.summary', id, data: { id, text: text.text } }]
  return [withText(running, { ...text, isFinal: true }), [...begun, ...rest, ...finalOf(text), ...summary]]
}

/** The message that a segment writes, and what begins it when it is new. */
function textOf(
  running: RunningInference,
  { segmentId, providerCallId }: { readonly segmentId: string; readonly providerCallId: string },
  role: OpenText['role'],
): readonly [OpenText, readonly SemEvent[]] {
  const known = running.texts.find((text) => text.segmentId === segmentId && text.role === role)
  if (known !== undefined) return [known, []]
  const isOf = (text: OpenText) => text.providerCallId === providerCallId && text.role === role && text.segmentId !== ''
  const number = running.texts.filter(isOf).length + 1
  const suffix = role === 'thinking' ? ':thinking' : number === 1 ? '' : ':text'
  // Each model call has messages of its own; the next attempt of a call writes into those of the one before it.
  const id = `llm-${providerCallId}${suffix}${number === 1 ? '' : `:${number}`}`
  const text = { id, role, providerCallId, segmentId, text: '', isFinal: false }
  return [text, [startOf(text, running.model)]]
}

function withText(running: RunningInference, text: OpenText): RunningInference {
  const at = running.texts.findIndex(({ id }) => id === text.id)
  return { ...running, texts: at < 0 ? [...running.texts, text] : running.texts.with(at, text) }
}

/** What an attempt wrote is void: its messages begin anew, empty, and its calls will not run. */
function discarded(running: RunningInference, providerCallId: string): Projected {
  const texts = running.texts.map((text) =>
    text.providerCallId === providerCallId ? { ...text, segmentId: '', text: '', isFinal: false } : text,
  )
  const isOf = (tool: OpenTool) => tool.providerCallId === providerCallId
  const said = [
    ...texts.filter(({ segmentId }) => segmentId === '').map((text) => startOf(text, running.model)),
    ...running.tools
      .filter(isOf)
      .flatMap(({ id }) => answered(id, { error: 'the reply broke off; it is asked for again' })),
  ]
  return [{ ...running, texts, tools: running.tools.filter((tool) => !isOf(tool)) }, said]
}

function startOf({ id, role }: OpenText, model: string | undefined): SemEvent {
  if (role === 'thinking') return { type: 'llm.thinking.start', id, data: { id, role } }
  return { type: 'llm.start', id, data: { id, role }, ...(model !== undefined && { metadata: { model } }) }
}

function deltaOf({ id, role, text: cumulative }: OpenText, delta: string): SemEvent {
  const type = role === 'assistant' ? 'llm.delta' : 'llm.thinking.delta'
  return { type, id, data: { id, delta, cumulative } }
}

function finalOf({ id, role, text, isFinal }: OpenText, metadata?: JsonObject): readonly SemEvent[] {
  if (isFinal) return []
  if (role === 'thinking') {
    // One that is void must say so: its end alone leaves what was shown.
    const empty: readonly SemEvent[] = text === '' ? [{ type: 'llm.thinking.summary', id, data: { id, text } }] : []
    return [{ type: 'llm.thinking.final', id, data: { id } }, ...empty]
  }
  return [{ type: 'llm.final', id, data: { id, text }, ...(metadata && { metadata }) }]
}

/** Results that clients have a card of their own for, by the tool. */
const customKinds: ReadonlyMap<string, string> = new Map([['calc', 'calc_result']])

function answered(id: string, result: Json, customKind?: string): readonly SemEvent[] {
  const text = typeof result === 'string' ? result : JSON.stringify(result)
  return [
    { type: 'tool.result', id, data: { id, result: text, ...(customKind !== undefined && { customKind }) } },
    { type: 'tool.done', id, data: { id } },
  ]
}

function patch(id: string, fields: Readonly<Record<string, Json>>): SemEvent {
  return { type: 'tool.delta', id, data: { id, patch: fields } }
}

function approval(event: EventOf<'approval-requested' | 'approval-decided'>): SemEvent {
  const { toolCallId: id, approvalId } = event
  if (event.type === 'approval-decided') {
    const { decision, input } = event
    const data = { id, approvalId, name: '', decision, ...(input !== undefined && { input }) }
    return { type: 'tool.approval', id, data }
  }
  const { toolName: name, input, reason, hash, expiresAt } = event
  const data = { id, approvalId, name, input, reason, hash, ...(expiresAt !== undefined && { expiresAt }) }
  return { type: 'tool.approval', id, data }
}

function customEvent({ name, data, ordinal }: EventOf<'custom'>): readonly SemEvent[] {
  if (isOwnType(name)) return []
  const id = isJsonObject(data) && typeof data['id'] === 'string' ? data['id'] : `${name}-${ordinal}`
  return [{ type: 'custom', name, id, data: structOf(data) }]
}

/** How an inference ended: an error when it failed, and in every case the one event that nothing follows. */
function endOf(event: TerminalEvent): readonly SemEvent[] {
  const { inferenceId: id } = event
  const error = `error-${id}`
  switch (event.type) {
    case 'inference-finished':
      return [{ type: 'inference.ended', id, data: { id, status: 'finished' } }]
    case 'inference-stopped':
      return [{ type: 'inference.ended', id, data: { id, status: 'stopped', reason: event.reason } }]
    case 'inference-failed':
      return [
        { type: 'llm.error', id: error, data: { id: error, ...event.error } },
        { type: 'inference.ended', id, data: { id, status: 'failed', reason: event.error.message } },
      ]
    case 'inference-interrupted':
      return [
        { type: 'llm.error', id: error, data: { id: error, code: 'INFERENCE_INTERRUPTED', message: event.reason } },
        { type: 'inference.ended', id, data: { id, status: 'interrupted', reason: event.reason } },
      ]
  }
}
