import { GeppettoError } from '../errors.ts'

/** What happens to a block that ends without its closing tag, or is too large. */
export type MalformedPolicy =
  /** The block finishes with an error; its text is dropped. */
  | 'error'
  /** The same, and the text of the block is text again. */
  | 'reconstruct'
  /** The block finishes without an error; its text is dropped. */
  | 'ignore'

export interface TagExtractorOptions {
  /** The tags to look for, as `package:type:version`: letters, digits, `_`, `.` and `-` in each part. */
  readonly tags: readonly string[]
  /** Default 'error'. */
  readonly malformed?: MalformedPolicy
  /** The most that a payload may hold, in bytes of UTF-8. Default: no limit. */
  readonly maxCaptureBytes?: number
}

/** What `TagExtractor` makes of text. */
export type TagPart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'block-started'; readonly tag: string }
  /** The next piece of the payload. */
  | { readonly type: 'raw'; readonly tag: string; readonly raw: string }
  /** `raw` is the payload; when not `ok`, all of the block from its opening tag on. */
  | {
      readonly type: 'block-finished'
      readonly tag: string
      readonly ok: boolean
      readonly raw: string
      readonly error?: string
    }

type State =
  | { readonly at: 'text' }
  | { readonly at: 'block'; readonly tag: string }
  /** In a block that was given up, before its closing tag. */
  | { readonly at: 'skipped'; readonly tag: string }

/**
 * Finds `<package:type:version>payload</package:type:version>` in text that comes in pieces. What it finds does not
 * depend on where the pieces are cut, but for the pieces of `text` and `raw`. An unknown tag is text. At most the length
 * of a tag is held back, and `end()` lets it go.
 */
export class TagExtractor {
  readonly #openers: readonly string[]
  readonly #malformed: MalformedPolicy
  readonly #maxBytes: number
  #state: State = { at: 'text' }
  /** The beginning of what may become a tag. */
  #held = ''
  #payload = ''
  #bytes = 0
  /** The last UTF-16 unit of the payload. Kept apart: looking into a string that grows piece by piece copies it. */
  #lastUnit = 0
  #parts: TagPart[] = []

  constructor({ tags, malformed = 'error', maxCaptureBytes = Infinity }: TagExtractorOptions) {
    for (const tag of tags) requireTag(tag)
    this.#openers = tags.map((tag) => `<${tag}>`)
    this.#malformed = malformed
    this.#maxBytes = maxCaptureBytes
  }

  push(chunk: string): readonly TagPart[] {
    this.#scan(this.#held + chunk)
    return this.#taken()
  }

  /** What is left when no more text comes. The extractor is then as new. */
  end(): readonly TagPart[] {
    const held = this.#held
    this.#held = ''
    const captured = this.#capture(held, 0, held.length)
    if (this.#state.at === 'text') this.#text(held.slice(captured))
    if (this.#state.at === 'block') this.#giveUp(this.#state.tag, `it has no closing tag </${this.#state.tag}>`)
    this.#state = { at: 'text' }
    return this.#taken()
  }

  #scan(buffer: string): void {
    this.#held = ''
    let from = 0
    while (from < buffer.length) {
      const bracket = buffer.indexOf('<', from)
      const upTo = bracket === -1 ? buffer.length : bracket
      if (upTo > from) {
        from = this.#consume(buffer, from, upTo)
        continue
      }
      const markers = this.#markers()
      const marker = markers.find((candidate) => buffer.startsWith(candidate, bracket))
      const rest = buffer.length - bracket
      if (marker !== undefined) {
        this.#enter(marker)
        from = bracket + marker.length
      } else if (markers.some((candidate) => rest < candidate.length && candidate.startsWith(buffer.slice(bracket)))) {
        this.#held = buffer.slice(bracket)
        return
      } else {
        from = this.#consume(buffer, from, bracket + 1)
      }
    }
  }

  #markers(): readonly string[] {
    return this.#state.at === 'text' ? this.#openers : [`</${this.#state.tag}>`]
  }

  #enter(marker: string): void {
    if (this.#state.at === 'text') {
      const tag = marker.slice(1, -1)
      this.#state = { at: 'block', tag }
      this.#parts.push({ type: 'block-started', tag })
      return
    }
    if (this.#state.at === 'block') {
      this.#parts.push({ type: 'block-finished', tag: this.#state.tag, ok: true, raw: this.#payload })
    }
    this.#leave({ at: 'text' })
  }

  #leave(next: State): void {
    this.#state = next
    this.#payload = ''
    this.#bytes = 0
    this.#lastUnit = 0
  }

  /** Takes what is no marker; gives the index up to which it was taken. */
  #consume(buffer: string, from: number, upTo: number): number {
    if (this.#state.at === 'text') this.#text(buffer.slice(from, upTo))
    return this.#state.at === 'block' ? this.#capture(buffer, from, upTo) : upTo
  }

  #capture(buffer: string, from: number, upTo: number): number {
    if (this.#state.at !== 'block') return from
    const { tag } = this.#state
    const fitting = this.#fitting(buffer, from, upTo)
    if (fitting > from) this.#raw(tag, buffer.slice(from, fitting))
    if (fitting < upTo) this.#giveUp(tag, `its payload has more than ${this.#maxBytes} bytes`)
    return fitting
  }

  // The index up to which the payload may grow.
  #fitting(buffer: string, from: number, upTo: number): number {
    for (let index = from; index < upTo; index += 1) {
      const unit = buffer.charCodeAt(index)
      const size = utf8Size(unit, this.#lastUnit)
      if (this.#bytes + size > this.#maxBytes) return index
      this.#bytes += size
      this.#lastUnit = unit
    }
    return upTo
  }

  #giveUp(tag: string, why: string): void {
    const raw = `<${tag}>${this.#payload}`
    const error = `malformed block <${tag}>: ${why}`
    this.#parts.push({ type: 'block-finished', tag, ok: false, raw, ...(this.#malformed !== 'ignore' && { error }) })
    if (this.#malformed === 'reconstruct') this.#text(raw)
    this.#leave(this.#malformed === 'reconstruct' ? { at: 'text' } : { at: 'skipped', tag })
  }

  #raw(tag: string, raw: string): void {
    this.#payload += raw
    const last = this.#parts.at(-1)
    if (last?.type === 'raw') this.#parts[this.#parts.length - 1] = { type: 'raw', tag, raw: last.raw + raw }
    else this.#parts.push({ type: 'raw', tag, raw })
  }

  #text(text: string): void {
    if (text === '') return
    const last = this.#parts.at(-1)
    if (last?.type === 'text') this.#parts[this.#parts.length - 1] = { type: 'text', text: last.text + text }
    else this.#parts.push({ type: 'text', text })
  }

  #taken(): readonly TagPart[] {
    const parts = this.#parts
    this.#parts = []
    return parts
  }
}

// A pair of surrogates is four bytes, all counted at its first half: the pair is taken whole or not at all.
function utf8Size(unit: number, previous: number): number {
  if (unit < 0x80) return 1
  if (unit < 0x800) return 2
  if (unit < 0xd800 || unit > 0xdfff) return 3
  if (unit < 0xdc00) return 4
  return previous >= 0xd800 && previous < 0xdc00 ? 0 : 3
}

const tagName = /^[A-Za-z0-9_.-]+:[A-Za-z0-9_.-]+:[A-Za-z0-9_.-]+$/

function requireTag(tag: string): void {
  if (tagName.test(tag)) return
  throw new GeppettoError('SETTINGS_INVALID', `${JSON.stringify(tag)} is no tag; write it as package:type:version.`)
}
