import type { NewId } from '../clock.ts'
import { GeppettoError } from '../errors.ts'
import type { Decision, InferenceEvent, UnknownEvent } from '../events/event.ts'
import { isJsonObject, type Json, type JsonObject } from '../json.ts'
import { isOpenInference } from '../timeline/entity.ts'
import type { Api } from './api.ts'
import { asOurs, followSession, type World } from './follow.ts'
import { ordinalOf, readSnapshot, textOf } from './message.ts'
import { consequenceOf, placeAt } from './place.ts'
import {
  answered,
  applyHappening,
  closedView,
  pausedView,
  resumedView,
  unknownView,
  withEarlier,
  withoutPending,
  withPending,
  type SessionView,
  type ViewState,
} from './view.ts'

/** Listeners hear at most once in this time: as often as a screen shows something new. */
const frameMs = 16

/** An image beside a prompt: its bytes as base64, or an address that the provider is to look at. */
export type Attachment =
  | { readonly type: 'image'; readonly mediaType: string; readonly data: string }
  | { readonly type: 'image_url'; readonly url: string }

/** A tool that the model may ask for and that runs here. */
export interface ClientToolDefinition {
  /** Letters, digits, `_` and `-`. Under a name that a tool of the server has, it is that one that runs. */
  readonly name: string
  readonly description: string
  /** The JSON Schema of its input. */
  readonly parameters: JsonObject
}

export interface SendOptions {
  readonly attachments?: readonly Attachment[]
  /** Who is to answer; default: who answered before, and at first the server's first profile. */
  readonly profile?: string
  /**
   * Tools that run here, in place of those that were given before. A call of one waits in the timeline for an
   * approval whose reason is `client-tool`: `approve` it with the `result`, or `deny` it.
   */
  readonly clientTools?: readonly ClientToolDefinition[]
  /** The same key is the same prompt, whoever sends it how often. Default: a new one. */
  readonly key?: string
}

/** A prompt that is in the log: the ids of what answers it, and the ordinal of its event. */
export interface Sent {
  readonly turnId: string
  readonly inferenceId: string
  readonly ordinal: number
}

/** The answer to a call that waits for one. */
export interface DecisionOptions {
  /** Replaces the arguments. */
  readonly input?: JsonObject
  /** What a tool that runs here has given. */
  readonly result?: Json
  /** What the model is told of a refusal. */
  readonly message?: string
  /** Of the approval that was shown: the decision is good for nothing else. */
  readonly hash?: string
}

export interface SessionContext extends World {
  readonly api: Api
  readonly newId: NewId
  readonly open: (sessionId: string) => ClientSession
  readonly onClosed: (session: ClientSession) => void
}

/**
 * A session of a server, as it is seen from here. It is followed while somebody listens; what is known is kept when
 * nobody does, and gone on from when somebody does again. Its view is the fold of the log and nothing else.
 */
export class ClientSession {
  readonly id: string
  readonly #context: SessionContext
  readonly #path: string
  readonly #listeners = new Set<() => void>()
  readonly #closed = new AbortController()
  /** What is known, and what listeners were last told of. */
  #state: ViewState = unknownView
  #shown: ViewState = unknownView
  #shownAt = Number.NEGATIVE_INFINITY
  #isFrameDue = false
  #following: AbortController | undefined
  /** Prompts go out in the order in which they were sent. */
  #lastSend: Promise<unknown> = Promise.resolve()

  constructor(id: string, context: SessionContext) {
    this.id = id
    this.#context = context
    this.#path = `/api/sessions/${encodeURIComponent(id)}`
  }

  /** Follows the session, and calls `listener` when the view has changed: once for all that came together. */
  readonly subscribe = (listener: () => void): (() => void) => {
    const own = () => listener() // the same function twice is two listeners
    this.#listeners.add(own)
    if (this.#following === undefined && !this.#closed.signal.aborted) void this.#follow()
    return () => {
      this.#listeners.delete(own)
      if (this.#listeners.size === 0) this.#pause()
    }
  }

  /** The view as listeners were last told of it: the same object until they are told again. */
  readonly getSnapshot = (): SessionView => this.#shown

  /**
   * Every event after `after` (default 0), in order, each once, and then those to come, over a connection of its own
   * and at the reader's pace. Ends when the signal aborts. Throws CURSOR_EXPIRED and CURSOR_FUTURE for events that are
   * no longer or not yet there, and what the server says when there is no way back.
   */
  async *events(
    options: { readonly after?: number; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<InferenceEvent | UnknownEvent, void> {
    const { after = 0, signal } = options
    const ended = AbortSignal.any([this.#closed.signal, ...(signal === undefined ? [] : [signal])])
    let why: GeppettoError | undefined
    for await (const happening of followSession(this.#context, this.id, placeAt(after), ended)) {
      if (happening.kind === 'event') yield happening.event
      if (happening.kind === 'lost') why = happening.error
      const isCut = happening.kind === 'snapshot' || (why !== undefined && consequenceOf(why) === 'begin-anew')
      if (isCut && why !== undefined) throw why // what lies between is not to be had any more
    }
  }

  /**
   * Gives the server a prompt. What gets no answer is sent again, under the same key, until it is answered or refused;
   * until the timeline shows it, it is listed in `pending`.
   */
  async send(
    prompt: string,
    { attachments = [], profile, clientTools, key = this.#context.newId() }: SendOptions = {},
  ): Promise<Sent> {
    this.#set(withPending(this.#state, { key, prompt }))
    const body = {
      prompt,
      ...(attachments.length > 0 && { attachments: attachments.map(attachmentToJson) }),
      ...(profile !== undefined && { profile }),
      ...(clientTools !== undefined && {
        client_tools: clientTools.map(({ name, description, parameters }) => ({ name, description, parameters })),
      }),
    }
    const answer = this.#lastSend.then(() => this.#command('/messages', body, { idempotencyKey: key }))
    this.#lastSend = answer.catch(() => {}) // told to who sent it
    try {
      const value = await answer
      if (!isJsonObject(value)) throw new GeppettoError('EVENT_INVALID', 'The server accepts a prompt without its ids.')
      const sent = {
        turnId: textOf(value, 'turn_id'),
        inferenceId: textOf(value, 'inference_id'),
        ordinal: ordinalOf(value, 'ordinal'),
      }
      this.#set(answered(this.#state, key, sent.ordinal))
      return sent
    } catch (error) {
      this.#set(withoutPending(this.#state, key))
      throw error
    }
  }

  /** Asks an inference to stop, by default the one that runs in the view. What is in the log stays there. */
  async cancel(options: { readonly inferenceId?: string; readonly reason?: string } = {}): Promise<void> {
    const { status, timeline } = this.#state
    // By its id, for a command that comes twice is not to hit the next one; a view that is behind may know an old one.
    const open = timeline.live.find((entity) => isOpenInference(entity) && entity.status !== 'queued')
    const inferenceId = options.inferenceId ?? (status === 'live' ? open?.id : undefined)
    await this.#command('/cancel', {
      ...(inferenceId !== undefined && { inference_id: inferenceId }),
      ...(options.reason !== undefined && { reason: options.reason }),
    })
  }

  /** Answers a call that waits for a decision, or for what a tool gives that runs here. The same answer again changes nothing. */
  async decide(
    approvalId: string,
    decision: Exclude<Decision, 'expired'>,
    options: DecisionOptions = {},
  ): Promise<void> {
    await this.#command(`/approvals/${encodeURIComponent(approvalId)}`, { decision, ...(options as JsonObject) }) // all of it is JSON
  }

  async approve(approvalId: string, options: DecisionOptions = {}): Promise<void> {
    await this.decide(approvalId, 'approved', options)
  }

  async deny(approvalId: string, message?: string): Promise<void> {
    await this.decide(approvalId, 'denied', message === undefined ? {} : { message })
  }

  /** Begins a session that goes on from a turn of this one, by default the latest, or from before a block of it, such as a prompt. */
  async fork({ turnId, before }: { readonly turnId?: string; readonly before?: string } = {}): Promise<ClientSession> {
    const sessionId = this.#context.newId()
    const body = {
      session_id: sessionId,
      ...(turnId !== undefined && { turn_id: turnId }),
      ...(before !== undefined && { before }),
    }
    await this.#command('/fork', body, { isDone: ({ code }) => code === 'SESSION_EXISTS' })
    return this.#context.open(sessionId)
  }

  /** Gives the session a name, which lists show in place of what was said first. */
  async rename(title: string): Promise<void> {
    await this.#context.api.insist(this.#path, { method: 'PATCH', body: { title }, signal: this.#closed.signal })
  }

  /** Cancels what runs and removes the session with all that is in it. */
  async delete(): Promise<void> {
    const request = { method: 'DELETE' as const, signal: this.#closed.signal }
    await this.#context.api.insist(this.#path, request, ({ code }) => code === 'SESSION_UNKNOWN')
    this.close()
  }

  /** Puts the page before the timeline in front of it; does nothing when there is none. */
  async loadEarlier(): Promise<void> {
    const { before } = this.#state
    if (before === undefined) return
    const page = await this.#context.api.insist(`${this.#path}?before=${before}`, { signal: this.#closed.signal })
    this.#set(withEarlier(this.#state, before, readSnapshot(page)))
  }

  /** Stops following for good; what was sent and not answered is not sent again. The session itself goes on. */
  close(): void {
    if (this.#closed.signal.aborted) return
    const error = new GeppettoError('SESSION_CLOSED', `Session ${this.id} was closed here.`)
    this.#closed.abort(error)
    this.#end(error)
    this.#context.onClosed(this)
  }

  async #follow(): Promise<void> {
    const following = new AbortController()
    this.#following = following
    const { signal } = following
    this.#set(resumedView(this.#state))
    const { incarnation, ordinal } = this.#state
    const place = placeAt(incarnation === undefined ? 'snapshot' : ordinal, incarnation)
    try {
      for await (const happening of followSession(this.#context, this.id, place, signal)) {
        if (signal.aborted) return
        this.#set(applyHappening(this.#state, happening))
      }
    } catch (error) {
      if (!signal.aborted) this.#end(asOurs(error))
    }
  }

  #pause(): void {
    this.#following?.abort()
    this.#following = undefined
    this.#set(pausedView(this.#state))
  }

  #end(error: GeppettoError): void {
    this.#following?.abort()
    this.#following = undefined
    this.#set(closedView(this.#state, error))
  }

  #command(
    path: string,
    body: JsonObject,
    options: { readonly idempotencyKey?: string; readonly isDone?: (error: GeppettoError) => boolean } = {},
  ): Promise<Json> {
    const { isDone, ...key } = options
    return this.#context.api.insist(
      `${this.#path}${path}`,
      { method: 'POST', body, signal: this.#closed.signal, ...key },
      isDone,
    )
  }

  // All that comes within a frame is told at once. What is shown changes when it is told, and not before.
  #set(state: ViewState): void {
    if (state === this.#state) return
    this.#state = state
    if (this.#isFrameDue) return
    this.#isFrameDue = true
    const { clock } = this.#context
    clock.schedule(Math.max(this.#shownAt + frameMs - clock.monotonic(), 0), () => {
      this.#isFrameDue = false
      this.#shownAt = clock.monotonic()
      this.#shown = this.#state
      for (const listener of this.#listeners) listener()
    })
  }
}

function attachmentToJson(attachment: Attachment): JsonObject {
  if (attachment.type === 'image_url') return { ...attachment }
  return { type: 'image', media_type: attachment.mediaType, data: attachment.data }
}
