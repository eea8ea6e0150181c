import { GeppettoError } from '../errors.ts'
import type { FetchInit } from '../providers/transport.ts'

/** Request headers whose values are nobody's secret. Whatever else is sent in a header counts as one. */
const harmless: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'anthropic-beta',
  'anthropic-version',
  'content-type',
  'user-agent',
])

/** Shorter values (a title, a number) would be found in any text. */
const shortest = 6

/** Watches over the secrets of requests: what is to be written must hold none of them. */
export class SecretGuard {
  readonly #secrets = new Set<string>()
  /** The end of what each reply has said so far: a secret may lie across two chunks. */
  readonly #tails = new Map<number, string>()

  learn(url: string, { headers }: FetchInit): void {
    for (const [name, value] of Object.entries(headers)) {
      if (harmless.has(name.toLowerCase())) continue
      for (const word of [value, ...value.split(/[\s;,=]+/)]) this.#add(word)
    }
    const { username, password, searchParams } = new URL(url)
    for (const value of [username, password].map(decodeURIComponent)) this.#add(value)
    for (const [name, value] of searchParams) if (/key|token|secret|sig/i.test(name)) this.#add(value)
  }

  /** Throws CASSETTE_SECRET when `text` holds a secret, plain or as JSON or a URL writes it. */
  check(what: string, text: string): void {
    for (const secret of this.#secrets) {
      const forms = [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]
      if (forms.some((form) => text.includes(form))) throw refusal(what)
    }
  }

  /** Like `check`, for the next bytes of a reply. */
  checkReply(exchange: number, bytes: Uint8Array): void {
    const text = (this.#tails.get(exchange) ?? '') + Buffer.from(bytes).toString('latin1')
    this.check(`the reply to request ${exchange}`, text)
    const longest = Math.max(1, ...[...this.#secrets].map((secret) => 3 * secret.length))
    this.#tails.set(exchange, text.slice(-longest))
  }

  #add(value: string): void {
    if (value.length >= shortest) this.#secrets.add(value)
  }
}

function refusal(what: string): GeppettoError {
  return new GeppettoError(
    'CASSETTE_SECRET',
    `The recording was given up: ${what} holds a key or another secret that was sent in a header, and a cassette must hold none.`,
  )
}
