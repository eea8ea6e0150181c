import * as v from 'valibot'
import { sleep } from '../../clock.ts'
import { GeppettoError, isGeppettoError, messageOf } from '../../errors.ts'
import { tryParseJson, type JsonObject } from '../../json.ts'
import { followLog, requireCursor } from '../../session/follow.ts'
import type { Head } from '../../store/store.ts'
import type { Access } from '../access.ts'
import { parseAs } from '../body.ts'
import type { ServerContext, SocketHandler, SocketRequest } from '../context.ts'
import { logIds } from '../log.ts'
import { publicError } from '../problem.ts'
import type { Socket } from '../socket.ts'
import { cancelInference, continueStep, createSession, decideApproval, forkSession, submitMessage } from './commands.ts'
import { eventJson, snapshotOf, subscribed, type Control } from './frames.ts'

/** Sessions that one socket may follow at a time. */
const subscriptionLimit = 100
/** How long nothing more is heard from a caller who has sent too much. */
const restMs = 1_000

const after = v.union([v.literal('snapshot'), v.pipe(v.number(), v.safeInteger(), v.minValue(0))])
const inSession = { id: v.string(), session_id: v.string() }
const messageSchema = v.variant('type', [
  v.object({ type: v.literal('subscribe'), session_id: v.string(), after: v.optional(after) }),
  v.object({ type: v.literal('unsubscribe'), session_id: v.string() }),
  v.object({ type: v.literal('ping') }),
  v.object({ type: v.literal('create'), id: v.string(), params: v.optional(v.unknown()) }),
  v.object({ type: v.literal('submit'), ...inSession, params: v.unknown() }),
  v.object({ type: v.literal('cancel'), ...inSession, params: v.optional(v.unknown()) }),
  v.object({ type: v.literal('fork'), ...inSession, params: v.optional(v.unknown()) }),
  v.object({ type: v.literal('decide'), ...inSession, approval_id: v.string(), params: v.unknown() }),
  v.object({ type: v.literal('continue'), ...inSession, pause_id: v.string(), params: v.optional(v.unknown()) }),
])
type Message = v.InferOutput<typeof messageSchema>
type Command = Exclude<Message, { readonly type: 'subscribe' | 'unsubscribe' | 'ping' }>

/**
 * The frames of the event stream over a socket, for any number of sessions, and commands that are answered under the id
 * that the client gave them: a client that lost its socket sends what was not answered once more. Messages that are not
 * events have a `control`.
 */
export async function nativeSocket(
  context: ServerContext,
  { access, requestId }: SocketRequest,
): Promise<SocketHandler> {
  access.require('read')
  return (socket) => new NativeConnection(context, access, requestId, socket).open()
}

class NativeConnection {
  readonly #context: ServerContext
  readonly #access: Access
  readonly #requestId: string
  readonly #socket: Socket
  readonly #subscriptions = new Map<string, AbortController>()

  constructor(context: ServerContext, access: Access, requestId: string, socket: Socket) {
    this.#context = context
    this.#access = access
    this.#requestId = requestId
    this.#socket = socket
  }

  open(): void {
    const { stopping } = this.#context
    const watch = this.#access.watch()
    const end = () => this.#socket.close(1001, 'the server is being stopped')
    const lockOut = () => this.#socket.close(4401, 'not let in any longer')
    stopping.addEventListener('abort', end)
    watch.signal.addEventListener('abort', lockOut)
    this.#socket.closed.addEventListener('abort', () => {
      stopping.removeEventListener('abort', end)
      watch.signal.removeEventListener('abort', lockOut)
      watch.stop()
      for (const subscription of this.#subscriptions.values()) subscription.abort()
    })
    this.#socket.onMessage((text) => this.#hear(text))
    void this.#say({ control: 'hello', protocol: 1, request_id: this.#requestId })
  }

  async #hear(text: string): Promise<void> {
    let about: JsonObject = {}
    try {
      const message = parseAs(messageSchema, tryParseJson(text))
      about = 'id' in message ? { id: message.id } : 'session_id' in message ? { session_id: message.session_id } : {}
      this.#access.countMessage()
      switch (message.type) {
        case 'ping':
          return await this.#say({ control: 'pong' })
        case 'unsubscribe':
          return await this.#unsubscribe(message.session_id)
        case 'subscribe':
          return await this.#subscribe(message.session_id, message.after ?? 0)
        default:
          await this.#say({ control: 'ack', id: message.id, result: await this.#do(message) })
      }
    } catch (error) {
      await this.#refuse(error, about)
      // Whoever sends too much is held back, and not refused ten thousand times.
      if (isGeppettoError(error, 'RATE_LIMITED')) await this.#rest()
    }
  }

  async #rest(): Promise<void> {
    await sleep(this.#context.clock, restMs, this.#socket.closed).catch(() => {}) // it is over sooner when the socket is
  }

  #do(command: Command): Promise<JsonObject> {
    const [context, access] = [this.#context, this.#access]
    switch (command.type) {
      case 'create':
        return createSession(context, access, command.params ?? {}, command.id)
      case 'submit':
        return submitMessage(context, access, command.session_id, command.params, command.id)
      case 'cancel':
        return cancelInference(context, access, command.session_id, command.params ?? {})
      case 'fork':
        return forkSession(context, access, command.session_id, command.params ?? {}, command.id)
      case 'decide':
        return decideApproval(context, access, command.session_id, command.approval_id, command.params)
      case 'continue':
        return continueStep(context, access, command.session_id, command.pause_id, command.params ?? {})
    }
  }

  async #subscribe(sessionId: string, from: number | 'snapshot'): Promise<void> {
    const { conversations } = this.#context
    if (this.#subscriptions.size >= subscriptionLimit && !this.#subscriptions.has(sessionId)) {
      throw new GeppettoError('REQUEST_INVALID', `One socket follows ${subscriptionLimit} sessions; open another one.`)
    }
    const head = await conversations.head(this.#access.principal, sessionId)
    if (from !== 'snapshot') requireCursor(head, sessionId, from)
    this.#subscriptions.get(sessionId)?.abort()
    const subscription = new AbortController()
    this.#subscriptions.set(sessionId, subscription)
    let known = from === 'snapshot' ? 0 : from
    if (from === 'snapshot') {
      const snapshot = await snapshotOf(conversations.store, head)
      known = snapshot.ordinal
      await this.#say({ control: 'snapshot', ...snapshot })
    }
    await this.#say(subscribed(head, known))
    void this.#follow(head, known, subscription)
  }

  async #unsubscribe(sessionId: string): Promise<void> {
    this.#subscriptions.get(sessionId)?.abort()
    this.#subscriptions.delete(sessionId)
    await this.#say({ control: 'unsubscribed', session_id: sessionId })
  }

  // The next entries are read when those before them are on their way: a slow client holds nothing up but itself.
  async #follow({ sessionId, incarnation }: Head, known: number, subscription: AbortController): Promise<void> {
    const { conversations, clock, metrics } = this.#context
    const { signal } = subscription
    metrics.streams.inc({ transport: 'websocket' })
    try {
      for await (const entries of followLog(conversations.store, sessionId, clock, {
        after: known,
        incarnation,
        signal,
      })) {
        for (const entry of entries) {
          if (signal.aborted) return
          await this.#socket.send(eventJson(sessionId, entry))
        }
      }
    } catch (error) {
      const isDeleted = isGeppettoError(error, 'SESSION_UNKNOWN')
      if (isDeleted) await this.#say({ control: 'closed', session_id: sessionId, reason: 'deleted' })
      else await this.#refuse(error, { session_id: sessionId })
      if (this.#subscriptions.get(sessionId) === subscription) this.#subscriptions.delete(sessionId)
    } finally {
      metrics.streams.dec({ transport: 'websocket' })
    }
  }

  async #refuse(error: unknown, about: JsonObject): Promise<void> {
    const { status, code, message } = publicError(error, this.#requestId)
    const subject = typeof about['session_id'] === 'string' ? logIds({ sessionId: about['session_id'] }) : {}
    if (status === 500)
      this.#context.log.error(
        { request_id: this.#requestId, ...subject, code, error: messageOf(error) },
        'a message to a socket failed',
      )
    await this.#say({ control: 'error', ...about, code, message })
  }

  #say(
    message: (Control | { readonly control: 'hello' | 'pong' | 'ack' | 'error' | 'unsubscribed' }) & JsonObject,
  ): Promise<void> {
    return this.#socket.send(JSON.stringify(message))
  }
}
