import { GeppettoError, isGeppettoError } from '../../../errors.ts'
import type { Json } from '../../../json.ts'
import type { Head } from '../../../store/store.ts'
import type { ServerContext } from '../../context.ts'
import type { Principal } from '../../principal.ts'
import { branchOf, createBranch, latestBranch } from './branches.ts'
import type { UiVersion } from './chunk.ts'
import { readHistory, userMessageId, type Exchange, type History } from './history.ts'
import { isSamePrompt, reconcile, type Command } from './reconcile.ts'
import { promptOf, type ChatRequest } from './request.ts'
import { handleOf, type MessageStream } from './stream.ts'

/** One post of a client to a chat. */
export class Post {
  readonly #context: ServerContext
  readonly #request: ChatRequest
  readonly #ui: UiVersion
  readonly #principal: Principal

  constructor(context: ServerContext, principal: Principal, request: ChatRequest, ui: UiVersion) {
    this.#context = context
    this.#request = request
    this.#ui = ui
    this.#principal = principal
  }

  /** Does what the client wants, and gives what it is to see. */
  async stream(): Promise<MessageStream> {
    const { conversations } = this.#context
    const { id, messages, trigger, approvals } = this.#request
    const { head } = await conversations.findOrCreate(this.#principal, id)
    const branch = await branchOf(conversations, head, this.#request)
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
    return this.#do(head, history, reconcile(history, this.#request))
  }

  async #do(chat: Head, history: History, command: Command): Promise<MessageStream> {
    switch (command.do) {
      case 'submit':
        return this.#submit(history.sessionId, command.messageId, command.prompt)
      case 'follow':
        return this.#follow(command.exchange)
      case 'branch':
        return this.#branch(chat, command)
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
    const runtime = this.#runtime()
    const inference = await session.submit(text, {
      images,
      messageId,
      // Behind a call that waits for a person a prompt would wait as long.
      whileRunning: waitsFor !== undefined && whileRunning === 'queue' ? 'refuse' : whileRunning,
      idempotencyKey: key,
      ...(runtime !== undefined && { runtime }),
    })
    return { ...handleOf(sessionId, inference), ui: this.#ui, legs: [0, 0] }
  }

  #follow({ accepted }: Exchange, legs: MessageStream['legs'] = [0, 0]): MessageStream {
    const { sessionId, inferenceId, ordinal } = accepted
    return { sessionId, inferenceId, ordinal, ui: this.#ui, legs }
  }

  async #branch(chat: Head, command: Extract<Command, { do: 'branch' }>): Promise<MessageStream> {
    const { conversations } = this.#context
    const { from, messageId, prompt, replaces } = command
    const key = messageKey(messageId, replaces)
    const latest = await this.#history(await latestBranch(conversations, chat))
    const again = latest.exchanges.findLast((each) => userMessageId(each) === messageId)
    if (again !== undefined && isSamePrompt(again, prompt)) {
      const isRunning = again.accepted.key?.startsWith(messageKey(messageId, '')) === true && !again.state.hasEnded
      if (replaces === undefined || again.accepted.key === key || isRunning) return this.#follow(again)
    }
    // A branch that was begun and not used is at the same place; so is one that somebody else has just begun.
    const isThere = latest.isUnused && latest.sessionId !== chat.sessionId && latest.origin === from.before
    const turn = from.before === undefined ? undefined : { sessionId: from.accepted.sessionId, turnId: from.before }
    const branch = isThere ? latest.sessionId : await createBranch(conversations, this.#principal, chat, turn)
    return branch === undefined ? this.#branch(chat, command) : this.#submit(branch, messageId, prompt, key)
  }

  async #answer(history: History, command: Extract<Command, { do: 'answer' }>): Promise<MessageStream> {
    const { answers, exchange, knownParts } = command
    const { sessionId, inferenceId } = exchange.accepted
    const { session } = await this.#context.conversations.find(this.#principal, sessionId)
    const news = answers.filter(({ isKnown }) => !isKnown)
    for (const { approvalId, isKnown: _isKnown, ...answer } of news)
      await session.decide(approvalId, { ...answer, by: this.#principal.name })
    const now = news.length === 0 ? history : await this.#history(history.sessionId)
    const decided = now.exchanges.find(({ accepted }) => accepted.inferenceId === inferenceId) ?? exchange
    const { calls } = decided.state
    // What the answers began, and the client does not know yet: more legs than one, when the first was done with sooner.
    const legs = calls.flatMap(({ approval, decidedIn }) => {
      const isAnswered = answers.some(({ approvalId }) => approvalId === approval?.approvalId)
      if (!isAnswered || decidedIn === undefined) return []
      return knownParts <= (decided.legStarts[decidedIn] ?? 0) ? [decidedIn] : []
    })
    return this.#follow(decided, legs.length === 0 ? 'none' : [Math.min(...legs), Math.max(...legs)])
  }

  /** Who is to answer; undefined when the client leaves that as it is. */
  #runtime(): Json | undefined {
    const { profile, client_tools } = this.#request
    if (profile === undefined && client_tools === undefined) return undefined
    return {
      ...(profile !== undefined && { profile: this.#context.profiles.named(profile).slug }),
      ...(client_tools !== undefined && { client_tools: client_tools as Json }), // it came as JSON
    }
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
