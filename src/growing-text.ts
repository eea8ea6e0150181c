const mostPieces = 16

/**
 * Text that comes piece by piece. Adding a token to a string keeps the token and a node of the string as they are, four
 * times the size of what was said; here pieces are joined as soon as there are some.
 */
export class GrowingText {
  #joined = ''
  #pieces: string[] = []
  #length = 0

  /** In UTF-16 units, as a string counts. */
  get length(): number {
    return this.#length
  }

  add(piece: string): void {
    this.#length += piece.length
    if (this.#pieces.push(piece) >= mostPieces) this.#join()
  }

  toString(): string {
    this.#join()
    return this.#joined
  }

  #join(): void {
    this.#joined += this.#pieces.join('')
    this.#pieces.length = 0
  }
}
