import { randomBytes } from 'node:crypto'
import { Hono } from 'hono'
import * as v from 'valibot'
import type { Clock } from '../clock.ts'
import { sha256Hex } from '../sha256.ts'
import { readJson } from './body.ts'
import type { RouteEnv, Routes } from './context.ts'
import type { Conversations } from './conversations.ts'
import { credentialsOf } from './credentials.ts'
import type { Credentials, Principal } from './principal.ts'

/** How long a ticket waits to be used. */
const ticketMs = 60_000
/** As many wait at the most; beyond, the oldest is no good any more. */
const waitingTickets = 10_000

/** What a ticket stands for. */
export interface Admission {
  readonly sessionId: string
  readonly credentials: Credentials
  readonly principal: Pick<Principal, 'tenant' | 'name'>
}

/**
 * Tickets for clients that cannot send a header, as a browser's EventSource and WebSocket. A ticket stands for the
 * credentials of who asked for it, in one session, once; it is good in the process that gave it.
 */
export class Tickets {
  readonly #clock: Clock
  readonly #waiting = new Map<string, Admission & { readonly until: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  issue(admission: Admission): { readonly ticket: string; readonly expiresAt: string } {
    const now = this.#clock.monotonic()
    for (const [hash, { until }] of this.#waiting) {
      if (until > now && this.#waiting.size < waitingTickets) break // they stand in the order of their ends
      this.#waiting.delete(hash)
    }
    // A secret, and no id: nobody may guess it from others.
    const ticket = randomBytes(32).toString('base64url')
    this.#waiting.set(sha256Hex(ticket), { ...admission, until: now + ticketMs })
    return { ticket, expiresAt: new Date(this.#clock.now() + ticketMs).toISOString() }
  }

  /** What the ticket stands for, which it does once. */
  redeem(ticket: string): Admission | undefined {
    const hash = sha256Hex(ticket)
    const found = this.#waiting.get(hash)
    this.#waiting.delete(hash)
    return found !== undefined && found.until > this.#clock.monotonic() ? found : undefined
  }
}

/** The ticket of a request to the event stream (for that session) or to our socket; nowhere else is one looked at. */
export function ticketOf(request: Pick<Request, 'method' | 'url'>): { ticket: string; sessionId?: string } | undefined {
  const { pathname, searchParams } = new URL(request.url)
  const ticket = searchParams.get('ticket')
  if (ticket === null || request.method !== 'GET') return undefined
  if (pathname.endsWith('/api/ws')) return { ticket }
  const sessionId = /\/api\/sessions\/([^/]+)\/events$/.exec(pathname)?.[1]
  return sessionId === undefined ? undefined : { ticket, sessionId: decoded(sessionId) }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

export const ticketSchema = v.object({ session_id: v.string() })

/** `POST /tickets {session_id}` gives a ticket for a session of the caller's. */
export function ticketRoutes(tickets: Tickets, conversations: Conversations): Routes {
  return new Hono<RouteEnv>().post('/tickets', async (c) => {
    const { session_id: sessionId } = await readJson(c.req.raw, ticketSchema)
    const { principal } = c.get('access')
    await conversations.head(principal, sessionId)
    const { ticket, expiresAt } = tickets.issue({ sessionId, principal, credentials: credentialsOf(c.req.raw) })
    return c.json({ ticket, session_id: sessionId, expires_at: expiresAt }, 201, { 'cache-control': 'no-store' })
  })
}
