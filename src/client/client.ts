import { systemClock, type Clock, type NewId } from '../clock.ts'
import { GeppettoError } from '../errors.ts'
import { isJsonObject, type Json } from '../json.ts'
import { Api, type ApiRequest } from './api.ts'
import { randomId, systemRandom, type Random } from './chance.ts'
import { ordinalOf, textOf } from './message.ts'
import { ClientSession } from './session.ts'
import { SocketLink } from './socket-link.ts'
import { SseLink } from './sse-link.ts'
import { watchWake, type PageScope } from './wake.ts'

export interface ClientOptions {
  /** Where the server is, as `https://chat.example.com`, with the path that it is mounted under. */
  readonly baseUrl: string
  /** Says who calls: `authorization: Bearer …`. */
  readonly token?: string
  /** Default `sse`: an event stream for each session that is followed. `websocket`: one socket for all of them. */
  readonly transport?: 'sse' | 'websocket'
  readonly fetch?: typeof fetch
  readonly clock?: Clock
  readonly newId?: NewId
  /** Spreads the attempts to reconnect. */
  readonly random?: Random
}

/** A session as a list shows it. */
export interface SessionSummary {
  readonly sessionId: string
  /** The beginning of the first thing that was said; empty when nothing was. */
  readonly title: string
  readonly createdAt: string
  readonly updatedAt: string
  readonly ordinal: number
  /** Whether something runs or waits in it. */
  readonly isActive: boolean
  /** Where it was forked from: the session, and the block before which the fork ends, if it ends before one. */
  readonly origin?: { readonly sessionId: string; readonly before?: string }
}

export interface SessionPage {
  readonly sessions: readonly SessionSummary[]
  /** Give it as `before` for the sessions that changed before these. */
  readonly before?: string
}

export interface Client {
  /** The session of this id, the same object each time. Nothing is asked of the server until somebody wants something of it. */
  session(id: string): ClientSession
  /** Makes a session. One of the caller's that has the id already is left as it is. */
  create(options?: { readonly sessionId?: string }): Promise<ClientSession>
  /** The caller's sessions, the one that changed last first. `limit` is 50 by default. */
  list(page?: { readonly limit?: number; readonly before?: string }): Promise<SessionPage>
  /** What the server answers at a path of its API, as `/api/profiles`, for what has no method here. One request; a refusal throws. */
  ask(path: string, request?: Partial<ApiRequest>): Promise<Json>
  /** Closes its sessions here. */
  close(): void
}

/**
 * A client of a Geppetto server, in browsers and in Node. Whatever gets no answer is asked again until it is answered or
 * refused; a refusal is a GeppettoError with the server's code. Throws SETTINGS_INVALID for a token that a socket cannot
 * carry.
 */
export function createClient(options: ClientOptions): Client {
  const { token, transport = 'sse', clock = systemClock, newId = randomId, random = systemRandom } = options
  const baseUrl = options.baseUrl.replace(/\/+$/, '')
  const identity = { baseUrl, ...(token !== undefined && { token }) }
  if (transport === 'websocket' && token !== undefined && !/^[\w!#$%&'*+.^`|~-]+$/.test(token)) {
    throw new GeppettoError(
      'SETTINGS_INVALID',
      'A socket carries tokens of letters, digits and -._~ alone; use transport: sse.',
    )
  }
  // A browser's fetch wants to be called as a function, not as a method of ours.
  const api = new Api({ ...identity, clock, random, fetch: options.fetch ?? ((...request) => fetch(...request)) })
  const link = transport === 'sse' ? new SseLink(api, clock) : new SocketLink({ ...identity, api, clock })
  const sessions = new Map<string, ClientSession>()
  const closed = new AbortController()
  const wakeListeners = new Set<() => void>()
  const onWake = (listener: () => void) => {
    wakeListeners.add(listener)
    return () => void wakeListeners.delete(listener)
  }
  // What of a page is not there is not asked for.
  const stopWatching = watchWake(globalThis as PageScope, (isNetworkNew) => {
    link.check(isNetworkNew)
    for (const listener of wakeListeners) listener()
  })
  const session = (id: string): ClientSession => {
    const known = sessions.get(id)
    if (known !== undefined) return known
    const onClosed = () => void sessions.delete(id)
    const made = new ClientSession(id, { api, link, clock, newId, random, onWake, onClosed, open: session })
    sessions.set(id, made)
    return made
  }
  return {
    session,
    async create({ sessionId = newId() } = {}) {
      await api.insist('/api/sessions', { method: 'POST', body: { session_id: sessionId }, signal: closed.signal })
      return session(sessionId)
    },
    async list({ limit, before } = {}) {
      const query = new URLSearchParams({
        ...(limit !== undefined && { limit: String(limit) }),
        ...(before !== undefined && { before }),
      })
      return readPage(await api.insist(`/api/sessions?${query.toString()}`, { signal: closed.signal }))
    },
    ask(path, { signal, ...request } = {}) {
      const signals = signal === undefined ? [closed.signal] : [closed.signal, signal]
      return api.ask(path, { ...request, signal: AbortSignal.any(signals) })
    },
    close() {
      stopWatching()
      closed.abort(new GeppettoError('SESSION_CLOSED', 'The client was closed.'))
      for (const open of sessions.values()) open.close()
    },
  }
}

function readPage(value: Json): SessionPage {
  const sessions = isJsonObject(value) ? value['sessions'] : undefined
  if (!isJsonObject(value) || !Array.isArray(sessions)) {
    throw new GeppettoError('EVENT_INVALID', 'The server sent something else than a list of sessions.')
  }
  const before = value['before']
  return { sessions: sessions.map(readSummary), ...(typeof before === 'string' && { before }) }
}

function readSummary(value: Json): SessionSummary {
  if (!isJsonObject(value)) throw new GeppettoError('EVENT_INVALID', 'The server lists what is no session.')
  return {
    sessionId: textOf(value, 'session_id'),
    title: textOf(value, 'title'),
    createdAt: textOf(value, 'created_at'),
    updatedAt: textOf(value, 'updated_at'),
    ordinal: ordinalOf(value, 'ordinal'),
    isActive: value['is_active'] === true,
    ...originOf(value['origin']),
  }
}

function originOf(value: Json | undefined): Pick<SessionSummary, 'origin'> {
  if (!isJsonObject(value)) return {}
  const before = value['before']
  return { origin: { sessionId: textOf(value, 'session_id'), ...(typeof before === 'string' && { before }) } }
}
