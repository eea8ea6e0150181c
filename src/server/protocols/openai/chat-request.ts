import * as v from 'valibot'
import { GeppettoError } from '../../../errors.ts'
import type { Json, JsonObject } from '../../../json.ts'
import { toolResult, type Block } from '../../../turns/block.ts'
import type { Profile } from '../../profile.ts'
import { askedOf, formatSchema, runtimeFor, samplingSchema, settingsData, type Asked, type Choice } from './asked.ts'
import { contentSchema, messageBlocks, sentCall, textOf } from './content.ts'

const number = v.nullish(v.number())
const content = v.nullish(contentSchema)
const toolCallSchema = v.object({
  id: v.string(),
  type: v.literal('function'),
  function: v.object({ name: v.string(), arguments: v.string() }),
})
const messageSchema = v.variant('role', [
  v.object({ role: v.picklist(['system', 'developer', 'user']), content: contentSchema }),
  v.object({
    role: v.literal('assistant'),
    content,
    refusal: v.nullish(v.string()),
    tool_calls: v.nullish(v.array(toolCallSchema)),
  }),
  v.object({ role: v.literal('tool'), content: contentSchema, tool_call_id: v.string() }),
])
const functionSchema = v.object({
  name: v.string(),
  description: v.nullish(v.string()),
  parameters: v.nullish(v.record(v.string(), v.any())),
})

/** The body of a chat completion. Fields that say nothing here (`user`, `prompt_cache_key`, …) may be there. */
export const chatSchema = v.object({
  ...samplingSchema,
  model: v.nullish(v.string()),
  messages: v.pipe(v.array(messageSchema), v.minLength(1)),
  tools: v.nullish(v.array(v.object({ type: v.literal('function'), function: functionSchema }))),
  tool_choice: v.nullish(
    v.union([
      v.picklist(['auto', 'none', 'required']),
      v.object({ type: v.literal('function'), function: v.object({ name: v.string() }) }),
    ]),
  ),
  response_format: v.nullish(formatSchema),
  stream: v.nullish(v.boolean()),
  stream_options: v.nullish(v.object({ include_usage: v.nullish(v.boolean()) })),
  max_completion_tokens: number,
  max_tokens: number,
  stop: v.nullish(v.union([v.string(), v.array(v.string())])),
  seed: number,
  n: v.nullish(v.literal(1)),
  presence_penalty: number,
  frequency_penalty: number,
  reasoning_effort: v.nullish(v.string()),
  store: v.nullish(v.boolean()),
})
export type ChatRequest = v.InferOutput<typeof chatSchema>

/** The request as the prompt of a session of its own. */
export function askedInChat(request: ChatRequest, profile: Profile): Asked {
  const { stop } = request
  const config: Record<string, Json | undefined> = {
    temperature: request.temperature,
    top_p: request.top_p,
    max_response_tokens: request.max_completion_tokens ?? request.max_tokens,
    stop: typeof stop === 'string' ? [stop] : stop,
    seed: request.seed,
    reasoning_effort: request.reasoning_effort,
  }
  const { presence_penalty, frequency_penalty } = request
  const runtime = runtimeFor(profile, {
    tools: (request.tools ?? []).map((tool) => tool.function),
    choice: choiceOf(request.tool_choice),
    request: { api: 'chat.completions', metadata: request.metadata ?? {} } satisfies JsonObject,
  })
  const asked = askedOf(request.messages.flatMap(blocksOf), profile, runtime, true)
  return { ...asked, data: settingsData(config, request.response_format, { presence_penalty, frequency_penalty }) }
}

function choiceOf(choice: ChatRequest['tool_choice']): Choice | undefined {
  if (choice === null || choice === undefined) return undefined
  return typeof choice === 'string' ? choice : { name: choice.function.name }
}

function blocksOf(message: ChatRequest['messages'][number], index: number): readonly Block[] {
  try {
    switch (message.role) {
      case 'assistant': {
        const calls = (message.tool_calls ?? []).map(({ id, function: { name, arguments: args } }) =>
          sentCall(id, name, args),
        )
        return [...messageBlocks('assistant', message.content ?? message.refusal), ...calls]
      }
      case 'tool':
        return [toolResult(message.tool_call_id, textOf(message.content))]
      default:
        return messageBlocks(message.role, message.content)
    }
  } catch (error) {
    if (!(error instanceof GeppettoError)) throw error
    throw new GeppettoError(error.code, `messages.${index}: ${error.message}`, { cause: error })
  }
}
