import { GeppettoError, isGeppettoError } from '../../../errors.ts'
import { sha256Hex } from '../../../sha256.ts'
import { readTurn } from '../../../store/block-log.ts'
import type { Block } from '../../../turns/block.ts'
import type { Access } from '../../access.ts'
import { parseAs } from '../../body.ts'
import type { ServerContext } from '../../context.ts'
import { keySchema } from '../../native/commands.ts'
import type { Profile } from '../../profile.ts'
import type { Asked } from './asked.ts'
import { answer, unanswered } from './response-answers.ts'
import { findResponse, responseOf, stateOf, type ResponseOf } from './response-of.ts'
import { answersOf, askedInResponse, inferencesTold, type ResponseRequest } from './response-request.ts'
import type { Passing, Running } from './running.ts'

/** Puts a request into a log, and says which response answers it. */
export async function accept(
  context: ServerContext,
  passing: Passing,
  access: Access,
  request: ResponseRequest,
  key: string | undefined,
): Promise<ResponseOf> {
  const { principal } = access
  const previousId = request.previous_response_id ?? ''
  const previous = previousId === '' ? undefined : await responseOf(context, access, previousId)
  if (previous !== undefined) {
    const { running, part } = previous
    const answers = answersOf(request)
    const state = await stateOf(previous, 'now')
    if (answers.length > 0) {
      await answer(running, state, part, answers, principal.name)
      return { running, part: part + 1 }
    }
    const [wait] = part === state.part ? state.waits : []
    if (wait !== undefined) throw unanswered(wait.toolCallId)
  }
  const profile = context.profiles.named(request.model ?? (await profileOf(previous)))
  await letGo(context, access, inferencesTold(request))
  if (request.store === false) {
    return passingAnswer(passing, access, request, profile, await earlier(context, access, request, previous))
  }
  const withKey = key === undefined ? {} : { idempotencyKey: parseAs(keySchema, key) }
  if (previous !== undefined) {
    const asked = { ...askedInResponse(request, profile, [], false), ...withKey }
    return { running: await goOn(context, access, previous, asked), part: 0 }
  }
  const named = conversationOf(request)
  // The same key leads to the same conversation.
  const fromKey = key === undefined ? undefined : `key-${sha256Hex(`${principal.tenant}\n${key}`).slice(0, 32)}`
  const { store } = context.conversations
  const { session, head } = await context.conversations.findOrCreate(principal, named ?? fromKey ?? context.newId())
  const isNew = named === undefined || head.ordinal === 0
  const { prompt, ...options } = { ...askedInResponse(request, profile, [], isNew), ...withKey }
  return { running: { store, session, inference: await session.submit(prompt, options), isKept: true }, part: 0 }
}

function conversationOf({ conversation }: ResponseRequest): string | undefined {
  return typeof conversation === 'string' ? conversation : conversation?.id
}

/** Goes on after the turn of an earlier response: in its session when that is its latest, else in a fork. */
async function goOn(
  { conversations }: ServerContext,
  access: Access,
  previous: ResponseOf,
  asked: Asked,
): Promise<Running> {
  const { running: after } = previous
  const { prompt, ...options } = asked
  const { turnId } = after.inference
  try {
    const inference = await after.session.submit(prompt, { ...options, follows: turnId })
    return { ...after, inference }
  } catch (error) {
    if (!isGeppettoError(error, 'SESSION_BUSY')) throw error
    await stateOf(previous, 'over') // a fork is of a turn that is whole
    const forked = await conversations.fork(access.principal, after.session.id, { turnId })
    const { session } = await conversations.find(access.principal, forked)
    return { ...after, session, inference: await session.submit(prompt, options) }
  }
}

/** A response that is not stored: in a session in memory. */
async function passingAnswer(
  { conversations }: Passing,
  { principal }: Access,
  request: ResponseRequest,
  profile: Profile,
  blocks: readonly Block[],
): Promise<ResponseOf> {
  if (request.background === true)
    throw new GeppettoError(
      'REQUEST_INVALID',
      'background: what is not stored cannot be asked for later; leave out store: false.',
    )
  const { prompt, ...options } = askedInResponse(request, profile, blocks, blocks.length === 0)
  const { session } = await conversations.find(principal, await conversations.create(principal))
  const inference = await session.submit(prompt, options)
  return { running: { store: conversations.store, session, inference, isKept: false }, part: 0 }
}

/** The blocks that a response goes on from which is not stored: those of the turn of an earlier one, or of a session. */
async function earlier(
  { conversations }: ServerContext,
  { principal }: Access,
  request: ResponseRequest,
  previous: ResponseOf | undefined,
): Promise<readonly Block[]> {
  const named = conversationOf(request)
  if (previous === undefined && named === undefined) return []
  if (previous === undefined) {
    const { session } = await conversations.findOrCreate(principal, named ?? '')
    return (await session.latest())?.blocks ?? []
  }
  const { session, inference } = previous.running
  await stateOf(previous, 'over')
  const last = (await conversations.store.snapshots(session.id, { turnId: inference.turnId })).at(-1)
  return last === undefined ? [] : (await readTurn(conversations.store, session.id, last)).blocks
}

/** Ends what waits for a client that tells the conversation anew, with the outputs in it. */
async function letGo(context: ServerContext, access: Access, inferenceIds: readonly string[]): Promise<void> {
  for (const inferenceId of inferenceIds) {
    const target = await findResponse(context, access, `resp_${inferenceId}`) // or it was not stored
    await target?.running.inference.cancel('the client goes on in a conversation of its own')
  }
}

async function profileOf(previous: ResponseOf | undefined): Promise<string | undefined> {
  return previous && (await stateOf(previous, 'now')).runtime.profile
}
