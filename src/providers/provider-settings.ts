import type { InferenceSettings } from '../inference/settings.ts'
import type { NetworkPolicy } from './address-guard.ts'
import type { Fetch } from './transport.ts'
import type { CallTimeouts } from './watchdog.ts'

export interface RetryPolicy {
  /** Requests for one call, the first included. Default 3. */
  readonly maxAttempts?: number
  /** The first pause; each further one doubles. Default 500. A provider's Retry-After is obeyed up to `maxDelayMs`. */
  readonly baseDelayMs?: number
  /** Default 30 000. A provider that asks for a longer pause ends the call. */
  readonly maxDelayMs?: number
  /** Whether a call that has already shown output may be tried again; that output is then void. Default false. */
  readonly discardOutput?: boolean
}

/** All that a provider engine is made of. Nothing is read from the environment. */
export interface ProviderSettings extends InferenceSettings {
  readonly apiKey?: string
  /** The API's base, as the provider's own SDK takes it. */
  readonly baseUrl?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly network?: NetworkPolicy
  readonly retry?: RetryPolicy
  readonly timeouts?: CallTimeouts
  /** Default: undici's fetch, which refuses private addresses unless `network` allows them. */
  readonly fetch?: Fetch
}
