import { isGeppettoError, messageOf, type ErrorCode } from '../errors.ts'
import type { JsonObject } from '../json.ts'

/** The HTTP status of an error; a code that is not here is a fault of the server: 500. */
const statuses: Partial<Readonly<Record<ErrorCode, number>>> = {
  REQUEST_INVALID: 400,
  ATTACHMENT_INVALID: 400,
  CURSOR_INVALID: 400,
  SESSION_ID_EMPTY: 400,
  TURN_INVALID: 400,
  SESSION_FILE_INVALID: 400,
  PROFILE_INVALID: 400,
  HISTORY_REFUSED: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  ORIGIN_REFUSED: 403,
  ROUTE_UNKNOWN: 404,
  SESSION_UNKNOWN: 404,
  TURN_UNKNOWN: 404,
  INFERENCE_UNKNOWN: 404,
  APPROVAL_UNKNOWN: 404,
  PAUSE_UNKNOWN: 404,
  PROFILE_UNKNOWN: 404,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_TOO_SLOW: 408,
  SESSION_BUSY: 409,
  SESSION_EXISTS: 409,
  SESSION_NOT_ACTIVE: 409,
  CURSOR_FOREIGN: 409,
  CURSOR_FUTURE: 409,
  APPROVAL_MISMATCH: 409,
  CURSOR_EXPIRED: 410,
  REQUEST_TOO_LARGE: 413,
  TURN_TOO_LARGE: 413,
  MEDIA_TYPE_UNSUPPORTED: 415,
  HOST_REFUSED: 421,
  IDEMPOTENCY_KEY_REUSED: 422,
  RATE_LIMITED: 429,
  SESSION_QUEUE_FULL: 429,
  AUTHENTICATION_UNAVAILABLE: 503,
  SERVER_STOPPING: 503,
  STORE_BUSY: 503,
  STORE_CLOSED: 503,
  STORE_FULL: 507,
}

/** How long a caller should wait before they try again, in seconds, where waiting helps. */
const retryAfter: Partial<Readonly<Record<ErrorCode, number>>> = {
  SESSION_QUEUE_FULL: 2,
  AUTHENTICATION_UNAVAILABLE: 5,
  SERVER_STOPPING: 5,
  STORE_BUSY: 1,
  STORE_CLOSED: 5,
  STORE_FULL: 30,
  RATE_LIMITED: 1,
}

/** An error as a caller may see it. What is not meant for them is a sentence that says nothing but where to look. */
export interface PublicError {
  readonly status: number
  readonly code: ErrorCode
  readonly message: string
  readonly retryAfterSeconds?: number
}

/** What a caller is told of an error: those of ours that are theirs in full, all others by the id of the request. */
export function publicError(error: unknown, requestId: string): PublicError {
  const code = isGeppettoError(error) ? error.code : 'INTERNAL'
  const status = statuses[code] ?? 500
  const wait = isGeppettoError(error) ? (error.details['retryAfterSeconds'] ?? retryAfter[code]) : undefined
  const message = status === 500 ? `The server failed; its log says why under request ${requestId}.` : messageOf(error)
  return { status, code, message, ...(typeof wait === 'number' && { retryAfterSeconds: wait }) }
}

/** The error as a problem document (RFC 9457). */
export function problemResponse(error: unknown, requestId: string): Response {
  const { status, code, message, retryAfterSeconds } = publicError(error, requestId)
  const problem: JsonObject = {
    type: 'about:blank',
    title: titleOf(code),
    status,
    detail: message,
    code,
    request_id: requestId,
  }
  return new Response(JSON.stringify(problem), {
    status,
    headers: {
      'content-type': 'application/problem+json',
      ...(status === 401 && { 'www-authenticate': 'Bearer' }),
      ...(retryAfterSeconds !== undefined && { 'retry-after': String(Math.ceil(retryAfterSeconds)) }),
    },
  })
}

// SESSION_BUSY as "Session busy".
function titleOf(code: ErrorCode): string {
  const words = code.toLowerCase().replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}
