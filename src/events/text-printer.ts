import type { Json } from '../json.ts'
import type { EventOf, InferenceEvent, InferenceEventType } from './event.ts'
import type { EventSink } from './sink.ts'

export interface TextPrinterOptions {
  /** Whether the model's reasoning is shown, between markers. Default true. */
  readonly reasoning?: boolean
  /** Whether ANSI colours set reasoning, markers and errors apart. Default false. */
  readonly color?: boolean
}

/** Prints a run as people read it: text and reasoning as they come, everything else as one short line each. */
export function textPrinter(write: (text: string) => void, options: TextPrinterOptions = {}): EventSink {
  const page = new Page(write, options)
  return (event) => {
    switch (event.type) {
      case 'text-delta':
        return page.text(event.segmentId, event.delta)
      case 'reasoning-delta':
        return options.reasoning === false ? undefined : page.reasoning(event.segmentId, event.delta)
      case 'text-segment-finished':
        if (!page.has(event.segmentId)) page.text(event.segmentId, event.block.payload.text)
        return page.close()
      case 'reasoning-segment-finished': {
        const { text = '' } = event.block.payload
        if (options.reasoning !== false && text !== '' && !page.has(event.segmentId))
          page.reasoning(event.segmentId, text)
        return page.close()
      }
      default:
        return page.line(lineOf(event), event.type === 'inference-failed')
    }
  }
}

/** What has been written, so far as the next words depend on it. */
class Page {
  readonly #write: (text: string) => void
  readonly #color: boolean
  #open: { readonly segmentId: string; readonly isReasoning: boolean } | undefined
  #isLineStart = true

  constructor(write: (text: string) => void, options: TextPrinterOptions) {
    this.#write = write
    this.#color = options.color === true
  }

  /** Whether the segment is the one being written. */
  has(segmentId: string): boolean {
    return this.#open?.segmentId === segmentId
  }

  text(segmentId: string, delta: string): void {
    if (!this.has(segmentId)) this.close()
    this.#open ??= { segmentId, isReasoning: false }
    this.#put(delta)
  }

  reasoning(segmentId: string, delta: string): void {
    if (!this.has(segmentId)) this.line('--- Thinking started ---')
    this.#open = { segmentId, isReasoning: true }
    this.#put(delta, dim)
  }

  /** Ends the segment being written. */
  close(): void {
    this.#endLine()
    const wasReasoning = this.#open?.isReasoning === true
    this.#open = undefined
    if (wasReasoning) this.line('--- Thinking ended ---')
  }

  line(line: string | undefined, isError = false): void {
    if (line === undefined) return
    this.close()
    this.#put(line, isError ? red : dim)
    this.#endLine()
  }

  #endLine(): void {
    if (!this.#isLineStart) this.#write('\n')
    this.#isLineStart = true
  }

  #put(text: string, style?: (text: string) => string): void {
    const shown = printable(text)
    if (shown === '') return
    this.#write(this.#color && style !== undefined ? style(shown) : shown)
    this.#isLineStart = shown.endsWith('\n')
  }
}

type Lines = { readonly [T in InferenceEventType]?: (event: EventOf<T>) => string | undefined }

const lines: Lines = {
  'tool-call-requested': ({ block }) => `--- Tool call: ${block.payload.name} ${short(block.payload.args)}`,
  'tool-result-ready': ({ toolName, block }) =>
    block.payload.error
      ? `--- Tool error: ${toolName}: ${block.payload.error}`
      : `--- Tool result: ${toolName} ${short(block.payload.result ?? null)}`,
  'tool-progress': ({ toolName, progress }) => `--- Tool progress: ${toolName} ${short(progress)}`,
  'web-search-started': ({ query }) => `--- Web search${query === undefined ? '' : `: ${query}`}`,
  'web-search-open-page': ({ url }) => (url === undefined ? undefined : `--- Web page: ${url}`),
  citation: ({ title, url }) => `--- Citation: ${[title, url].filter((part) => part !== undefined).join(' - ')}`,
  'attempt-discarded': ({ error, retryInMs }) => `--- Attempt failed: ${error.message} (next in ${retryInMs} ms)`,
  'debugger.pause': ({ phase, summary }) => `--- Paused at ${phase}: ${summary}`,
  'agent-mode-switch': ({ message }) => `[i] ${message}`,
  info: ({ message }) => `[i] ${message}`,
  log: ({ level, message }) => (level === 'debug' ? undefined : `[${level}] ${message}`),
  'persist-failed': ({ error }) => `[error] the turn was not stored: ${error.message}`,
  'inference-finished': ({ result }) =>
    result.finish_class === 'completed' ? undefined : `--- Finished: ${result.finish_class}`,
  'inference-stopped': ({ reason }) => `--- Stopped: ${reason}`,
  'inference-resumed': ({ restarts }) => (restarts === 0 ? '--- Resumed' : `--- Resumed after a crash (${restarts})`),
  'inference-handed-over': () => '--- Handed over to another process',
  'approval-requested': ({ toolName, input, reason }) =>
    reason === 'policy'
      ? `--- Approval needed: ${toolName} ${short(input)}`
      : `--- ${toolName} may have run already; run it again? ${short(input)}`,
  'approval-decided': ({ decision, message }) =>
    `--- Approval: ${decision}${message === undefined ? '' : `: ${message}`}`,
  'inference-interrupted': ({ reason }) => `--- Interrupted: ${reason}`,
  'inference-failed': ({ error }) => `[error] ${error.code}: ${error.message}`,
}

function lineOf(event: InferenceEvent): string | undefined {
  const line = lines[event.type] as ((event: InferenceEvent) => string | undefined) | undefined // the row of its type
  return line?.(event)
}

function short(value: Json): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const oneLine = text.replace(/\s+/g, ' ')
  return oneLine.length > 200 ? `${oneLine.slice(0, 200)}…` : oneLine
}

/** `text` as a terminal may show it: no escape sequences, no going back over what was written. */
export function printable(text: string): string {
  return text.replaceAll('\r', '').replace(/(?![\n\t])\p{Cc}/gu, '\ufffd')
}

function dim(text: string): string {
  return `\u001b[2m${text}\u001b[22m`
}

function red(text: string): string {
  return `\u001b[31m${text}\u001b[39m`
}
