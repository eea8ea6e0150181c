import { Hono, type Context } from 'hono'
import { GeppettoError, isGeppettoError } from '../../../errors.ts'
import type { JsonObject } from '../../../json.ts'
import { readEvents } from '../../../session/past.ts'
import { stateOf } from '../../../session/writer.ts'
import { readTurn } from '../../../store/block-log.ts'
import type { Head, Snapshot } from '../../../store/store.ts'
import { turnToYaml } from '../../../turns/document.ts'
import { encodeTurn } from '../../../turns/encode.ts'
import { runtimeKey } from '../../../turns/keys.ts'
import type { RouteEnv, ServerContext } from '../../context.ts'
import { addStepRoutes } from './debug-steps.ts'
import { readFrames } from './frames.ts'
import { methodNotAllowed, plainErrors } from './plain.ts'
import { badRequest, countOf } from './request.ts'
import { frameJson, lastSeqOf, ordinalOf } from './sem.ts'
import { answeringProfile, type OpenSockets } from './socket.ts'
import { waitingIn } from './submit.ts'
import { timelineRoute } from './timeline.ts'

const conversationLimit = 500
const itemLimit = 200

/** What developers look at, all of it read from the log: for callers that may inspect. */
export function debugRoutes(context: ServerContext, routes: Hono<RouteEnv>, sockets: OpenSockets): void {
  const debug = new Hono<RouteEnv>()
  const get = (path: string, failed: string, respond: (c: Context<RouteEnv>) => Promise<Response>) => {
    debug.get(
      path,
      plainErrors(context, failed, (c) => {
        c.get('access').require('inspect')
        return respond(c)
      }),
    )
    debug.all(path, methodNotAllowed('GET'))
  }
  const { conversations } = context
  const conversation = (c: Context<RouteEnv>, convId: string) =>
    conversations.head(c.get('access').principal, convId).catch(asNotFound)

  get('/conversations', 'conversations query failed', async (c) => {
    const heads = await conversations.list(c.get('access').principal, { limit: conversationLimit })
    return c.json({ items: await Promise.all(heads.map((head) => summaryOf(context, head, sockets))) })
  })
  get('/conversations/:conv', 'conversation query failed', async (c) => {
    const head = await conversation(c, c.req.param('conv') ?? '')
    const active_request_key = await activeKey(context, head)
    return c.json({ ...(await summaryOf(context, head, sockets)), active_request_key })
  })
  get('/events/:conv', 'events query failed', async (c) => {
    const head = await conversation(c, c.req.param('conv') ?? '')
    const since = countOf(c.req.query('since_seq'))
    const type = (c.req.query('type') ?? '').trim()
    const limit = countOf(c.req.query('limit')) || itemLimit
    const items = await eventItems(context, head, { since, type, limit })
    return c.json({ conv_id: head.sessionId, since_seq: since, type, limit, items })
  })
  get('/timeline', 'timeline snapshot failed', timelineRoute(context))
  get('/turns', 'turns query failed', async (c) => {
    const [convId, sessionId] = [(c.req.query('conv_id') ?? '').trim(), (c.req.query('session_id') ?? '').trim()]
    if (convId === '' && sessionId === '') throw badRequest('missing conv_id or session_id')
    const phase = (c.req.query('phase') ?? '').trim()
    const since = countOf(c.req.query('since_ms'))
    const limit = countOf(c.req.query('limit')) || itemLimit
    const head = await conversation(c, convId || sessionId)
    // A conversation has one session: another one is not its.
    const isOne = [convId, sessionId].every((id) => id === '' || id === head.sessionId)
    const isAsked = ({ phase: taken, at }: Snapshot) => (phase === '' || taken === phase) && Date.parse(at) >= since
    const all = isOne ? await conversations.store.snapshots(head.sessionId) : []
    const snapshots = all.filter(isAsked).slice(-limit)
    const items = await Promise.all(snapshots.toReversed().map((snapshot) => turnItem(context, head, snapshot)))
    return c.json({ conv_id: convId, session_id: sessionId, phase, since_ms: since, items })
  })
  get('/turn/:conv/:session/:turn', 'turn query failed', async (c) => {
    const [convId, sessionId, turnId] = ['conv', 'session', 'turn'].map((name) => c.req.param(name) ?? '')
    const head = await conversation(c, convId ?? '')
    const isOne = sessionId === head.sessionId
    const snapshots = isOne ? await conversations.store.snapshots(head.sessionId, { turnId: turnId ?? '' }) : []
    if (snapshots.length === 0) throw new GeppettoError('TURN_UNKNOWN', 'turn not found')
    const items = await Promise.all(
      snapshots.toReversed().map(async (snapshot) => {
        const { conv_id, session_id, turn_id, ...item } = await turnItem(context, head, snapshot)
        return item
      }),
    )
    return c.json({ conv_id: head.sessionId, session_id: head.sessionId, turn_id: turnId, items })
  })
  get('/turn/*', 'turn query failed', async () => {
    throw badRequest('expected /api/debug/turn/:convId/:sessionId/:turnId')
  })
  addStepRoutes(context, debug)
  routes.route('/api/debug', debug)
}

async function summaryOf(context: ServerContext, head: Head, sockets: OpenSockets): Promise<JsonObject> {
  const { sessionId, ordinal, firstOrdinal, updatedAt } = head
  const active = sockets.of(sessionId)
  const isRunning = stateOf(head).active !== undefined
  return {
    conv_id: sessionId,
    session_id: sessionId,
    runtime_key: (await answeringProfile(context, head)) ?? context.profiles.default.slug,
    active_sockets: active,
    stream_running: active > 0 || isRunning,
    queue_depth: waitingIn(head).length,
    buffered_events: ordinal - firstOrdinal + 1,
    last_activity_ms: Date.parse(updatedAt),
    has_timeline_source: true,
    // All of them are in the store; those that something happens in are live as well.
    source: active > 0 || isRunning ? 'merged' : 'persisted',
  }
}

/** The idempotency key of the prompt that is answered now; empty when there is none. */
async function activeKey({ conversations: { store } }: ServerContext, head: Head): Promise<string> {
  const { active } = stateOf(head)
  if (active === undefined) return ''
  const [place] = (await store.find(active.inferenceId)).filter(({ sessionId }) => sessionId === head.sessionId)
  const at = place?.ordinal ?? 0
  for await (const event of readEvents(store, head.sessionId, Math.max(at - 1, 0), at)) {
    if (event.type === 'prompt-accepted') return event.key ?? ''
  }
  return ''
}

async function eventItems(
  { conversations }: ServerContext,
  head: Head,
  { since, type, limit }: { readonly since: number; readonly type: string; readonly limit: number },
): Promise<readonly JsonObject[]> {
  if (ordinalOf(since) > head.ordinal) return []
  const items: JsonObject[] = []
  for await (const frame of readFrames(conversations.store, head, Math.max(since, lastSeqOf(head.firstOrdinal - 1)))) {
    const { seq, event } = frame
    const named = event.type === 'custom' ? event.name : event.type
    if (type !== '' && named !== type) continue
    items.push({ seq, type: named, id: event.id, frame: frameJson(frame) })
    if (items.length >= limit) break
  }
  return items
}

async function turnItem(context: ServerContext, head: Head, snapshot: Snapshot): Promise<JsonObject> {
  const { turnId, inferenceId, phase, at, ordinal } = snapshot
  const turn = await readTurn(context.conversations.store, head.sessionId, snapshot)
  const runtime = runtimeKey.get(turn)
  return {
    conv_id: head.sessionId,
    session_id: head.sessionId,
    turn_id: turnId,
    ...(inferenceId !== undefined && { inference_id: inferenceId }),
    runtime_key: context.profiles.runtimeOf(runtime).profile,
    ...(runtime !== undefined && { runtime }),
    phase,
    // Who took it, and the number that every frame up to that moment is below of.
    source: phase === 'final' ? 'persister' : 'hook',
    seq_hint: lastSeqOf(ordinal),
    created_at_ms: Date.parse(at),
    payload: turnToYaml(turn),
    parsed: encodeTurn(turn),
  }
}

function asNotFound(error: unknown): never {
  throw isGeppettoError(error, 'SESSION_UNKNOWN')
    ? new GeppettoError('SESSION_UNKNOWN', 'conversation not found')
    : error
}
