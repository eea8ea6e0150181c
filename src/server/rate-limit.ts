import { isIPv4 } from 'node:net'
import type { Clock } from '../clock.ts'
import { GeppettoError } from '../errors.ts'
import type { Principal } from './principal.ts'

/** How much is taken from whom. What is spent comes back evenly, so a pause of a second or two is enough to go on. */
export interface Limits {
  /** Requests a minute from one address (of IPv6: one /64 network), counted before it is asked who calls. */
  readonly requestsPerAddress: number
  /** Requests and messages over sockets a minute, of one caller. */
  readonly requestsPerCaller: number
  /** Prompts, and all else that changes something, a minute, of one caller. */
  readonly writesPerCaller: number
  /** Event streams and sockets that one caller may have open. */
  readonly streamsPerCaller: number
}

export const defaultLimits: Limits = {
  requestsPerAddress: 3_000,
  requestsPerCaller: 1_200,
  writesPerCaller: 120,
  streamsPerCaller: 64,
}

/** For a server that only the user of this machine reaches. */
export const noLimits: Limits = {
  requestsPerAddress: Infinity,
  requestsPerCaller: Infinity,
  writesPerCaller: Infinity,
  streamsPerCaller: Infinity,
}

/** What callers have spent in this process. All that refuses throws RATE_LIMITED and says when to come back. */
export class CallCounts {
  readonly #addresses: Allowances
  readonly #requests: Allowances
  readonly #writes: Allowances
  readonly #streams = new Map<string, number>()
  readonly #streamLimit: number

  /** Throws SETTINGS_INVALID for a limit that is no number above 0. */
  constructor(limits: Limits, clock: Clock) {
    for (const [name, limit] of Object.entries(limits)) {
      if (!(limit > 0)) throw new GeppettoError('SETTINGS_INVALID', `limits.${name} must be above 0, not ${limit}.`)
    }
    this.#addresses = new Allowances(limits.requestsPerAddress, clock)
    this.#requests = new Allowances(limits.requestsPerCaller, clock)
    this.#writes = new Allowances(limits.writesPerCaller, clock)
    this.#streamLimit = limits.streamsPerCaller
  }

  countAddress(address: string): void {
    refuseFor(this.#addresses.spend(networkOf(address)), 'requests from your address')
  }

  countRequest(caller: Principal): void {
    refuseFor(this.#requests.spend(keyOf(caller)), 'requests')
  }

  countWrite(caller: Principal): void {
    refuseFor(this.#writes.spend(keyOf(caller)), 'changes')
  }

  requireStream(caller: Principal): void {
    const open = this.#streams.get(keyOf(caller)) ?? 0
    if (open < this.#streamLimit) return
    throw new GeppettoError('RATE_LIMITED', `You have ${open} streams open, as many as there may be; close one.`, {
      details: { retryAfterSeconds: 5 },
    })
  }

  /** Counts one more open stream, until the function that it gives is called. */
  openStream(caller: Principal): () => void {
    this.requireStream(caller)
    const key = keyOf(caller)
    this.#streams.set(key, (this.#streams.get(key) ?? 0) + 1)
    let isOpen = true
    return () => {
      if (!isOpen) return
      isOpen = false
      const left = (this.#streams.get(key) ?? 1) - 1
      if (left === 0) this.#streams.delete(key)
      else this.#streams.set(key, left)
    }
  }
}

/** What sums of fractions may be off by. */
const roundingMs = 0.001

/** As many keys are remembered; beyond, the one that spent nothing for longest has its whole allowance again. */
const rememberedKeys = 10_000

/** An allowance a minute for each key, which comes back evenly. */
class Allowances {
  readonly #clock: Clock
  /** How long it takes until one comes back, and all of them. */
  readonly #oneMs: number
  readonly #allMs: number
  /** When each key has its whole allowance again. */
  readonly #wholeAt = new Map<string, number>()

  constructor(perMinute: number, clock: Clock) {
    this.#clock = clock
    this.#oneMs = 60_000 / perMinute
    this.#allMs = Math.max(60_000, this.#oneMs)
  }

  /** Takes one. Gives how many milliseconds there is none, 0 when there was one. */
  spend(key: string): number {
    if (this.#oneMs === 0) return 0
    const now = this.#clock.monotonic()
    const wholeAt = Math.max(this.#wholeAt.get(key) ?? 0, now) + this.#oneMs
    const waitMs = wholeAt - now - this.#allMs
    if (waitMs > roundingMs) return waitMs
    this.#wholeAt.delete(key) // the one that spent last stands last
    this.#wholeAt.set(key, wholeAt)
    const [oldest] = this.#wholeAt.keys()
    if (this.#wholeAt.size > rememberedKeys && oldest !== undefined) this.#wholeAt.delete(oldest)
    return 0
  }
}

function refuseFor(waitMs: number, what: string): void {
  if (waitMs === 0) return
  const retryAfterSeconds = Math.ceil(waitMs / 1000)
  throw new GeppettoError('RATE_LIMITED', `Too many ${what}; come back in ${retryAfterSeconds} s.`, {
    details: { retryAfterSeconds },
  })
}

function keyOf({ tenant, name }: Principal): string {
  return JSON.stringify([tenant, name])
}

// Who has one address of IPv6 has a whole /64 of them.
function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=[\d.]+$)/i, '')
  if (isIPv4(plain) || !plain.includes(':')) return plain
  const [head = [], tail = []] = plain.split('::').map((part) => part.split(':').filter((group) => group !== ''))
  const zeros = Array.from({ length: Math.max(8 - head.length - tail.length, 0) }, () => '0')
  return [...head, ...zeros, ...tail].slice(0, 4).join(':').toLowerCase()
}
