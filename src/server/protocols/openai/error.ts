import type { ErrorCode } from '../../../errors.ts'
import type { ErrorInfo } from '../../../events/event.ts'
import type { JsonObject } from '../../../json.ts'
import { publicError } from '../../problem.ts'

/** Codes that OpenAI has a word of its own for; all others are told in lower case, as `session_busy`. */
const words: Partial<Readonly<Record<string, string>>> = {
  UNAUTHENTICATED: 'invalid_api_key',
  PROFILE_UNKNOWN: 'model_not_found',
  RATE_LIMITED: 'rate_limit_exceeded',
  PROVIDER_RATE_LIMITED: 'rate_limit_exceeded',
}

/** Failures of an inference that have a status of their own; every other one is the server's. */
const failureStatuses: Partial<Readonly<Record<string, number>>> = {
  PROVIDER_RATE_LIMITED: 429,
  PROVIDER_OVERLOADED: 503,
}

/** An error in OpenAI's form. */
function errorBody(status: number, code: string, message: string): { readonly error: JsonObject } {
  const isAboutField = code === ('REQUEST_INVALID' satisfies ErrorCode) || code === 'ATTACHMENT_INVALID'
  return {
    error: {
      message,
      type: typeOf(status),
      param: isAboutField ? (/^([\w.-]+): /.exec(message)?.[1] ?? null) : code === 'PROFILE_UNKNOWN' ? 'model' : null,
      code: words[code] ?? code.toLowerCase(),
    },
  }
}

/** What a caller is told of an error. */
export function errorResponse(error: unknown, requestId: string): Response {
  const { status, code, message, retryAfterSeconds } = publicError(error, requestId)
  const retry = retryAfterSeconds === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterSeconds)) }
  return Response.json(errorBody(status, code, message), { status, headers: retry })
}

/** An inference that failed, as the answer to who waited for it. The library would ask again: that is not its to decide. */
export function failureResponse(error: ErrorInfo, headers: Readonly<Record<string, string>>): Response {
  const { status, body } = failureOf(error)
  return Response.json(body, { status, headers: { ...headers, 'x-should-retry': 'false' } })
}

/** The same for who reads a stream, which has a status already. */
export function failureOf({ code, message }: ErrorInfo): { readonly status: number; readonly body: JsonObject } {
  const status = failureStatuses[code] ?? 500
  return { status, body: errorBody(status, code, message) }
}

function typeOf(status: number): string {
  if (status === 429) return 'rate_limit_error'
  return status >= 500 ? 'server_error' : 'invalid_request_error'
}
