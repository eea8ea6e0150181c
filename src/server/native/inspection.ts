import { Hono, type Context } from 'hono'
import { GeppettoError } from '../../errors.ts'
import { encodeEvent } from '../../events/codec.ts'
import { requireCursor } from '../../session/follow.ts'
import { exportSession } from '../../session/session-file.ts'
import { trace } from '../../session/trace.ts'
import { parseAs } from '../body.ts'
import type { RouteEnv, Routes, ServerContext } from '../context.ts'
import { eventJson } from './frames.ts'
import { logQuery } from './queries.ts'
import { requestsOf } from './requests.ts'

/** What only developers look into: requests, the log as it is, whole sessions as files, the story of any id. */
export function inspectionRoutes({ conversations, profiles }: ServerContext): Routes {
  const { store } = conversations
  const routes = new Hono<RouteEnv>()
  const head = (c: Context<RouteEnv>) => {
    c.get('access').require('inspect')
    return conversations.head(c.get('access').principal, c.req.param('id') ?? '')
  }

  routes.get('/sessions/:id/turns/:turn/request', async (c) =>
    c.json(await requestsOf(store, profiles, await head(c), c.req.param('turn'))),
  )
  routes.get('/sessions/:id/log', async (c) => {
    const { after = 0, limit = 500 } = parseAs(logQuery, c.req.query())
    const { sessionId, ordinal } = requireCursor(await head(c), c.req.param('id'), after)
    const entries = await store.read(sessionId, { after, limit })
    const last = entries.at(-1)?.ordinal ?? after
    const events = entries.map((entry) => eventJson(sessionId, entry)).join(',')
    // The events are JSON already.
    const body = `{"session_id":${JSON.stringify(sessionId)},"ordinal":${ordinal},"events":[${events}]${last < ordinal ? `,"next":${last}` : ''}}`
    return c.body(body, 200, { 'content-type': 'application/json' })
  })
  routes.get('/sessions/:id/export', async (c) => {
    const { sessionId } = await head(c)
    const lines = exportSession(store, sessionId)[Symbol.asyncIterator]()
    const encoder = new TextEncoder()
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const line = await lines.next()
          if (line.done === true) controller.close()
          else controller.enqueue(encoder.encode(line.value))
        },
        cancel: async () => void (await lines.return?.()),
      },
      { highWaterMark: 0 },
    )
    const name = sessionId.replaceAll(/[^\w.-]/g, '_')
    return c.body(body, 200, {
      'content-type': 'application/jsonl',
      'content-disposition': `attachment; filename="${name}.jsonl"`,
    })
  })
  routes.get('/trace/:name', async (c) => {
    const access = c.get('access')
    access.require('inspect')
    const name = c.req.param('name')
    const places = await store.find(name)
    const heads = await Promise.all([...new Set(places.map(({ sessionId }) => sessionId))].map((id) => store.head(id)))
    const own = new Set(heads.flatMap((each) => (each?.tenant === access.principal.tenant ? [each.sessionId] : [])))
    // What is another tenant's is not there, in the same words as what is nobody's.
    if (own.size === 0) throw nothingOf(name)
    const traces = (await trace(store, name)).filter(({ sessionId }) => own.has(sessionId))
    return c.json({
      id: name,
      traces: traces.map(({ sessionId, of, events }) => ({
        session_id: sessionId,
        of,
        events: events.map(encodeEvent),
      })),
    })
  })
  return routes
}

function nothingOf(id: string): GeppettoError {
  return new GeppettoError('SESSION_UNKNOWN', `Nothing here has the id ${id}.`, { details: { id } })
}
