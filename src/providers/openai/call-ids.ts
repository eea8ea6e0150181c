import { sha256Hex } from '../../sha256.ts'
import type { Vendor } from './vendors.ts'

const longestShortId = 40

/** The ids under which tool calls are sent: each once in a request, and such as the vendor takes. */
export class CallIds {
  readonly #vendor: Vendor
  readonly #used = new Set<string>()

  constructor(vendor: Vendor) {
    this.#vendor = vendor
  }

  /** The id for the next call that goes by `id`. Depends on the calls before it only, so that what was sent stays as it was. */
  next(id: string): string {
    let sent = this.#taken(id === '' ? 'call' : id)
    for (let count = 2; this.#used.has(sent); count += 1) sent = this.#taken(`${id === '' ? 'call' : id}-${count}`)
    this.#used.add(sent)
    return sent
  }

  #taken(id: string): string {
    switch (this.#vendor.callIds) {
      case 'any':
        return id
      case 'short':
        return id.length <= longestShortId ? id : `call_${digest(id).slice(0, 32)}`
      case 'nine':
        return /^[A-Za-z0-9]{9}$/.test(id) ? id : digest(id).slice(0, 9)
    }
  }
}

function digest(id: string): string {
  return sha256Hex(id)
}
