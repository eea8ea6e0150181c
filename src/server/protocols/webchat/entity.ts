import { isJsonObject, tryParseJson, type Json, type JsonObject } from '../../../json.ts'
import { populated, type SemEvent } from './sem.ts'

/** What a person sees, as `/api/timeline` and `timeline.upsert` tell it. */
export interface TimelineEntity {
  readonly id: string
  readonly kind: 'message' | 'tool_call' | 'tool_result' | 'error'
  readonly createdMs: number
  readonly updatedMs: number
  /** Of the last frame that changed it: a client that knows a greater one keeps what it has. */
  readonly version: number
  readonly props: JsonObject
}

/** The entity that an event is about; undefined when it passes and nothing of it is seen after a reload. */
export function entityIdOf(event: SemEvent): string | undefined {
  switch (event.type) {
    case 'chat.message':
    case 'llm.start':
    case 'llm.delta':
    case 'llm.final':
    case 'llm.thinking.start':
    case 'llm.thinking.delta':
    case 'llm.thinking.final':
    case 'llm.thinking.summary':
    case 'tool.start':
    case 'tool.approval':
    case 'tool.done':
    case 'llm.error':
      return event.id
    case 'tool.result':
      return `${event.id}:${event.data.customKind === undefined ? 'result' : 'custom'}`
    case 'tool.delta':
    case 'log':
    case 'agent.mode':
    case 'debugger.pause':
    case 'inference.ended':
    case 'timeline.upsert':
    case 'custom':
      return undefined
  }
}

export interface Moment {
  readonly atMs: number
  readonly version: number
}

/** The entity after an event that is about it; undefined when the event makes none. */
export function entityAfter(
  entity: TimelineEntity | undefined,
  event: SemEvent,
  { atMs, version }: Moment,
): TimelineEntity | undefined {
  const id = entityIdOf(event)
  const told = propsAfter(entity?.props ?? {}, event)
  if (id === undefined || told === undefined) return undefined
  const [kind, props] = told
  return {
    id,
    kind,
    createdMs: entity?.createdMs ?? atMs,
    updatedMs: atMs,
    version,
    props: { schemaVersion: 1, ...props },
  }
}

function propsAfter(before: JsonObject, event: SemEvent): readonly [TimelineEntity['kind'], JsonObject] | undefined {
  switch (event.type) {
    case 'chat.message': {
      const { role, content, streaming } = event.data
      return ['message', { role, content, streaming }]
    }
    case 'llm.start':
    case 'llm.thinking.start':
      return ['message', { role: event.data.role, content: '', streaming: true }]
    case 'llm.delta':
    case 'llm.thinking.delta':
      return ['message', { ...before, content: event.data.cumulative, streaming: true }]
    case 'llm.final':
      return ['message', { ...before, content: event.data.text || (before['content'] ?? ''), streaming: false }]
    case 'llm.thinking.final':
      return ['message', { ...before, streaming: false }]
    case 'llm.thinking.summary':
      return ['message', { ...before, content: event.data.text, streaming: false }]
    case 'tool.start': {
      const { name, input } = event.data
      return ['tool_call', { name, input, status: 'running', progress: 0, done: false }]
    }
    case 'tool.approval': {
      const { id: _id, name: _name, input, ...approval } = event.data
      const status = approval.decision === undefined ? 'awaiting_approval' : 'running'
      const changed = isJsonObject(input) ? { input } : {}
      const known = isJsonObject(before['approval']) ? before['approval'] : {}
      return ['tool_call', { ...before, ...changed, status, approval: { ...known, ...populated(approval) } }]
    }
    case 'tool.done':
      return ['tool_call', { ...before, status: 'completed', progress: 1, done: true }]
    case 'tool.result': {
      const { id: toolCallId, result, customKind = '' } = event.data
      return ['tool_result', { toolCallId, result: parsedResult(result), resultRaw: result, customKind }]
    }
    case 'llm.error': {
      const { code, message } = event.data
      return ['error', { code, message }]
    }
    case 'tool.delta':
    case 'log':
    case 'agent.mode':
    case 'debugger.pause':
    case 'inference.ended':
    case 'timeline.upsert':
    case 'custom':
      return undefined
  }
}

/** A result that looks like an object is shown as one. */
function parsedResult(text: string): Json {
  const parsed = text.startsWith('{') ? tryParseJson(text) : undefined
  return isJsonObject(parsed) ? parsed : { raw: text }
}

/** The entity as protobuf writes it in JSON: numbers of 64 bits are texts. */
export function entityJson({ id, kind, createdMs, updatedMs, props }: TimelineEntity): JsonObject {
  return { ...populated({ id, kind, createdAtMs: String(createdMs), updatedAtMs: String(updatedMs) }), props }
}
