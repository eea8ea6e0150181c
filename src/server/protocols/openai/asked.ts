import * as v from 'valibot'
import { GeppettoError } from '../../../errors.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../json.ts'
import type { SubmitOptions } from '../../../session/stored-session.ts'
import { systemText, type Block, type UserBlock } from '../../../turns/block.ts'
import { inferenceConfigKey, openaiInferenceConfigKey, structuredOutputKey } from '../../../turns/keys.ts'
import type { ToolChoice } from '../../../turns/values.ts'
import type { Profile } from '../../profile.ts'

// What both APIs ask for, in the terms of a session: a prompt with its context, settings, and who is to answer.

const number = v.nullish(v.number())

/** The settings that have the same name in both. */
export const samplingSchema = {
  temperature: number,
  top_p: number,
  metadata: v.nullish(v.record(v.string(), v.string())),
  parallel_tool_calls: v.nullish(v.boolean()),
}

/** A function of the caller's, as the model is told of it. */
export interface FunctionTool {
  readonly name: string
  readonly description?: string | null | undefined
  readonly parameters?: Readonly<Record<string, unknown>> | null | undefined
}

/** Which of the tools the model is to use, or the one that it must. */
export type Choice = ToolChoice | { readonly name: string }

/** The answer's form, in either API's words. */
export const formatSchema = v.variant('type', [
  v.object({ type: v.literal('text') }),
  v.object({ type: v.literal('json_object') }),
  v.looseObject({ type: v.literal('json_schema') }),
])
const jsonSchemaFormat = v.object({
  name: v.string(),
  description: v.nullish(v.string()),
  schema: v.optional(v.record(v.string(), v.any())),
  strict: v.nullish(v.boolean()),
})

/** The turn's settings under their keys; what is not asked for takes away what an earlier request asked for. */
export function settingsData(
  config: Readonly<Record<string, Json | undefined>>,
  format: v.InferOutput<typeof formatSchema> | null | undefined,
  openai: Readonly<Record<string, Json | undefined>> = {},
): JsonObject {
  return {
    [inferenceConfigKey.id]: given(config),
    [openaiInferenceConfigKey.id]: given(openai),
    [structuredOutputKey.id]: outputConfig(format),
  }
}

function given(fields: Readonly<Record<string, Json | undefined>>): JsonObject | null {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)
  return entries.length === 0 ? null : (Object.fromEntries(entries) as JsonObject) // those without a value are out
}

function outputConfig(format: v.InferOutput<typeof formatSchema> | null | undefined): JsonObject | null {
  if (format === null || format === undefined || format.type === 'text') return null
  if (format.type === 'json_object') {
    return { mode: 'json_schema', name: 'json', schema: { type: 'object' }, strict: false }
  }
  // Chat completions has the fields one level further down.
  const parsed = v.safeParse(jsonSchemaFormat, format['json_schema'] ?? format)
  if (!parsed.success)
    throw new GeppettoError('REQUEST_INVALID', 'response_format: a json_schema needs a name and a schema.')
  const { name, description, schema = {}, strict } = parsed.output
  return {
    mode: 'json_schema',
    name,
    schema,
    strict: strict ?? false,
    ...(typeof description === 'string' && { description }),
  }
}

/** Who answers, as the turn says it. `request` is what the API tells of the request again; no engine looks at it. */
export function runtimeFor(
  profile: Profile,
  asked: {
    readonly tools: readonly FunctionTool[]
    readonly choice?: Choice | undefined
    readonly instructions?: string | null | undefined
    readonly request: JsonObject
  },
): JsonObject {
  const { tools, choice, instructions, request } = asked
  const forced = typeof choice === 'object' ? choice.name : undefined
  if (forced !== undefined && ![...tools, ...(profile.tools ?? [])].some(({ name }) => name === forced)) {
    throw new GeppettoError('REQUEST_INVALID', `tool_choice: there is no tool ${JSON.stringify(forced)}.`)
  }
  // Under a name that a tool of the server has, it is that one that runs.
  const isOurs = (name: string) => profile.tools?.some((tool) => tool.name === name) === true
  const offered = tools.filter(({ name }) => !isOurs(name) && (forced === undefined || name === forced))
  const clientTools = offered.map(({ name, description, parameters }): JsonObject => {
    return { name, description: description ?? '', parameters: isJsonObject(parameters) ? parameters : {} }
  })
  return {
    profile: profile.slug,
    ...(clientTools.length > 0 && { client_tools: clientTools }),
    // A model that must call this one function is offered no other.
    ...(forced !== undefined && { tools: [forced] }),
    ...(choice !== undefined && { tool_choice: typeof choice === 'object' ? 'required' : choice }),
    ...(typeof instructions === 'string' &&
      instructions !== '' &&
      (profile.allowsOverrides === true ? { system_prompt: instructions } : { instructions })),
    request,
  }
}

/** A prompt and what stands around it, ready to be submitted. */
export interface Asked extends SubmitOptions {
  readonly prompt: string
}

/**
 * The blocks as a prompt: the last that the user said, with what comes before and after it. In a new conversation the
 * profile's own prompt stands before what the client says to the model, unless its instructions may replace it.
 */
export function askedOf(blocks: readonly Block[], profile: Profile, runtime: JsonObject, isNew: boolean): Asked {
  const at = promptIndex(blocks)
  const block = blocks[at]
  if (block?.kind !== 'user' && block?.kind !== 'system') {
    throw new GeppettoError('REQUEST_INVALID', 'There is nothing to answer: send a message of the user.')
  }
  const { text, images = [] }: UserBlock['payload'] = block.payload
  const before = blocks.slice(0, at)
  const after = blocks.slice(at + 1)
  const hasOwnPrompt = isNew && before.some(({ kind }) => kind === 'system')
  const replaces = hasOwnPrompt && profile.allowsOverrides === true
  const { systemPrompt = '' } = profile
  const first = hasOwnPrompt && !replaces && systemPrompt !== '' ? [systemText(systemPrompt)] : []
  return {
    prompt: text,
    images,
    ...(before.length > 0 && { before: [...first, ...before] }),
    ...(after.length > 0 && { after }),
    runtime: replaces ? { system_prompt: '', ...runtime } : runtime,
  }
}

// Without a user the last instruction is what is to be done.
function promptIndex(blocks: readonly Block[]): number {
  const user = blocks.findLastIndex(({ kind }) => kind === 'user')
  return user >= 0 ? user : blocks.findLastIndex(({ kind }) => kind === 'system')
}

const runtimeSchema = v.object({
  profile: v.optional(v.string(), ''),
  client_tools: v.optional(v.array(v.record(v.string(), v.any()))),
  request: v.optional(v.record(v.string(), v.any())),
})

/** What the log says of who was asked, and how. */
export interface AskedRuntime {
  readonly profile: string
  readonly clientTools: readonly JsonObject[]
  readonly request: JsonObject
}

export const unknownRuntime: AskedRuntime = { profile: '', clientTools: [], request: {} }

export function readRuntime(value: Json | undefined): AskedRuntime {
  if (typeof value === 'string') return { ...unknownRuntime, profile: value }
  const parsed = v.safeParse(runtimeSchema, value)
  if (!parsed.success) return unknownRuntime
  const { profile, client_tools: clientTools = [], request = {} } = parsed.output
  return { profile, clientTools, request }
}
