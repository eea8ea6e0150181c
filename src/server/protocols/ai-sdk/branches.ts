import { isGeppettoError } from '../../../errors.ts'
import type { Conversations } from '../../conversations.ts'
import type { Principal } from '../../principal.ts'
import type { ChatRequest } from './request.ts'

// A chat keeps its id when a prompt is edited or an answer is made anew; a session's log is never changed. So what a
// chat has become is in sessions beside the first: `chat~1`, `chat~2`, each forked from where it goes another way. The
// last one is the chat as it is now. That they are there is all that is to be known, so no process need remember it.

/** The session of a chat's branch; branch 0 is the chat itself. `~` stands in no id that a client may choose. */
function branchId(chatId: string, branch: number): string {
  return branch === 0 ? chatId : `${chatId}~${branch}`
}

/** The branch that is a chat as it is now. */
export async function latestBranch({ store }: Conversations, chatId: string): Promise<string> {
  return branchId(chatId, await branchCount(store, chatId))
}

/** The branch that the client has before its eyes: the one in which the last answer that it knows was given. */
export async function branchOf(
  conversations: Conversations,
  { id, messages, trigger, messageId }: ChatRequest,
): Promise<string> {
  const last = trigger === 'regenerate-message' ? messageId : messages.findLast(({ role }) => role === 'assistant')?.id
  const places = last === undefined || last === null ? [] : await conversations.store.find(last)
  const shown = places.find(({ sessionId }) => sessionId === id || sessionId.startsWith(`${id}~`))
  return shown?.sessionId ?? latestBranch(conversations, id)
}

/**
 * Begins another branch, which goes on from a turn of one that is there, or from nothing. Undefined when somebody else has
 * begun one at this moment.
 */
export async function createBranch(
  conversations: Conversations,
  principal: Principal,
  chatId: string,
  from: { readonly sessionId: string; readonly turnId: string } | undefined,
): Promise<string | undefined> {
  const id = branchId(chatId, (await branchCount(conversations.store, chatId)) + 1)
  if (from === undefined) return conversations.create(principal, id)
  try {
    return await conversations.fork(principal, from.sessionId, { turnId: from.turnId, id })
  } catch (error) {
    if (isGeppettoError(error, 'SESSION_EXISTS')) return undefined
    throw error
  }
}

async function branchCount(store: Conversations['store'], chatId: string): Promise<number> {
  let count = 0
  while ((await store.head(branchId(chatId, count + 1))) !== undefined) count += 1
  return count
}
