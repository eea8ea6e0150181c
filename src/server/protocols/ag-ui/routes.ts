import { Hono, type Context } from 'hono'
import { requireCursor } from '../../../session/follow.ts'
import type { Head } from '../../../store/store.ts'
import { imagesLimit } from '../../attachments.ts'
import { bodyLimit, readJson } from '../../body.ts'
import type { Dialect, RouteEnv, ServerContext } from '../../context.ts'
import { sseResponse } from '../../sse.ts'
import { inputSchema } from './input.ts'
import { joinRun, startRun } from './start.ts'
import { runFrames, type RunStream } from './stream.ts'

/** A client sends all that was said, with its images as base64. */
const inputLimit = Math.ceil((imagesLimit * 4) / 3) + 8 * bodyLimit

/**
 * AG-UI: `POST /agui` and `/agui/{profile}` start runs, go on with them and join in; `GET /agui/{thread}/connect` joins
 * in. A thread is a session; what goes over the wire is a view of its log.
 */
export function agUi(): (context: ServerContext) => Dialect {
  return (context) => {
    const routes = new Hono<RouteEnv>()
    routes.post('/agui', (c) => post(context, c))
    routes.post('/agui/:profile', (c) => post(context, c))
    routes.get('/agui/:thread/connect', (c) => connect(context, c))
    return { routes }
  }
}

async function post(context: ServerContext, c: Context<RouteEnv>): Promise<Response> {
  const access = c.get('access')
  access.require('write')
  access.requireStream()
  const input = await readJson(c.req.raw, inputSchema, inputLimit)
  return answer(context, c, await startRun(context, access, c.req.param('profile'), input))
}

async function connect(context: ServerContext, c: Context<RouteEnv>): Promise<Response> {
  const { session, head } = await context.conversations.find(c.get('access').principal, c.req.param('thread') ?? '')
  const run = {
    threadId: session.id,
    runId: c.req.query('runId') ?? c.get('requestId'),
    isCurrent: c.req.query('protocolVersion') !== undefined,
  }
  const lastSeen = Number(c.req.header('last-event-id') ?? Number.NaN)
  const stream = await joinRun(context, run, session)
  const isKnown = lastSeen >= stream.from && canGoOn(head, lastSeen)
  return answer(context, c, isKnown ? { ...stream, after: lastSeen, beginsWithMessages: false } : stream)
}

function canGoOn(head: Head, after: number): boolean {
  try {
    requireCursor(head, head.sessionId, after)
    return Number.isSafeInteger(after)
  } catch {
    return false // it gets all messages instead
  }
}

function answer(context: ServerContext, c: Context<RouteEnv>, stream: RunStream): Response {
  const { clock, stopping, metrics } = context
  const { signal: allowed, stop } = c.get('access').watch()
  const { target, run } = stream
  return sseResponse(
    async function* (ended) {
      metrics.streams.inc({ transport: 'sse' })
      try {
        yield* runFrames(context, stream, c.get('requestId'), ended)
      } finally {
        stop()
        metrics.streams.dec({ transport: 'sse' })
      }
    },
    {
      clock,
      signal: AbortSignal.any([allowed, stopping]),
      headers: {
        'x-geppetto-session-id': run.threadId,
        ...(target && { 'x-geppetto-inference-id': target.id, 'x-geppetto-turn-id': target.turnId }),
      },
    },
  )
}
