import type { JsonObject } from '../../../json.ts'
import { begun, ended, mcpCall } from './response-item.ts'
import { isOver, type OpenItem, type ResponseState } from './response-state.ts'
import { responseUsage } from './usage.ts'

/** The id of a response: of its inference, and which of its responses it is. */
function responseId({ inferenceId, part }: Pick<ResponseState, 'inferenceId' | 'part'>): string {
  return part === 0 ? `resp_${inferenceId}` : `resp_${inferenceId}_${part}`
}

/** What a response's id stands for; undefined when it is none of ours. */
export function readResponseId(id: string): Pick<ResponseState, 'inferenceId' | 'part'> | undefined {
  const [, inferenceId, part = '0'] = /^resp_([^_]+)(?:_([1-9]\d{0,5}))?$/.exec(id) ?? []
  return inferenceId === undefined ? undefined : { inferenceId, part: Number(part) }
}

/** What the request said, as the response says it again, where it said nothing. */
const defaults: JsonObject = {
  background: false,
  instructions: null,
  max_output_tokens: null,
  parallel_tool_calls: true,
  previous_response_id: null,
  reasoning: { effort: null, summary: null },
  store: true,
  temperature: null,
  text: { format: { type: 'text' } },
  tool_choice: 'auto',
  top_p: null,
  truncation: 'disabled',
}

/** The response as it is now. */
export function responseObject(state: ResponseState): JsonObject {
  const { runtime, inferenceId, sessionId, turnId, part, status, error, incompleteReason, tokens } = state
  const { metadata, ...request } = runtime.request
  return {
    id: responseId(state),
    object: 'response',
    created_at: seconds(state.createdAt),
    completed_at: state.completedAt === undefined || status !== 'completed' ? null : seconds(state.completedAt),
    status,
    error: error === undefined ? null : { code: codeOf(error.code), message: error.message },
    incomplete_details: incompleteReason === undefined ? null : { reason: incompleteReason },
    model: runtime.profile,
    output: outputOf(state),
    ...defaults,
    ...request,
    ...(part > 0 && { previous_response_id: responseId({ inferenceId, part: part - 1 }) }),
    conversation: { id: sessionId },
    tools: runtime.clientTools.map((tool) => ({ type: 'function', strict: false, ...tool })),
    usage: isOver(state) ? responseUsage(tokens) : null,
    metadata: {
      ...(metadata as JsonObject | undefined), // the request was checked
      geppetto_session_id: sessionId,
      geppetto_inference_id: inferenceId,
      geppetto_turn_id: turnId,
    },
  }
}

function outputOf({ items, open }: ResponseState): readonly JsonObject[] {
  const current = new Map(open.map((item) => [item.index, asItIs(item)]))
  return items.flatMap((item, index): readonly JsonObject[] => {
    const told = current.get(index) ?? item
    return told === undefined ? [] : [told]
  })
}

function asItIs(item: OpenItem): JsonObject {
  if (item.of.kind === 'call') return mcpCall(item, { status: 'in_progress' })
  return item.text === '' ? begun(item.of, item.source) : ended(item, item.text, 'in_progress')
}

/** The two codes of a failure that clients act upon. */
function codeOf(code: string): string {
  return code === 'PROVIDER_RATE_LIMITED' ? 'rate_limit_exceeded' : 'server_error'
}

function seconds(at: string): number {
  return Math.floor(Date.parse(at) / 1000)
}
