import { Hono, type Context } from 'hono'
import * as v from 'valibot'
import { GeppettoError, isGeppettoError } from '../../../errors.ts'
import type { Json } from '../../../json.ts'
import type { StoredInference } from '../../../session/stored-inference.ts'
import type { StoredSession } from '../../../session/stored-session.ts'
import { stateOf } from '../../../session/writer.ts'
import { runtimeKey } from '../../../turns/keys.ts'
import { imagesLimit } from '../../attachments.ts'
import { bodyLimit, parseAs, readJson } from '../../body.ts'
import type { Dialect, RouteEnv, ServerContext } from '../../context.ts'
import { branchOf, createBranch, latestBranch } from './branches.ts'
import { uiVersions, type UiVersion } from './chunk.ts'
import { hydration, readHistory, userMessageId, type Exchange, type History } from './history.ts'
import { isWaiting } from './projection.ts'
import { isSamePrompt, reconcile, type Command } from './reconcile.ts'
import { chatSchema, promptOf, type ChatRequest } from './request.ts'
import { readPast, readRunId, streamMessage, type MessageStream } from './stream.ts'

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
    const stream = await new Chat(context, c, request, ui).post()
    c.set('subject', stream)
    return streamMessage(context, c.get('access'), stream, await readPast(context, stream))
  })

  routes.get('/api/chat/:id/messages', async (c) => {
    const sessionId = await currentSession(context, c)
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
    if (found.leg === 'all' && isWaiting(past.state)) return c.body(null, 204)
    return streamMessage(context, c.get('access'), { ...found, startIndex }, past)
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
  const chatId = c.req.param('id') ?? ''
  await conversations.head(c.get('access').principal, chatId)
  return latestBranch(conversations, chatId)
}

/** What is to be streamed under an id: that of a chat, for the message that is being written, or that of a run. */
async function streamOf(
  context: ServerContext,
  c: Context<RouteEnv>,
  ui: UiVersion,
): Promise<MessageStream | undefined> {
  const { conversations } = context
  const { principal } = c.get('access')
  try {
    const head = await conversations.head(principal, await currentSession(context, c))
    const { active, queue } = stateOf(head)
    const { sessionId } = head
    const target = active ?? queue[0]
    if (target === undefined) return undefined
    const { session } = await conversations.find(principal, sessionId)
    return { ...handleOf(sessionId, await session.inference(target.inferenceId)), ui, leg: 'all' }
  } catch (error) {
    if (!isGeppettoError(error, 'SESSION_UNKNOWN')) throw error
    const { inferenceId, leg } = readRunId(c.req.param('id') ?? '')
    const [place] = await conversations.store.find(inferenceId)
    if (place === undefined || place.ordinal === 0) throw error
    const { session } = await conversations.find(principal, place.sessionId).catch(() => Promise.reject(error)) // by the id that was asked for
    return { ...handleOf(place.sessionId, await session.inference(inferenceId)), ui, leg }
  }
}

function handleOf(sessionId: string, { id, ordinal }: StoredInference) {
  return { sessionId, inferenceId: id, ordinal }
}

/** One post of a client to a chat. */
class Chat {
  readonly #context: ServerContext
  readonly #request: ChatRequest
  readonly #ui: UiVersion
  readonly #principal: RouteEnv['Variables']['access']['principal']

  constructor(context: ServerContext, c: Context<RouteEnv>, request: ChatRequest, ui: UiVersion) {
    this.#context = context
    this.#request = request
    this.#ui = ui
    this.#principal = c.get('access').principal
  }

  /** Does what the client wants, and gives what it is to see. */
  async post(): Promise<MessageStream> {
    const { conversations } = this.#context
    const { id, messages, trigger, approvals } = this.#request
    await conversations.findOrCreate(this.#principal, id)
    const branch = await branchOf(conversations, this.#request)
    const [only, ...others] = messages
    // A prompt alone, as applications send it that leave the history to us, need not be held against the history.
    const isAlone = only?.role === 'user' && others.length === 0 && approvals.length === 0
    if (isAlone && trigger === 'submit-message' && branch === id) {
      try {
        return await this.#submit(branch, only.id, promptOf(only))
      } catch (error) {
        if (!isGeppettoError(error, 'IDEMPOTENCY_KEY_REUSED')) throw error // the prompt was edited
      }
    }
    const history = await this.#history(branch)
    return this.#do(history, reconcile(history, this.#request))
  }

  async #do(history: History, command: Command): Promise<MessageStream> {
    switch (command.do) {
      case 'submit':
        return this.#submit(history.sessionId, command.messageId, command.prompt)
      case 'follow':
        return this.#follow(command.exchange)
      case 'branch':
        return this.#branch(command)
      case 'answer':
        return this.#answer(history, command)
    }
  }

  async #submit(
    sessionId: string,
    messageId: string,
    { text, images }: ReturnType<typeof promptOf>,
    key = messageKey(messageId),
  ): Promise<MessageStream> {
    const { conversations, whileRunning } = this.#context
    if (text.trim() === '' && images.length === 0)
      throw new GeppettoError('REQUEST_INVALID', `Message ${messageId} says nothing: send a text or an image.`)
    const { session } = await conversations.find(this.#principal, sessionId)
    const { active, approvals } = await session.state()
    const waitsFor = approvals.find(({ inferenceId }) => inferenceId === active?.inferenceId)
    const runtime = await this.#runtime(session)
    const inference = await session.submit(text, {
      images,
      messageId,
      // Behind a call that waits for a person a prompt would wait as long.
      whileRunning: waitsFor !== undefined && whileRunning === 'queue' ? 'refuse' : whileRunning,
      idempotencyKey: key,
      ...(runtime !== undefined && { runtime }),
    })
    return { ...handleOf(sessionId, inference), ui: this.#ui, leg: 0 }
  }

  #follow({ accepted }: Exchange, leg = 0): MessageStream {
    const { sessionId, inferenceId, ordinal } = accepted
    return { sessionId, inferenceId, ordinal, ui: this.#ui, leg }
  }

  async #branch(command: Extract<Command, { do: 'branch' }>): Promise<MessageStream> {
    const { conversations } = this.#context
    const { from, messageId, prompt, replaces } = command
    const key = messageKey(messageId, replaces)
    const latest = await this.#history(await latestBranch(conversations, this.#request.id))
    const again = latest.exchanges.findLast((each) => userMessageId(each) === messageId)
    if (again !== undefined && isSamePrompt(again, prompt)) {
      const isRunning = again.accepted.key?.startsWith(messageKey(messageId, '')) === true && !again.state.hasEnded
      if (replaces === undefined || again.accepted.key === key || isRunning) return this.#follow(again)
    }
    const { id } = this.#request
    // A branch that was begun and not used is at the same place; so is one that somebody else has just begun.
    const isThere = latest.isUnused && latest.sessionId !== id && latest.origin === from.before
    const turn = from.before === undefined ? undefined : { sessionId: from.accepted.sessionId, turnId: from.before }
    const branch = isThere ? latest.sessionId : await createBranch(conversations, this.#principal, id, turn)
    return branch === undefined ? this.#branch(command) : this.#submit(branch, messageId, prompt, key)
  }

  async #answer(history: History, command: Extract<Command, { do: 'answer' }>): Promise<MessageStream> {
    const { answers, exchange, knownParts } = command
    const { sessionId, inferenceId } = exchange.accepted
    const { session } = await this.#context.conversations.find(this.#principal, sessionId)
    for (const { approvalId, ...answer } of answers)
      await session.decide(approvalId, { ...answer, by: this.#principal.name })
    const now = answers.length === 0 ? history : await this.#history(history.sessionId)
    const decided = now.exchanges.find(({ accepted }) => accepted.inferenceId === inferenceId) ?? exchange
    const leg = Math.max(-1, ...decided.state.calls.map(({ decidedIn = -1 }) => decidedIn))
    const isNews = answers.length > 0 || knownParts <= (decided.legStarts[leg] ?? -1)
    return leg >= 0 && isNews ? this.#follow(decided, leg) : { ...this.#follow(decided), leg: 'none' }
  }

  /** Who is to answer; undefined when the client leaves that as it is. */
  async #runtime(session: StoredSession): Promise<Json | undefined> {
    const { profiles } = this.#context
    const { profile, client_tools } = this.#request
    if (client_tools === undefined) return profile === undefined ? undefined : { profile: profiles.named(profile).slug }
    const turn = profile === undefined ? await session.latest() : undefined
    const before = turn && profiles.runtimeOf(runtimeKey.get(turn)).profile
    return { profile: profiles.named(profile ?? before).slug, client_tools: client_tools as Json } // it came as JSON
  }

  #history(sessionId: string): Promise<History> {
    const { conversations } = this.#context
    const headOf = (id: string) => conversations.head(this.#principal, id)
    return readHistory(conversations.store, headOf, sessionId, this.#ui)
  }
}

/** One prompt is answered once under its message's id, and once more for each answer that is replaced. */
function messageKey(messageId: string, replaces?: string): string {
  return replaces === undefined ? `ai-sdk:${messageId}` : `ai-sdk:${messageId}#${replaces}`
}
