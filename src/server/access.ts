import type { Clock } from '../clock.ts'
import { GeppettoError } from '../errors.ts'
import { ticketOf, type Tickets } from './auth-tickets.ts'
import { credentialsOf } from './credentials.ts'
import type { Authenticate, Credentials, Permission, Principal } from './principal.ts'
import type { CallCounts } from './rate-limit.ts'

/** How often it is asked whether the caller of an open stream is still let in. */
const recheckMs = 4_000

/** The right of one caller to do one thing, or to go on doing it. */
export interface Access {
  readonly principal: Principal
  /** Throws FORBIDDEN unless the caller may. Each `write` counts: RATE_LIMITED when there were too many. */
  require(permission: Permission): void
  /** Counts one more message on a socket. Throws RATE_LIMITED. */
  countMessage(): void
  /** Throws RATE_LIMITED when `watch` would: for what is done before its stream is opened. */
  requireStream(): void
  /**
   * Aborts when the caller is let in no longer, or `stop` is called. One watch for each open stream, until it ends:
   * throws RATE_LIMITED when the caller has too many open.
   */
  watch(): { readonly signal: AbortSignal; stop(): void }
}

/** What decides who is let in. */
export interface AccessRules {
  readonly authenticate: Authenticate
  readonly tickets: Tickets
  readonly counts: CallCounts
  readonly clock: Clock
}

/** Lets a caller in. Throws UNAUTHENTICATED and RATE_LIMITED. */
export async function requireAccess(request: Request, rules: AccessRules): Promise<Access> {
  const { credentials, principal } = await callerOf(request, rules)
  rules.counts.countRequest(principal)
  return {
    principal,
    require(permission) {
      if (!principal.permissions.has(permission)) {
        throw new GeppettoError(
          'FORBIDDEN',
          `${principal.name} may not do that here: it needs the permission ${permission}.`,
        )
      }
      if (permission === 'write') rules.counts.countWrite(principal)
    },
    countMessage: () => rules.counts.countRequest(principal),
    requireStream: () => rules.counts.requireStream(principal),
    watch: () => watchAccess(credentials, principal, rules),
  }
}

interface Caller {
  readonly credentials: Credentials
  readonly principal: Principal
}

async function callerOf(request: Request, rules: AccessRules): Promise<Caller> {
  const credentials = credentialsOf(request)
  const shown = credentials.bearer === undefined ? ticketOf(request) : undefined
  if (shown !== undefined) return callerByTicket(shown, rules)
  const principal = await authenticated(credentials, rules)
  if (principal !== undefined) return { credentials, principal }
  throw unauthenticated(
    credentials.bearer === undefined
      ? 'This server wants to know who asks: send a token (authorization: Bearer …).'
      : 'The token is not one that this server takes, or no longer.',
  )
}

// Whoever asked for the ticket is asked for again: what has locked them out since locks the ticket out too.
async function callerByTicket(
  { ticket, sessionId }: { readonly ticket: string; readonly sessionId?: string },
  rules: AccessRules,
): Promise<Caller> {
  const admission = rules.tickets.redeem(ticket)
  if (admission !== undefined && (sessionId === undefined || sessionId === admission.sessionId)) {
    const { credentials } = admission
    const principal = await authenticated(credentials, rules)
    if (principal !== undefined && isSame(principal, admission.principal)) {
      return { credentials, principal: { ...principal, onlySession: admission.sessionId } }
    }
  }
  throw unauthenticated('The ticket was used, is too old, or was for another session; ask for a new one.')
}

async function authenticated(
  credentials: Credentials,
  { authenticate, clock }: AccessRules,
): Promise<Principal | undefined> {
  const principal = await authenticate(credentials)
  return principal !== undefined && isOver(principal, clock) ? undefined : principal
}

function watchAccess(credentials: Credentials, principal: Principal, rules: AccessRules) {
  const { clock, counts } = rules
  const release = counts.openStream(principal)
  const abort = new AbortController()
  const timers: { recheck?: () => void; expiry?: (() => void) | undefined } = {}
  const stop = () => {
    release()
    timers.recheck?.()
    timers.expiry?.()
    abort.abort()
  }
  const lockOut = () => {
    abort.abort(unauthenticated('The caller is let in no longer.'))
    stop()
  }
  const check = async () => {
    // Who cannot be asked for now may come back: a stream does not end because a key server is slow.
    const now = await authenticated(credentials, rules).catch(() => principal)
    if (abort.signal.aborted) return
    if (now === undefined || !isSame(now, principal) || isLess(now, principal)) lockOut()
    else timers.recheck = clock.schedule(recheckMs, () => void check())
  }
  timers.recheck = clock.schedule(recheckMs, () => void check())
  // Not with the checks alone: one may take long.
  const { expiresAt } = principal
  if (expiresAt !== undefined) timers.expiry = schedule(clock, expiresAt - clock.now(), lockOut)
  return { signal: abort.signal, stop }
}

/** A timer holds 24 days, and a token may hold longer: by then it has been checked often. */
const longestTimerMs = 2_147_483_647

function schedule(clock: Clock, ms: number, run: () => void): (() => void) | undefined {
  return ms > longestTimerMs ? undefined : clock.schedule(Math.max(ms, 0), run)
}

function isOver({ expiresAt }: Principal, clock: Clock): boolean {
  return expiresAt !== undefined && expiresAt <= clock.now()
}

function isSame(now: Pick<Principal, 'tenant' | 'name'>, before: Pick<Principal, 'tenant' | 'name'>): boolean {
  return now.tenant === before.tenant && now.name === before.name
}

function isLess(now: Principal, before: Principal): boolean {
  return [...before.permissions].some((permission) => !now.permissions.has(permission))
}

function unauthenticated(message: string): GeppettoError {
  return new GeppettoError('UNAUTHENTICATED', message)
}
