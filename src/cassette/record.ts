import { newUuid, systemClock, type Clock, type NewId } from '../clock.ts'
import type { Json, JsonObject } from '../json.ts'
import type { Tool, ToolContext } from '../inference/tool.ts'
import { toStoredJson } from '../inference/tool-result.ts'
import type { NetworkPolicy } from '../providers/address-guard.ts'
import { guardedFetch, type Fetch, type FetchInit } from '../providers/transport.ts'
import { Arrivals } from './arrivals.ts'
import { shownInput, type Cassette } from './cassette.ts'
import { Exchange } from './exchange.ts'
import { cassetteFormat, cassetteVersion, type CassetteCommand, type CassetteLine } from './format.ts'
import { encodeError } from './recorded-error.ts'
import { replyHeaders, requestContent } from './request.ts'
import { SecretGuard } from './secrets.ts'

export interface RecordOptions {
  /** Default: the system's. */
  readonly clock?: Clock
  /** Default: UUIDs. */
  readonly newId?: NewId
  /** Default: the fetch that engines use. */
  readonly fetch?: Fetch
  /** Which addresses the default fetch may reach. */
  readonly network?: NetworkPolicy
  /** What is needed to set up the same run again; goes into the file's header as it is. Never a secret. */
  readonly settings?: JsonObject
}

/** Writes down what a run is given, so that `replayCassette` can give it the same again. */
export interface CassetteRecorder extends Cassette {
  /** Writes a command down and hands it to whom `onCommand` named. */
  command(command: CassetteCommand): void
  /** The file so far, whole. Throws CASSETTE_SECRET when the recording was given up for a secret. */
  text(): string
}

export function recordCassette(options: RecordOptions = {}): CassetteRecorder {
  return new Recorder(options)
}

class Recorder implements CassetteRecorder {
  readonly clock: Clock
  readonly #options: RecordOptions
  readonly #outside: Clock
  readonly #arrivals = new Arrivals()
  readonly #guard = new SecretGuard()
  readonly #lines: string[] = []
  #reads: { readonly now: number[]; readonly monotonic: number[]; readonly ids: string[] } = noReads()
  #last = { now: 0, monotonic: 0 }
  #timers = 0
  #exchanges = 0
  #calls = 0
  #refusal: Error | undefined
  #handle: (command: CassetteCommand) => void = () => {}

  constructor(options: RecordOptions) {
    this.#options = options
    this.#outside = options.clock ?? systemClock
    this.clock = {
      now: () => this.#read('now'),
      monotonic: () => this.#read('monotonic'),
      schedule: (ms, run) => this.#schedule(ms, run),
    }
  }

  readonly newId = () => {
    const id = (this.#options.newId ?? newUuid)()
    this.#reads.ids.push(id)
    return id
  }

  readonly fetch: Fetch = async (url, init) => {
    const number = (this.#exchanges += 1)
    this.#guard.learn(url, init)
    this.#write({ type: 'request', exchange: number, ...requestContent(url, init) })
    const abandon = new AbortController()
    const exchange = new Exchange(init, () => abandon.abort())
    void this.#receive(number, exchange, url, { ...init, signal: AbortSignal.any([init.signal, abandon.signal]) })
    return exchange.reply
  }

  tool<Input>(tool: Tool<Input>): Tool<Input> {
    return { ...tool, execute: (input, context) => this.#execute(tool, input, context) }
  }

  command(command: CassetteCommand): void {
    const deliver = () => {
      this.#write({ type: 'command', command })
      this.#handle(command)
    }
    // A prompt meets a session that rests; all else must find the program where a replay will find it.
    if (command.kind === 'prompt') deliver()
    else this.#arrivals.push(deliver)
  }

  onCommand(handle: (command: CassetteCommand) => void): void {
    this.#handle = handle
  }

  text(): string {
    if (this.#refusal !== undefined) throw this.#refusal
    this.#flush()
    const { settings } = this.#options
    const header = { format: cassetteFormat, version: cassetteVersion, ...(settings !== undefined && { settings }) }
    const first = JSON.stringify(header)
    this.#guard.check('the header', first)
    const end: CassetteLine = { type: 'end', lines: this.#lines.length }
    return [first, ...this.#lines, JSON.stringify(end), ''].join('\n')
  }

  async #receive(number: number, exchange: Exchange, url: string, init: FetchInit): Promise<void> {
    const started = this.#outside.monotonic()
    const arrive = (line: (ms: number) => CassetteLine, deliver: () => void) => {
      const ms = Math.round(this.#outside.monotonic() - started)
      this.#arrivals.push(() => this.#deliver(exchange, () => this.#write(line(ms)), deliver))
    }
    try {
      const fetch = this.#options.fetch ?? (await guardedFetch(this.#options.network ?? {}))
      const reply = await fetch(url, init)
      const headers = replyHeaders(reply.headers)
      const { status, body } = reply
      arrive(
        (ms) => ({
          ...{ type: 'reply', exchange: number, ms, status, headers },
          ...(body === null && { no_body: true as const }),
        }),
        () => exchange.answer(status, headers, body !== null),
      )
      for await (const bytes of body ?? []) {
        arrive(
          (ms) => {
            this.#guarded(() => this.#guard.checkReply(number, bytes))
            return { type: 'chunk', exchange: number, ms, ...chunkContent(bytes) }
          },
          () => exchange.push(bytes),
        )
      }
      arrive(
        (ms) => ({ type: 'reply-end', exchange: number, ms }),
        () => exchange.end(),
      )
    } catch (error) {
      const recorded = encodeError(error)
      arrive(
        (ms) => ({ type: 'reply-error', exchange: number, ms, error: recorded }),
        () => exchange.fail(error),
      )
    }
  }

  #deliver(exchange: Exchange, write: () => void, deliver: () => void): void {
    if (!exchange.isOpen) return
    try {
      write()
    } catch (error) {
      return exchange.fail(error)
    }
    deliver()
  }

  #execute<Input>(tool: Tool<Input>, input: Input, context: ToolContext): Promise<Json> {
    const call = (this.#calls += 1)
    const { promise, resolve, reject } = Promise.withResolvers<Json>()
    this.#write({
      type: 'tool-call',
      call,
      tool: tool.name,
      tool_call_id: context.ids.toolCallId,
      input: shownInput(tool, input),
    })
    const started = this.#outside.monotonic()
    let isOpen = true
    const arrive = (line: (ms: number) => CassetteLine, deliver: () => void, isLast: boolean) => {
      const ms = Math.round(this.#outside.monotonic() - started)
      this.#arrivals.push(() => {
        if (!isOpen || context.signal.aborted) return
        if (isLast) isOpen = false
        try {
          this.#write(line(ms))
        } catch (error) {
          return reject(error)
        }
        deliver()
      })
    }
    const report = (given: Json) => {
      const progress = toStoredJson('the progress', given, Infinity)
      arrive(
        (ms) => ({ type: 'tool-progress', call, ms, progress }),
        () => context.report(progress),
        false,
      )
    }
    // The tool is not run by a replay, so its looks at the clock are not part of the run.
    const own = { ...context, clock: this.#outside, report }
    new Promise<Json>((settle) => settle(tool.execute(input, own)))
      .then((returned) => toStoredJson('the result', returned, Infinity))
      .then(
        (result) =>
          arrive(
            (ms) => ({ type: 'tool-result', call, ms, result }),
            () => resolve(result),
            true,
          ),
        (error: unknown) => {
          const recorded = encodeError(error)
          arrive(
            (ms) => ({ type: 'tool-error', call, ms, error: recorded }),
            () => reject(error),
            true,
          )
        },
      )
    return promise
  }

  #read(kind: 'now' | 'monotonic'): number {
    const value = Math.round(this.#outside[kind]())
    this.#reads[kind].push(value - this.#last[kind])
    this.#last[kind] = value
    return value
  }

  #schedule(ms: number, run: () => void): () => void {
    const timer = (this.#timers += 1)
    let isSet = true
    const fire = () => {
      if (!isSet) return
      isSet = false
      this.#write({ type: 'timer', timer })
      run()
    }
    const cancel = this.#outside.schedule(ms, () => this.#arrivals.push(fire))
    return () => {
      isSet = false
      cancel()
    }
  }

  #write(line: CassetteLine): void {
    this.#flush()
    this.#add(line)
  }

  #flush(): void {
    const { now, monotonic, ids } = this.#reads
    if (now.length + monotonic.length + ids.length === 0) return
    this.#reads = noReads()
    this.#add({
      type: 'reads',
      ...(now.length > 0 && { now }),
      ...(monotonic.length > 0 && { monotonic }),
      ...(ids.length > 0 && { ids }),
    })
  }

  #add(line: CassetteLine): void {
    const text = JSON.stringify(line)
    this.#guarded(() => this.#guard.check(whatOf(line), text))
    this.#lines.push(text)
  }

  // What a run does with the error is its own affair; the file is not to be had any more.
  #guarded(check: () => void): void {
    try {
      check()
    } catch (error) {
      this.#refusal ??= error as Error // a guard throws nothing else
      throw error
    }
  }
}

function noReads(): { now: number[]; monotonic: number[]; ids: string[] } {
  return { now: [], monotonic: [], ids: [] }
}

function chunkContent(bytes: Uint8Array): { text: string } | { base64: string } {
  const buffer = Buffer.from(bytes)
  const text = buffer.toString('utf8')
  return Buffer.from(text).equals(buffer) ? { text } : { base64: buffer.toString('base64') }
}

function whatOf(line: CassetteLine): string {
  if ('exchange' in line)
    return line.type === 'request' ? `request ${line.exchange}` : `the reply to request ${line.exchange}`
  if ('call' in line) return `tool call ${line.call}`
  return line.type === 'command' ? 'a command' : 'the recording'
}
