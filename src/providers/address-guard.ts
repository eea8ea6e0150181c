import { lookup as dnsLookup, type LookupAddress, type LookupOptions } from 'node:dns'
import { BlockList, isIP } from 'node:net'
import { GeppettoError } from '../errors.ts'

/** What a profile allows for one provider beyond public addresses over https. */
export interface NetworkPolicy {
  readonly allowHttp?: boolean
  /** Loopback, private and link-local addresses. */
  readonly allowPrivate?: boolean
}

const privateRanges = new BlockList()
for (const [network, prefix] of [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
] as const) {
  privateRanges.addSubnet(network, prefix, 'ipv4')
}
for (const [network, prefix] of [
  ['::1', 128],
  ['fc00::', 7],
  ['fe80::', 10],
  ['64:ff9b::', 96],
  ['2001:db8::', 32],
] as const) {
  privateRanges.addSubnet(network, prefix, 'ipv6')
}

/** Addresses that no policy allows: unspecified, multicast, reserved. */
const neverRanges = new BlockList()
neverRanges.addSubnet('0.0.0.0', 8, 'ipv4')
neverRanges.addSubnet('224.0.0.0', 3, 'ipv4')
neverRanges.addAddress('::', 'ipv6')
neverRanges.addSubnet('ff00::', 8, 'ipv6')

/** Throws PROVIDER_ADDRESS_REFUSED when `url` may not be called. Names are checked again when they are resolved. */
export function checkUrl(url: URL, policy: NetworkPolicy): void {
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && policy.allowHttp === true)) {
    throw refused(url.host, `${url.protocol}// is not allowed; use https, or allow http for this provider`)
  }
  if (url.username !== '' || url.password !== '')
    throw refused(url.host, 'an address must not hold a user name or a password')
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  if (isIP(host) !== 0) return checkAddress(host, host, policy)
  const isLocalName = host === 'localhost' || host.endsWith('.localhost') || host.endsWith('.local')
  if (isLocalName && policy.allowPrivate !== true) throw refused(host, privateAdvice)
}

/** A DNS look-up that refuses what `policy` does not allow, so that the address that was checked is the one connected to. */
export function guardedLookup(policy: NetworkPolicy) {
  return (
    host: string,
    options: LookupOptions,
    callback: (error: Error | null, address: string | LookupAddress[], family?: number) => void,
  ): void => {
    dnsLookup(host, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, '')
      try {
        for (const { address } of addresses) checkAddress(address, host, policy)
      } catch (refusal) {
        return callback(refusal as Error, '') // checkAddress throws GeppettoError alone
      }
      const [first] = addresses
      if (options.all === true || first === undefined) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}

const privateAdvice = 'it is on a private network; allow private addresses for this provider if that is meant'

function checkAddress(address: string, host: string, policy: NetworkPolicy): void {
  if (isIn(neverRanges, address)) throw refused(host, 'no server can be there')
  if (isIn(privateRanges, address) && policy.allowPrivate !== true) throw refused(host, privateAdvice)
}

// BlockList sees through ::ffff:127.0.0.1 by itself.
function isIn(ranges: BlockList, address: string): boolean {
  return ranges.check(address.split('%')[0] ?? address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

function refused(host: string, why: string): GeppettoError {
  return new GeppettoError('PROVIDER_ADDRESS_REFUSED', `The address ${host} was not called: ${why}.`, {
    details: { host },
  })
}
