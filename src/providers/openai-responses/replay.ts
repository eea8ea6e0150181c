import { isJsonObject, type JsonObject } from '../../json.ts'
import { list, text } from '../wire.ts'

// What the API takes back of what it gave. The rules and their sources:
// - A reply goes back item by item as it came, ids included. developers.openai.com/api/docs/guides/conversation-state
// - Without `store` the server has no item to look up: "Item with id 'rs_…' not found. Items are not persisted when
//   `store` is set to false". A reasoning item is then its `encrypted_content`, and goes back only with it, under its own
//   id ("Encrypted content item_id did not match the target item id"). github.com/vercel/ai/issues/7543
// - What follows reasoning is tied to it by ids: "Item 'fc_…' of type 'function_call' was provided without its required
//   'reasoning' item: 'rs_…'". Where the reasoning cannot go back, what follows it goes without its id, which the tie
//   hangs on; the call id that a result names is another. github.com/continuedev/continue/pull/12113
// - Fields and items that only the server writes are refused: github.com/openai/openai-node/pull/1794 (created_by, failed
//   outputs), github.com/BerriAI/litellm/issues/13420 (a reasoning item's status).

/** Items whose `id` the API does without. The others name what only the server has. */
const idIsOptional: ReadonlySet<string> = new Set([
  'function_call',
  'custom_tool_call',
  'shell_call',
  'shell_call_output',
  'apply_patch_call',
  'apply_patch_call_output',
  'computer_call_output',
  'tool_search_call',
  'tool_search_output',
  'compaction',
  'additional_tools',
])

/** An item of a reply as it is sent back; undefined for one that the API does not take. */
export function replayable(item: JsonObject, store: boolean): JsonObject | undefined {
  const { created_by: _author, ...sent } = item
  switch (item['type']) {
    case 'reasoning': {
      const { status: _status, ...reasoning } = sent
      return reasoning
    }
    case 'shell_call_output':
      return {
        ...sent,
        output: list(sent, 'output').map((chunk) => (isJsonObject(chunk) ? withoutAuthor(chunk) : chunk)),
      }
    case 'computer_call_output':
      return item['status'] === 'failed' ? undefined : sent
    case 'image_generation_call':
      return store || text(item, 'result') !== undefined ? sent : undefined
    case 'additional_tools':
      return item['role'] === 'developer' ? sent : undefined
    default:
      return (text(item, 'type') ?? '') === '' ? undefined : sent
  }
}

function withoutAuthor({ created_by: _author, ...chunk }: JsonObject): JsonObject {
  return chunk
}

/** The item without the id that ties it to reasoning which is not sent. */
export function untied(item: JsonObject): JsonObject {
  const type = text(item, 'type') ?? ''
  if (type === 'message') {
    const { id: _id, status: _status, ...message } = item
    return message
  }
  if (!idIsOptional.has(type)) return item
  const { id: _id, ...rest } = item
  return rest
}

/** Items that the program must answer, and what answers them. */
const answeredWith: ReadonlyMap<string, string> = new Map([
  ['computer_call', 'computer_call_output'],
  ['local_shell_call', 'local_shell_call_output'],
  ['shell_call', 'shell_call_output'],
  ['apply_patch_call', 'apply_patch_call_output'],
  ['tool_search_call', 'tool_search_output'],
])
const callOf: ReadonlyMap<string, string> = new Map([...answeredWith].map(([call, answer]) => [answer, call]))

export interface Answering {
  /** Equal for a call and its answer. */
  readonly key: string
  readonly isAnswer: boolean
  /** Whether the API refuses the call without its answer; an approval that nobody gave is only not given. */
  readonly isRequired: boolean
}

/** What an item waits for, or answers; undefined for one that stands alone, as a tool that the provider runs itself. */
export function answering(item: JsonObject): Answering | undefined {
  const type = text(item, 'type') ?? ''
  switch (type) {
    case 'mcp_approval_request':
      return answeringFor(type, text(item, 'id'), { isAnswer: false, isRequired: false })
    case 'mcp_approval_response':
      return answeringFor('mcp_approval_request', text(item, 'approval_request_id'), {
        isAnswer: true,
        isRequired: false,
      })
    case 'local_shell_call_output': // the older local shell names its call by `id`
      return answeringFor('local_shell_call', text(item, 'call_id') ?? text(item, 'id'), {
        isAnswer: true,
        isRequired: true,
      })
    default: {
      const call = callOf.get(type)
      if (call !== undefined) return answeringFor(call, text(item, 'call_id'), { isAnswer: true, isRequired: true })
      if (!answeredWith.has(type)) return undefined
      return answeringFor(type, text(item, 'call_id'), { isAnswer: false, isRequired: true })
    }
  }
}

function answeringFor(call: string, id: string | undefined, more: Omit<Answering, 'key'>): Answering | undefined {
  return id === undefined ? undefined : { key: `${call} ${id}`, ...more }
}
