import { createLocalJWKSet, createRemoteJWKSet, errors, jwtVerify, type JSONWebKeySet, type JWTPayload } from 'jose'
import { systemClock, type Clock } from '../clock.ts'
import { GeppettoError } from '../errors.ts'
import { permissions, type Authenticate, type Permission, type Principal } from './principal.ts'

/** How long keys that were fetched are good, and how long a token of an unknown key makes nobody fetch them again. */
const keysMs = 300_000
const cooldownMs = 30_000
const fetchTimeoutMs = 5_000

/** Signatures that only the holder of a private key can make. */
const algorithms = ['EdDSA', 'Ed25519', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512']

export interface TokenOptions {
  /** Who issues the tokens: their `iss`. */
  readonly issuer: string
  /** Whom they are for: this server's name at the issuer, their `aud`. */
  readonly audience: string
  /** The claim that says whose the sessions are. Default `sub`: each user has their own. */
  readonly tenantClaim?: string
  /**
   * The claim that lists permissions, as a list or as words with spaces between. Without one, who has a token may read
   * and write.
   */
  readonly permissionsClaim?: string
  readonly clock?: Clock
}

/** Where the public keys are: published by the issuer (https, fetched when they are wanted), or at hand. */
export type TokenKeys = { readonly url: string } | { readonly keys: JSONWebKeySet }

/**
 * Lets in who shows a signed token (a JWT) of one issuer, for as long as the token says. Tokens need `exp` and `sub`.
 * Throws SETTINGS_INVALID; the function that it gives throws AUTHENTICATION_UNAVAILABLE when the keys cannot be fetched.
 */
export function jwks(options: TokenOptions & TokenKeys): Authenticate {
  const { issuer, audience, clock = systemClock } = options
  const keys = 'url' in options ? publishedKeys(options.url) : createLocalJWKSet(options.keys)
  return async ({ bearer }) => {
    if (bearer === undefined) return undefined
    try {
      const currentDate = new Date(clock.now())
      const expected = { issuer, audience, algorithms, currentDate }
      const { payload } = await jwtVerify(bearer, keys, expected)
      return principalOf(payload, options)
    } catch (error) {
      if (isOfToken(error)) return undefined
      throw new GeppettoError('AUTHENTICATION_UNAVAILABLE', 'Tokens cannot be checked now; try again in a moment.', {
        cause: error,
      })
    }
  }
}

function publishedKeys(address: string): ReturnType<typeof createRemoteJWKSet> {
  const url = URL.parse(address)
  const isHere = url !== null && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  if (url?.protocol !== 'https:' && !(isHere && url.protocol === 'http:')) {
    throw new GeppettoError('SETTINGS_INVALID', `Keys are fetched over https alone, not from ${address}.`)
  }
  return createRemoteJWKSet(url, {
    cacheMaxAge: keysMs,
    cooldownDuration: cooldownMs,
    timeoutDuration: fetchTimeoutMs,
  })
}

function principalOf(
  payload: JWTPayload,
  { tenantClaim = 'sub', permissionsClaim }: TokenOptions,
): Principal | undefined {
  const { sub, exp, [tenantClaim]: tenant } = payload
  if (!isName(sub) || !isName(tenant) || exp === undefined) return undefined
  const allowed = permissionsClaim === undefined ? (['read', 'write'] as const) : listed(payload[permissionsClaim])
  return { tenant, name: sub, permissions: new Set(allowed), expiresAt: exp * 1000 }
}

function listed(claim: unknown): readonly Permission[] {
  const words: readonly unknown[] = typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : []
  return permissions.filter((permission) => words.includes(permission))
}

function isName(claim: unknown): claim is string {
  return typeof claim === 'string' && claim !== ''
}

/** Whether it is the token that is no good, and not that it cannot be checked. */
function isOfToken(error: unknown): boolean {
  if (!(error instanceof errors.JOSEError)) return false
  return !['ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID', 'ERR_JWK_INVALID', 'ERR_JOSE_GENERIC'].includes(error.code)
}
