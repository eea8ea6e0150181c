import { Hono, type Context } from 'hono'
import * as v from 'valibot'
import { GeppettoError, isGeppettoError } from '../../../errors.ts'
import type { JsonObject } from '../../../json.ts'
import { sha256Hex } from '../../../sha256.ts'
import { readTurn } from '../../../store/block-log.ts'
import type { Block } from '../../../turns/block.ts'
import type { Access } from '../../access.ts'
import { parseAs, readJson } from '../../body.ts'
import type { RouteEnv, Routes, ServerContext } from '../../context.ts'
import type { Profile } from '../../profile.ts'
import { sseFrame, sseResponse } from '../../sse.ts'
import type { Asked } from './asked.ts'
import { requestLimit } from './content.ts'
import { answer, unanswered } from './response-answers.ts'
import { foldResponse } from './response-fold.ts'
import { inputItems } from './response-input.ts'
import { readResponseId, responseObject } from './response-object.ts'
import { answersOf, askedInResponse, inferencesTold, responseSchema, type ResponseRequest } from './response-request.ts'
import { emptyResponse, isOver, type ResponseFrame, type ResponseState } from './response-state.ts'
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

/** One response: an inference, and which of its parts. */
interface Target {
  readonly running: Running
  readonly part: number
}

/** Responses: views of inferences in sessions, which go on by the id of the response before. */
export function responseRoutes(context: ServerContext, passing: Passing): Routes {
  const routes = new Hono<RouteEnv>()
  const find = (c: Context<RouteEnv>) => targetOf(context, c.get('access'), c.req.param('id') ?? '')

  routes.post('/responses', async (c) => {
    const access = c.get('access')
    access.require('write')
    const request = await readJson(c.req.raw, responseSchema, requestLimit)
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

/** Puts a request into a log, and says which response answers it. */
async function accept(
  context: ServerContext,
  passing: Passing,
  access: Access,
  request: ResponseRequest,
  key: string | undefined,
): Promise<Target> {
  const { previous_response_id: previousId, conversation } = request
  const { principal } = access
  const previous =
    typeof previousId === 'string' && previousId !== '' ? await targetOf(context, access, previousId) : undefined
  if (previous !== undefined) {
    const { running, part } = previous
    const answers = answersOf(request)
    const state = await stateOf(previous, 'now')
    if (answers.length > 0) {
      await answer(running, state, part, answers, principal.name)
      return { running, part: part + 1 }
    }
    const [wait] = part === state.part ? state.waits : []
    if (wait !== undefined) throw unanswered(wait.toolCallId)
  }
  const profile = context.profiles.named(request.model ?? (await profileOf(previous)))
  await letGo(context, access, inferencesTold(request))
  if (request.store === false) return passingAnswer(passing, access, request, profile, await earlier(context, previous))
  const named = typeof conversation === 'string' ? conversation : conversation?.id
  const isNew = previous === undefined && named === undefined
  const asked = { ...askedInResponse(request, profile, [], isNew), ...(key !== undefined && { idempotencyKey: key }) }
  if (previous !== undefined) return { running: await goOn(context, access, previous.running, asked), part: 0 }
  // The same key leads to the same conversation.
  const fromKey = key === undefined ? undefined : `key-${sha256Hex(`${principal.tenant}\n${key}`).slice(0, 32)}`
  const sessionId = named ?? fromKey ?? context.newId()
  const { session } = await context.conversations.findOrCreate(principal, sessionId)
  const { prompt, ...options } = asked
  const inference = await session.submit(prompt, options)
  return { running: { store: context.conversations.store, session, inference, isKept: true }, part: 0 }
}

/** Goes on after the turn of an earlier response: in its session when that is its latest, else in a fork. */
async function goOn(context: ServerContext, access: Access, after: Running, asked: Asked): Promise<Running> {
  const { prompt, ...options } = asked
  const { conversations } = context
  const { turnId } = after.inference
  try {
    const inference = await after.session.submit(prompt, { ...options, follows: turnId })
    return { ...after, inference }
  } catch (error) {
    if (!isGeppettoError(error, 'SESSION_BUSY')) throw error
    const forked = await conversations.fork(access.principal, after.session.id, { turnId })
    const { session } = await conversations.find(access.principal, forked)
    return { ...after, session, inference: await session.submit(prompt, options) }
  }
}

/** A response that is not stored: in a session in memory. */
async function passingAnswer(
  { conversations }: Passing,
  { principal }: Access,
  request: ResponseRequest,
  profile: Profile,
  blocks: readonly Block[],
): Promise<Target> {
  if (request.background === true)
    throw new GeppettoError(
      'REQUEST_INVALID',
      'background: what is not stored cannot be asked for later; leave out store: false.',
    )
  const { prompt, ...options } = askedInResponse(request, profile, blocks, blocks.length === 0)
  const { session } = await conversations.find(principal, await conversations.create(principal))
  const inference = await session.submit(prompt, options)
  return { running: { store: conversations.store, session, inference, isKept: false }, part: 0 }
}

/** The blocks of the turn that an earlier response left. */
async function earlier({ conversations }: ServerContext, previous: Target | undefined): Promise<readonly Block[]> {
  if (previous === undefined) return []
  const { session, inference } = previous.running
  await stateOf(previous, 'over')
  const last = (await conversations.store.snapshots(session.id, { turnId: inference.turnId })).at(-1)
  return last === undefined ? [] : (await readTurn(conversations.store, session.id, last)).blocks
}

/** Ends what waits for a client that tells the conversation anew, with the outputs in it. */
async function letGo(context: ServerContext, access: Access, inferenceIds: readonly string[]): Promise<void> {
  for (const inferenceId of inferenceIds) {
    const target = await targetOf(context, access, `resp_${inferenceId}`).catch(() => undefined) // or it is not stored
    await target?.running.inference.cancel('the client goes on in a conversation of its own')
  }
}

async function profileOf(previous: Target | undefined): Promise<string | undefined> {
  return previous && (await stateOf(previous, 'now')).runtime.profile
}

/** The response of this id, of the caller's. Throws INFERENCE_UNKNOWN. */
async function targetOf({ conversations }: ServerContext, { principal }: Access, id: string): Promise<Target> {
  const named = readResponseId(id)
  const places = named === undefined ? [] : await conversations.store.find(named.inferenceId)
  for (const { sessionId } of places) {
    const found = await conversations.find(principal, sessionId).catch(() => undefined)
    if (named === undefined || found === undefined) continue
    const inference = await found.session.inference(named.inferenceId).catch(() => undefined) // a turn has its place too
    if (inference === undefined) continue
    const running = { store: conversations.store, session: found.session, inference, isKept: true }
    const target = { running, part: named.part }
    if (named.part === 0 || (await stateOf(target, 'now')).part >= named.part) return target
  }
  throw new GeppettoError('INFERENCE_UNKNOWN', `Response with id '${id}' not found.`)
}

/** The response as it is now, has begun to be, or is in the end. */
async function stateOf(
  { running, part }: Target,
  at: 'now' | 'begun' | 'over',
  signal?: AbortSignal,
): Promise<ResponseState> {
  let state = emptyResponse
  let last = emptyResponse
  const events = at === 'now' ? recorded(running) : eventsOf(running, signal)
  for await (const event of events) {
    ;[state] = foldResponse(state, event)
    if (state.part > part) break
    last = state
    if (state.part === part && (at === 'begun' || (at === 'over' && isOver(state)))) break
  }
  return last
}

function stream(
  context: ServerContext,
  c: Context<RouteEnv>,
  { running, part }: Target,
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
      try {
        let state = emptyResponse
        for await (const event of eventsOf(running, signal)) {
          const [next, frames] = foldResponse(state, event)
          state = next
          for (const frame of frames.filter(isNew)) yield frameText(frame.event)
          if (state.part > part || (state.part === part && isOver(state))) return
        }
      } finally {
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

function broken({ running }: Target): GeppettoError {
  return new GeppettoError(
    'SERVER_STOPPING',
    `The server is being stopped before the response is there; it goes on, ask for resp_${running.inference.id} later.`,
  )
}
