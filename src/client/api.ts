import { sleep, type Clock } from '../clock.ts'
import { isGeppettoError, messageOf, type GeppettoError } from '../errors.ts'
import { isJsonObject, tryParseJson, type Json } from '../json.ts'
import type { Random } from './chance.ts'
import { lost } from './link.ts'
import { serverError } from './message.ts'
import { retryDelayMs } from './retry.ts'

export interface ApiOptions {
  readonly baseUrl: string
  readonly token?: string
  readonly fetch: typeof fetch
  readonly clock: Clock
  readonly random: Random
}

export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly body?: Json
  readonly idempotencyKey?: string
  readonly signal: AbortSignal
}

/** How long an answer may take before the request counts as lost. */
const answerMs = 60_000

/** What a refusal without a problem document means: a proxy has answered in the server's place. */
const codes: Readonly<Record<number, string>> = {
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'ROUTE_UNKNOWN',
}

/** The server's HTTP interface: one request, or one that is repeated until it is answered. */
export class Api {
  readonly #options: ApiOptions

  constructor(options: ApiOptions) {
    this.#options = options
  }

  /** The response, when it is a good one; its body is yet to come. Throws the server's error, or SERVER_UNREACHABLE. */
  async open(path: string, { method = 'GET', body, idempotencyKey, signal }: ApiRequest): Promise<Response> {
    const { baseUrl, token, fetch } = this.#options
    const headers = {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
    }
    const init = { method, headers, signal, ...(body !== undefined && { body: JSON.stringify(body) }) }
    const response = await fetch(`${baseUrl}${path}`, { ...init, cache: 'no-store' }).catch((error: unknown) => {
      throw signal.aborted ? signal.reason : lost('The server gives no answer', error)
    })
    if (response.ok) return response
    throw await refusal(response)
  }

  /** The answer as JSON, null when it has none. One request. */
  async ask(path: string, request: ApiRequest): Promise<Json> {
    const late = new AbortController()
    const cancelTimer = this.#options.clock.schedule(answerMs, () => late.abort(lost('The server gives no answer')))
    try {
      const signal = AbortSignal.any([request.signal, late.signal])
      const response = await this.open(path, { ...request, signal })
      const text = await response.text().catch((error: unknown) => {
        throw signal.aborted ? signal.reason : lost('The answer broke off', error)
      })
      if (response.status === 204) return null
      const value = tryParseJson(text)
      // A page that asks for a login, or half an answer.
      if (value === undefined)
        throw lost('Something else than the server answers', undefined, { status: response.status })
      return value
    } finally {
      cancelTimer()
    }
  }

  /**
   * As `ask`, but asks again until there is an answer or a refusal, so the request must be one that may come twice. A
   * refusal that says that it came twice (`isDone`) is an answer.
   */
  async insist(path: string, request: ApiRequest, isDone?: (error: GeppettoError) => boolean): Promise<Json> {
    const { clock, random } = this.#options
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.ask(path, request)
      } catch (error) {
        if (request.signal.aborted || !isGeppettoError(error)) throw error
        // Said of a request that came through before, though its answer did not.
        if (attempt > 0 && isDone?.(error) === true) return null
        if (!passes(error)) throw error
        await sleep(clock, retryDelayMs(error, attempt, random), request.signal)
      }
    }
  }
}

/** Whether the error is gone when one waits; all others are answers. A queue that is full is one: its sender is to know. */
function passes({ code, details }: GeppettoError): boolean {
  const isBusy = details['status'] === 408 || details['status'] === 503
  return code === 'SERVER_UNREACHABLE' || code === 'RATE_LIMITED' || isBusy
}

async function refusal(response: Response): Promise<GeppettoError> {
  const { status, headers } = response
  const problem = tryParseJson(await response.text().catch(messageOf))
  const seconds = Number(headers.get('retry-after') ?? Number.NaN)
  const details = { status, ...(Number.isFinite(seconds) && { retryAfterMs: seconds * 1000 }) }
  const { code, detail } = isJsonObject(problem) ? problem : {}
  if (typeof code === 'string') {
    return serverError(code, typeof detail === 'string' ? detail : `The server refuses with ${status}.`, details)
  }
  if (status >= 500 || status === 408 || status === 429)
    return lost(`The server fails with ${status}`, undefined, details)
  return serverError(codes[status] ?? 'REQUEST_INVALID', `The server refuses the request with ${status}.`, details)
}
