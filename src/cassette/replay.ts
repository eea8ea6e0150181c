import type { Clock, NewId } from '../clock.ts'
import { GeppettoError } from '../errors.ts'
import type { Json, JsonObject } from '../json.ts'
import type { Tool, ToolContext } from '../inference/tool.ts'
import type { Fetch } from '../providers/transport.ts'
import { shownInput, type Cassette } from './cassette.ts'
import { requestDifference, valueDifference } from './difference.ts'
import { Exchange } from './exchange.ts'
import { parseCassette, type CassetteCommand, type LineOf } from './format.ts'
import { decodeError } from './recorded-error.ts'
import { ReplayedClock } from './replayed-clock.ts'
import { requestContent } from './request.ts'
import { sortLines, type Arrival, type Tape } from './tape.ts'

export interface ReplayOptions {
  /** Whether a request or a tool's input that is not the recorded one fails. Default true. */
  readonly strict?: boolean
}

/** Gives a run what it was given when it was recorded: no network, no waiting, and no tool is run. */
export interface CassettePlayer extends Cassette {
  /** What the recorder was given as `settings`. */
  readonly settings: JsonObject
  /** The recorded commands, in their order. */
  readonly commands: readonly CassetteCommand[]
  /** Call it when the run is over. Rejects with CASSETTE_DIVERGED for the first thing that went another way, or is left. */
  finish(): Promise<void>
}

/** Plays the file of a recorder. Throws CASSETTE_INVALID for a text that is no whole cassette. */
export function replayCassette(text: string, options: ReplayOptions = {}): CassettePlayer {
  const { settings, lines } = parseCassette(text)
  return new Player(settings, sortLines(lines), options.strict ?? true)
}

interface OpenCall {
  readonly context: ToolContext
  resolve(result: Json): void
  reject(error: unknown): void
}

/** How often the program may come to rest without asking for what comes next, while it waits for it. */
const patience = 200

class Player implements CassettePlayer {
  readonly settings: JsonObject
  readonly commands: readonly CassetteCommand[]
  readonly clock: Clock
  readonly #tape: Tape
  readonly #isStrict: boolean
  readonly #clock: ReplayedClock
  readonly #exchanges = new Map<number, Exchange>()
  readonly #calls = new Map<number, OpenCall>()
  readonly #unusedCalls: LineOf<'tool-call'>[]
  #requests = 0
  #arrived = 0
  #rests = 0
  #isScheduled = false
  #divergence: GeppettoError | undefined
  /** More was asked for than there is: what is told when nothing says more clearly what differs. */
  #isOverrun = false
  #handle: ((command: CassetteCommand) => void) | undefined

  constructor(settings: JsonObject, tape: Tape, isStrict: boolean) {
    this.settings = settings
    this.#tape = tape
    this.#isStrict = isStrict
    this.#unusedCalls = [...tape.calls]
    this.commands = tape.arrivals.flatMap(({ line }) => (line.type === 'command' ? [commandOf(line)] : []))
    this.#clock = new ReplayedClock(tape, (isRecorded) => {
      if (!isRecorded) this.#isOverrun = true
      this.#wake()
    })
    this.clock = {
      now: () => this.#clock.now(),
      monotonic: () => this.#clock.monotonic(),
      schedule: (ms, run) => {
        this.#wake()
        return this.#clock.schedule(ms, run)
      },
    }
  }

  readonly newId: NewId = () => this.#clock.newId()

  readonly fetch: Fetch = async (url, init) => {
    const recorded = this.#tape.requests[this.#requests]
    this.#requests += 1
    const came = requestContent(url, init)
    const name = `request ${this.#requests} (${came.method} ${came.url})`
    if (recorded === undefined) throw this.#diverge(`${name} was not made then`)
    const difference = this.#isStrict ? requestDifference(recorded, came) : undefined
    if (difference !== undefined) throw this.#diverge(`at ${name}, ${difference}`)
    if (this.#isStrict && this.#divergence !== undefined) throw this.#divergence
    const exchange = new Exchange(init)
    this.#exchanges.set(recorded.exchange, exchange)
    this.#wake()
    return exchange.reply
  }

  tool<Input>(tool: Tool<Input>): Tool<Input> {
    return { ...tool, execute: (input, context) => this.#execute(tool, input, context) }
  }

  onCommand(handle: (command: CassetteCommand) => void): void {
    this.#handle = handle
    this.#wake()
  }

  async finish(): Promise<void> {
    for (let rests = 0; rests < patience && this.#next !== undefined; rests += 1) {
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    if (this.#divergence !== undefined) throw this.#divergence
    const left = this.#left()
    if (left !== undefined) throw this.#diverge(left)
    if (this.#isStrict && this.#isOverrun) throw this.#diverge('the run goes on after the recording has ended')
  }

  #execute<Input>(tool: Tool<Input>, input: Input, context: ToolContext): Promise<Json> {
    const { toolCallId } = context.ids
    const index = this.#unusedCalls.findIndex((call) => call.tool === tool.name && call.tool_call_id === toolCallId)
    const [recorded] = index === -1 ? [] : this.#unusedCalls.splice(index, 1)
    const name = `the call ${toolCallId} of the tool ${tool.name}`
    if (recorded === undefined) throw this.#diverge(`${name} was not made then`)
    const difference = this.#isStrict ? valueDifference(recorded.input, shownInput(tool, input)) : undefined
    if (difference !== undefined) throw this.#diverge(`${name} has another input. ${difference}`)
    const { promise, resolve, reject } = Promise.withResolvers<Json>()
    this.#calls.set(recorded.call, { context, resolve, reject })
    this.#wake()
    return promise
  }

  get #next(): Arrival | undefined {
    return this.#tape.arrivals[this.#arrived]
  }

  // Whatever the program asks for may be what the next arrival waited for.
  #wake(): void {
    this.#rests = 0
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#step()
    })
  }

  /** One arrival, with the program at rest: the same places at which the recorder handed them over. */
  #step(): void {
    const next = this.#next
    if (next === undefined) return this.#goBeyond()
    const deliver = this.#delivery(next)
    const isDue = deliver !== undefined && this.#isAfter(next)
    if (!isDue && this.#rests < patience) {
      this.#rests += 1
      return this.#schedule()
    }
    if (!isDue && !this.#isWaitedFor) return // it will wake us
    this.#arrived += 1
    if (deliver === undefined) this.#fail(`${describeArrival(next)} came then, and nothing asked for it now`)
    else deliver()
    this.#wake()
  }

  #isAfter({ after }: Arrival): boolean {
    const { taken } = this.#clock
    return taken.now >= after.now && taken.monotonic >= after.monotonic && taken.ids >= after.ids
  }

  get #isWaitedFor(): boolean {
    return this.#hasOpen || this.#clock.hasTimers
  }

  get #hasOpen(): boolean {
    return this.#calls.size > 0 || [...this.#exchanges.values()].some(({ isOpen }) => isOpen)
  }

  // Time goes on when there is nothing left to hear, so that a run that went another way comes to an end.
  #goBeyond(): void {
    if (!this.#isWaitedFor) return
    if (this.#rests < patience) {
      this.#rests += 1
      return this.#schedule()
    }
    if (this.#hasOpen) this.#fail('the recording ends before this answer came')
    else {
      this.#isOverrun = true
      this.#clock.fireNext()
    }
    this.#wake()
  }

  #delivery({ line }: Arrival): (() => void) | undefined {
    if (line.type === 'timer') return this.#clock.has(line.timer) ? () => this.#clock.fire(line.timer) : undefined
    if (line.type === 'command') {
      const handle = this.#handle
      return handle && (() => handle(commandOf(line)))
    }
    if ('exchange' in line) {
      const exchange = this.#exchanges.get(line.exchange)
      return exchange?.isOpen === true ? () => feed(exchange, line) : undefined
    }
    const call = this.#calls.get(line.call)
    return call && (() => this.#answer(call, line))
  }

  #answer(call: OpenCall, line: LineOf<'tool-progress' | 'tool-result' | 'tool-error'>): void {
    if (line.type === 'tool-progress') return call.context.report(line.progress)
    this.#calls.delete(line.call)
    if (line.type === 'tool-result') call.resolve(line.result)
    else call.reject(decodeError(line.error))
  }

  #left(): string | undefined {
    const request = this.#tape.requests[this.#requests]
    if (request !== undefined)
      return `request ${this.#requests + 1} (${request.method} ${request.url}) was not made now`
    const [call] = this.#unusedCalls
    if (call !== undefined) return `the call ${call.tool_call_id} of the tool ${call.tool} was not made now`
    return this.#next && `${describeArrival(this.#next)} came then, and nothing asked for it now`
  }

  #fail(why: string): void {
    const error = this.#diverge(why)
    for (const exchange of this.#exchanges.values()) exchange.fail(error)
    for (const call of this.#calls.values()) call.reject(error)
    this.#calls.clear()
  }

  /** The first divergence is the one that counts: all others follow from it. */
  #diverge(why: string): GeppettoError {
    this.#divergence ??= new GeppettoError('CASSETTE_DIVERGED', `The replay differs from the recording: ${why}.`)
    return this.#divergence
  }
}

function feed(exchange: Exchange, line: LineOf<'reply' | 'chunk' | 'reply-end' | 'reply-error'>): void {
  switch (line.type) {
    case 'reply':
      return exchange.answer(line.status, line.headers, line.no_body !== true)
    case 'chunk':
      return exchange.push(
        line.text === undefined ? Buffer.from(line.base64 ?? '', 'base64') : new TextEncoder().encode(line.text),
      )
    case 'reply-end':
      return exchange.end()
    case 'reply-error':
      return exchange.fail(decodeError(line.error))
  }
}

function describeArrival({ line }: Arrival): string {
  if (line.type === 'timer') return `timer ${line.timer}`
  if (line.type === 'command') return `the command ${line.command.kind}`
  return 'exchange' in line ? `more of the reply to request ${line.exchange}` : `the outcome of tool call ${line.call}`
}

function commandOf({ command }: LineOf<'command'>): CassetteCommand {
  return command as CassetteCommand // the recorder wrote it; a kind that is not known here is passed on all the same
}
