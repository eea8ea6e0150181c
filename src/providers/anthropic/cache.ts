import type { JsonObject } from '../../json.ts'
import type { Part } from '../part.ts'
import type { Message } from './message.ts'

// Where the API is told to keep what it has read. A mark is no part of what is kept: moving it on with the conversation
// changes nothing before it. platform.claude.com/docs/en/build-with-claude/prompt-caching

/** The API takes no more marks in one request. */
const mostMarks = 4

/** The mark for this request; undefined when nothing is to be kept. `others` are marks that the caller's tools bring. */
export function cacheMark(
  promptCache: 'none' | 'short' | 'long',
  others: readonly JsonObject[],
): JsonObject | undefined {
  if (promptCache === 'none') return undefined
  // A longer life must not come behind a shorter one.
  const isLong = promptCache === 'long' && others.every((mark) => mark['ttl'] === '1h')
  return isLong ? { type: 'ephemeral', ttl: '1h' } : { type: 'ephemeral' }
}

export function markLast(contents: readonly JsonObject[], mark: JsonObject | undefined): readonly JsonObject[] {
  const last = contents.at(-1)
  return mark === undefined || last === undefined
    ? contents
    : [...contents.slice(0, -1), { ...last, cache_control: mark }]
}

/**
 * The messages as they are sent, with a mark on the last user message, which the next request begins with, and one on
 * that before it, which the last request marked: a lookup goes back 20 blocks from a mark, and a step can have more.
 */
export function markedMessages(
  messages: readonly Message[],
  mark: JsonObject | undefined,
  used: number,
): readonly JsonObject[] {
  const candidates = messages.flatMap((message, index) =>
    message.role === 'user' && lastStable(message) !== -1 ? [index] : [],
  )
  const most = mark === undefined ? 0 : Math.max(Math.min(mostMarks - used, 2), 0)
  const marked = new Set(candidates.slice(Math.max(candidates.length - most, 0)))
  return messages.map((message, index) => {
    const at = marked.has(index) ? lastStable(message) : -1
    const content = message.parts.map((part, place) =>
      place === at && mark !== undefined ? { ...part.content, cache_control: mark } : part.content,
    )
    return { role: message.role, content }
  })
}

/** The place of the last part that will be there again in the next request; -1 when there is none. */
function lastStable(message: Message): number {
  return message.parts.findLastIndex(isStable)
}

// An empty result takes no mark, and what stands in for a missing user message will be gone.
function isStable({ block, content }: Part): boolean {
  return block !== -1 && (content['type'] !== 'tool_result' || content['content'] !== undefined)
}
