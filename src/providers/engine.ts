import { createParser, type ParseError } from 'eventsource-parser'
import { sleep } from '../clock.ts'
import { isGeppettoError, messageOf } from '../errors.ts'
import { applyEvent } from '../events/apply.ts'
import type { EngineEvent } from '../events/event.ts'
import type { Engine, InferenceContext } from '../inference/engine.ts'
import { costOf, finishClass, isTruncated } from '../inference/result.ts'
import { callSettings, type CallSettings, type InferenceSettings } from '../inference/settings.ts'
import { isJsonObject, tryParseJson } from '../json.ts'
import type { FinishClass, InferenceResult } from '../turns/values.ts'
import type { NetworkPolicy } from './address-guard.ts'
import { ProviderError, withoutKey } from './error.ts'
import type { CallOutcome, Protocol, ProviderRequest, StreamDecoder } from './protocol.ts'
import { postForStream, type Fetch } from './transport.ts'
import { Watchdog, type CallTimeouts } from './watchdog.ts'

export interface RetryPolicy {
  /** Requests for one call, the first included. Default 3. */
  readonly maxAttempts?: number
  /** The first pause; each further one doubles. Default 500. A provider's Retry-After is obeyed up to `maxDelayMs`. */
  readonly baseDelayMs?: number
  /** Default 30 000. A provider that asks for a longer pause ends the call. */
  readonly maxDelayMs?: number
  /** Whether a call that has already shown output may be tried again; that output is then void. Default false. */
  readonly discardOutput?: boolean
}

/** All that a provider engine is made of. Nothing is read from the environment. */
export interface ProviderSettings extends InferenceSettings {
  readonly apiKey?: string
  /** The API's base, as the provider's own SDK takes it. */
  readonly baseUrl?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly network?: NetworkPolicy
  readonly retry?: RetryPolicy
  readonly timeouts?: CallTimeouts
  /** Default: undici's fetch, which refuses private addresses unless `network` allows them. */
  readonly fetch?: Fetch
}

/** How often a provider may ask for the same turn again before the reply counts as incomplete. */
const maxContinuations = 5
const maxMessageChars = 16 * 1024 * 1024
const replyBlocks: ReadonlySet<string> = new Set([
  'text-segment-finished',
  'reasoning-segment-finished',
  'tool-call-requested',
  'block-received',
])

/** The engine for one provider: one call of the model for each run, with what `protocol` says and how. */
export function providerEngine(protocol: Protocol, settings: ProviderSettings): Engine {
  return async function* (input, context) {
    let turn = input
    const call = callSettings(turn, settings)
    for (const message of call.warnings) yield { type: 'log', level: 'warn', message }
    for (let continuation = 0; ; continuation += 1) {
      const request = protocol.project(turn, call, context.tools)
      const body = JSON.stringify(request.body)
      if (continuation === 0) for (const message of request.warnings ?? []) yield { type: 'log', level: 'warn', message }
      let outcome: CallOutcome | undefined
      for (let attempt = 1; outcome === undefined; attempt += 1) {
        const reply = new Reply(protocol, settings, call, context)
        yield { type: 'provider-call-started', provider: protocol.name, model: call.model }
        if (attempt === 1 && request.repairs.length > 0) yield { type: 'request-projected', repairs: request.repairs }
        try {
          // One flat loop: a generator inside of this one would cost every token another hop.
          for await (const chunk of reply.open(request, body)) {
            for (const event of reply.read(chunk)) {
              if (replyBlocks.has(event.type)) turn = applyEvent(turn, event)
              yield event
            }
            reply.throwIfBroken()
            if (reply.isComplete) break
          }
          for (const event of reply.end()) {
            if (replyBlocks.has(event.type)) turn = applyEvent(turn, event)
            yield event
          }
          reply.throwIfBroken()
          outcome = reply.outcome
          const finished = { type: 'provider-call-finished' as const, ...reply.conclude(outcome, continuation < maxContinuations) }
          turn = applyEvent(turn, finished) // what goes on must see how its beginning ended
          yield finished
        } catch (error) {
          const failure = reply.failure(error)
          const delayMs = retryDelay(failure, attempt, reply.hasOutput, settings.retry ?? {})
          if (delayMs === undefined) throw failure
          outcome = undefined
          turn = { ...turn, blocks: turn.blocks.slice(0, turn.blocks.length - reply.blocks) }
          yield {
            type: 'attempt-discarded',
            error: { code: isGeppettoError(failure) ? failure.code : 'INTERNAL', message: messageOf(failure) },
            blocks: reply.blocks,
            retryInMs: delayMs,
          }
          await sleep(context.clock, delayMs, context.signal)
        } finally {
          reply.close()
        }
      }
      if (outcome.continues !== true || continuation >= maxContinuations) return
    }
  }
}

/** One attempt: its stream, what it has shown, and how it ended. */
class Reply {
  readonly #protocol: Protocol
  readonly #settings: ProviderSettings
  readonly #call: CallSettings
  readonly #context: InferenceContext
  readonly #decoder: StreamDecoder
  readonly #watchdog: Watchdog
  readonly #text = new TextDecoder()
  readonly #started: number
  #events: EngineEvent[] = []
  #silentContent = false
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

  async *open(request: ProviderRequest, body: string): AsyncIterable<Uint8Array> {
    const { apiKey, baseUrl, headers, network, fetch } = this.#settings
    const base = (baseUrl ?? this.#protocol.defaultBaseUrl).replace(/\/+$/, '')
    const auth = apiKey === undefined || apiKey === '' ? {} : this.#protocol.authHeaders(apiKey)
    const all = { ...request.headers, ...auth, ...withLists(this.#protocol.listHeaders ?? [], request.headers ?? {}, headers ?? {}) }
    const reply = await postForStream(this.#protocol.name, base + request.path, all, body, {
      signal: this.#watchdog.signal,
      network: network ?? {},
      ...(fetch !== undefined && { fetch }),
    })
    this.#requestId = reply.requestId
    this.#watchdog.headersArrived()
    try {
      yield* reply.body
    } catch (error) {
      if (this.#decoder.isAnswered !== true || this.#context.signal.aborted) throw error
    }
  }

  read(chunk: Uint8Array): readonly EngineEvent[] {
    this.#silentContent = false
    this.#collect(() => this.#parser.feed(this.#text.decode(chunk, { stream: true })))
    if (this.#events.length > 0 || this.#silentContent) this.#watchdog.contentArrived()
    return this.#events
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
      throw new ProviderError('PROVIDER_MALFORMED_TOOL_CALL', message, { provider, retryable: true, type: outcome.stopReason })
    }
    const finish = this.#finishClass(outcome, mayContinue)
    const isSilent = this.#seen.blocks === 0 && outcome.continues !== true
    if (isSilent && (finish === 'completed' || finish === 'unknown')) {
      const message = `${provider} ended its answer without saying anything. Try again.`
      throw new ProviderError('PROVIDER_EMPTY_RESPONSE', message, { provider, retryable: true, type: outcome.stopReason })
    }
    const mustBeJson = this.#call.structuredOutput?.requireValid === true && finish === 'completed'
    if (mustBeJson && tryParseJson(this.#seen.answer) === undefined) {
      const message = `${provider} was asked for JSON (${this.#call.structuredOutput?.name}) and answered with other text, which is kept. Try again, or do not require valid output.`
      throw new ProviderError('STRUCTURED_OUTPUT_INVALID', message, { provider, retryable: false })
    }
    return { finishClass: finish, result: this.#result(outcome, finish), blocks: this.#seen.blocks }
  }

  /** The error to report for `error`: a cancel stays one, a fired watchdog says so, a broken connection is a cut stream. */
  failure(error: unknown): unknown {
    if (this.#context.signal.aborted) return this.#context.signal.reason
    const provider = this.#protocol.name
    const stalled = this.#watchdog.fired
    if (stalled !== undefined) {
      const message = `${provider} ${stalled}; the call was ended. What had come is kept; try again.`
      return new ProviderError('PROVIDER_STALLED', message, { provider, retryable: true })
    }
    if (isGeppettoError(error)) return withoutKey(error, this.#settings.apiKey ?? '')
    const message = `The connection to ${provider} broke off in the middle of the answer (${messageOf(error)}). What had come is kept; try again.`
    return new ProviderError('PROVIDER_STREAM_TRUNCATED', message, { provider, retryable: true }, error)
  }

  close(): void {
    this.#watchdog.stop()
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
    if (replyBlocks.has(event.type)) seen.blocks += 1
  }

  // Reasoning alone is no answer, and a pause that is not followed up is none either.
  #finishClass(outcome: CallOutcome, mayContinue: boolean): FinishClass {
    if (outcome.continues === true) return mayContinue ? 'unknown' : 'incomplete'
    const finish = finishClass(outcome.stopReason, this.#seen.toolCalls > 0)
    const onlyReasoning = this.#seen.reasoning && this.#seen.blocks > 0 && !this.#seen.text && this.#seen.toolCalls === 0
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

/** How long to wait before the next attempt; undefined when there is to be none. */
function retryDelay(error: unknown, attempt: number, hasOutput: boolean, policy: RetryPolicy): number | undefined {
  const { maxAttempts = 3, baseDelayMs = 500, maxDelayMs = 30_000, discardOutput = false } = policy
  if (!(error instanceof ProviderError) || !error.details.retryable) return undefined
  if (attempt >= maxAttempts || (hasOutput && !discardOutput)) return undefined
  const delayMs = error.details.retryAfterMs ?? Math.min(baseDelayMs * 2 ** (attempt - 1), maxDelayMs)
  return delayMs > maxDelayMs ? undefined : delayMs
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
