import { isGeppettoError } from '../../../errors.ts'
import type { EventOf, InferenceEvent } from '../../../events/event.ts'
import { readEvents } from '../../../session/past.ts'
import type { Head, Store } from '../../../store/store.ts'
import type { Entity } from '../../../timeline/entity.ts'
import { entitiesOfBlocks } from '../../../timeline/history.ts'
import type { ImagePart } from '../../../turns/block.ts'
import { imageSource } from '../../../turns/image.ts'
import { wireChunk, type UiVersion } from './chunk.ts'
import { applyToDraft, emptyDraft, type MessageDraft, type MessagePart, type UiMessage } from './message.ts'
import { applyToMessage, emptyMessage, isWaiting, type MessageState } from './projection.ts'

/** A prompt and what became of it. */
export interface Exchange {
  readonly accepted: EventOf<'prompt-accepted'>
  /** The turn that it goes on from; absent when it is the first. */
  readonly before?: string
  readonly state: MessageState
  readonly draft: MessageDraft
  /** How many parts the message had when each of its legs began, those with data of ours left out. */
  readonly legStarts: readonly number[]
  /** All that was ever said in it, of attempts that failed too, by segment: what a client may still show. */
  readonly said: Readonly<Record<string, string>>
}

/** What was said in a session, and before it in those that it was forked from. */
export interface History {
  readonly sessionId: string
  /** Messages that came without events, as those of a turn from a file. */
  readonly earlier: readonly UiMessage[]
  readonly exchanges: readonly Exchange[]
  /** The turn of another session that it goes on from. */
  readonly origin?: string
  /** Whether nobody has said anything in it since. */
  readonly isUnused: boolean
  /** Whether the log still has its beginning. */
  readonly isComplete: boolean
}

/** Reads what was said in a session of the caller's, up to the turn `until`. `headOf` throws SESSION_UNKNOWN. */
export async function readHistory(
  store: Store,
  headOf: (sessionId: string) => Promise<Head>,
  sessionId: string,
  ui: UiVersion,
  until?: string,
): Promise<History> {
  const head = await headOf(sessionId)
  const exchanges = new Map<string, Exchange>()
  let past: Omit<History, 'sessionId' | 'isUnused'> = {
    earlier: [],
    exchanges: [],
    isComplete: head.firstOrdinal <= 1,
  }
  let latest: string | undefined
  for await (const event of readEvents(store, sessionId, head.firstOrdinal - 1, head.ordinal)) {
    if (event.type === 'turn-opened') {
      if (event.base === undefined && event.inferenceId === undefined) past = await before(event)
      latest = event.turnId
    }
    if (event.type === 'prompt-accepted') {
      const known = latest === undefined ? {} : { before: latest }
      exchanges.set(event.inferenceId, begun(event, known, ui))
    } else if (event.inferenceId !== undefined) {
      const exchange = exchanges.get(event.inferenceId)
      if (exchange !== undefined) exchanges.set(event.inferenceId, applyToExchange(exchange, event, ui))
    }
  }
  const own = [...exchanges.values()]
  // The turn that a session began with has no exchange: then nothing of its own comes before it.
  const shown = until === undefined ? own : own.slice(0, own.findIndex(({ accepted }) => accepted.turnId === until) + 1)
  return { ...past, sessionId, exchanges: [...past.exchanges, ...shown], isUnused: own.length === 0 }

  /** What a session began with: what was said in the one that it was forked from, or at least the blocks. */
  async function before(opened: EventOf<'turn-opened'>) {
    const blocks = { earlier: messagesOf(entitiesOfBlocks(opened, opened.delta.add)), exchanges: [], isComplete: true }
    if (opened.origin === undefined) return blocks
    try {
      const { turnId } = opened.origin
      return { ...(await readHistory(store, headOf, opened.origin.sessionId, ui, turnId)), origin: turnId }
    } catch (error) {
      if (isGeppettoError(error, 'SESSION_UNKNOWN')) return blocks // it was deleted since, or came from another store
      throw error
    }
  }
}

function begun(accepted: EventOf<'prompt-accepted'>, known: { readonly before?: string }, ui: UiVersion): Exchange {
  const empty = { accepted, ...known, state: emptyMessage, draft: emptyDraft, legStarts: [], said: {} }
  return applyToExchange(empty, accepted, ui)
}

function applyToExchange(exchange: Exchange, event: InferenceEvent, ui: UiVersion): Exchange {
  if (event.type === 'turn-opened') return event.base === undefined ? exchange : { ...exchange, before: event.base }
  const [state, chunks] = applyToMessage(exchange.state, event)
  const draft = chunks.reduce((message, chunk) => {
    // What is read at rest can leave out what is void, whatever its reader could be told while it comes.
    const told = chunk.type === 'reset-step' ? chunk : wireChunk(chunk, ui)
    return told === undefined ? message : applyToDraft(message, told)
  }, exchange.draft)
  const next = { ...exchange, state, draft, said: saidAfter(exchange.said, event) }
  if (state.leg === exchange.state.leg) return next
  const parts = exchange.draft.parts.filter(({ type }) => !type.startsWith('data-'))
  return { ...next, legStarts: [...exchange.legStarts, parts.length] }
}

function saidAfter(said: Exchange['said'], event: InferenceEvent): Exchange['said'] {
  switch (event.type) {
    case 'text-delta':
    case 'reasoning-delta':
      return { ...said, [event.segmentId]: (said[event.segmentId] ?? '').slice(0, event.offset) + event.delta }
    case 'text-segment-finished':
    case 'reasoning-segment-finished':
      return { ...said, [event.segmentId]: event.block.payload.text ?? said[event.segmentId] ?? '' }
    default:
      return said
  }
}

/** The messages that a client begins with: without the one that is being written, which it gets as a stream. */
export function hydration({ earlier, exchanges }: History): readonly UiMessage[] {
  return [
    ...earlier,
    ...exchanges.flatMap((exchange) => {
      const isAtRest = exchange.state.hasEnded || isWaiting(exchange.state)
      return isAtRest ? [userMessage(exchange), assistantMessage(exchange)] : [userMessage(exchange)]
    }),
  ]
}

export function userMessageId({ accepted }: Exchange): string {
  return accepted.block.id ?? `${accepted.inferenceId}:prompt`
}

function userMessage(exchange: Exchange): UiMessage {
  const { text, images = [] } = exchange.accepted.block.payload
  return { id: userMessageId(exchange), role: 'user', parts: promptParts(text, images) }
}

function assistantMessage({ accepted, draft }: Exchange): UiMessage {
  return { id: accepted.inferenceId, role: 'assistant', metadata: draft.metadata, parts: draft.parts }
}

function promptParts(text: string, images: readonly ImagePart[]): readonly MessagePart[] {
  const files = images.flatMap((image): readonly MessagePart[] => {
    const source = imageSource(image)
    if (source.from === 'url') return [{ type: 'file', mediaType: 'image/*', url: source.url }]
    if (source.from !== 'bytes') return [] // only the provider has it
    const { mediaType, base64 } = source
    return [{ type: 'file', mediaType, url: `data:${mediaType};base64,${base64}` }]
  })
  return text === '' ? files : [...files, { type: 'text', text }]
}

/** Entities that came without events as messages: what the model said and did between two prompts is one. */
function messagesOf(entities: readonly Entity[]): readonly UiMessage[] {
  const messages: UiMessage[] = []
  for (const entity of entities) {
    const last = messages.at(-1)
    if (entity.kind === 'message' && entity.role === 'user') {
      messages.push({ id: entity.id, role: 'user', parts: promptParts(entity.text, entity.images ?? []) })
    } else if (last?.role === 'assistant') {
      messages[messages.length - 1] = { ...last, parts: [...last.parts, ...partsOf(entity)] }
    } else {
      messages.push({ id: entity.id, role: 'assistant', parts: partsOf(entity) })
    }
  }
  return messages
}

function partsOf(entity: Entity): readonly MessagePart[] {
  switch (entity.kind) {
    case 'message':
      return [{ type: 'text', text: entity.text, state: 'done' }]
    case 'reasoning':
      return [{ type: 'reasoning', text: entity.text, state: 'done' }]
    case 'tool-call': {
      const { toolName, toolCallId, input = {}, result, error } = entity
      const call = { type: `tool-${toolName}`, toolCallId, input } as const
      return result !== undefined && error === undefined
        ? [{ ...call, state: 'output-available', output: result }]
        : [{ ...call, state: 'output-error', errorText: error ?? 'The call was not answered.' }]
    }
    case 'activity':
    case 'notice':
    case 'inference':
      return []
  }
}
