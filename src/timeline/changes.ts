import type { EventOf, InferenceEvent } from '../events/event.ts'
import { partialKey } from '../turns/keys.ts'
import type { ActivityEntity, Entity, InferenceEntity, NoticeEntity, ToolCallEntity } from './entity.ts'
import { answerOf } from './history.ts'

/** What an event makes of one entity. */
export interface Change {
  readonly id: string
  /** Which entity it is, where the event does not have all that the id is made of. Default: the one with the id. */
  readonly isOf?: (entity: Entity) => boolean
  /** Gets the entity when it is there; gives nothing when there is to be none. */
  update(entity: Entity | undefined): Entity | undefined
}

/** What an event makes of the entities, in the order in which new ones come to be. Most events show nothing. */
export function changesBy(event: InferenceEvent): readonly Change[] {
  switch (event.type) {
    case 'prompt-accepted':
      return [promptMessage(event), inference(event, { status: 'queued' })]
    case 'inference-started':
      return [inference(event, { status: 'running' })]
    case 'inference-resumed':
      return [inference(event, { status: 'running', restarts: event.restarts })]
    case 'inference-handed-over':
      return [inference(event, { status: 'queued' })]
    case 'cancel-requested':
      return [inference(event, { reason: event.reason })]
    case 'inference-finished':
      return [inference(event, { status: 'finished', result: event.result })]
    case 'inference-stopped':
      return [inference(event, { status: 'stopped', reason: event.reason, result: event.result })]
    case 'inference-interrupted':
      return [inference(event, { status: 'interrupted', reason: event.reason, result: event.result })]
    case 'inference-failed':
      return [inference(event, { status: 'failed', error: event.error, result: event.result })]
    case 'debugger.pause':
      return [inference(event, { status: 'waiting' })]
    case 'phase-reached':
      return [inference(event, { status: 'running' })]
    case 'provider-call-started':
      return [inference(event, { status: 'running', model: event.model })]
    case 'text-delta':
    case 'reasoning-delta':
      return [streamed(event)]
    case 'text-segment-finished':
    case 'reasoning-segment-finished':
      return [finished(event)]
    case 'tool-call-started':
      return [toolCall(event, event.toolName, (call) => call)]
    case 'tool-call-arguments-delta':
      return [toolCall(event, '', (call) => ({ ...call, argumentsText: spliced(call.argumentsText ?? '', event) }))]
    case 'tool-call-requested': {
      const { name, args } = event.block.payload
      return [toolCall(event, name, (call) => ({ ...call, toolName: name, status: 'requested', input: args }))]
    }
    case 'approval-requested': {
      const { approvalId, reason, hash, expiresAt, toolName, input } = event
      const approval = { approvalId, reason, hash, ...(expiresAt !== undefined && { expiresAt }) }
      const asked = (call: ToolCallEntity) => ({ ...call, status: 'awaiting-approval' as const, input, approval })
      return [toolCall(event, toolName, asked), inference(event, { status: 'waiting' })]
    }
    case 'approval-decided':
      return [decided(event), inference(event, { status: 'running' })]
    case 'tool-execution-started': {
      const { toolName, input } = event
      return [toolCall(event, toolName, (call) => ({ ...call, status: 'running', input }))]
    }
    case 'tool-progress': {
      const { toolName, progress: last } = event
      const told = (call: ToolCallEntity) => ({ ...call, progress: { last, count: (call.progress?.count ?? 0) + 1 } })
      return [toolCall(event, toolName, told)]
    }
    case 'tool-result-ready': {
      const { toolName, status, block } = event
      return [toolCall(event, toolName, (call) => ({ ...call, status, ...answerOf(block) }))]
    }
    case 'log':
      return event.level === 'debug' || event.level === 'info' ? [] : [notice(event, event.level, event.message)]
    case 'info':
    case 'agent-mode-switch':
      return [notice(event, 'info', event.message)]
    case 'persist-failed':
      return [notice(event, 'error', event.error.message)]
    case 'web-search-started':
    case 'web-search-searching':
    case 'web-search-open-page':
    case 'web-search-done':
      return [activity(event, 'web-search', 'query' in event ? event.query : 'url' in event ? event.url : undefined)]
    case 'file-search-started':
    case 'file-search-searching':
    case 'file-search-done':
      return [activity(event, 'file-search')]
    case 'code-interpreter-started':
    case 'code-interpreter-interpreting':
    case 'code-interpreter-done':
      return [activity(event, 'code-interpreter')]
    case 'code-interpreter-code-done':
      return [activity(event, 'code-interpreter', event.code)]
    case 'mcp-in-progress':
    case 'mcp-completed':
    case 'mcp-failed':
      return [activity(event, 'mcp')]
    case 'image-generation-in-progress':
    case 'image-generation-generating':
    case 'image-generation-completed':
      return [activity(event, 'image-generation')]
    case 'session-renamed':
    case 'turn-opened':
    case 'turn-edited':
    case 'attempt-discarded':
    case 'custom':
    case 'request-projected':
    case 'provider-call-metadata-updated':
    case 'provider-call-finished':
    case 'block-received':
    case 'citation':
    case 'code-interpreter-code-delta':
    case 'mcp-args-delta':
    case 'mcp-args-done':
    case 'mcp-list-tools-in-progress':
    case 'mcp-list-tools-completed':
    case 'mcp-list-tools-failed':
    case 'image-generation-partial-image':
    case 'tool-search-results':
    case 'text-segment-started':
    case 'reasoning-segment-started':
    case 'tool-call-finished':
      return []
  }
}

function base(event: InferenceEvent, id: string) {
  const { ordinal, at, turnId, inferenceId } = event
  return { id, ordinal, updatedOrdinal: ordinal, at, turnId, ...(inferenceId !== undefined && { inferenceId }) }
}

function callOf(event: { readonly providerCallId?: string; readonly attempt?: number }) {
  const { providerCallId, attempt } = event
  return {
    ...(providerCallId !== undefined && { providerCallId }),
    ...(attempt !== undefined && { attempt }),
  }
}

function promptMessage(event: EventOf<'prompt-accepted'>): Change {
  const { text, images } = event.block.payload
  const id = event.block.id ?? `${event.inferenceId}:prompt`
  return {
    id,
    update: (entity) =>
      entity ?? {
        ...base(event, id),
        kind: 'message',
        role: 'user',
        text,
        isStreaming: false,
        ...(images !== undefined && { images }),
      },
  }
}

/** What is told of an inference; one that nothing was told of before is there from now on. */
function inference(event: InferenceEvent & { readonly inferenceId: string }, told: Partial<InferenceEntity>): Change {
  const id = event.inferenceId
  return {
    id,
    update(entity) {
      const before: Entity = entity ?? {
        ...base(event, id),
        kind: 'inference',
        status: 'running',
        retries: 0,
        restarts: 0,
      }
      if (before.kind !== 'inference') return entity
      const isSame = Object.entries(told).every(([name, value]) => before[name as keyof InferenceEntity] === value) // told has its keys
      return isSame && entity !== undefined ? entity : { ...before, ...told }
    },
  }
}

function streamed(event: EventOf<'text-delta' | 'reasoning-delta'>): Change {
  return {
    id: event.segmentId,
    update(entity) {
      if (entity === undefined) {
        if (event.delta === '') return undefined
        const made = { ...base(event, event.segmentId), ...callOf(event), text: event.delta, isStreaming: true }
        return event.type === 'text-delta'
          ? { ...made, kind: 'message', role: 'assistant' }
          : { ...made, kind: 'reasoning' }
      }
      if (entity.kind !== 'message' && entity.kind !== 'reasoning') return entity
      return { ...entity, text: spliced(entity.text, event) }
    },
  }
}

function finished(event: EventOf<'text-segment-finished' | 'reasoning-segment-finished'>): Change {
  const { text = '' } = event.block.payload
  const isPartial = event.partial === true || partialKey.get(event.block) === true
  const end = { text, isStreaming: false, ...(isPartial && { isPartial: true as const }) }
  return {
    id: event.segmentId,
    update(entity) {
      // A sealed thought has no text: what was shown of it stays.
      if (text === '') return entity?.kind === 'reasoning' ? { ...entity, isStreaming: false } : undefined
      if (entity !== undefined)
        return entity.kind === 'message' || entity.kind === 'reasoning' ? { ...entity, ...end } : entity
      const made = { ...base(event, event.segmentId), ...callOf(event), ...end }
      return event.type === 'text-segment-finished'
        ? { ...made, kind: 'message', role: 'assistant' }
        : { ...made, kind: 'reasoning' }
    },
  }
}

/** A delta knows where it begins: one that comes again writes the same once more. */
export function spliced(text: string, { offset, delta }: { readonly offset: number; readonly delta: string }): string {
  return offset >= text.length ? text + delta : text.slice(0, offset) + delta
}

type ToolCallEvent = Extract<InferenceEvent, { readonly toolCallId: string }>

// An id that a provider gives again in another inference, or for another call of the model, is another call.
function toolCallEntityId({ inferenceId, toolCallId, providerCallId = '' }: ToolCallEvent): string {
  return `${inferenceId}:${providerCallId}:${toolCallId}`
}

function toolCall(event: ToolCallEvent, toolName: string, change: (call: ToolCallEntity) => ToolCallEntity): Change {
  const id = toolCallEntityId(event)
  return {
    id,
    update(entity) {
      if (entity !== undefined) return entity.kind === 'tool-call' ? change(entity) : entity
      const { toolCallId } = event
      const made = { ...base(event, id), ...callOf(event), toolCallId, toolName }
      return change({ ...made, kind: 'tool-call', status: 'writing' })
    },
  }
}

function decided(event: EventOf<'approval-decided'>): Change {
  const { approvalId, decision, by, message, input } = event
  return {
    id: toolCallEntityId(event),
    // Whoever decides knows the approval, and not which request to the model the call came from.
    isOf: (entity) => entity.kind === 'tool-call' && entity.approval?.approvalId === approvalId,
    update(entity) {
      if (entity?.kind !== 'tool-call' || entity.approval === undefined) return entity
      const said = { decision, ...(by !== undefined && { by }), ...(message !== undefined && { message }) }
      const approval = { ...entity.approval, ...said }
      return { ...entity, status: 'requested', approval, ...(input !== undefined && { input }) }
    },
  }
}

function notice(event: InferenceEvent, level: NoticeEntity['level'], message: string): Change {
  const id = `notice:${event.ordinal}`
  return { id, update: (entity) => entity ?? { ...base(event, id), kind: 'notice', level, message } }
}

type ActivityEvent = InferenceEvent & { readonly itemId?: string; readonly providerCallId: string }

function activity(event: ActivityEvent, name: string, detail?: string): Change {
  const id = `${event.providerCallId}:${name}:${event.itemId ?? ''}`
  const step = event.type.slice(name.length + 1)
  const told: Pick<ActivityEntity, 'step' | 'detail'> = { step, ...(detail !== undefined && { detail }) }
  return {
    id,
    update(entity) {
      if (entity === undefined)
        return { ...base(event, id), ...callOf(event), kind: 'activity', activity: name, ...told }
      return entity.kind === 'activity' ? { ...entity, ...told } : entity
    },
  }
}
