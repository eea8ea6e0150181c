import type { EventOf } from '../../../events/event.ts'
import type { Json, JsonObject } from '../../../json.ts'
import type { FinishClass } from '../../../turns/values.ts'
import type { OpenItem, ResponseState } from './response-state.ts'

// The items of a response's output, and the names of the events that tell them.

/** Under which label the tools of the server appear, which are told as calls of an MCP server. */
const serverLabel = 'geppetto'

/** Why a response is incomplete, by how its last call ended; the others are complete. */
export const incompleteReasons: Readonly<Record<FinishClass, ResponseState['incompleteReason']>> = {
  completed: undefined,
  max_tokens: 'max_output_tokens',
  tool_calls_pending: undefined,
  refusal: 'content_filter',
  incomplete: undefined,
  interrupted: undefined,
  error: undefined,
  unknown: undefined,
}

type Of<Kind extends OpenItem['of']['kind']> = Extract<OpenItem['of'], { readonly kind: Kind }>
export type Item = JsonObject & { readonly id: string; readonly type: string }

/** An item's id from the id of what it tells: the letters that ids of this API have. */
export function idOf(id: string): string {
  return id.replaceAll(/[^A-Za-z0-9_-]/g, '_')
}

export function jsonText(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** An item as it begins. */
export function begun(of: Of<'message'> | Of<'reasoning'>, segmentId: string): Item {
  if (of.kind === 'reasoning')
    return { id: `rs_${idOf(segmentId)}`, type: 'reasoning', summary: [], status: 'in_progress' }
  return { id: `msg_${idOf(segmentId)}`, type: 'message', role: 'assistant', status: 'in_progress', content: [] }
}

/** The item when its text is known. */
export function ended(open: OpenItem, text: string, status: string): Item {
  const { itemId: id, of } = open
  if (of.kind === 'message') return { id, type: 'message', role: 'assistant', status, content: [part(open, text)] }
  const parts = text === '' ? [] : [part(open, text)]
  return isSummary(open)
    ? { id, type: 'reasoning', summary: parts, status }
    : { id, type: 'reasoning', summary: [], ...(parts.length > 0 && { content: parts }), status }
}

/** The one part of an item that has text. */
export function part({ of }: Pick<OpenItem, 'of'>, text: string): JsonObject {
  if (of.kind === 'message') return { type: 'output_text', text, annotations: of.annotations, logprobs: [] }
  return { type: of.kind === 'reasoning' && of.source === 'summary' ? 'summary_text' : 'reasoning_text', text }
}

/** Where a part stands. */
export function place(open: OpenItem): JsonObject {
  return { item_id: open.itemId, output_index: open.index, [isSummary(open) ? 'summary_index' : 'content_index']: 0 }
}

/** Text of an answer says how likely it was; nobody here knows. */
export function withLogprobs({ of }: OpenItem): JsonObject {
  return of.kind === 'message' ? { logprobs: [] } : {}
}

/** How the events are named that tell a text. */
export function eventNames(of: OpenItem['of']): Readonly<Record<'added' | 'delta' | 'done' | 'partDone', string>> {
  const [text, ofPart] =
    of.kind === 'message'
      ? ['output_text', 'content_part']
      : of.kind === 'reasoning' && of.source === 'summary'
        ? ['reasoning_summary_text', 'reasoning_summary_part']
        : ['reasoning_text', 'content_part']
  return {
    added: `response.${ofPart}.added`,
    delta: `response.${text}.delta`,
    done: `response.${text}.done`,
    partDone: `response.${ofPart}.done`,
  }
}

/** The id of a call of the client's: it says which inference waits for it. */
export function callItemId(inferenceId: string, callId: string): string {
  return `fc_${idOf(inferenceId)}_${idOf(callId)}`
}

/** The inference that waits for a call of this item's id; undefined when it is none of ours. */
export function inferenceOfCall(itemId: string): string | undefined {
  return /^fc_([^_]+)_/.exec(itemId)?.[1]
}

/** A call of one of the client's functions. */
export function functionCall(
  id: string,
  callId: string,
  name: string,
  args: Json,
  status: string,
): Item & { readonly arguments: string } {
  return { id, type: 'function_call', call_id: callId, name, arguments: jsonText(args), status }
}

/** A call of one of the server's tools. */
export function mcpCall(
  { itemId, of }: Pick<OpenItem, 'itemId' | 'of'>,
  told: { readonly status: string; readonly output?: string; readonly error?: string },
): Item {
  const { toolName: name, input } = of.kind === 'call' ? of : { toolName: '', input: '' }
  const { status, output = null, error = null } = told
  return {
    id: itemId,
    type: 'mcp_call',
    server_label: serverLabel,
    name,
    arguments: jsonText(input),
    status,
    output,
    error,
  }
}

/** A call of the server's that somebody has to allow first. */
export function approvalRequest({ approvalId, toolName, input }: EventOf<'approval-requested'>): Item {
  const id = approvalItemId(approvalId)
  return { id, type: 'mcp_approval_request', server_label: serverLabel, name: toolName, arguments: jsonText(input) }
}

/** The id of an approval, as an item has it. */
export function approvalItemId(approvalId: string): string {
  return `mcpr_${approvalId}`
}

/** The approval that such an item asks for. */
export function approvalIdOf(itemId: string): string {
  return itemId.replace(/^mcpr_/, '')
}

export function urlCitation({ url, title, startIndex, endIndex }: EventOf<'citation'>): JsonObject {
  return {
    type: 'url_citation',
    url: url ?? '',
    title: title ?? '',
    start_index: startIndex ?? 0,
    end_index: endIndex ?? 0,
  }
}

function isSummary({ of }: Pick<OpenItem, 'of'>): boolean {
  return of.kind === 'reasoning' && of.source === 'summary'
}
