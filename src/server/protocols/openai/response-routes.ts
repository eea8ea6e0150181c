import { Hono, type Context } from 'hono'
import * as v from 'valibot'
import { GeppettoError } from '../../../errors.ts'
import type { JsonObject } from '../../../json.ts'
import { readEvents } from '../../../session/past.ts'
import { parseAs, readJson } from '../../body.ts'
import type { RouteEnv, Routes, ServerContext } from '../../context.ts'
import { sseFrame, sseResponse } from '../../sse.ts'
import { requestLimit } from './content.ts'
import { accept } from './response-accept.ts'
import { foldResponse } from './response-fold.ts'
import { inputItems } from './response-input.ts'
import { responseObject } from './response-object.ts'
import { responseSchema } from './response-request.ts'
import { emptyResponse, isOver, type ResponseFrame } from './response-state.ts'
import { responseOf, stateOf, type ResponseOf } from './response-of.ts'
import { eventsOf, headersOf, recorded, type Passing, type Running } from './running.ts'

const count = v.pipe(v.string(), v.regex(/^\d{1,9}$/, 'must be a whole number'), v.transform(Number))
const retrieveQuery = v.object({
  stream: v.optional(v.picklist(['true', 'false'])),
  starting_after: v.optional(count),
})
const listQuery = v.object({
  limit: v.optional(v.pipe(count, v.minValue(1), v.maxValue(100))),
  order: v.optional(v.picklist(['asc', 'desc'])),
  after: v.optional(v.string()),
})

/** Responses: views of inferences in sessions, which go on by the id of the response before. */
export function responseRoutes(context: ServerContext, passing: Passing): Routes {
  const routes = new Hono<RouteEnv>()
  const find = (c: Context<RouteEnv>) => responseOf(context, c.get('access'), c.req.param('id') ?? '')

  routes.post('/responses', async (c) => {
    const access = c.get('access')
    access.require('write')
    const request = await readJson(c.req.raw, responseSchema, requestLimit)
    if (request.stream === true) access.requireStream()
    const key = c.req.header('idempotency-key')
    const target = await accept(context, passing, access, request, key)
    if (request.stream === true) return stream(context, c, target, () => passing.release(target.running, access))
    try {
      const until = request.background === true ? 'begun' : 'over'
      const signal = AbortSignal.any([c.req.raw.signal, ...(target.running.isKept ? [context.stopping] : [])])
      const state = await stateOf(target, until, signal)
      if (until === 'over' && !isOver(state)) throw broken(target)
      return Response.json(responseObject(state), { headers: headersOf(target.running) })
    } finally {
      passing.release(target.running, access)
    }
  })
  routes.get('/responses/:id', async (c) => {
    const { stream: asksStream, starting_after: known } = parseAs(retrieveQuery, c.req.query())
    const target = await find(c)
    if (asksStream === 'true') return stream(context, c, target, () => {}, known)
    return Response.json(responseObject(await stateOf(target, 'now')), { headers: headersOf(target.running) })
  })
  routes.delete('/responses/:id', async (c) => {
    const access = c.get('access')
    access.require('write')
    const { running } = await find(c)
    // A log has no holes: what can be removed is a whole session.
    if (!(await isAlone(running))) throw oneOfSeveral(c.req.param('id'), running)
    await context.conversations.delete(access.principal, running.session.id)
    return c.json({ id: c.req.param('id'), object: 'response', deleted: true })
  })
  routes.post('/responses/:id/cancel', async (c) => {
    c.get('access').require('write')
    const target = await find(c)
    await target.running.inference.cancel('the client cancelled it')
    return Response.json(responseObject(await stateOf(target, 'over')), { headers: headersOf(target.running) })
  })
  routes.get('/responses/:id/input_items', async (c) => {
    const { limit = 20, order = 'desc', after } = parseAs(listQuery, c.req.query())
    const { running, part } = await find(c)
    const all = await inputItems(recorded(running), part)
    const ordered = order === 'asc' ? all : all.toReversed()
    const from = after === undefined ? 0 : ordered.findIndex(({ id }) => id === after) + 1
    const data = ordered.slice(from, from + limit)
    return c.json({
      object: 'list',
      data,
      first_id: data[0]?.id ?? null,
      last_id: data.at(-1)?.id ?? null,
      has_more: from + limit < ordered.length,
    })
  })
  return routes
}

function stream(
  context: ServerContext,
  c: Context<RouteEnv>,
  { running, part }: ResponseOf,
  release: () => void,
  known = -1,
): Response {
  const { signal: allowed, stop } = c.get('access').watch()
  let isReleased = false
  const end = () => {
    if (!isReleased) release()
    isReleased = true
    stop()
  }
  c.req.raw.signal.addEventListener('abort', end, { once: true })
  const isNew = ({ part: of, event }: ResponseFrame) => of === part && event.sequence_number > known
  return sseResponse(
    async function* (signal) {
      context.metrics.streams.inc({ transport: 'sse' })
      try {
        let state = emptyResponse
        for await (const event of eventsOf(running, signal)) {
          const [next, frames] = foldResponse(state, event)
          state = next
          for (const frame of frames.filter(isNew)) yield frameText(frame.event)
          if (state.part > part || (state.part === part && isOver(state))) return
        }
      } finally {
        context.metrics.streams.dec({ transport: 'sse' })
        end()
      }
    },
    {
      clock: context.clock,
      headers: headersOf(running),
      signal: running.isKept ? AbortSignal.any([allowed, context.stopping]) : allowed,
    },
  )
}

function frameText(event: JsonObject & { readonly type: string }): string {
  return sseFrame({ event: event.type, data: JSON.stringify(event) })
}

/** Whether the session has nothing but this one inference. */
async function isAlone({ store, session, inference }: Running): Promise<boolean> {
  for await (const { inferenceId } of readEvents(store, session.id, 0)) {
    if (inferenceId !== undefined && inferenceId !== inference.id) return false
  }
  return true
}

function oneOfSeveral(id: string, { session }: Running): GeppettoError {
  return new GeppettoError(
    'REQUEST_INVALID',
    `Response with id '${id}' is one of several in session ${session.id}, which can be deleted as a whole: DELETE /api/sessions/${session.id}.`,
  )
}

function broken({ running }: ResponseOf): GeppettoError {
  return new GeppettoError(
    'SERVER_STOPPING',
    `The server is being stopped before the response is there; it goes on, ask for resp_${running.inference.id} later.`,
  )
}
