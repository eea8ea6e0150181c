import { Hono } from 'hono'
import { setCookie } from 'hono/cookie'
import * as v from 'valibot'
import type { Dialect, RouteEnv, ServerContext, SocketRequest } from '../../context.ts'
import { debugRoutes } from './debug.ts'
import { methodNotAllowed, plainErrors, plainResponse } from './plain.ts'
import { badRequest, chosenProfile, convIdOf, profileCookie, profileNamed, readAs, readChatRequest } from './request.ts'
import { attach, OpenSockets, webchatSocket } from './socket.ts'
import { submitChat } from './submit.ts'
import { timelineRoute } from './timeline.ts'

export interface WebchatOptions {
  /** Adds `/api/debug/…`, for callers that may inspect. Default false. */
  readonly debugApi?: boolean
  /** What `/app-config.js` tells the page to put before its addresses, as `/chat-app`. Default: nothing. */
  readonly basePrefix?: string
}

/**
 * The webchat that other backends speak: prompts over HTTP, frames over a WebSocket, and a timeline to begin with. All
 * it says is a projection of the log; a conversation is a session, and has its id.
 */
export function webchat({ debugApi = false, basePrefix = '' }: WebchatOptions = {}): (
  context: ServerContext,
) => Dialect {
  return (context) => {
    const sockets = new OpenSockets()
    const routes = new Hono<RouteEnv>()
    const chat = plainErrors(context, 'start session inference failed', async (c) => {
      const request = await readChatRequest(c, context.profiles)
      const { status, body, subject } = await submitChat(context, c.get('access'), request)
      c.set('subject', subject)
      return c.json(body, status)
    })
    routes.post('/chat', chat)
    routes.post('/chat/:profile', chat)
    routes.all('/chat', methodNotAllowed('POST'))
    routes.all('/chat/:profile', methodNotAllowed('POST'))

    routes.get('/api/timeline', timelineRoute(context))
    routes.all('/api/timeline', methodNotAllowed('GET'))
    addProfileRoutes(context, routes)
    routes.get('/app-config.js', (c) => {
      const config = JSON.stringify({ basePrefix, debugApiEnabled: debugApi }).replaceAll('<', '\\u003c')
      return c.body(`window.__PINOCCHIO_WEBCHAT_CONFIG__ = ${config};\n`, 200, {
        'content-type': 'application/javascript; charset=utf-8',
        'cache-control': 'no-store',
      })
    })
    // Who asks without a handshake hears why it would be refused.
    routes.get(
      '/ws',
      plainErrors(context, 'failed to join conversation', async (c) => {
        const { raw: request } = c.req
        convIdOf(c.req.query('conv_id') ?? '')
        chosenProfile(context.profiles, { url: new URL(request.url), headers: request.headers })
        throw badRequest('this address is for WebSockets')
      }),
    )
    if (debugApi) debugRoutes(context, routes, sockets)
    const ws = async (request: SocketRequest) => {
      try {
        return webchatSocket(context, request, await attach(context, request), sockets)
      } catch (error) {
        return plainResponse(error, request.requestId, 'failed to join conversation')
      }
    }
    return { routes, sockets: { '/ws': ws } }
  }
}

const profileSchema = v.object({ slug: v.nullish(v.string(), ''), profile: v.nullish(v.string(), '') })

function addProfileRoutes(context: ServerContext, routes: Hono<RouteEnv>): void {
  const { profiles } = context
  routes.get('/api/chat/profiles', (c) =>
    c.json(profiles.all.map(({ slug, systemPrompt = '' }) => ({ slug, default_prompt: systemPrompt }))),
  )
  routes.get('/api/chat/profile', (c) => {
    const { slug } = chosenProfile(profiles, { url: new URL('/', c.req.url), headers: c.req.raw.headers })
    return c.json({ slug })
  })
  routes.post(
    '/api/chat/profile',
    plainErrors(context, 'internal server error', async (c) => {
      const body = await readAs(profileSchema, c.req.raw)
      const { slug } = profileNamed(profiles, (body.slug || body.profile).trim(), 'profile not found')
      setCookie(c, profileCookie, slug, { path: '/', sameSite: 'Lax', secure: true, httpOnly: true })
      return c.json({ slug })
    }),
  )
  routes.all('/api/chat/profiles', methodNotAllowed('GET'))
  routes.all('/api/chat/profile', methodNotAllowed('GET, POST'))
}
