import { pipeline, type Readable } from 'node:stream'
import { createBrotliDecompress, createUnzip, createZstdDecompress } from 'node:zlib'
import type { Agent } from 'undici'
import { GeppettoError, messageOf } from '../errors.ts'
import { checkUrl, guardedLookup, type NetworkPolicy } from './address-guard.ts'
import { ProviderError, responseError } from './error.ts'
import { HttpReply } from './http-reply.ts'

/** The part of `fetch` that is used; give another (the platform's own will do) to record, replay or route requests. */
export type Fetch = (url: string, init: FetchInit) => Promise<FetchReply>
export interface FetchInit {
  readonly method: 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal: AbortSignal
  readonly redirect: 'manual'
}
export interface FetchReply {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: AsyncIterable<Uint8Array> | null
}

export interface StreamReply {
  readonly body: AsyncIterable<Uint8Array>
  readonly requestId?: string
}

/** The most of an error reply that is read. */
const maxErrorChars = 64 * 1024

/** Posts `body` and gives the reply's stream. Throws ProviderError for every reply that is no event stream. */
export async function postForStream(
  provider: string,
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  options: { readonly signal: AbortSignal; readonly network: NetworkPolicy; readonly fetch?: Fetch },
): Promise<StreamReply> {
  if (!URL.canParse(url)) {
    throw new GeppettoError('SETTINGS_INVALID', `The base URL of ${provider} is not an address: ${url}.`)
  }
  checkUrl(new URL(url), options.network)
  const reply = await send(provider, url, headers, body, options)
  const requestId = reply.headers.get('x-request-id') ?? reply.headers.get('request-id') ?? undefined
  const contentType = reply.headers.get('content-type') ?? ''
  if (reply.status === 200 && reply.body !== null && !/html|json|xml/.test(contentType)) {
    return { body: reply.body, ...(requestId !== undefined && { requestId }) }
  }
  const retryAfterMs = retryAfter(reply.headers.get('retry-after'))
  throw responseError(provider, {
    status: reply.status,
    url,
    contentType,
    text: await readSome(reply.body),
    ...(requestId !== undefined && { requestId }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  })
}

async function send(
  provider: string,
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  options: { readonly signal: AbortSignal; readonly network: NetworkPolicy; readonly fetch?: Fetch },
): Promise<FetchReply> {
  const fetch = options.fetch ?? (await guardedFetch(options.network))
  try {
    return await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        'accept-encoding': 'identity',
        ...headers,
      },
      body,
      signal: options.signal,
      redirect: 'manual',
    })
  } catch (error) {
    if (options.signal.aborted) throw options.signal.reason
    throw unreachable(provider, url, error)
  }
}

const agents = new Map<string, Agent>()

// undici is loaded with the first request: most importers of this package never make one in the first 80 ms.
/** The fetch of an engine that is given none, held to the addresses that `network` allows. */
export async function guardedFetch(network: NetworkPolicy): Promise<Fetch> {
  const undici = await import('undici')
  const policy = `${network.allowPrivate === true}`
  const agent =
    agents.get(policy) ??
    new undici.Agent({
      connect: { lookup: guardedLookup(network), timeout: 10_000 },
      bodyTimeout: 0,
      headersTimeout: 0,
    })
  agents.set(policy, agent)
  return async (url, { method, headers, body, signal }) => {
    const reply = new HttpReply(signal)
    const { origin, pathname, search } = new URL(url)
    const all = { 'user-agent': 'geppetto', ...headers }
    agent.dispatch({ origin, path: pathname + search, method, headers: all, body }, reply)
    const { status, headers: received } = await reply.head
    const get = (name: string) => [received[name.toLowerCase()] ?? []].flat().join(', ') || null
    return { status, headers: { get }, body: decoded(reply, get('content-encoding')) }
  }
}

/** The body as it was before the server compressed it; some do though we ask them not to. */
function decoded(body: AsyncIterable<Uint8Array>, encoding: string | null): AsyncIterable<Uint8Array> {
  const decoder = decoders[encoding?.toLowerCase() ?? '']?.()
  // What goes wrong is heard by whoever reads.
  return decoder === undefined ? body : pipeline(body, decoder, () => {})
}

const decoders: Readonly<Record<string, () => NodeJS.ReadWriteStream & Readable>> = {
  gzip: createUnzip,
  'x-gzip': createUnzip,
  deflate: createUnzip,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
}

function unreachable(provider: string, url: string, error: unknown): Error {
  const cause = rootCause(error)
  if (cause instanceof GeppettoError) return cause
  const { host } = new URL(url)
  const why =
    cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : messageOf(cause)
  if (why === 'UND_ERR_INVALID_ARG') {
    const advice = 'Look for line breaks and other signs that no header may have, in the headers and in the key.'
    return new GeppettoError('SETTINGS_INVALID', `${provider} cannot be asked: ${messageOf(cause)}. ${advice}`)
  }
  return new ProviderError(
    'PROVIDER_UNREACHABLE',
    `${provider} cannot be reached at ${host} (${why}). Check the address and the network, then try again.`,
    { provider, retryable: true },
    error,
  )
}

function rootCause(error: unknown): unknown {
  let cause = error
  while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause
  return cause instanceof AggregateError ? (cause.errors[0] as unknown) : cause
}

async function readSome(body: AsyncIterable<Uint8Array> | null): Promise<string> {
  if (body === null) return ''
  const decoder = new TextDecoder()
  let text = ''
  try {
    for await (const chunk of body) {
      text += decoder.decode(chunk, { stream: true })
      if (text.length > maxErrorChars) break
    }
  } catch {
    // The status says enough; a body that breaks off adds what had come.
  }
  return text
}

/** Reads a Retry-After of seconds, in milliseconds; a date or nonsense counts as none. */
function retryAfter(header: string | null): number | undefined {
  const seconds = header === null ? Number.NaN : Number(header)
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined
}
