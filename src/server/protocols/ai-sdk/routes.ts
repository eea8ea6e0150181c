import { Hono, type Context } from 'hono'
import * as v from 'valibot'
import { GeppettoError, isGeppettoError } from '../../../errors.ts'
import { imagesLimit } from '../../attachments.ts'
import { bodyLimit, parseAs, readJson } from '../../body.ts'
import type { Dialect, RouteEnv, ServerContext } from '../../context.ts'
import { latestBranch } from './branches.ts'
import { uiVersions, type UiVersion } from './chunk.ts'
import { hydration, readHistory } from './history.ts'
import { isWaiting } from './projection.ts'
import { Post } from './post.ts'
import { chatSchema } from './request.ts'
import { handleOf, readPast, readRunId, streamMessage, type Legs, type MessageStream } from './stream.ts'

export interface AiSdkOptions {
  /**
   * Which majors of `ai` the clients have, when they do not say so (`?ui=` or `x-geppetto-ui`). Default `5`: what every
   * one of them takes.
   */
  readonly ui?: UiVersion
}

const chatLimit = Math.ceil((imagesLimit * 4) / 3) + 8 * bodyLimit
const uiSchema = v.optional(v.picklist(uiVersions))
const startIndexSchema = v.optional(v.pipe(v.string(), v.regex(/^-?\d{1,9}$/), v.transform(Number)))

/** Speaks with `useChat` of the AI SDK, majors 5 to 7: a chat is a session, an assistant's message an inference. */
export function aiSdk(options: AiSdkOptions = {}): (context: ServerContext) => Dialect {
  return (context) => ({ routes: chatRoutes(context, options) })
}

function chatRoutes(context: ServerContext, { ui: usual = '5' }: AiSdkOptions): Hono<RouteEnv> {
  const { conversations } = context
  const routes = new Hono<RouteEnv>()
  const uiOf = (c: Context<RouteEnv>) => parseAs(uiSchema, c.req.query('ui') ?? c.req.header('x-geppetto-ui')) ?? usual
  const headOf = (c: Context<RouteEnv>) => (sessionId: string) =>
    conversations.head(c.get('access').principal, sessionId)

  routes.post('/api/chat', async (c) => {
    c.get('access').require('write')
    c.get('access').requireStream()
    const ui = uiOf(c)
    const request = await readJson(c.req.raw, chatSchema, chatLimit)
    const stream = await new Post(context, c.get('access').principal, request, ui).stream()
    c.set('subject', stream)
    return streamMessage(context, c.get('access'), stream, await readPast(context, stream))
  })

  routes.get('/api/chat/:id/messages', async (c) => {
    const sessionId = await ifThere(currentSession(context, c))
    if (sessionId === undefined) return c.json([]) // a chat begins with its first prompt
    return c.json(hydration(await readHistory(conversations.store, headOf(c), sessionId, uiOf(c))))
  })

  routes.get('/api/chat/:id/stream', async (c) => {
    const ui = uiOf(c)
    const startIndex = parseAs(startIndexSchema, c.req.query('startIndex')) ?? 0
    if (startIndex !== 0 && ui !== '7')
      throw new GeppettoError(
        'REQUEST_INVALID',
        'A stream from a chunk on is for clients of 7: send ui=7 with all requests.',
      )
    const found = await streamOf(context, c, ui)
    if (found === undefined) return c.body(null, 204)
    c.set('subject', found)
    const past = await readPast(context, found)
    if (found.legs === undefined && isWaiting(past.state)) return c.body(null, 204)
    const legs: Legs = found.legs ?? [0, Math.max(past.state.leg, 0)]
    return streamMessage(context, c.get('access'), { ...found, legs, startIndex }, past)
  })

  routes.post('/api/chat/:id/stop', async (c) => {
    c.get('access').require('write')
    const sessionId = await currentSession(context, c)
    const { session } = await conversations.find(c.get('access').principal, sessionId)
    const { active, queue } = await session.state()
    const target = active ?? queue[0]
    c.set('subject', { sessionId, ...target })
    const isAsked = target !== undefined && (await session.cancel(target.inferenceId))
    return c.json({ session_id: sessionId, status: isAsked ? 'cancelling' : 'ended' })
  })
  return routes
}

/** The session that a chat is now. Throws SESSION_UNKNOWN. */
async function currentSession({ conversations }: ServerContext, c: Context<RouteEnv>): Promise<string> {
  const chat = await conversations.head(c.get('access').principal, c.req.param('id') ?? '')
  return latestBranch(conversations, chat)
}

/** A message, and its legs when a run was asked for. */
type FoundStream = Omit<MessageStream, 'legs'> & { readonly legs?: Legs }

/**
 * What is to be streamed under an id: that of a chat, for the message that is being written, or that of a run. Undefined
 * when there is nothing.
 */
async function streamOf(context: ServerContext, c: Context<RouteEnv>, ui: UiVersion): Promise<FoundStream | undefined> {
  const { conversations } = context
  const { principal } = c.get('access')
  const chat = await ifThere(currentSession(context, c))
  if (chat !== undefined) {
    const { session } = await conversations.find(principal, chat)
    const { active, queue } = await session.state()
    const target = active ?? queue[0]
    return target && { ...handleOf(chat, await session.inference(target.inferenceId)), ui }
  }
  const { inferenceId, legs } = readRunId(c.req.param('id') ?? '')
  const [place] = await conversations.store.find(inferenceId)
  if (place === undefined || place.ordinal === 0) return undefined
  const { sessionId } = place
  const found = await ifThere(conversations.find(principal, sessionId))
  return found && { ...handleOf(sessionId, await found.session.inference(inferenceId)), ui, legs }
}

/** What is given, or undefined when there is no such session for the caller. */
async function ifThere<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (error) {
    if (isGeppettoError(error, 'SESSION_UNKNOWN')) return undefined
    throw error
  }
}
