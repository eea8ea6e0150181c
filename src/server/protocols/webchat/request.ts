import * as v from 'valibot'
import type { Context } from 'hono'
import { parse } from 'hono/utils/cookie'
import { GeppettoError, isGeppettoError } from '../../../errors.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../json.ts'
import { parseAs, readJson } from '../../body.ts'
import type { RouteEnv } from '../../context.ts'
import { idSchema, keySchema } from '../../native/commands.ts'
import type { Profile, Profiles, Runtime } from '../../profile.ts'

// What a request of this dialect asks for. The sentences of its errors are part of the dialect.

export const profileCookie = 'chat_profile'

const text = v.nullish(v.string(), '')
const chatSchema = v.object({
  prompt: text,
  text,
  conv_id: text,
  overrides: v.nullish(v.custom<JsonObject>(isJsonObject), {}),
  idempotency_key: text,
})

/** A prompt as `POST /chat` brings it. */
export interface ChatRequest {
  /** Empty when there is none. */
  readonly prompt: string
  readonly convId: string | undefined
  readonly runtime: Runtime
  readonly isStepwise: boolean
  readonly idempotencyKey: string | undefined
}

/** Reads `POST /chat` and `POST /chat/{profile}`. */
export async function readChatRequest(c: Context<RouteEnv>, profiles: Profiles): Promise<ChatRequest> {
  const body = await readAs(chatSchema, c.req.raw)
  const profile = chosenProfile(profiles, {
    path: c.req.param('profile'),
    url: new URL(c.req.url),
    headers: c.req.raw.headers,
  })
  const key = body.idempotency_key || c.req.header('idempotency-key') || c.req.header('x-idempotency-key')
  return {
    prompt: body.prompt || body.text,
    convId: body.conv_id.trim() === '' ? undefined : convIdOf(body.conv_id),
    runtime: runtimeOf(profile, body.overrides),
    isStepwise: body.overrides['step_mode'] === true,
    idempotencyKey: key === undefined || key === '' ? undefined : parseOr(keySchema, key, 'invalid idempotency key'),
  }
}

/** The body as JSON of this shape; anything else is a bad request. */
export async function readAs<Schema extends v.GenericSchema>(
  schema: Schema,
  request: Request,
): Promise<v.InferOutput<Schema>> {
  try {
    // To a schema of an object, a list is one.
    return parseAs(schema, await readJson(request, v.custom<JsonObject>(isJsonObject)))
  } catch (error) {
    throw isGeppettoError(error, 'REQUEST_INVALID') ? badRequest('bad request') : error
  }
}

/** An id that a conversation can have. */
export function convIdOf(text: string): string {
  if (text.trim() === '') throw badRequest('missing conv_id')
  return parseOr(idSchema, text.trim(), 'invalid conv_id')
}

function parseOr(schema: v.GenericSchema<string, string>, value: string, sentence: string): string {
  try {
    return parseAs(schema, value)
  } catch {
    throw badRequest(sentence)
  }
}

export function badRequest(sentence: string): GeppettoError {
  return new GeppettoError('REQUEST_INVALID', sentence)
}

/** Who answers: the address says it, else the query, else the cookie of the caller, else nobody and it is the default. */
export function chosenProfile(
  profiles: Profiles,
  { path, url, headers }: { readonly path?: string | undefined; readonly url: URL; readonly headers: Headers },
): Profile {
  const named = path || url.searchParams.get('profile') || url.searchParams.get('runtime')
  if (named !== undefined && named !== null && named !== '') {
    return profileNamed(profiles, named.trim(), `profile not found: ${named.trim()}`)
  }
  const remembered = parse(headers.get('cookie') ?? '', profileCookie)[profileCookie]
  // A cookie outlives the profile that it names.
  return profiles.all.find(({ slug }) => slug === remembered) ?? profiles.default
}

export function profileNamed(profiles: Profiles, slug: string, sentence: string): Profile {
  const profile = profiles.all.find((one) => one.slug === slug)
  if (profile === undefined) throw new GeppettoError('PROFILE_UNKNOWN', sentence)
  return profile
}

/** What answers: the profile, and what the caller changes of it, where it may. Other keys of `overrides` are not for it. */
function runtimeOf(profile: Profile, overrides: JsonObject): Runtime {
  const { system_prompt: prompt, middlewares, tools } = overrides
  if (![prompt, middlewares, tools].some(isGiven)) return { profile: profile.slug }
  if (profile.allowsOverrides !== true) throw badRequest('profile does not allow engine overrides')
  return {
    profile: profile.slug,
    ...(isGiven(prompt) && { system_prompt: textOverride(prompt) }),
    ...(isGiven(middlewares) && { middlewares: middlewareOverrides(middlewares) }),
    ...(isGiven(tools) && toolOverrides(tools)),
  }
}

function isGiven(value: Json | undefined): value is NonNullable<Json> {
  return value !== undefined && value !== null
}

function textOverride(value: Json): string {
  if (typeof value !== 'string') throw badRequest('system_prompt override must be a string')
  return value
}

function middlewareOverrides(value: Json): NonNullable<Runtime['middlewares']> {
  if (!isList(value)) throw badRequest('middlewares override must be an array')
  return value.map((entry) => {
    if (!isJsonObject(entry)) throw badRequest('middleware override entries must be objects')
    const { name, config } = entry
    if (typeof name !== 'string' || name.trim() === '') throw badRequest('middleware override missing name')
    return { name: name.trim(), ...(config !== undefined && { config }) }
  })
}

/** No name at all means every tool of the profile. */
function toolOverrides(value: Json): Pick<Runtime, 'tools'> {
  if (!isList(value)) throw badRequest('tools override must be an array')
  const names = value.map((entry) => {
    if (typeof entry !== 'string') throw badRequest('tool override entries must be strings')
    return entry.trim()
  })
  const named = names.filter((name) => name !== '')
  return named.length === 0 ? {} : { tools: named }
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}

/** A number of a query, 0 when there is none that can be read. */
export function countOf(value: string | undefined): number {
  return value !== undefined && /^\s*\d{1,16}/.test(value)
    ? Math.min(Number.parseInt(value, 10), Number.MAX_SAFE_INTEGER)
    : 0
}
