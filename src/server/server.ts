import { Hono, type Context, type Next } from 'hono'
import { routePath } from 'hono/route'
import { getPath } from 'hono/utils/url'
import { newUuid, systemClock, type Clock, type NewId } from '../clock.ts'
import { GeppettoError, isGeppettoError, messageOf, type ErrorCode } from '../errors.ts'
import type { EventSink } from '../events/sink.ts'
import { StepController } from '../inference/steps.ts'
import type { Store } from '../store/store.ts'
import { requireAccess, type Access, type AccessRules } from './access.ts'
import { ticketRoutes, Tickets } from './auth-tickets.ts'
import type {
  Client,
  Dialect,
  Pages,
  RouteEnv,
  ServerContext,
  SocketHandler,
  Subject,
  WhileRunning,
} from './context.ts'
import { Conversations } from './conversations.ts'
import { logIds, silentLog, withoutKeys, type Log } from './log.ts'
import { measuredStore } from './measured-store.ts'
import { countingSink, createMetrics } from './metrics.ts'
import { nativeRoutes } from './native/routes.ts'
import { nativeSocket } from './native/socket.ts'
import { localUser, type Authenticate } from './principal.ts'
import { problemResponse } from './problem.ts'
import { Profiles, type Profile } from './profile.ts'
import { CallCounts, defaultLimits, noLimits, type Limits } from './rate-limit.ts'
import { checkOrigin, corsHeaders, preflightHeaders, securityHeaders, type SecurityOptions } from './security.ts'
import { logSink } from './session-log.ts'

export interface ServerOptions extends SecurityOptions {
  readonly store: Store
  /** Who can answer; the first is asked when nobody is named. */
  readonly profiles: readonly [Profile, ...(readonly Profile[])]
  /** Says who calls. Default: everybody is the one user of this machine, so the server must be reachable from it alone. */
  readonly authenticate?: Authenticate
  /** How much is taken from whom; what is left out is as in `defaultLimits`. Default: none without `authenticate`. */
  readonly limits?: Partial<Limits>
  /** Default `queue`. */
  readonly whileRunning?: WhileRunning
  /** The path that everything lies under, as `/chat`, where a proxy passes it on as it is. Default: none. */
  readonly root?: string
  /** What is served to everybody, such as the web app (`webApp()`). Default: nothing. */
  readonly pages?: Pages
  /** How long a run waits at a step that somebody wanted to look at, in milliseconds. Default 30 000. */
  readonly stepTimeoutMs?: number
  /** Watch the events of all sessions that this process runs. */
  readonly sinks?: readonly EventSink[]
  readonly log?: Log
  /** Other ways of speaking with clients, beside our own API. */
  readonly dialects?: readonly ((context: ServerContext) => Dialect)[]
  readonly clock?: Clock
  readonly newId?: NewId
}

/** How long what runs may take to come to the end of its step when the server is stopped, in milliseconds. */
const stopMs = 8_000

/**
 * A chat server that can be mounted: `fetch` answers requests in any framework that speaks web standards, `socket` lets
 * in a WebSocket. Nothing listens until somebody makes it so (`listen` in node.ts).
 */
export class GeppettoServer {
  readonly context: ServerContext
  readonly #options: ServerOptions
  readonly #app: Hono<RouteEnv>
  readonly #stopping = new AbortController()
  readonly #sockets = new Map<string, NonNullable<Dialect['sockets']>[string]>()
  readonly #rules: AccessRules

  private constructor(options: ServerOptions) {
    this.#options = options
    this.#app = new Hono<RouteEnv>({ getPath: (request) => this.#below(getPath(request)) })
    const { profiles: given, sinks = [], clock = systemClock, newId = newUuid } = options
    const log = withoutKeys(options.log ?? silentLog)
    const steps = new StepController({
      clock,
      newId,
      ...(options.stepTimeoutMs && { timeoutMs: options.stepTimeoutMs }),
    })
    const profiles = new Profiles(given, steps)
    const metrics = createMetrics()
    const conversations = new Conversations({
      store: measuredStore(options.store, clock, (seconds) => metrics.commitSeconds.observe(seconds)),
      clock,
      newId,
      engine: profiles.engine,
      sinks: [countingSink(metrics), logSink(log), ...sinks],
      onError: (error, subject) =>
        log.error(
          { ...(subject && logIds(subject)), code: codeOf(error), error: messageOf(error) },
          subject === undefined ? 'the store failed in the background' : 'a session failed in the background',
        ),
    })
    this.context = {
      conversations,
      profiles,
      steps,
      whileRunning: options.whileRunning ?? 'queue',
      clock,
      newId,
      log,
      metrics,
      stopping: this.#stopping.signal,
    }
    const { authenticate = async () => localUser } = options
    const isLimited = options.authenticate !== undefined || options.limits !== undefined
    const counts = new CallCounts(isLimited ? { ...defaultLimits, ...options.limits } : noLimits, clock)
    const tickets = new Tickets(clock)
    this.#rules = { authenticate, tickets, counts, clock }
    this.#mount([
      { routes: new Hono<RouteEnv>().route('/api', ticketRoutes(tickets, conversations)) },
      {
        routes: new Hono<RouteEnv>().route('/api', nativeRoutes(this.context)),
        sockets: { '/api/ws': (request) => nativeSocket(this.context, request) },
      },
      ...(options.dialects ?? []).map((dialect) => dialect(this.context)),
    ])
  }

  /** Makes a server and takes up what an earlier one has left unfinished. */
  static async open(options: ServerOptions): Promise<GeppettoServer> {
    const server = new GeppettoServer(options)
    await server.context.conversations.start()
    return server
  }

  /** Whether everybody who reaches it is let in. */
  get isOpenToAll(): boolean {
    return this.#options.authenticate === undefined
  }

  /** What is mounted: its routes, and the paths of its sockets. */
  get routes(): readonly { readonly method: string; readonly path: string }[] {
    const routes = this.#app.routes.filter(({ path }) => !path.endsWith('*')) // those are no places but what lies before them
    return [...routes, ...[...this.#sockets.keys()].map((path) => ({ method: 'SOCKET', path }))]
  }

  /** Answers a request. It never rejects: what goes wrong is an answer too. */
  readonly fetch = async (request: Request, client: Client = {}): Promise<Response> => {
    if (request.method !== 'HEAD') return this.#app.fetch(request, client)
    // What would come is given up by whoever makes it: the head of a stream leaves none open.
    const { url, headers, signal } = request // all there is to it; those of some servers are no whole Requests
    const response = await this.#app.fetch(new Request(url, { headers, signal }), client)
    await response.body?.cancel()
    return new Response(null, response)
  }

  /**
   * Lets a WebSocket in: who asks is checked before the handshake. Gives what is to be done with the socket, or the
   * answer that refuses it.
   */
  async socket(request: Request, client: Client = {}): Promise<SocketHandler | Response> {
    const requestId = this.context.newId()
    const url = new URL(request.url)
    try {
      checkOrigin(request, this.#options)
      const accept = this.#sockets.get(this.#below(url.pathname))
      if (accept === undefined) throw unknownRoute(url.pathname)
      if (this.#stopping.signal.aborted) throw stopping()
      const access = await this.#access(request, client)
      access.requireStream()
      return await accept({ url, headers: request.headers, access, requestId })
    } catch (error) {
      this.#tell(error, requestId)
      return problemResponse(error, requestId)
    }
  }

  /**
   * Stops: nothing new is accepted, open streams end, what runs is handed over at the next boundary of a step. Resolves
   * within 10 s; the store is its owner's to close.
   */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.context.conversations.stop(stopMs)
  }

  /** The path without the root, and without a slash at its end; outside of the root there is nothing. */
  #below(asked: string): string {
    const { root = '' } = this.#options
    const path = asked.length > 1 && asked.endsWith('/') ? asked.slice(0, -1) : asked
    if (root === '') return path
    if (path === root) return '/'
    return path.startsWith(`${root}/`) ? path.slice(root.length) : outside
  }

  #mount(dialects: readonly Dialect[]): void {
    const app = this.#app
    app.use((c, next) => this.#observe(c, next))
    // Who watches over the process may know it by its address alone.
    app.get('/healthz', (c) => c.text('ok\n'))
    app.get('/readyz', async (c) => {
      if (this.#stopping.signal.aborted) throw stopping()
      try {
        await this.context.conversations.store.list({ limit: 1 })
        return c.text('ready\n')
      } catch (error) {
        this.#tell(error, c.get('requestId'))
        return c.text('not ready: the store fails\n', 503)
      }
    })
    const { pages } = this.#options
    // Before the guard: a link on a foreign page may lead here, and what is told to everybody is no secret.
    if (pages !== undefined) app.get('*', async (c, next) => (await pages(c.req.path, c.req.raw)) ?? next())
    app.use((c, next) => this.#guard(c, next))
    app.get('/metrics', async (c) => {
      const { registry } = this.context.metrics
      const access = await this.#access(c.req.raw, c.env)
      access.require('inspect')
      await this.#observeLoad()
      return c.body(await registry.metrics(), 200, { 'content-type': registry.contentType })
    })
    app.use(async (c, next) => {
      const access = await this.#access(c.req.raw, c.env)
      access.require('read')
      c.set('access', access)
      await next()
    })
    const errorForms: NonNullable<Dialect['errors']>[] = []
    for (const { routes, sockets = {}, errors } of dialects) {
      if (errors !== undefined) errorForms.push(errors)
      if (routes !== undefined) app.route('/', routes)
      for (const [path, accept] of Object.entries(sockets)) this.#sockets.set(path, accept)
    }
    const refuse = (error: unknown, c: Context<RouteEnv>) => {
      this.#tell(error, c.get('requestId'), c.get('subject'))
      const form = errorForms.find(({ below }) => c.req.path.startsWith(`${below}/`))
      return (form?.respond ?? problemResponse)(error, c.get('requestId'))
    }
    app.notFound((c) => {
      const { pathname } = new URL(c.req.url)
      if (this.#sockets.has(c.req.path)) return refuse(socketsOnly(pathname), c)
      const methods = this.#methodsAt(c.req.path)
      if (methods.length === 0) return refuse(unknownRoute(pathname), c)
      const allow = methods.join(', ')
      if (c.req.method === 'OPTIONS') return c.body(null, 204, { allow })
      const response = refuse(methodNotAllowed(c.req.method, pathname, allow), c)
      response.headers.set('allow', allow)
      return response
    })
    app.onError(refuse)
  }

  /** The methods that the path has a route for. */
  #methodsAt(path: string): readonly string[] {
    const here = this.routes.filter((route) => isAt(route.path, path)).map(({ method }) => method)
    return [...new Set(here.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))]
  }

  /** Gives each answer the headers that all have (a dialect that says more of its own keeps it), and counts it. */
  async #observe(c: Context<RouteEnv>, next: Next): Promise<void> {
    const { clock, metrics, log, newId } = this.context
    const start = clock.monotonic()
    const requestId = newId()
    c.set('requestId', requestId)
    await next()
    for (const [name, value] of Object.entries(securityHeaders)) {
      if (!c.res.headers.has(name)) c.res.headers.set(name, value)
    }
    c.res.headers.set('x-request-id', requestId)
    const [method, route, status] = [c.req.method, routePath(c, -1), c.res.status]
    const seconds = (clock.monotonic() - start) / 1000
    metrics.requests.inc({ method, route, status: String(status) })
    metrics.requestSeconds.observe({ route }, seconds)
    const subject = c.get('subject') ?? subjectOf(c.res.headers)
    const ids = { request_id: requestId, ...(subject && logIds(subject)) }
    log.info({ ...ids, method, route, status, seconds }, 'answered')
  }

  async #observeLoad(): Promise<void> {
    const { conversations, metrics, log } = this.context
    try {
      const { queued, busySessions, running } = await conversations.load()
      metrics.queuedPrompts.set(queued)
      metrics.busySessions.set(busySessions)
      metrics.runningInferences.set(running)
    } catch (error) {
      log.error({ code: codeOf(error), error: messageOf(error) }, 'the store does not say what there is to do')
    }
  }

  /** Keeps out who comes by a wrong name or from a foreign page. */
  async #guard(c: Context<RouteEnv>, next: Next): Promise<Response | void> {
    const origin = checkOrigin(c.req.raw, this.#options)
    if (origin !== undefined && c.req.method === 'OPTIONS') {
      return c.body(null, 204, { ...corsHeaders(origin), ...preflightHeaders })
    }
    await next()
    if (origin === undefined) return
    for (const [name, value] of Object.entries(corsHeaders(origin))) c.res.headers.set(name, value)
  }

  async #access(request: Request, { address }: Client): Promise<Access> {
    if (address !== undefined) this.#rules.counts.countAddress(address)
    return requireAccess(request, this.#rules)
  }

  #tell(error: unknown, requestId: string, subject?: Subject): void {
    const code = codeOf(error)
    const fields = { request_id: requestId, ...(subject && logIds(subject)), code, error: messageOf(error) }
    if (code === 'INTERNAL') this.context.log.error(fields, 'a request failed')
    else this.context.log.warn(fields, 'a request was refused')
  }
}

/** Where no route lies. */
const outside = '/-/outside'

function codeOf(error: unknown): ErrorCode {
  return isGeppettoError(error) ? error.code : 'INTERNAL'
}

/** What an answer says that it is about, in the headers that dialects give to their clients. */
function subjectOf(headers: Headers): Subject | undefined {
  const sessionId = headers.get('x-geppetto-session-id')
  const inferenceId = headers.get('x-geppetto-inference-id')
  const turnId = headers.get('x-geppetto-turn-id')
  if (sessionId === null) return undefined
  return { sessionId, ...(inferenceId !== null && { inferenceId }), ...(turnId !== null && { turnId }) }
}

function unknownRoute(path: string): GeppettoError {
  return new GeppettoError('ROUTE_UNKNOWN', `There is nothing at ${path}.`)
}

function methodNotAllowed(method: string, path: string, allow: string): GeppettoError {
  return new GeppettoError('METHOD_NOT_ALLOWED', `There is no ${method} at ${path}; it takes ${allow}.`)
}

function socketsOnly(path: string): GeppettoError {
  return new GeppettoError('REQUEST_INVALID', `${path} is for WebSockets: ask for one with an upgrade.`)
}

/** Whether the path is one of the route's, such as `/sessions/a` of `/sessions/:id`. */
function isAt(route: string, path: string): boolean {
  const [parts, given] = [route.split('/'), path.split('/')]
  return parts.length === given.length && parts.every((part, at) => part.startsWith(':') || part === given[at])
}

function stopping(): GeppettoError {
  return new GeppettoError('SERVER_STOPPING', 'The server is being stopped; try again in a moment.')
}
