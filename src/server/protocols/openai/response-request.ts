import * as v from 'valibot'
import { GeppettoError } from '../../../errors.ts'
import type { Json, JsonObject } from '../../../json.ts'
import { toolError, toolResult, type Block } from '../../../turns/block.ts'
import { idSchema } from '../../native/commands.ts'
import type { Profile } from '../../profile.ts'
import { askedOf, formatSchema, runtimeFor, samplingSchema, settingsData, type Asked } from './asked.ts'
import { contentSchema, messageBlocks, sentCall, textOf } from './content.ts'
import { approvalIdOf, inferenceOfCall } from './response-item.ts'

const itemSchema = v.variant('type', [
  v.object({
    type: v.literal('message'),
    role: v.picklist(['system', 'developer', 'user', 'assistant']),
    content: contentSchema,
  }),
  v.object({
    type: v.literal('function_call'),
    id: v.nullish(v.string()),
    call_id: v.string(),
    name: v.string(),
    arguments: v.string(),
  }),
  v.object({ type: v.literal('function_call_output'), call_id: v.string(), output: contentSchema }),
  v.object({
    type: v.literal('mcp_call'),
    id: v.string(),
    name: v.string(),
    arguments: v.string(),
    output: v.nullish(v.string()),
    error: v.nullish(v.any()),
  }),
  v.object({
    type: v.literal('mcp_approval_response'),
    approval_request_id: v.string(),
    approve: v.boolean(),
    reason: v.nullish(v.string()),
  }),
  // What the model thought, and what was asked for, is in the log; sent back it says nothing new.
  v.object({ type: v.picklist(['reasoning', 'mcp_approval_request', 'mcp_list_tools']) }),
])
type Item = v.InferOutput<typeof itemSchema>

// A message may leave out that it is one.
const inputSchema = v.union([
  v.string(),
  v.pipe(
    v.array(v.looseObject({})),
    v.transform((items) =>
      items.map((item) => ('role' in item && !('type' in item) ? { ...item, type: 'message' } : item)),
    ),
    v.array(itemSchema),
  ),
])

/** The body of a request for a response. Fields that say nothing here may be there. */
export const responseSchema = v.object({
  ...samplingSchema,
  model: v.nullish(v.string()),
  input: v.nullish(inputSchema),
  instructions: v.nullish(v.string()),
  previous_response_id: v.nullish(v.string()),
  conversation: v.nullish(v.union([idSchema, v.object({ id: idSchema })])),
  tools: v.nullish(
    v.array(
      v.object({
        type: v.literal('function', 'only functions of the client can be brought along'),
        name: v.string(),
        description: v.nullish(v.string()),
        parameters: v.nullish(v.record(v.string(), v.any())),
      }),
    ),
  ),
  tool_choice: v.nullish(
    v.union([v.picklist(['auto', 'none', 'required']), v.object({ type: v.literal('function'), name: v.string() })]),
  ),
  text: v.nullish(v.object({ format: v.nullish(formatSchema) })),
  reasoning: v.nullish(v.object({ effort: v.nullish(v.string()), summary: v.nullish(v.string()) })),
  max_output_tokens: v.nullish(v.number()),
  store: v.nullish(v.boolean()),
  background: v.nullish(v.boolean()),
  stream: v.nullish(v.boolean()),
})
export type ResponseRequest = v.InferOutput<typeof responseSchema>

/** An answer to what an earlier response asked the client for. */
export type Answer =
  | { readonly kind: 'function'; readonly toolCallId: string; readonly result: Json }
  | { readonly kind: 'approval'; readonly approvalId: string; readonly approve: boolean; readonly reason?: string }

/** What a request that follows an earlier response answers to it; it says nothing else then. */
export function answersOf({ input }: ResponseRequest): readonly Answer[] {
  const items = typeof input === 'string' ? [] : (input ?? [])
  const answers = items.flatMap((item): readonly Answer[] => {
    if (item.type === 'function_call_output') {
      return [{ kind: 'function', toolCallId: item.call_id, result: textOf(item.output) }]
    }
    if (item.type !== 'mcp_approval_response') return []
    const { approval_request_id: id, approve, reason } = item
    const why = typeof reason === 'string' && reason !== '' ? { reason } : {}
    return [{ kind: 'approval', approvalId: approvalIdOf(id), approve, ...why }]
  })
  const says = items.some(({ type }) => type === 'message')
  if (answers.length > 0 && says) {
    throw new GeppettoError(
      'REQUEST_INVALID',
      'input: answer the calls of the previous response first, without another message; then say more.',
    )
  }
  return answers
}

/** The inferences that asked for the calls which a client tells again with their outputs, in a conversation that it keeps. */
export function inferencesTold({ input }: ResponseRequest): readonly string[] {
  const items = typeof input === 'string' ? [] : (input ?? [])
  const told = items.flatMap((item) => (item.type === 'function_call' ? (inferenceOfCall(item.id ?? '') ?? []) : []))
  return [...new Set(told)]
}

/** The request as a prompt. */
export function askedInResponse(
  request: ResponseRequest,
  profile: Profile,
  earlier: readonly Block[],
  isNew: boolean,
): Asked {
  const { input, instructions, tool_choice: choice, text, reasoning } = request
  const said = typeof input === 'string' ? messageBlocks('user', input) : (input ?? []).flatMap(blocksOf)
  const config: Record<string, Json | undefined> = {
    temperature: request.temperature,
    top_p: request.top_p,
    max_response_tokens: request.max_output_tokens,
    reasoning_effort: reasoning?.effort,
    reasoning_summary: reasoning?.summary,
  }
  const runtime = runtimeFor(profile, {
    tools: request.tools ?? [],
    choice: typeof choice === 'object' && choice !== null ? { name: choice.name } : (choice ?? undefined),
    instructions,
    request: echoOf(request),
  })
  if (said.length === 0) throw new GeppettoError('REQUEST_INVALID', 'input: there is nothing to answer.')
  return { ...askedOf([...earlier, ...said], profile, runtime, isNew), data: settingsData(config, text?.format) }
}

/** What the response says again of its request; `tools` stand with who runs them. */
function echoOf(request: ResponseRequest): JsonObject {
  const { metadata, instructions, temperature, top_p, max_output_tokens, tool_choice, reasoning, text } = request
  const { store, background, previous_response_id, parallel_tool_calls } = request
  const said = {
    metadata,
    instructions,
    temperature,
    top_p,
    max_output_tokens,
    tool_choice,
    reasoning,
    store,
    background,
    previous_response_id,
    parallel_tool_calls,
    ...(text?.format && { text }),
  }
  const entries = Object.entries(said).filter(([, value]) => value !== undefined && value !== null)
  return Object.fromEntries(entries) as JsonObject // it came out of JSON
}

function blocksOf(item: Item): readonly Block[] {
  switch (item.type) {
    case 'message':
      return messageBlocks(item.role, item.content)
    case 'function_call':
      return [sentCall(item.call_id, item.name, item.arguments)]
    case 'function_call_output':
      return [toolResult(item.call_id, textOf(item.output))]
    case 'mcp_call': {
      const { id, name, error, output } = item
      const answer = typeof error === 'string' ? toolError(id, error) : toolResult(id, output ?? '')
      return [sentCall(id, name, item.arguments), answer]
    }
    case 'mcp_approval_response':
    case 'reasoning':
    case 'mcp_approval_request':
    case 'mcp_list_tools':
      return []
  }
}
