import { GeppettoError } from '../../../errors.ts'
import type { InferenceEvent } from '../../../events/event.ts'
import { followLog } from '../../../session/follow.ts'
import { readEvents } from '../../../session/past.ts'
import type { StoredInference } from '../../../session/stored-inference.ts'
import { fromEntry } from '../../../store/entry.ts'
import type { Access } from '../../access.ts'
import type { ServerContext } from '../../context.ts'
import { sseFrame, sseResponse } from '../../sse.ts'
import { canTakeBack, wireChunk, type Chunk, type UiVersion, type WireChunk } from './chunk.ts'
import { applyToMessage, emptyMessage, type MessageState } from './projection.ts'

/** The first and the last leg. */
export type Legs = readonly [first: number, last: number]

/** A message as it is to be streamed. */
export interface MessageStream {
  readonly sessionId: string
  readonly inferenceId: string
  /** Of its prompt: all of it comes after. */
  readonly ordinal: number
  readonly ui: UiVersion
  /** The first and the last of the legs that are streamed, as one; none when the client knows all that there is. */
  readonly legs: Legs | 'none'
  /** The first chunk that the client wants; below 0 it is counted from the end, as that is now. */
  readonly startIndex?: number
}

export function handleOf(sessionId: string, { id, ordinal }: StoredInference) {
  return { sessionId, inferenceId: id, ordinal }
}

const protocolHeaders = { 'x-vercel-ai-ui-message-stream': 'v1' }
const done = 'data: [DONE]\n\n'

/** The run that `WorkflowChatTransport` knows some legs of a message by, so that it can come back to them. */
function runId(inferenceId: string, [first, last]: Legs): string {
  if (last === 0) return inferenceId
  return first === last ? `${inferenceId}~${first}` : `${inferenceId}~${first}-${last}`
}

export function readRunId(id: string): { readonly inferenceId: string; readonly legs: Legs } {
  const [, inferenceId = id, first = '0', last = first] = /^(.*)~(\d{1,6})(?:-(\d{1,6}))?$/.exec(id) ?? []
  return { inferenceId, legs: [Number(first), Number(last)] }
}

/** Where a message stands now, and which attempts of it have failed. */
export interface MessagePast {
  readonly state: MessageState
  readonly discarded: ReadonlySet<string>
}

export async function readPast(
  { conversations }: ServerContext,
  { sessionId, inferenceId, ordinal }: Pick<MessageStream, 'sessionId' | 'inferenceId' | 'ordinal'>,
): Promise<MessagePast> {
  const { store } = conversations
  const head = await store.head(sessionId)
  const discarded = new Set<string>()
  let state = emptyMessage
  for await (const event of readEvents(store, sessionId, ordinal - 1, head?.ordinal ?? 0)) {
    if (event.inferenceId !== inferenceId) continue
    if (event.type === 'attempt-discarded') discarded.add(attemptOf(event))
    ;[state] = applyToMessage(state, event)
  }
  return { state, discarded }
}

/** Streams a message out of the log, from its first chunk. A client that goes away ends nothing but this. */
export async function streamMessage(
  context: ServerContext,
  access: Access,
  stream: MessageStream,
  past: MessagePast,
): Promise<Response> {
  const { conversations, clock, metrics, stopping } = context
  const { store } = conversations
  const { sessionId, inferenceId, ordinal, ui, legs, startIndex = 0 } = stream
  if (legs === 'none') return emptyAnswer(context, stream)
  const view = new View(ui, legs, past)
  const total = startIndex < 0 ? await countChunks() : 0
  const first = startIndex < 0 ? Math.max(total + startIndex, 0) : startIndex
  const watch = access.watch()
  const headers = {
    ...protocolHeaders,
    'x-geppetto-session-id': sessionId,
    'x-geppetto-inference-id': inferenceId,
    'x-workflow-run-id': runId(inferenceId, legs),
    ...(startIndex < 0 && { 'x-workflow-stream-tail-index': String(total - 1) }),
  }
  return sseResponse(
    async function* (signal) {
      metrics.streams.inc({ transport: 'sse' })
      try {
        let index = 0
        for await (const entries of followLog(store, sessionId, clock, { after: ordinal - 1, signal })) {
          let text = ''
          const events = entries.flatMap((entry): readonly InferenceEvent[] => {
            const event = fromEntry(sessionId, entry)
            return event.type === 'unknown' || event.inferenceId !== inferenceId ? [] : [event]
          })
          view.lookAhead(events)
          for (const event of events) {
            for (const chunk of view.chunksOf(event)) {
              // What is shown cannot be taken back: the client has to come again, and gets what counts.
              if (chunk.type === 'reset-step' && !canTakeBack(ui)) {
                if (text !== '') yield text
                throw brokenOff(inferenceId, 'an attempt of the model has failed, and what it had said is void')
              }
              const told = wireChunk(chunk, ui)
              if (told === undefined) continue
              if (index >= first) text += sseFrame({ id: index, data: JSON.stringify(told) })
              index += 1
            }
            if (view.isDone) {
              yield text + done
              return
            }
          }
          if (text !== '') yield text
        }
        // An end without a finish would pass for an answer that is whole.
        if (stopping.aborted || watch.signal.aborted)
          throw brokenOff(inferenceId, 'the server is being stopped, or the client is let in no longer')
      } finally {
        watch.stop()
        metrics.streams.dec({ transport: 'sse' })
      }
    },
    { clock, signal: AbortSignal.any([watch.signal, stopping]), headers },
  )

  async function countChunks(): Promise<number> {
    const counted = new View(ui, legs as Legs, past) // there are some
    const head = await store.head(sessionId)
    let count = 0
    for await (const event of readEvents(store, sessionId, ordinal - 1, head?.ordinal ?? 0)) {
      if (event.inferenceId !== inferenceId || counted.isDone) continue
      count += counted.chunksOf(event).filter((chunk) => wireChunk(chunk, ui) !== undefined).length
    }
    return count
  }
}

/**
 * What a client gets that sends a message whose calls are all answered, as it does by itself after one was cancelled. The
 * empty step keeps it from sending the same again.
 */
function emptyAnswer({ clock }: ServerContext, { sessionId, inferenceId }: MessageStream): Response {
  const metadata = { session_id: sessionId, inference_id: inferenceId }
  const chunks: readonly WireChunk[] = [
    { type: 'start', messageId: inferenceId, messageMetadata: metadata },
    { type: 'start-step' },
    { type: 'finish-step' },
    { type: 'finish', messageMetadata: {} },
  ]
  const text = chunks.map((chunk) => sseFrame({ data: JSON.stringify(chunk) })).join('')
  return sseResponse(
    async function* () {
      yield text + done
    },
    { clock, headers: { ...protocolHeaders, 'x-workflow-run-id': inferenceId } },
  )
}

/** The part of a message that one stream shows, event by event. */
class View {
  readonly #ui: UiVersion
  readonly #legs: Legs
  readonly #discarded: Set<string>
  #state = emptyMessage

  constructor(ui: UiVersion, legs: Legs, { discarded }: MessagePast) {
    this.#ui = ui
    this.#legs = legs
    // Who can be told of it gets what was void too, so that the places of chunks are the same in each stream.
    this.#discarded = new Set(canTakeBack(ui) ? [] : discarded)
  }

  get isDone(): boolean {
    return !this.#state.isOpen && (this.#state.hasEnded || this.#state.leg >= this.#legs[1])
  }

  /** Leaves out attempts that are known to have failed before anything of them was shown. */
  lookAhead(events: readonly InferenceEvent[]): void {
    if (canTakeBack(this.#ui)) return
    for (const event of events) {
      if (event.type !== 'attempt-discarded') continue
      const isShown = this.#state.isShown && this.#state.step === event.providerCallId
      if (!isShown) this.#discarded.add(attemptOf(event))
    }
  }

  chunksOf(event: InferenceEvent): readonly Chunk[] {
    if ('attempt' in event && this.#discarded.has(attemptOf(event))) return []
    const [state, chunks] = applyToMessage(this.#state, event)
    this.#state = state
    return chunks.filter((chunk) => this.#shows(chunk, state.leg))
  }

  #shows({ type }: Chunk, leg: number): boolean {
    const [first, last] = this.#legs
    if (type === 'start') return leg === first
    return leg >= first && (leg < last ? type !== 'finish' : leg === last)
  }
}

function attemptOf({ providerCallId = '', attempt = 0 }: { providerCallId?: string; attempt?: number }): string {
  return `${providerCallId} ${attempt}`
}

function brokenOff(inferenceId: string, why: string): GeppettoError {
  return new GeppettoError(
    'SERVER_STOPPING',
    `The stream of message ${inferenceId} breaks off: ${why}. Load the messages and resume.`,
  )
}
