import { createParser, type ParseError } from 'eventsource-parser'
import { isGeppettoError, messageOf } from '../errors.ts'
import type { EngineEvent } from '../events/event.ts'
import type { InferenceContext } from '../inference/engine.ts'
import { costOf, finishClass, isTruncated } from '../inference/result.ts'
import type { CallSettings } from '../inference/settings.ts'
import { isJsonObject, tryParseJson } from '../json.ts'
import type { FinishClass, InferenceResult } from '../turns/values.ts'
import { ProviderError, withoutKey } from './error.ts'
import type { CallOutcome, Protocol, ProviderRequest, StreamDecoder } from './protocol.ts'
import type { ProviderSettings } from './provider-settings.ts'
import { postForStream } from './transport.ts'
import { Watchdog } from './watchdog.ts'

const maxMessageChars = 16 * 1024 * 1024
const replyBlocks: ReadonlySet<string> = new Set([
  'text-segment-finished',
  'reasoning-segment-finished',
  'tool-call-requested',
  'block-received',
])

/** Whether `event` adds a block of the reply to the turn. */
export function isReplyBlock(event: EngineEvent): boolean {
  return replyBlocks.has(event.type)
}

/** One attempt: its stream, what it has shown, and how it ended. */
export class Reply {
  readonly #protocol: Protocol
  readonly #settings: ProviderSettings
  readonly #call: CallSettings
  readonly #context: InferenceContext
  readonly #decoder: StreamDecoder
  readonly #watchdog: Watchdog
  readonly #text = new TextDecoder()
  readonly #started: number
  #chunks: AsyncIterator<Uint8Array> | undefined
  #events: EngineEvent[] = []
  #silentContent = false
  /** Whether the parser has nothing of a message that is still to come. */
  #isBetween = true
  #broken: { readonly error: unknown } | undefined
  #ended = false
  #parseError: ParseError | undefined
  #requestId: string | undefined
  #seen = { blocks: 0, answer: '', text: false, reasoning: false, toolCalls: 0, output: false }
  outcome: CallOutcome | undefined

  readonly #parser = createParser({
    maxBufferSize: maxMessageChars,
    onEvent: (event) => this.#message(event.data),
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') this.#parseError = error
    },
  })

  constructor(protocol: Protocol, settings: ProviderSettings, call: CallSettings, context: InferenceContext) {
    this.#protocol = protocol
    this.#settings = settings
    this.#call = call
    this.#context = context
    this.#decoder = protocol.decoder()
    this.#started = context.clock.monotonic()
    this.#watchdog = new Watchdog(context.clock, context.signal, settings.timeouts ?? {})
  }

  get isComplete(): boolean {
    return this.#decoder.isComplete
  }

  /** Whether anything was shown that a retry would have to take back. */
  get hasOutput(): boolean {
    return this.#seen.output
  }

  /** How many blocks of the turn are this attempt's. */
  get blocks(): number {
    return this.#seen.blocks
  }

  /** Asks. Throws when there is no answer, or one that is no stream. */
  async open(request: ProviderRequest, body: string): Promise<void> {
    const { apiKey, baseUrl, headers, network, fetch } = this.#settings
    const base = (baseUrl ?? this.#protocol.defaultBaseUrl).replace(/\/+$/, '')
    const auth = apiKey === undefined || apiKey === '' ? {} : this.#protocol.authHeaders(apiKey)
    const all = {
      ...request.headers,
      ...auth,
      ...withLists(this.#protocol.listHeaders ?? [], request.headers ?? {}, headers ?? {}),
    }
    const reply = await postForStream(this.#protocol.name, base + request.path, all, body, {
      signal: this.#watchdog.signal,
      network: network ?? {},
      ...(fetch !== undefined && { fetch }),
    })
    this.#requestId = reply.requestId
    this.#watchdog.headersArrived()
    this.#chunks = reply.body[Symbol.asyncIterator]()
  }

  /** What the next chunk says; undefined when nothing more comes. Throws for a stream that breaks off. */
  next(): Promise<readonly EngineEvent[] | undefined> {
    return this.#chunks === undefined
      ? Promise.resolve(undefined)
      : this.#chunks.next().then(this.#received, this.#lost)
  }

  readonly #received = ({ done, value }: IteratorResult<Uint8Array>): readonly EngineEvent[] | undefined => {
    if (done !== true) return this.#read(value)
    this.#chunks = undefined // there is nothing left to give back
    return undefined
  }

  readonly #lost = (error: unknown): undefined => {
    this.#chunks = undefined
    if (this.#decoder.isAnswered !== true || this.#context.signal.aborted) throw this.#brokenOff(error)
  }

  #read(chunk: Uint8Array): readonly EngineEvent[] {
    this.#silentContent = false
    this.#collect(() => this.#feed(this.#text.decode(chunk, { stream: true })))
    if (this.#events.length > 0 || this.#silentContent) this.#watchdog.contentArrived()
    return this.#events
  }

  #feed(text: string): void {
    const isMessage = this.#isBetween && isOneMessage(text)
    this.#isBetween = text.endsWith('\n\n') || (this.#isBetween && text === '')
    if (isMessage) this.#message(text.slice(6, -2))
    else this.#parser.feed(text)
  }

  end(): readonly EngineEvent[] {
    this.#ended = true
    this.#collect(() => {
      this.#parser.feed(`${this.#text.decode()}\n\n`) // a last message may lack its blank line
      this.outcome = this.#decoder.finish(this.#emit)
    })
    return this.#events
  }

  /** Throws what went wrong behind the events that the last read gave. */
  throwIfBroken(): void {
    if (this.#broken !== undefined) throw this.#broken.error
  }

  // What one chunk said before it went wrong was said, wherever the chunk was cut.
  #collect(read: () => void): void {
    this.#events = []
    try {
      read()
      this.#checkSize()
    } catch (error) {
      this.#broken = { error }
    }
  }

  /** The result of the call, or the error that its outcome is. */
  conclude(
    outcome: CallOutcome | undefined,
    mayContinue: boolean,
  ): { finishClass: FinishClass; result: InferenceResult; blocks: number } {
    const provider = this.#protocol.name
    if (outcome === undefined) {
      const message = `${provider} broke off its answer without saying that it was over. What had come is kept; try again.`
      throw new ProviderError('PROVIDER_STREAM_TRUNCATED', message, { provider, retryable: true })
    }
    if (outcome.malformedToolCall === true && this.#seen.toolCalls === 0) {
      const message = `${provider} reported that the model wrote a tool call that cannot be read (${outcome.stopReason}). Try again, or simplify the tool's parameters.`
      throw new ProviderError('PROVIDER_MALFORMED_TOOL_CALL', message, {
        provider,
        retryable: true,
        type: outcome.stopReason,
      })
    }
    const finish = this.#finishClass(outcome, mayContinue)
    const isSilent = this.#seen.blocks === 0 && outcome.continues !== true
    if (isSilent && (finish === 'completed' || finish === 'unknown')) {
      const message = `${provider} ended its answer without saying anything. Try again.`
      throw new ProviderError('PROVIDER_EMPTY_RESPONSE', message, {
        provider,
        retryable: true,
        type: outcome.stopReason,
      })
    }
    const mustBeJson = this.#call.structuredOutput?.requireValid === true && finish === 'completed'
    if (mustBeJson && tryParseJson(this.#seen.answer) === undefined) {
      const message = `${provider} was asked for JSON (${this.#call.structuredOutput?.name}) and answered with other text, which is kept. Try again, or do not require valid output.`
      throw new ProviderError('STRUCTURED_OUTPUT_INVALID', message, { provider, retryable: false })
    }
    return { finishClass: finish, result: this.#result(outcome, finish), blocks: this.#seen.blocks }
  }

  /** The error to report for `error`: a cancel stays one, a fired watchdog says so, no error has the key in it. */
  failure(error: unknown): unknown {
    if (this.#context.signal.aborted) return this.#context.signal.reason
    const stalled = this.#watchdog.fired
    if (stalled !== undefined) {
      const provider = this.#protocol.name
      const message = `${provider} ${stalled}; the call was ended. What had come is kept; try again.`
      return new ProviderError('PROVIDER_STALLED', message, { provider, retryable: true })
    }
    return isGeppettoError(error) ? withoutKey(error, this.#settings.apiKey ?? '') : error
  }

  /** Lets go of the stream, wherever it is. */
  async close(): Promise<void> {
    this.#watchdog.stop()
    try {
      await this.#chunks?.return?.()
    } catch {
      // what it said before counts
    }
  }

  #brokenOff(error: unknown): ProviderError {
    const provider = this.#protocol.name
    const message = `The connection to ${provider} broke off in the middle of the answer (${messageOf(error)}). What had come is kept; try again.`
    return new ProviderError('PROVIDER_STREAM_TRUNCATED', message, { provider, retryable: true }, error)
  }

  readonly #emit = (event: EngineEvent): void => {
    this.#note(event)
    this.#events.push(event)
  }

  #message(data: string): void {
    if (this.#decoder.isComplete) return
    if (data.startsWith('[DONE]')) return this.#decoder.done?.()
    const message = tryParseJson(data)
    if (isJsonObject(message)) {
      if (this.#decoder.push(message, this.#emit) === true) this.#silentContent = true
      return
    }
    // Some gateways send their keep-alive comments as data; and a message that the end cut in two is part of a cut stream.
    if (data.trim() === '' || data.startsWith(':') || message !== undefined || this.#ended) return
    const provider = this.#protocol.name
    throw new ProviderError(
      'PROVIDER_PROTOCOL',
      `${provider} sent a message that is not JSON: ${data.slice(0, 200)}. What had come is kept; try again.`,
      { provider, retryable: true },
    )
  }

  #note(event: EngineEvent): void {
    const seen = this.#seen
    switch (event.type) {
      case 'text-segment-finished':
        seen.text = true
        seen.answer += event.block.payload.text
        break
      case 'reasoning-segment-finished':
        seen.reasoning = true
        break
      case 'tool-call-requested':
        seen.toolCalls += 1
        break
      case 'provider-call-metadata-updated':
        return
      default:
    }
    seen.output = true
    if (isReplyBlock(event)) seen.blocks += 1
  }

  // Reasoning alone is no answer, and a pause that is not followed up is none either.
  #finishClass(outcome: CallOutcome, mayContinue: boolean): FinishClass {
    if (outcome.continues === true) return mayContinue ? 'unknown' : 'incomplete'
    const finish = finishClass(outcome.stopReason, this.#seen.toolCalls > 0)
    const onlyReasoning =
      this.#seen.reasoning && this.#seen.blocks > 0 && !this.#seen.text && this.#seen.toolCalls === 0
    return finish === 'completed' && onlyReasoning ? 'incomplete' : finish
  }

  #result(outcome: CallOutcome, finish: FinishClass): InferenceResult {
    const { usage, responseId, extra, stopReason } = outcome
    const prices = this.#settings.modelInfo?.cost
    const maxTokens = this.#call.inference.max_response_tokens
    return {
      provider: this.#protocol.name,
      model: outcome.model ?? this.#call.model,
      stop_reason: stopReason,
      finish_class: finish,
      truncated: isTruncated(stopReason),
      ...(usage !== undefined && { usage }),
      ...(maxTokens !== undefined && { max_tokens: maxTokens }),
      duration_ms: Math.round(this.#context.clock.monotonic() - this.#started),
      ...(usage !== undefined && prices !== undefined && { cost: costOf(usage, prices) }),
      ...(this.#requestId !== undefined && { request_id: this.#requestId }),
      ...(responseId !== undefined && { response_id: responseId }),
      ...(extra !== undefined && { extra }),
    }
  }

  #checkSize(): void {
    if (this.#parseError === undefined) return
    const provider = this.#protocol.name
    const message = `${provider} sent one message of more than ${maxMessageChars} characters; the call was ended.`
    throw new ProviderError('PROVIDER_PROTOCOL', message, { provider, retryable: false }, this.#parseError)
  }
}

/** What nearly every piece of a stream is: one message with one line of data, which nobody needs to look for. */
function isOneMessage(text: string): boolean {
  const isWhole = text.startsWith('data: ') && text.endsWith('\n\n') && !text.includes('\r')
  return isWhole && text.indexOf('\n') === text.length - 2
}

type Headers = Readonly<Record<string, string>>

/** The caller's headers, in lower case so that they replace ours; those that are lists keep what the request needs. */
function withLists(names: readonly string[], own: Headers, headers: Headers): Headers {
  const entries = Object.entries(headers).map(([name, value]) => {
    const key = name.toLowerCase()
    const needed = names.includes(key) ? own[key] : undefined
    return [key, needed === undefined ? value : `${needed},${value}`] as const
  })
  return Object.fromEntries(entries)
}
