import type { InferenceEvent } from '../events/event.ts'
import type { Io } from './io.ts'

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const periodMs = 100

/** The line that says that something is happening: how long, and how much has come. Only on a terminal. */
export class Progress {
  readonly #stream: Io['stderr']
  readonly #mayShow: () => boolean
  readonly #started = performance.now()
  readonly #timer: NodeJS.Timeout | undefined
  #characters = 0
  #isShown = false

  /** `mayShow` says whether the terminal's line is free. */
  constructor({ stderr, env }: Pick<Io, 'env' | 'stderr'>, mayShow: () => boolean) {
    this.#stream = stderr
    this.#mayShow = mayShow
    if (stderr.isTTY && env['TERM'] !== 'dumb') this.#timer = setInterval(() => this.#render(), periodMs).unref()
  }

  count(event: InferenceEvent): void {
    if (event.type === 'text-delta' || event.type === 'reasoning-delta' || event.type === 'tool-call-arguments-delta') {
      this.#characters += event.delta.length
    }
  }

  /** Takes the line away, before something else is written. */
  clear(): void {
    if (!this.#isShown) return
    this.#isShown = false
    this.#stream.write('\r\u001b[2K')
  }

  stop(): void {
    clearInterval(this.#timer)
    this.clear()
  }

  #render(): void {
    if (!this.#mayShow()) return
    this.#isShown = true
    this.#stream.write(`\r\u001b[2K${progressText(performance.now() - this.#started, this.#characters)}`)
  }
}

/** The line after `ms`, when so many characters have come. */
export function progressText(ms: number, characters: number): string {
  const frame = frames[Math.floor(ms / periodMs) % frames.length] ?? ''
  const tokens = characters === 0 ? '' : ` · about ${Math.ceil(characters / 4)} tokens`
  return `${frame} ${(ms / 1000).toFixed(1)} s${tokens}`
}
