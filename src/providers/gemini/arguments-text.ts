import type { Json } from '../../json.ts'
import type { Step } from './json-path.ts'

/** A container that is still open, and the place in it that was written last. */
interface Level {
  readonly names: Set<Step>
  readonly isList: boolean
  last: Step | undefined
}

/**
 * Arguments as JSON text that grows with each value. A model writes its values in the order of the text, and then the
 * pieces are the text; a value that belongs to a place already closed ends it: what was written stays, and no more comes.
 */
export class ArgumentsText {
  readonly #levels: Level[] = [{ names: new Set(), isList: false, last: undefined }]
  #isInText = false
  #isInOrder = true
  #written = ''

  get written(): string {
    return this.#written === '' ? '{' : this.#written
  }

  /** What a value adds to the text. */
  write(steps: readonly Step[], value: Json): string {
    if (!this.#isInOrder) return ''
    if (this.#isInText && typeof value === 'string' && this.#isAt(steps)) return this.#append(escaped(value))
    const shared = this.#shared(steps)
    const [step, ...inner] = steps.slice(shared)
    const level = this.#levels[shared]
    this.#isInOrder = level !== undefined && step !== undefined && isNext(level, step) && inner.every(isFirst)
    if (!this.#isInOrder) return ''
    return this.#append(this.#close(shared) + this.#open(steps, shared) + this.#value(value))
  }

  /** What closes the text; nothing when it stopped before its end. */
  end(): string {
    return this.#isInOrder ? this.#append(`${this.#close(0)}}`) : ''
  }

  #append(text: string): string {
    const added = this.#written === '' ? `{${text}` : text
    this.#written += added
    return added
  }

  #isAt(steps: readonly Step[]): boolean {
    return steps.length === this.#levels.length && this.#levels.every(({ last }, depth) => last === steps[depth])
  }

  /** How many of the open containers below the root are on the way to the place. */
  #shared(steps: readonly Step[]): number {
    let shared = 0
    while (shared < this.#levels.length - 1 && shared < steps.length - 1) {
      if (this.#levels[shared]?.last !== steps[shared]) break
      shared += 1
    }
    return shared
  }

  /** Closes a text and all containers below a depth. */
  #close(depth: number): string {
    const quote = this.#isInText ? '"' : ''
    this.#isInText = false
    const closed = this.#levels.splice(depth + 1)
    return (
      quote +
      closed
        .map(({ isList }) => (isList ? ']' : '}'))
        .toReversed()
        .join('')
    )
  }

  /** Opens the containers from a depth on, down to the place. */
  #open(steps: readonly Step[], depth: number): string {
    let text = ''
    for (const [offset, step] of steps.slice(depth).entries()) {
      const level = this.#levels[depth + offset]
      if (level === undefined) continue
      text += level.names.size === 0 ? '' : ','
      text += level.isList ? '' : `${JSON.stringify(step)}:`
      level.names.add(step)
      level.last = step
      const next = steps[depth + offset + 1]
      if (next === undefined) break
      this.#levels.push({ names: new Set(), isList: typeof next === 'number', last: undefined })
      text += typeof next === 'number' ? '[' : '{'
    }
    return text
  }

  #value(value: Json): string {
    this.#isInText = typeof value === 'string'
    return typeof value === 'string' ? `"${escaped(value)}` : JSON.stringify(value)
  }
}

/** Whether the next thing that is written in a container may be at this step. */
function isNext({ isList, names }: Level, step: Step): boolean {
  return isList ? step === names.size : typeof step === 'string' && !names.has(step)
}

/** Whether the first thing that is written in a new container may be at this step. */
function isFirst(step: Step): boolean {
  return typeof step === 'string' || step === 0
}

function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}
