import { GeppettoError, type ErrorCode } from '../errors.ts'
import { isJsonObject, tryParseJson, type JsonObject } from '../json.ts'

export interface ProviderErrorDetails {
  readonly provider: string
  /** Whether the same request may succeed later. */
  readonly retryable: boolean
  readonly status?: number
  /** The provider's own name for the error. */
  readonly type?: string
  readonly requestId?: string
  readonly retryAfterMs?: number
}

/** A provider call failed. `details` has the provider's own words, the status and the request id, never a key. */
export class ProviderError extends GeppettoError {
  override readonly name = 'ProviderError'
  override readonly details: Readonly<Record<string, unknown>> & ProviderErrorDetails

  constructor(code: ErrorCode, message: string, details: ProviderErrorDetails, cause?: unknown) {
    super(code, message, cause === undefined ? {} : { cause })
    this.details = { ...details }
  }
}

/** The shortest key that is looked for: what is shorter is a word of its own. */
const minKeyLength = 8

/** `error` without the key: some providers and gateways repeat it in what they say. */
export function withoutKey(error: GeppettoError, apiKey: string): GeppettoError {
  if (apiKey.length < minKeyLength || !(error instanceof ProviderError) || !error.message.includes(apiKey)) return error
  return new ProviderError(error.code, error.message.replaceAll(apiKey, '[key]'), error.details, error.cause)
}

/** What a provider says of an error, in whichever of the usual shapes. */
export interface ReportedError {
  readonly type?: string
  readonly message: string
}

/** Reads `{error: {type, code, status, message}}`, `{type, message}`, `{error: "…"}` and `[{error: …}]`. */
function reportedError(body: unknown): ReportedError | undefined {
  const outer: unknown = Array.isArray(body) ? body[0] : body
  if (!isJsonObject(outer)) return undefined
  const inner = outer['error'] ?? outer
  if (typeof inner === 'string') return { message: inner }
  if (!isJsonObject(inner)) return undefined
  const message = firstText(inner, ['message', 'detail', 'error_message'])
  const type = errorType(inner)
  if (message === undefined && type === undefined) return undefined
  return { message: message ?? type ?? '', ...(type !== undefined && { type }) }
}

// A code says more than a type where both are given (`insufficient_quota` is of the type `insufficient_quota`, but
// `server_is_overloaded` is of the type `server_error`); Gemini puts its word into `status`.
function errorType(error: JsonObject): string | undefined {
  return firstText(error, ['code', 'status', 'type'])
}

function firstText(record: JsonObject, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = record[name]
    if (typeof value === 'string' && value.trim() !== '') return value
  }
  return undefined
}

interface Classification {
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly advice: string
}

const auth: Classification = { code: 'PROVIDER_AUTH', retryable: false, advice: 'check the key and what it may use' }
const quota: Classification = {
  code: 'PROVIDER_RATE_LIMITED',
  retryable: false,
  advice: 'check the plan and billing of the account',
}
const rate: Classification = { code: 'PROVIDER_RATE_LIMITED', retryable: true, advice: 'wait and try again' }
const overloaded: Classification = { code: 'PROVIDER_OVERLOADED', retryable: true, advice: 'try again in a moment' }
const serverFault: Classification = { code: 'PROVIDER_STREAM_ERROR', retryable: true, advice: 'try again in a moment' }

/** Error words that mean the same whatever the status beside them says: some come with 200. */
const byType: Readonly<Record<string, Classification>> = {
  authentication_error: auth,
  invalid_api_key: auth,
  permission_error: auth,
  UNAUTHENTICATED: auth,
  PERMISSION_DENIED: auth,
  insufficient_quota: quota,
  billing_error: quota,
  rate_limit_error: rate,
  rate_limit_exceeded: rate,
  RESOURCE_EXHAUSTED: rate,
  overloaded_error: overloaded,
  server_is_overloaded: overloaded,
  slow_down: overloaded,
  UNAVAILABLE: overloaded,
  api_error: serverFault,
  server_error: serverFault,
  internal_error: serverFault,
  timeout_error: serverFault,
  INTERNAL: serverFault,
  DEADLINE_EXCEEDED: serverFault,
}

/** The error of a stream that reported one after it had begun. */
export function streamError(provider: string, body: unknown): ProviderError {
  const reported = reportedError(body) ?? { message: 'the provider reported an error without words' }
  const known = reported.type === undefined ? undefined : byType[reported.type]
  const { code, retryable, advice } = known ?? {
    code: 'PROVIDER_STREAM_ERROR',
    retryable: false,
    advice: "see the provider's message",
  }
  const type = reported.type === undefined ? '' : ` (${reported.type})`
  return new ProviderError(
    code,
    `${provider} failed while it answered${type}: ${sentence(reported.message)} ${capital(advice)}.`,
    {
      provider,
      retryable,
      ...(reported.type !== undefined && { type: reported.type }),
    },
  )
}

/** The error of a reply that was no stream: `text` is its body, as far as it was read. */
export function responseError(
  provider: string,
  reply: {
    readonly status: number
    readonly url: string
    readonly contentType: string
    readonly text: string
    readonly requestId?: string
    readonly retryAfterMs?: number
  },
): ProviderError {
  const reported = reportedError(tryParseJson(reply.text))
  const known = reported?.type === undefined ? undefined : byType[reported.type]
  const { code, retryable, advice } = known ?? classifyStatus(reply.status, reply.url)
  const said = reported?.message ?? summary(reply.contentType, reply.text)
  return new ProviderError(code, `${provider} answered HTTP ${reply.status}: ${sentence(said)} ${capital(advice)}.`, {
    provider,
    retryable,
    status: reply.status,
    ...(reported?.type !== undefined && { type: reported.type }),
    ...(reply.requestId !== undefined && { requestId: reply.requestId }),
    ...(reply.retryAfterMs !== undefined && { retryAfterMs: reply.retryAfterMs }),
  })
}

function classifyStatus(status: number, url: string): Classification {
  if (status < 300)
    return {
      code: 'PROVIDER_NOT_A_STREAM',
      retryable: false,
      advice: `check that ${origin(url)} is the provider's API`,
    }
  if (status < 400)
    return {
      code: 'PROVIDER_HTTP',
      retryable: false,
      advice: 'redirects are not followed: give the final address as the base URL',
    }
  if (status === 401 || status === 403) return auth
  if (status === 404)
    return {
      code: 'PROVIDER_HTTP',
      retryable: false,
      advice: `check the model's name and the base URL (the request went to ${url.split('?')[0]})`,
    }
  if (status === 429) return rate
  if (status === 503 || status === 529) return overloaded
  if (status === 408 || status === 409 || status >= 500)
    return { code: 'PROVIDER_HTTP', retryable: true, advice: 'try again in a moment' }
  return { code: 'PROVIDER_HTTP', retryable: false, advice: 'the request was refused as it is' }
}

function summary(contentType: string, text: string): string {
  if (text.trim() === '') return 'an empty body'
  if (contentType.includes('html') || /^\s*<(?:!doctype|html)/i.test(text)) {
    const title = /<title[^>]*>([^<]{1,120})/i.exec(text)?.[1]?.trim()
    return title ? `an HTML page ("${title}"), not the API` : 'an HTML page, not the API'
  }
  return text.trim().slice(0, 300)
}

function sentence(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim().slice(0, 600)
  return /[.!?]$/.test(line) ? line : `${line}.`
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function origin(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : url
}
