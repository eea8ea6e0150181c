/** Text that arrives in parts and is shown as it grows. What was shown is never taken back. */
export class PartedText {
  readonly #separator: string
  readonly #parts = new Map<string, string>()
  #lastPart: string | undefined
  #shown = ''
  #whole: string | undefined

  /** `separator` stands between two parts. */
  constructor(separator: string) {
    this.#separator = separator
  }

  /** How many UTF-16 units were shown. */
  get length(): number {
    return this.#shown.length
  }

  /** The text: as the provider said it at the end, or as far as it was shown. */
  get text(): string {
    return this.#whole ?? this.#shown
  }

  /** Adds to one part; what there is to show of it. */
  add(part: string, delta: string): string {
    if (delta === '') return ''
    const before = this.#parts.get(part)
    const addition = before === undefined && this.#shown !== '' ? this.#separator + delta : delta
    this.#parts.set(part, (before ?? '') + delta)
    this.#lastPart = part
    this.#shown += addition
    return addition
  }

  /** A part is whole: what had not come of it, when that can still be shown in its place. */
  settle(part: string, whole: string): string {
    const before = this.#parts.get(part) ?? ''
    const isInPlace = before === '' || part === this.#lastPart
    return isInPlace && whole.startsWith(before) ? this.add(part, whole.slice(before.length)) : ''
  }

  /** All is said, and `whole` is what was meant: the tail that had not come, or '' where what was shown differs from it. */
  finish(whole: string): string {
    if (whole === '') return ''
    this.#whole = whole
    if (!whole.startsWith(this.#shown)) return ''
    const tail = whole.slice(this.#shown.length)
    this.#shown = whole
    return tail
  }
}
