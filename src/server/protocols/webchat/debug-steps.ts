import type { Context, Hono } from 'hono'
import * as v from 'valibot'
import { GeppettoError } from '../../../errors.ts'
import type { JsonObject } from '../../../json.ts'
import type { StepPause } from '../../../inference/steps.ts'
import type { RouteEnv, ServerContext } from '../../context.ts'
import { methodNotAllowed, plainErrors } from './plain.ts'
import { badRequest, readAs } from './request.ts'

const text = v.nullish(v.pipe(v.string(), v.trim()), '')
const scopeSchema = v.object({ conv_id: text, session_id: text, owner: text })
const continueSchema = v.object({ pause_id: text, conv_id: text })

/** Holding the runs of a conversation between their steps. */
export function addStepRoutes(context: ServerContext, debug: Hono<RouteEnv>): void {
  const { steps, conversations } = context
  const post = (path: string, respond: (c: Context<RouteEnv>) => Promise<JsonObject>) => {
    debug.post(
      path,
      plainErrors(context, 'step control failed', async (c) => {
        c.get('access').require('inspect')
        c.get('access').require('write')
        return c.json(await respond(c))
      }),
    )
    debug.all(path, methodNotAllowed('POST'))
  }
  const isTheirs = (c: Context<RouteEnv>, sessionId: string) =>
    conversations.head(c.get('access').principal, sessionId).then(
      () => true,
      () => false,
    )
  const scopeOf = async (c: Context<RouteEnv>) => {
    const { conv_id, session_id, owner } = await readAs(scopeSchema, c.req.raw)
    const sessionId = session_id || conv_id
    if (sessionId === '' || !(await isTheirs(c, sessionId))) throw badRequest('missing session_id (or unknown conv_id)')
    return { sessionId, owner: owner || c.get('access').principal.name }
  }

  post('/step/enable', async (c) => {
    const { sessionId, owner } = await scopeOf(c)
    steps.enable({ sessionId, owner })
    return { ok: true, session_id: sessionId, conv_id: sessionId }
  })
  post('/step/disable', async (c) => {
    const { sessionId } = await scopeOf(c)
    steps.disable(sessionId)
    return { ok: true, session_id: sessionId }
  })
  post('/continue', async (c) => {
    const { pause_id: pauseId, conv_id: convId } = await readAs(continueSchema, c.req.raw)
    if (pauseId === '') throw badRequest('missing pause_id')
    const pause = steps.lookup(pauseId)
    if (pause === undefined || !(await isTheirs(c, pause.scope.sessionId))) {
      throw new GeppettoError('PAUSE_UNKNOWN', 'unknown pause_id')
    }
    if (convId !== '' && pause.scope.sessionId !== convId) {
      throw new GeppettoError('FORBIDDEN', 'pause does not belong to this conversation')
    }
    steps.continue(pauseId)
    return { ok: true, pause: pauseJson(pause) }
  })
}

function pauseJson({ pauseId, phase, summary, deadlineMs, extra, scope }: StepPause): JsonObject {
  const { sessionId, owner } = scope
  return {
    pause_id: pauseId,
    phase,
    summary,
    deadline_ms: deadlineMs,
    extra,
    scope: { session_id: sessionId, conversation_id: sessionId, ...(owner !== undefined && { owner }) },
  }
}
