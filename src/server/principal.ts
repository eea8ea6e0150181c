/** What a caller may do. `inspect` is reading what only developers see: requests, traces, the debug API. */
export const permissions = ['read', 'write', 'inspect'] as const
export type Permission = (typeof permissions)[number]

/** Who calls, as the server has made sure of it. */
export interface Principal {
  /** Whose the sessions are that they make: they see these, and no others. */
  readonly tenant: string
  /** Who they are, for logs and approvals. */
  readonly name: string
  readonly permissions: ReadonlySet<Permission>
  /** When what let them in stops being good, in milliseconds since 1970; streams end then. */
  readonly expiresAt?: number
  /** The one session that a ticket lets them to; they make no others. */
  readonly onlySession?: string
}

/** The one user of a server that only this machine reaches. */
export const localUser: Principal = { tenant: '', name: 'local', permissions: new Set(permissions) }

/** What a request carries of its caller, wherever it stood: header, subprotocol of a socket, or ticket. */
export interface Credentials {
  readonly bearer?: string
}

/**
 * Says who calls; undefined when the credentials are missing or no good. It is asked again while a stream is open, so
 * that one whose caller has been locked out ends.
 */
export type Authenticate = (credentials: Credentials) => Promise<Principal | undefined>
