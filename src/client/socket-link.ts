import type { Clock } from '../clock.ts'
import { isGeppettoError, type GeppettoError } from '../errors.ts'
import type { JsonObject } from '../json.ts'
import type { Api } from './api.ts'
import { Inbox } from './inbox.ts'
import { heartbeatMs, lost, Watchdog, type Link } from './link.ts'
import { readMessage, serverError, type ServerMessage } from './message.ts'

export interface SocketLinkOptions {
  readonly baseUrl: string
  readonly token?: string
  readonly api: Api
  readonly clock: Clock
}

/** Sessions that a server lets one socket follow. */
const socketLimit = 100

/** Hears of all sessions over one socket (another one for those that have no room), there while somebody follows one. */
export class SocketLink implements Link {
  readonly #options: SocketLinkOptions
  #connections: readonly SocketConnection[] = []

  constructor(options: SocketLinkOptions) {
    this.#options = options
  }

  async *follow(sessionId: string, after: number | 'snapshot', signal: AbortSignal): AsyncGenerator<ServerMessage> {
    if (signal.aborted) return
    const connection = this.#connectionFor(sessionId)
    const inbox = connection.subscribe(sessionId, after)
    const end = () => inbox.end()
    signal.addEventListener('abort', end)
    try {
      yield* inbox
    } finally {
      signal.removeEventListener('abort', end)
      connection.unsubscribe(sessionId, inbox)
    }
  }

  check(isNetworkNew: boolean): void {
    for (const connection of this.#connections) connection.check(isNetworkNew)
  }

  // A socket has one subscription for a session: who reads the same one twice does so over two sockets.
  #connectionFor(sessionId: string): SocketConnection {
    this.#connections = this.#connections.filter(({ isOver }) => !isOver)
    const known = this.#connections.find((connection) => connection.hasRoomFor(sessionId))
    if (known !== undefined) return known
    const made = new SocketConnection(this.#options)
    this.#connections = [...this.#connections, made]
    return made
  }
}

/** One socket, from its handshake to its end. */
class SocketConnection {
  readonly #options: SocketLinkOptions
  readonly #socket: WebSocket
  readonly #watchdog: Watchdog
  readonly #inboxes = new Map<string, Inbox<ServerMessage>>()
  readonly #unsent: JsonObject[] = []
  #cancelPing: () => void = () => {}
  #isOpen = false
  #isOver = false

  constructor(options: SocketLinkOptions) {
    this.#options = options
    const { baseUrl, token, clock } = options
    // A browser sends no header with a handshake; the server picks the name that is not the token.
    const protocols = token === undefined ? [] : ['geppetto', `bearer.${token}`]
    this.#socket = new WebSocket(`${baseUrl.replace(/^http/, 'ws')}/api/ws`, protocols)
    this.#watchdog = new Watchdog(clock, (error) => this.#end(error))
    this.#socket.addEventListener('open', () => this.#opened())
    this.#socket.addEventListener('message', ({ data }) => this.#hear(data))
    this.#socket.addEventListener('close', ({ code }) => void this.#closed(code))
    this.#socket.addEventListener('error', () => {}) // a close follows, and says as much
  }

  get isOver(): boolean {
    return this.#isOver
  }

  hasRoomFor(sessionId: string): boolean {
    return this.#inboxes.size < socketLimit && !this.#inboxes.has(sessionId)
  }

  subscribe(sessionId: string, after: number | 'snapshot'): Inbox<ServerMessage> {
    const inbox = new Inbox<ServerMessage>()
    this.#inboxes.set(sessionId, inbox)
    this.#send({ type: 'subscribe', session_id: sessionId, after })
    return inbox
  }

  unsubscribe(sessionId: string, inbox: Inbox<ServerMessage>): void {
    if (this.#isOver || this.#inboxes.get(sessionId) !== inbox) return
    this.#inboxes.delete(sessionId)
    if (this.#inboxes.size === 0) this.#end(lost('Nobody listens'))
    else this.#send({ type: 'unsubscribe', session_id: sessionId })
  }

  check(isNetworkNew: boolean): void {
    if (!this.#isOver) this.#watchdog.check(isNetworkNew)
  }

  #opened(): void {
    if (this.#isOver) return this.#socket.close() // it was given up during its handshake
    this.#isOpen = true
    this.#watchdog.heard()
    for (const message of this.#unsent.splice(0)) this.#send(message)
    this.#ping()
  }

  // The server's own pings are not shown to a page: it has to ask to hear that somebody is there.
  #ping(): void {
    this.#cancelPing = this.#options.clock.schedule(heartbeatMs, () => {
      this.#send({ type: 'ping' })
      this.#ping()
    })
  }

  #send(message: JsonObject): void {
    if (this.#isOver) return
    if (this.#isOpen) this.#socket.send(JSON.stringify(message))
    else this.#unsent.push(message)
  }

  #hear(data: unknown): void {
    if (this.#isOver) return
    this.#watchdog.heard()
    try {
      const message = readMessage(String(data))
      if (message.kind === 'other') return
      if (message.sessionId !== undefined) this.#inboxes.get(message.sessionId)?.push(message)
      else if (message.kind === 'error') this.#end(message.error)
    } catch (error) {
      this.#end(isGeppettoError(error) ? error : lost('The socket brought what cannot be read', error))
    }
  }

  async #closed(code: number): Promise<void> {
    if (this.#isOver) return
    if (code === 4401)
      return this.#end(serverError('UNAUTHENTICATED', 'The server lets the caller in no longer.', { reason: 'access' }))
    // A page is not told why a handshake is refused; a plain request is.
    if (!this.#isOpen) return this.#end(await this.#refusal())
    this.#end(lost('The socket was closed', undefined, { code }))
  }

  async #refusal(): Promise<GeppettoError> {
    const answer = this.#options.api.ask('/api/sessions?limit=1', { signal: new AbortController().signal })
    const error: unknown = await answer.then(
      () => undefined,
      (refused: unknown) => refused,
    )
    return isGeppettoError(error) ? error : lost('The server takes no socket')
  }

  #end(error: GeppettoError): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#watchdog.stop()
    this.#cancelPing()
    for (const inbox of this.#inboxes.values()) inbox.end(error)
    this.#inboxes.clear()
    this.#socket.close()
  }
}
