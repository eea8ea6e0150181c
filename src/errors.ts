/** Every code that an error of this library can carry. Codes are stable; sentences may be reworded. */
export type ErrorCode =
  // turns
  | 'TURN_INVALID'
  | 'TURN_TOO_LARGE'
  | 'KEY_INVALID'
  | 'KEY_DECODE'
  | 'KEY_NOT_JSON'
  // events
  | 'EVENT_INVALID'
  | 'EVENT_TYPE_TAKEN'
  | 'EVENT_GAP'
  // session
  | 'SESSION_ID_EMPTY'
  | 'SESSION_BUSY'
  | 'SESSION_NOT_ACTIVE'
  | 'SESSION_EMPTY_TURN'
  | 'SESSION_ID_MISMATCH'
  | 'SESSION_UNKNOWN'
  | 'SESSION_EXISTS'
  | 'SESSION_HELD'
  | 'SESSION_FENCED'
  | 'SESSION_QUEUE_FULL'
  | 'SESSION_CLOSED'
  | 'SESSION_FILE_INVALID'
  | 'TURN_UNKNOWN'
  | 'IDEMPOTENCY_KEY_REUSED'
  | 'CURSOR_INVALID'
  | 'CURSOR_FOREIGN'
  | 'CURSOR_FUTURE'
  | 'CURSOR_EXPIRED'
  | 'APPROVAL_UNKNOWN'
  | 'APPROVAL_MISMATCH'
  // store
  | 'STORE_BUSY'
  | 'STORE_FULL'
  | 'STORE_READ_ONLY'
  | 'STORE_CORRUPT'
  | 'STORE_VERSION'
  | 'STORE_CLOSED'
  | 'STORE_FAILED'
  // inference
  | 'SETTINGS_INVALID'
  | 'INFERENCE_CANCELLED'
  | 'INFERENCE_UNKNOWN'
  | 'INFERENCE_INTERRUPTED'
  | 'INFERENCE_POISONED'
  | 'INFERENCE_HANDED_OVER'
  | 'LOOP_LIMIT'
  | 'TOOL_INVALID'
  | 'TOOL_FAILED'
  | 'STRUCTURED_OUTPUT_INVALID'
  // providers
  | 'PROVIDER_UNKNOWN'
  | 'PROVIDER_KEY_MISSING'
  | 'PROVIDER_ADDRESS_REFUSED'
  | 'PROVIDER_UNREACHABLE'
  | 'PROVIDER_HTTP'
  | 'PROVIDER_AUTH'
  | 'PROVIDER_RATE_LIMITED'
  | 'PROVIDER_OVERLOADED'
  | 'PROVIDER_NOT_A_STREAM'
  | 'PROVIDER_PROTOCOL'
  | 'PROVIDER_STREAM_ERROR'
  | 'PROVIDER_STREAM_TRUNCATED'
  | 'PROVIDER_STALLED'
  | 'PROVIDER_EMPTY_RESPONSE'
  | 'PROVIDER_MALFORMED_TOOL_CALL'
  | 'SCRIPT_INVALID'
  // cassettes
  | 'CASSETTE_INVALID'
  | 'CASSETTE_DIVERGED'
  | 'CASSETTE_SECRET'
  // server
  | 'REQUEST_INVALID'
  | 'REQUEST_TOO_LARGE'
  | 'REQUEST_TOO_SLOW'
  | 'MEDIA_TYPE_UNSUPPORTED'
  | 'ATTACHMENT_INVALID'
  | 'ROUTE_UNKNOWN'
  | 'METHOD_NOT_ALLOWED'
  | 'HOST_REFUSED'
  | 'ORIGIN_REFUSED'
  | 'UNAUTHENTICATED'
  | 'AUTHENTICATION_UNAVAILABLE'
  | 'FORBIDDEN'
  | 'RATE_LIMITED'
  | 'PROFILE_UNKNOWN'
  | 'PROFILE_INVALID'
  | 'HISTORY_REFUSED'
  | 'PAUSE_UNKNOWN'
  | 'SERVER_STOPPING'
  // client
  | 'SERVER_UNREACHABLE'
  // command line
  | 'USAGE'
  | 'FILE_ACCESS'
  // anything that is not ours
  | 'INTERNAL'

const marker = Symbol.for('geppetto.error')

export interface ErrorOptionsWithDetails extends ErrorOptions {
  /** Ids and figures that help to find the cause. Never a secret. */
  readonly details?: Readonly<Record<string, unknown>>
}

/** An error with a stable code and a sentence that says what happened, with which id, and what to do. */
export class GeppettoError extends Error {
  override readonly name: string = 'GeppettoError'
  readonly [marker] = true
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, options: ErrorOptionsWithDetails = {}) {
    super(message, options)
    this.code = code
    this.details = options.details ?? {}
  }
}

/** Whether `error` is ours, and of this code when one is named. Holds across two copies of the package. */
export function isGeppettoError(error: unknown, code?: ErrorCode): error is GeppettoError {
  if (!(error instanceof Error) || !(marker in error)) return false
  return code === undefined || (error as GeppettoError).code === code // the marker says whose it is
}

/** The sentence of anything that was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message === '' ? error.name : error.message
  if (typeof error === 'string') return error
  try {
    return JSON.stringify(error) ?? String(error)
  } catch {
    return `a thrown ${typeof error} that has no text`
  }
}
