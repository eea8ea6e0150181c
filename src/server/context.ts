import type { Hono } from 'hono'
import type { Clock, NewId } from '../clock.ts'
import type { StepController } from '../inference/steps.ts'
import type { Access } from './access.ts'
import type { Conversations } from './conversations.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Profiles } from './profile.ts'
import type { Socket } from './socket.ts'

/** What becomes of a prompt that comes while another is answered: it waits, it is refused, or it takes the other's place. */
export type WhileRunning = 'queue' | 'refuse' | 'replace'

/** What the routes of every dialect work with. */
export interface ServerContext {
  readonly conversations: Conversations
  readonly profiles: Profiles
  readonly steps: StepController
  readonly whileRunning: WhileRunning
  readonly clock: Clock
  readonly newId: NewId
  readonly log: Log
  readonly metrics: Metrics
  /** Aborts when the server is to stop: open streams end, their clients come back to another one. */
  readonly stopping: AbortSignal
}

/** What a request turns out to be about. */
export interface Subject {
  readonly sessionId: string
  readonly inferenceId?: string
  readonly turnId?: string
}

/** What is known of who sends a request besides what it says. */
export interface Client {
  /** The address that it comes from: that of the client, not of a proxy. Without it, addresses are not counted. */
  readonly address?: string
}

/** What each request has when it reaches its route. */
export interface RouteEnv {
  readonly Bindings: Client
  Variables: {
    readonly access: Access
    readonly requestId: string
    /** Set by a route that knows it, for the record of the request. */
    readonly subject?: Subject
  }
}
export type Routes = Hono<RouteEnv>

/** What a socket has when its handshake is done; the caller has been let in. */
export interface SocketRequest {
  readonly url: URL
  readonly headers: Headers
  readonly access: Access
  readonly requestId: string
}

/** Answers requests for what everybody may have, such as the files of an app; undefined for what is none of those. `path` is below the server's root. */
export type Pages = (path: string, request: Request) => Promise<Response | undefined>

/** One way of speaking with clients: its routes, and the sockets that it accepts, by path. */
export interface Dialect {
  readonly routes?: Routes
  /** How it tells of errors below a path, as `/v1`; elsewhere they are problem documents. */
  readonly errors?: { readonly below: string; respond(error: unknown, requestId: string): Response }
  /** `open` may throw, or answer, before it takes the socket: the handshake is then refused with that. */
  readonly sockets?: Readonly<Record<string, (request: SocketRequest) => Promise<SocketHandler | Response>>>
}

/** What a dialect does with a socket once it is open. */
export type SocketHandler = (socket: Socket) => void
