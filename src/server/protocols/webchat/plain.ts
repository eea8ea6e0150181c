import type { Context } from 'hono'
import { isGeppettoError, messageOf } from '../../../errors.ts'
import type { RouteEnv, ServerContext } from '../../context.ts'
import { publicError } from '../../problem.ts'

/** An error as this dialect tells it: a status, and one sentence as plain text. `failed` stands for what nobody may see. */
export function plainResponse(error: unknown, requestId: string, failed = 'internal server error'): Response {
  const { status, message, retryAfterSeconds } = publicError(error, requestId)
  return new Response(status === 500 ? failed : message, {
    // The key stands for another prompt: in this dialect a conflict.
    status: isGeppettoError(error, 'IDEMPOTENCY_KEY_REUSED') ? 409 : status,
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      ...(retryAfterSeconds !== undefined && { 'retry-after': String(Math.ceil(retryAfterSeconds)) }),
    },
  })
}

/** Answers as `respond` does, and tells of errors in the form of this dialect. */
export function plainErrors(
  { log }: ServerContext,
  failed: string,
  respond: (c: Context<RouteEnv>) => Promise<Response> | Response,
): (c: Context<RouteEnv>) => Promise<Response> {
  return async (c) => {
    try {
      return await respond(c)
    } catch (error) {
      const response = plainResponse(error, c.get('requestId'), failed)
      const fields = { request_id: c.get('requestId'), error: messageOf(error) }
      if (response.status === 500) log.error(fields, failed)
      else log.warn(fields, 'a request was refused')
      return response
    }
  }
}

export function methodNotAllowed(allow: 'GET' | 'POST' | 'GET, POST'): () => Response {
  return () =>
    new Response('method not allowed', {
      status: 405,
      headers: { allow, 'content-type': 'text/plain; charset=utf-8' },
    })
}
