import { Hono, type Context } from 'hono'
import * as v from 'valibot'
import { GeppettoError, isGeppettoError } from '../../errors.ts'
import type { ModelCost } from '../../inference/result.ts'
import type { JsonObject } from '../../json.ts'
import { followLog, requireCursor } from '../../session/follow.ts'
import type { Head } from '../../store/store.ts'
import { bodyLimit, parseAs, readJson, readOptionalJson } from '../body.ts'
import type { RouteEnv, Routes, ServerContext } from '../context.ts'
import { imagesLimit } from '../attachments.ts'
import { openApiDocument } from '../openapi.ts'
import type { Profile } from '../profile.ts'
import { sseResponse } from '../sse.ts'
import {
  cancelInference,
  continueStep,
  createSession,
  decideApproval,
  forkSession,
  renameSession,
  stepsOf,
  stepThrough,
  submitMessage,
} from './commands.ts'
import { controlFrame, eventFrames, snapshotOf, subscribed } from './frames.ts'
import { operations } from './operations.ts'
import { pageQuery, snapshotQuery } from './queries.ts'
import { inspectionRoutes } from './inspection.ts'
import { introductionOf } from './title.ts'
import { turnItems, turnsAnswer } from './turns.ts'

/** A prompt's images come as base64. */
const messageLimit = Math.ceil((imagesLimit * 4) / 3) + bodyLimit

/** Our own API: everything that can be done with sessions, as views of their logs and commands to them. */
export function nativeRoutes(context: ServerContext): Routes {
  const { conversations } = context
  const principal = (c: Context<RouteEnv>) => c.get('access').principal
  const id = (c: Context<RouteEnv>) => c.req.param('id') ?? ''
  const keyOf = (c: Context<RouteEnv>) => c.req.header('idempotency-key') ?? c.req.header('x-idempotency-key')
  const routes = new Hono<RouteEnv>()
  routes.use('/sessions/:id/*', async (c, next) => {
    c.set('subject', { sessionId: id(c) })
    await next()
  })

  routes.post('/sessions', async (c) =>
    c.json(await createSession(context, c.get('access'), await readOptionalJson(c.req.raw), keyOf(c)), 201),
  )
  routes.get('/sessions', async (c) => {
    const { limit = 50, before } = parseAs(pageQuery, c.req.query())
    const heads = await conversations.list(principal(c), {
      limit,
      ...(before !== undefined && { before: pageStart(before) }),
    })
    const sessions = await Promise.all(
      heads.map(async (head) => ({ ...summary(head), ...(await introductionOf(conversations.store, head)) })),
    )
    const last = heads.length === limit ? heads.at(-1) : undefined
    return c.json({ sessions, ...(last && { before: `${last.updatedAt}/${last.sessionId}` }) })
  })
  routes.get('/sessions/:id', async (c) => {
    const page = parseAs(snapshotQuery, c.req.query())
    const head = await conversations.head(principal(c), id(c))
    const { before, inferences } = page
    const asked = { ...(before !== undefined && { before }), ...(inferences !== undefined && { inferences }) }
    return c.json(await snapshotOf(conversations.store, head, asked))
  })
  routes.patch('/sessions/:id', async (c) =>
    c.json(await renameSession(context, c.get('access'), id(c), await readJson(c.req.raw, v.unknown()))),
  )
  routes.delete('/sessions/:id', async (c) => {
    c.get('access').require('write')
    await conversations.delete(principal(c), id(c))
    return c.body(null, 204)
  })
  routes.post('/sessions/:id/messages', async (c) => {
    const body = await readJson(c.req.raw, v.unknown(), messageLimit)
    const accepted = await submitMessage(context, c.get('access'), id(c), body, keyOf(c))
    c.set('subject', { sessionId: id(c), inferenceId: accepted.inference_id, turnId: accepted.turn_id })
    return c.json(accepted, 202)
  })
  routes.post('/sessions/:id/cancel', async (c) =>
    c.json(await cancelInference(context, c.get('access'), id(c), await readOptionalJson(c.req.raw)), 202),
  )
  routes.post('/sessions/:id/fork', async (c) =>
    c.json(await forkSession(context, c.get('access'), id(c), await readOptionalJson(c.req.raw), keyOf(c)), 201),
  )
  routes.post('/sessions/:id/approvals/:approval', async (c) => {
    const body = await readJson(c.req.raw, v.unknown())
    return c.json(await decideApproval(context, c.get('access'), id(c), c.req.param('approval'), body), 202)
  })
  routes.post('/sessions/:id/steps/:pause', async (c) =>
    c.json(
      await continueStep(context, c.get('access'), id(c), c.req.param('pause'), await readOptionalJson(c.req.raw)),
      202,
    ),
  )
  routes.get('/sessions/:id/steps', async (c) => c.json(await stepsOf(context, c.get('access'), id(c))))
  routes.post('/sessions/:id/steps', async (c) =>
    c.json(await stepThrough(context, c.get('access'), id(c), await readJson(c.req.raw, v.unknown()))),
  )
  routes.get('/sessions/:id/events', (c) => events(context, c, id(c)))
  routes.get('/sessions/:id/turns', async (c) => {
    const head = await conversations.head(principal(c), id(c))
    return turnsAnswer(c, await turnItems(conversations.store, head, c.req.query()))
  })
  routes.get('/sessions/:id/turns/:turn', async (c) => {
    const head = await conversations.head(principal(c), id(c))
    return turnsAnswer(
      c,
      await turnItems(conversations.store, head, { ...c.req.query(), turn_id: c.req.param('turn') }),
    )
  })
  routes.get('/profiles', (c) => c.json({ profiles: context.profiles.all.map(profileAnswer) }))
  routes.route('/', inspectionRoutes(context))
  routes.get('/openapi.json', (c) => {
    const { pathname } = new URL(c.req.url)
    return c.json(openApiDocument(operations, pathname.slice(0, pathname.lastIndexOf('/'))))
  })
  return routes
}

/**
 * The session's events as an event stream. `after` (or `Last-Event-ID`, which a browser sends by itself when it comes
 * back) is the last ordinal that is known; `after=snapshot` begins with a snapshot. A browser cannot see why a stream is
 * refused: when what it knows cannot be gone on from, it gets a reset and a snapshot instead of an error.
 */
async function events(context: ServerContext, c: Context<RouteEnv>, sessionId: string): Promise<Response> {
  const { conversations, clock, metrics, stopping } = context
  const { store } = conversations
  const access = c.get('access')
  const head = await conversations.head(access.principal, sessionId)
  const lastSeen = c.req.header('last-event-id')
  const asked = lastSeen ?? c.req.query('after') ?? '0'
  const begin = startOf(head, asked, lastSeen !== undefined)
  const { incarnation } = head
  const { signal: allowed, stop } = access.watch()
  const signal = AbortSignal.any([allowed, stopping])
  return sseResponse(
    async function* (ended) {
      metrics.streams.inc({ transport: 'sse' })
      let after = begin.after
      try {
        if (begin.snapshot !== undefined) {
          const snapshot = await snapshotOf(store, head)
          after = snapshot.ordinal
          const { reason } = begin.snapshot
          if (reason !== undefined)
            yield controlFrame({ control: 'reset', session_id: sessionId, reason, ordinal: after })
          yield controlFrame({ control: 'snapshot', ...snapshot })
        }
        yield controlFrame(subscribed(head, after))
        for await (const entries of followLog(store, sessionId, clock, { after, incarnation, signal: ended })) {
          yield eventFrames(sessionId, entries)
        }
        if (stopping.aborted) yield controlFrame({ control: 'closed', session_id: sessionId, reason: 'stopping' })
        else if (allowed.aborted) yield controlFrame({ control: 'closed', session_id: sessionId, reason: 'access' })
      } catch (error) {
        if (!isGeppettoError(error, 'SESSION_UNKNOWN')) throw error
        yield controlFrame({ control: 'closed', session_id: sessionId, reason: 'deleted' })
      } finally {
        stop()
        metrics.streams.dec({ transport: 'sse' })
      }
    },
    { clock, signal },
  )
}

interface Start {
  readonly after: number
  readonly snapshot?: { readonly reason?: string }
}

function startOf(head: Head, asked: string, isReturning: boolean): Start {
  if (asked === 'snapshot') return { after: 0, snapshot: {} }
  if (!/^\d{1,15}$/.test(asked)) {
    if (isReturning) return { after: 0, snapshot: { reason: 'CURSOR_INVALID' } }
    throw new GeppettoError('CURSOR_INVALID', `after must be an ordinal or "snapshot", not ${JSON.stringify(asked)}.`)
  }
  try {
    requireCursor(head, head.sessionId, Number(asked))
    return { after: Number(asked) }
  } catch (error) {
    if (!isReturning || !isGeppettoError(error)) throw error
    return { after: 0, snapshot: { reason: error.code } }
  }
}

function profileAnswer({ slug, description = '', tools = [], allowsOverrides = false, cost }: Profile): JsonObject {
  const offered = tools.map((tool) => ({ name: tool.name, description: tool.description }))
  return {
    slug,
    description,
    tools: offered,
    allows_overrides: allowsOverrides,
    ...(cost && { cost: costAnswer(cost) }),
  }
}

function costAnswer({ input, output, cacheRead, cacheWrite }: ModelCost): JsonObject {
  return {
    input,
    output,
    ...(cacheRead !== undefined && { cache_read: cacheRead }),
    ...(cacheWrite !== undefined && { cache_write: cacheWrite }),
  }
}

function summary(head: Head): JsonObject {
  const { sessionId, createdAt, updatedAt, ordinal, hasWork } = head
  return { session_id: sessionId, created_at: createdAt, updated_at: updatedAt, ordinal, is_active: hasWork }
}

function pageStart(before: string): Pick<Head, 'updatedAt' | 'sessionId'> {
  const slash = before.indexOf('/')
  return { updatedAt: before.slice(0, slash), sessionId: before.slice(slash + 1) }
}
