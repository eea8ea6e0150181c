import { GeppettoError } from '../errors.ts'

/** Which pages may use the server from a browser, and under which names it may be reached. */
export interface SecurityOptions {
  /** Origins of pages, as `https://app.example.com`, beside the server's own. Default: none. */
  readonly allowedOrigins?: readonly string[]
  /**
   * Names of the server, as `chat.example.com`, without the port. Default: those of this machine alone, so that a name
   * of a foreign page that leads here is refused (DNS rebinding).
   */
  readonly allowedHosts?: readonly string[]
}

/** The names of this machine for itself. */
export const loopbackNames = ['localhost', '127.0.0.1', '[::1]']

/** What every answer says to the browser that shows it. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}

/**
 * The origin that a browser may be told it is allowed; undefined for a request that no foreign page makes. Throws
 * HOST_REFUSED and ORIGIN_REFUSED. A socket's handshake needs an origin where `isSocket` and a browser made it, which
 * its `sec-fetch-mode` or cookies tell; a program has none.
 */
export function checkOrigin(
  request: Pick<Request, 'headers' | 'url'>,
  { allowedOrigins = [], allowedHosts = loopbackNames }: SecurityOptions,
): string | undefined {
  const host = (request.headers.get('host') ?? new URL(request.url).host).toLowerCase()
  const name = host.replace(/:\d*$/, '')
  if (!allowedHosts.some((allowed) => allowed.toLowerCase() === name)) {
    throw new GeppettoError('HOST_REFUSED', `This server is not named ${JSON.stringify(name)}; ask it by its own name.`)
  }
  const origin = request.headers.get('origin')
  if (origin === null) {
    if (request.headers.get('sec-fetch-site') === 'cross-site') throw refused('of another site')
    return undefined
  }
  const isOwn = origin === `http://${host}` || origin === `https://${host}`
  if (isOwn) return undefined
  if (allowedOrigins.includes(origin)) return origin
  throw refused(origin)
}

function refused(origin: string): GeppettoError {
  return new GeppettoError(
    'ORIGIN_REFUSED',
    `Pages of ${origin} may not use this server; its operator can allow the origin.`,
  )
}

/** What a browser is told when a page of an allowed origin asks. */
export function corsHeaders(origin: string): Readonly<Record<string, string>> {
  return {
    'access-control-allow-origin': origin,
    'access-control-expose-headers':
      'x-request-id, retry-after, x-geppetto-session-id, x-geppetto-inference-id, x-geppetto-turn-id, x-vercel-ai-ui-message-stream, x-workflow-run-id, x-workflow-stream-tail-index',
    'cross-origin-resource-policy': 'cross-origin',
    vary: 'Origin',
  }
}

/** What OpenAI's library says of itself with each request. */
const stainlessHeaders = [
  'arch',
  'helper-method',
  'lang',
  'os',
  'package-version',
  'retry-count',
  'runtime',
  'runtime-version',
  'timeout',
]

export const preflightHeaders: Readonly<Record<string, string>> = {
  'access-control-allow-methods': 'GET, POST, PATCH, DELETE',
  'access-control-allow-headers': [
    'authorization, content-type, idempotency-key, last-event-id, x-api-key, x-geppetto-ui, x-idempotency-key',
    ...stainlessHeaders.map((name) => `x-stainless-${name}`),
  ].join(', '),
  'access-control-max-age': '600',
}
