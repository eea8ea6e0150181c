import type { Context } from 'hono'
import { isGeppettoError } from '../../../errors.ts'
import type { JsonObject } from '../../../json.ts'
import type { RouteEnv, ServerContext } from '../../context.ts'
import { entityJson, type TimelineEntity } from './entity.ts'
import { readEntities } from './frames.ts'
import { plainErrors } from './plain.ts'
import { badRequest, countOf } from './request.ts'

/** Entities of one answer, where no limit is asked for. */
const entityLimit = 5_000

/** What is seen of a conversation. One that the caller does not have is empty. */
export function timelineRoute(context: ServerContext): (c: Context<RouteEnv>) => Promise<Response> {
  const { conversations, clock } = context
  return plainErrors(context, 'timeline snapshot failed', async (c) => {
    const convId = (c.req.query('conv_id') ?? '').trim()
    if (convId === '') throw badRequest('missing conv_id')
    const since = countOf(c.req.query('since_version'))
    const limit = countOf(c.req.query('limit')) || entityLimit
    const head = await conversations.head(c.get('access').principal, convId).catch(unlessUnknown)
    const entities = head === undefined ? [] : await readEntities(conversations.store, head)
    return c.json(timelineSnapshot(convId, entities, { since, limit, nowMs: clock.now() }))
  })
}

/**
 * The entities as `TimelineSnapshotV2`, in the order of their creation. Who asks for few gets those that changed first,
 * and asks on from the last of their versions.
 */
export function timelineSnapshot(
  convId: string,
  all: readonly TimelineEntity[],
  { since, limit, nowMs }: { readonly since: number; readonly limit: number; readonly nowMs: number },
): JsonObject {
  const versions = all.map(({ version }) => version).filter((version) => version > since)
  const last = versions.toSorted((left, right) => left - right)[limit - 1] ?? Number.POSITIVE_INFINITY
  const entities = all.filter(({ version }) => version > since && version <= last).map(entityJson)
  const version = all.reduce((greatest, one) => Math.max(greatest, one.version), 0)
  return {
    convId,
    ...(version > 0 && { version: String(version) }),
    serverTimeMs: String(nowMs),
    ...(entities.length > 0 && { entities }),
  }
}

function unlessUnknown(error: unknown): undefined {
  if (!isGeppettoError(error, 'SESSION_UNKNOWN')) throw error
  return undefined
}
