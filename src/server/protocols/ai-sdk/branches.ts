import { isGeppettoError } from '../../../errors.ts'
import type { Head } from '../../../store/store.ts'
import type { Conversations } from '../../conversations.ts'
import type { Principal } from '../../principal.ts'
import type { ChatRequest } from './request.ts'

// A chat keeps its id when a prompt is edited or an answer is made anew; a session's log is never changed. So what a
// chat has become is in sessions beside the first, each forked from where it goes another way, and the last one is the
// chat as it is now. That they are there is all that is to be known, so no process need remember it.

/** The session that a chat began as. */
type Chat = Pick<Head, 'sessionId' | 'incarnation'>

/** How the ids of a chat's branches begin: a chat that is deleted and begun anew under its id has none of the old ones. */
function branchPrefix({ sessionId, incarnation }: Chat): string {
  return `${sessionId}~${incarnation.slice(-8)}.`
}

/** The branch that is a chat as it is now. */
export async function latestBranch({ store }: Conversations, chat: Chat): Promise<string> {
  const count = await branchCount(store, chat)
  return count === 0 ? chat.sessionId : `${branchPrefix(chat)}${count}`
}

/** The branch that the client has before its eyes: the one in which the last answer that it knows was given. */
export async function branchOf(
  conversations: Conversations,
  chat: Chat,
  { messages, trigger, messageId }: ChatRequest,
): Promise<string> {
  const last = trigger === 'regenerate-message' ? messageId : messages.findLast(({ role }) => role === 'assistant')?.id
  const places = last === undefined || last === null ? [] : await conversations.store.find(last)
  const shown = places.find(({ sessionId }) => sessionId === chat.sessionId || sessionId.startsWith(branchPrefix(chat)))
  return shown?.sessionId ?? latestBranch(conversations, chat)
}

/**
 * Begins another branch, which goes on from a turn of one that is there, or from nothing. Undefined when somebody else has
 * begun one at this moment.
 */
export async function createBranch(
  conversations: Conversations,
  principal: Principal,
  chat: Chat,
  from: { readonly sessionId: string; readonly turnId: string } | undefined,
): Promise<string | undefined> {
  const id = `${branchPrefix(chat)}${(await branchCount(conversations.store, chat)) + 1}`
  if (from === undefined) return conversations.create(principal, id)
  try {
    return await conversations.fork(principal, from.sessionId, { turnId: from.turnId, id })
  } catch (error) {
    if (isGeppettoError(error, 'SESSION_EXISTS')) return undefined
    throw error
  }
}

async function branchCount(store: Conversations['store'], chat: Chat): Promise<number> {
  let count = 0
  while ((await store.head(`${branchPrefix(chat)}${count + 1}`)) !== undefined) count += 1
  return count
}
