import * as v from 'valibot'
import { GeppettoError, isGeppettoError } from '../../errors.ts'
import { canonicalJson, type Json, type JsonObject } from '../../json.ts'
import { stepPhases, type StepEdit } from '../../inference/steps.ts'
import type { StoredSession } from '../../session/stored-session.ts'
import type { Block } from '../../turns/block.ts'
import { decodeBlock } from '../../turns/decode.ts'
import { runtimeKey } from '../../turns/keys.ts'
import type { Turn } from '../../turns/turn.ts'
import { sha256Hex } from '../../sha256.ts'
import type { Access } from '../access.ts'
import { attachmentSchema, imagesOf } from '../attachments.ts'
import { parseAs } from '../body.ts'
import type { ServerContext } from '../context.ts'
import { clientToolsSchema, type Profile, type Profiles } from '../profile.ts'

// What a client can do to a session, whatever it speaks over: each command takes JSON of its shape and gives JSON.

/** Ids that callers choose stand in addresses and in logs. */
export const idSchema = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/, 'must be 1 to 128 letters, digits, ".", "_", ":" or "-"'),
)

/** An idempotency key: any text that is short enough to be kept. */
export const keySchema = v.pipe(v.string(), v.minLength(1), v.maxLength(255))

/** Characters of a prompt. */
const promptLimit = 1_000_000

export const createSchema = v.object({ session_id: v.optional(idSchema), id: v.optional(idSchema) })
export const messageSchema = v.object({
  prompt: v.string(),
  attachments: v.optional(v.pipe(v.array(attachmentSchema), v.maxLength(16))),
  profile: v.optional(v.string()),
  /** In place of the profile's, where it allows that; holds until a prompt says who is to answer. */
  system_prompt: v.optional(v.pipe(v.string(), v.maxLength(1_000_000))),
  /** Names of the profile's tools that may be called; all of them when it is left out. */
  tools: v.optional(v.array(v.string())),
  /** Tools that the caller runs: a call of one waits as an approval, and its `result` answers it. */
  client_tools: v.optional(clientToolsSchema),
})
export const renameSchema = v.object({ title: v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(200)) })
export const cancelSchema = v.object({
  inference_id: v.optional(v.string()),
  reason: v.optional(v.pipe(v.string(), v.maxLength(500))),
})
export const decideSchema = v.object({
  decision: v.picklist(['approved', 'denied']),
  /** Replaces the arguments. */
  input: v.optional(v.record(v.string(), v.any())),
  /** What a tool of the client's own gave. */
  result: v.optional(v.any()),
  message: v.optional(v.pipe(v.string(), v.maxLength(10_000))),
  hash: v.optional(v.string()),
})
export const stepsSchema = v.object({
  enabled: v.boolean(),
  phases: v.optional(v.array(v.picklist(stepPhases))),
  /** After so long a pause ends by itself. */
  timeout_ms: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(3_600_000))),
})
export const continueSchema = v.object({
  edit: v.optional(
    v.object({
      blocks: v.optional(v.array(v.any())),
      arguments: v.optional(v.record(v.string(), v.record(v.string(), v.any()))),
    }),
  ),
})
export const forkSchema = v.object({
  turn_id: v.optional(v.string()),
  /** The id of a block of the turn: the fork ends before it. */
  before: v.optional(v.string()),
  session_id: v.optional(idSchema),
})

type AskedRuntime = Omit<v.InferOutput<typeof messageSchema>, 'prompt' | 'attachments'>

/** A prompt that is in the log. */
export interface Accepted extends JsonObject {
  readonly session_id: string
  readonly turn_id: string
  readonly inference_id: string
}

/**
 * The id of the session that a command makes which says none: the same for the same key, so that a command that is sent
 * again makes no second one.
 */
function idFor({ principal }: Access, key: string | undefined, of = ''): { readonly id?: string } {
  return key === undefined ? {} : { id: sha256Hex(canonicalJson([principal.tenant, of, key])).slice(0, 32) }
}

/** `{session_id?}` makes an empty session; one of the caller's that is there already is left as it is. */
export async function createSession(
  context: ServerContext,
  access: Access,
  body: unknown,
  key?: string,
): Promise<JsonObject> {
  access.require('write')
  const { session_id, id = idFor(access, key).id } = parseAs(createSchema, body)
  return { session_id: await context.conversations.create(access.principal, session_id ?? id) }
}

/**
 * `{prompt, attachments?, profile?, client_tools?}`: when this resolves, the prompt is in the log and will be answered. The same key
 * gives the same answer.
 */
export async function submitMessage(
  context: ServerContext,
  access: Access,
  sessionId: string,
  body: unknown,
  idempotencyKey?: string,
): Promise<Accepted> {
  access.require('write')
  const { prompt, attachments = [], ...asked } = parseAs(messageSchema, body)
  if (prompt.length > promptLimit) {
    throw new GeppettoError('REQUEST_TOO_LARGE', `prompt: it has more than ${promptLimit} characters; send less.`)
  }
  const images = imagesOf(attachments)
  if (prompt.trim() === '' && images.length === 0) {
    throw new GeppettoError('REQUEST_INVALID', 'prompt: there is nothing to answer; send a text or an image.')
  }
  const { session } = await context.conversations.find(access.principal, sessionId)
  const runtime = await runtimeOf(context.profiles, session, asked)
  const inference = await session.submit(prompt, {
    images,
    whileRunning: context.whileRunning,
    ...(runtime !== undefined && { runtime }),
    ...(idempotencyKey !== undefined && { idempotencyKey: parseAs(keySchema, idempotencyKey) }),
  })
  return {
    session_id: sessionId,
    turn_id: inference.turnId,
    inference_id: inference.id,
    status: 'queued',
    ordinal: inference.ordinal,
  }
}

/**
 * Who is to answer, what the caller changes of it, where it may, and the caller's own tools; undefined when nothing is
 * said of it. Without a profile the one of the turn before goes on.
 */
async function runtimeOf(
  profiles: Profiles,
  session: StoredSession,
  { profile: slug, system_prompt, tools, client_tools: clientTools }: AskedRuntime,
): Promise<JsonObject | undefined> {
  const named = slug === undefined ? undefined : profiles.named(slug)
  const overrides = { ...(system_prompt !== undefined && { system_prompt }), ...(tools !== undefined && { tools }) }
  const asked = {
    ...(named && { profile: named.slug }),
    ...overrides,
    ...(clientTools !== undefined && { client_tools: clientTools as Json }), // it came out of JSON
  }
  if (Object.keys(overrides).length > 0) {
    const latest = named === undefined ? await session.latest() : undefined
    requireOverrides(named ?? profiles.named(profiles.runtimeOf(latest && runtimeKey.get(latest)).profile), overrides)
  }
  return Object.keys(asked).length === 0 ? undefined : asked
}

function requireOverrides(profile: Profile, { tools = [] }: Pick<AskedRuntime, 'tools'>): void {
  if (profile.allowsOverrides !== true)
    throw new GeppettoError(
      'REQUEST_INVALID',
      `Profile ${profile.slug} allows no other system prompt or tools; leave system_prompt and tools out.`,
    )
  const unknown = tools.find((name) => profile.tools?.some((tool) => tool.name === name) !== true)
  if (unknown !== undefined)
    throw new GeppettoError(
      'REQUEST_INVALID',
      `tools: profile ${profile.slug} has no tool ${JSON.stringify(unknown)}; GET /api/profiles says which it has.`,
    )
}

/** `{title}` gives the session a name. */
export async function renameSession(
  context: ServerContext,
  access: Access,
  sessionId: string,
  body: unknown,
): Promise<JsonObject> {
  access.require('write')
  const { title } = parseAs(renameSchema, body)
  const { session } = await context.conversations.find(access.principal, sessionId)
  await session.rename(title)
  return { session_id: sessionId, title }
}

/** `{inference_id?, reason?}` asks an inference to stop, by default the one that runs. */
export async function cancelInference(
  context: ServerContext,
  access: Access,
  sessionId: string,
  body: unknown,
): Promise<JsonObject> {
  access.require('write')
  const { inference_id: inferenceId, reason } = parseAs(cancelSchema, body)
  const { session } = await context.conversations.find(access.principal, sessionId)
  const isAsked = await session.cancel(inferenceId, reason)
  return { session_id: sessionId, status: isAsked ? 'cancelling' : 'ended' }
}

/** `{decision, input?, result?, message?, hash?}` answers an approval; the same answer again changes nothing. */
export async function decideApproval(
  context: ServerContext,
  access: Access,
  sessionId: string,
  approvalId: string,
  body: unknown,
): Promise<JsonObject> {
  access.require('write')
  const { input, result, message, hash, decision } = parseAs(decideSchema, body)
  const { session } = await context.conversations.find(access.principal, sessionId)
  await session.decide(approvalId, {
    decision,
    by: access.principal.name,
    ...(input !== undefined && { input }),
    ...(result !== undefined && { result: result as Json }), // it came out of JSON
    ...(message !== undefined && { message }),
    ...(hash !== undefined && { hash }),
  })
  return { session_id: sessionId, approval_id: approvalId, decision }
}

/** `{enabled, phases?, timeout_ms?}`: whether the runs of the session wait between their steps for somebody to look, and where. */
export async function stepThrough(
  context: ServerContext,
  access: Access,
  sessionId: string,
  body: unknown,
): Promise<JsonObject> {
  access.require('write')
  const { enabled, phases, timeout_ms: timeoutMs } = parseAs(stepsSchema, body)
  await context.conversations.head(access.principal, sessionId)
  const limits = { ...(phases && { phases }), ...(timeoutMs !== undefined && { timeoutMs }) }
  if (enabled) context.steps.enable({ sessionId, owner: access.principal.name, ...limits })
  else context.steps.disable(sessionId)
  return stepsOf(context, access, sessionId)
}

/** Where the session's runs wait, and the pauses that last now. */
export async function stepsOf(context: ServerContext, access: Access, sessionId: string): Promise<JsonObject> {
  await context.conversations.head(access.principal, sessionId)
  const scope = context.steps.scopeOf(sessionId)
  const pauses = context.steps.pausesOf(sessionId).map(({ pauseId, phase, summary, deadlineMs, extra }) => ({
    pause_id: pauseId,
    phase,
    summary,
    deadline_ms: deadlineMs,
    extra,
  }))
  return { session_id: sessionId, enabled: scope !== undefined, ...(scope?.phases && { phases: scope.phases }), pauses }
}

/**
 * `{edit?: {blocks?, arguments?}}` lets a run go on that waits at a step. `blocks` is the whole list of the turn's blocks
 * as they are to be, `arguments` other arguments of calls that have not run, by the ids of the calls.
 */
export async function continueStep(
  context: ServerContext,
  access: Access,
  sessionId: string,
  pauseId: string,
  body: unknown,
): Promise<JsonObject> {
  access.require('write')
  const { edit } = parseAs(continueSchema, body)
  await context.conversations.head(access.principal, sessionId)
  const pause = context.steps.lookup(pauseId)
  if (pause?.scope.sessionId !== sessionId) {
    throw new GeppettoError('PAUSE_UNKNOWN', `Session ${sessionId} does not wait at ${pauseId}: it goes on already.`)
  }
  context.steps.continue(pauseId, edit && stepEditOf(edit))
  return { session_id: sessionId, pause_id: pauseId, status: 'continued' }
}

function stepEditOf({ blocks, arguments: given }: NonNullable<v.InferOutput<typeof continueSchema>['edit']>): StepEdit {
  const decoded = blocks?.map((block, index) => decodeBlock(block, `edit.blocks.${index}`))
  return {
    ...(decoded && { turn: (turn: Turn) => ({ ...turn, blocks: withKnown(turn.blocks, decoded) }) }),
    ...(given && { arguments: given }),
  }
}

/** The blocks as they are given, each that says nothing new as the turn has it: it is not to count as changed. */
function withKnown(known: readonly Block[], given: readonly Block[]): readonly Block[] {
  const byContent = new Map(known.map((block) => [canonicalJson(block), block]))
  return given.map((block) => byContent.get(canonicalJson(block)) ?? block)
}

/** `{turn_id?, before?, session_id?}` begins a session that goes on from a turn of this one, by default the latest, or from before a block of it. */
export async function forkSession(
  context: ServerContext,
  access: Access,
  sessionId: string,
  body: unknown,
  key?: string,
): Promise<JsonObject> {
  access.require('write')
  const { turn_id: turnId, before, session_id: id } = parseAs(forkSchema, body)
  const point = { ...(turnId !== undefined && { turnId }), ...(before !== undefined && { before }) }
  const keyed = idFor(access, key, canonicalJson([sessionId, point]))
  const named = { ...point, ...(id === undefined ? keyed : { id }) }
  const origin = { session_id: sessionId }
  try {
    return { session_id: await context.conversations.fork(access.principal, sessionId, named), origin }
  } catch (error) {
    const isSentAgain = id === undefined && keyed.id !== undefined && isGeppettoError(error, 'SESSION_EXISTS')
    if (!isSentAgain) throw error
    return { session_id: keyed.id, origin }
  }
}
