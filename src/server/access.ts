import type { Clock } from '../clock.ts'
import { GeppettoError } from '../errors.ts'
import type { Authenticate, Credentials, Permission, Principal } from './principal.ts'

/** How often it is asked whether the caller of an open stream is still let in. */
const recheckMs = 4_000

/** The right of one caller to do one thing, or to go on doing it. */
export interface Access {
  readonly principal: Principal
  /** Throws FORBIDDEN unless the caller may. */
  require(permission: Permission): void
  /** Aborts when the caller is let in no longer, or `stop` is called. One watch for each open stream. */
  watch(): { readonly signal: AbortSignal; stop(): void }
}

/** Lets a caller in. Throws UNAUTHENTICATED. */
export async function requireAccess(
  authenticate: Authenticate,
  credentials: Credentials,
  clock: Clock,
): Promise<Access> {
  const principal = await authenticate(credentials)
  if (principal === undefined) {
    throw new GeppettoError(
      'UNAUTHENTICATED',
      credentials.bearer === undefined
        ? 'This server wants to know who asks: send a token (authorization: Bearer …).'
        : 'The token is not one that this server takes, or no longer.',
    )
  }
  return {
    principal,
    require(permission) {
      if (principal.permissions.has(permission)) return
      throw new GeppettoError(
        'FORBIDDEN',
        `${principal.name} may not do that here: it needs the permission ${permission}.`,
      )
    },
    watch: () => watchAccess(authenticate, credentials, principal, clock),
  }
}

function watchAccess(authenticate: Authenticate, credentials: Credentials, principal: Principal, clock: Clock) {
  const abort = new AbortController()
  let cancelTimer: () => void = () => {}
  const check = async () => {
    // Who cannot be asked for now may come back: a stream does not end because a key server is slow.
    const now = await authenticate(credentials).catch(() => principal)
    const isGone = now === undefined || now.tenant !== principal.tenant || isLess(now, principal)
    const isLate = now?.expiresAt !== undefined && now.expiresAt <= clock.now()
    if (isGone || isLate) abort.abort(new GeppettoError('UNAUTHENTICATED', 'The caller is let in no longer.'))
    else if (!abort.signal.aborted) cancelTimer = clock.schedule(recheckMs, () => void check())
  }
  cancelTimer = clock.schedule(recheckMs, () => void check())
  return {
    signal: abort.signal,
    stop() {
      cancelTimer()
      abort.abort()
    },
  }
}

function isLess(now: Principal, before: Principal): boolean {
  return [...before.permissions].some((permission) => !now.permissions.has(permission))
}
