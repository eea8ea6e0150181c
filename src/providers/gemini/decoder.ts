import { isJsonObject, jsonEqual, type JsonObject } from '../../json.ts'
import { otherBlock } from '../../turns/block.ts'
import { streamError } from '../error.ts'
import type { CallOutcome, Emit, StreamDecoder } from '../protocol.ts'
import { number, object, objects, text } from '../wire.ts'
import { Citations } from './citations.ts'
import { blockedReason, finishError, isMalformedCall, isPlainEnd, laterReason } from './finish.ts'
import { FunctionCalls } from './function-calls.ts'
import { isBare, Segments } from './segments.ts'
import { serverPartEvents } from './server-parts.ts'
import { toUsage } from './usage.ts'

// A reply is a list of chunks, each with the next parts of one content. Nothing says which is the last.
// ai.google.dev/api/generate-content#v1beta.GenerateContentResponse

const knownFields: readonly string[] = ['candidates', 'promptFeedback', 'usageMetadata', 'responseId', 'modelVersion']

export class GeminiDecoder implements StreamDecoder {
  /** Content may follow a chunk that says how it ended, so only the end of the stream is the end. */
  readonly isComplete = false
  #emit: Emit = () => {}
  #responseId: string | undefined
  #model: string | undefined
  #usage: JsonObject | undefined
  #reason: string | undefined
  /** Whether nothing was said behind the finish reason. */
  #isReasonLast = false
  #feedback: JsonObject | undefined
  #finishMessage: string | undefined
  #ignored = 0
  /** Signatures that came before anything was said: an answer of these alone is none. */
  #held: readonly JsonObject[] = []
  #hasSpoken = false
  readonly #segments = new Segments()
  readonly #calls = new FunctionCalls()
  readonly #citations = new Citations()

  get isAnswered(): boolean {
    return (this.#reason !== undefined && this.#isReasonLast) || this.#blockReason !== undefined
  }

  /** True for each chunk with parts in it: they may make no event, but the model is at work. */
  push(message: JsonObject, emit: Emit): boolean {
    this.#emit = emit
    const error = message['error']
    if (isJsonObject(error) || typeof error === 'string') throw streamError('gemini', message)
    if (!knownFields.some((field) => field in message)) this.#ignored += 1
    this.#identify(message)
    this.#feedback = object(message, 'promptFeedback') ?? this.#feedback
    const candidate = objects(message, 'candidates').find((each) => (number(each, 'index') ?? 0) === 0)
    return candidate !== undefined && this.#candidate(candidate)
  }

  finish(emit: Emit): CallOutcome | undefined {
    this.#emit = emit
    if (this.#reason === undefined && this.#blockReason === undefined) return undefined
    const stopReason = this.#stopReason()
    const failure = finishError(stopReason)
    if (failure !== undefined) throw failure
    this.#segments.close(emit)
    const malformedToolCall = isMalformedCall(stopReason)
    if (malformedToolCall) this.#calls.drop()
    this.#calls.finish(isPlainEnd(stopReason), emit)
    for (const citation of this.#citations.events(this.#segments.answer)) emit(citation)
    const usage = this.#usage === undefined ? undefined : toUsage(this.#usage)
    const extra = this.#extra()
    return {
      stopReason,
      ...(usage !== undefined && { usage }),
      ...(this.#responseId !== undefined && { responseId: this.#responseId }),
      ...(this.#model !== undefined && { model: this.#model }),
      ...(malformedToolCall && { malformedToolCall }),
      ...(Object.keys(extra).length > 0 && { extra }),
    }
  }

  get #blockReason(): string | undefined {
    return this.#feedback === undefined ? undefined : text(this.#feedback, 'blockReason')
  }

  #stopReason(): string {
    const blocked = this.#blockReason
    const isBlocked = blocked !== undefined && (this.#reason === undefined || isPlainEnd(this.#reason))
    return isBlocked ? blockedReason(blocked) : (this.#reason ?? '')
  }

  #extra(): JsonObject {
    return {
      ...(this.#blockReason !== undefined && this.#feedback !== undefined && { prompt_feedback: this.#feedback }),
      ...(this.#finishMessage !== undefined && { finish_message: this.#finishMessage }),
      ...this.#citations.extra,
      ...(this.#usage !== undefined && { usage: this.#usage }),
      ...(this.#ignored > 0 && { ignored_events: this.#ignored }),
    }
  }

  #identify(message: JsonObject): void {
    const responseId = this.#responseId === undefined ? text(message, 'responseId') : undefined
    const model = this.#model === undefined ? text(message, 'modelVersion') : undefined
    this.#responseId ??= responseId
    this.#model ??= model
    const usage = this.#counted(object(message, 'usageMetadata'))
    if (responseId === undefined && model === undefined && usage === undefined) return
    this.#emit({
      type: 'provider-call-metadata-updated',
      ...(responseId !== undefined && { responseId }),
      ...(model !== undefined && { model }),
      ...(usage !== undefined && { usage }),
    })
  }

  /** The usage, when a chunk changes it. */
  #counted(raw: JsonObject | undefined): ReturnType<typeof toUsage> {
    const usage = { ...this.#usage, ...raw }
    if (raw === undefined || jsonEqual(usage, this.#usage)) return undefined
    this.#usage = usage
    return toUsage(usage)
  }

  #candidate(candidate: JsonObject): boolean {
    const parts = objects(object(candidate, 'content') ?? {}, 'parts')
    for (const part of parts) this.#part(part)
    const reason = laterReason(undefined, text(candidate, 'finishReason'))
    this.#reason = laterReason(this.#reason, reason)
    this.#isReasonLast ||= reason !== undefined
    this.#finishMessage = text(candidate, 'finishMessage') ?? this.#finishMessage
    for (const event of this.#citations.add(candidate)) this.#emit(event)
    return parts.length > 0
  }

  #part(part: JsonObject): void {
    if (isJsonObject(part['functionCall'])) return this.#call(part)
    if (typeof part['text'] === 'string') return this.#text(part)
    const isContent = Object.keys(part).some((key) => key !== 'thought' && key !== 'thoughtSignature')
    if (isContent) this.#item(part)
    // "Required oneof field 'data' must have one initialized field": a signature by itself is that of an empty text.
    else if ('thoughtSignature' in part) this.#text({ text: '', ...part })
  }

  #call(part: JsonObject): void {
    this.#speak()
    this.#segments.close(this.#emit)
    this.#calls.read(part, this.#responseId, this.#emit)
  }

  #text(part: JsonObject): void {
    const isEmpty = part['text'] === ''
    if (isEmpty && isBare(part)) return
    if (!isEmpty) this.#speak()
    if (!this.#segments.write(part, this.#emit)) this.#item(part)
  }

  /** A part that goes back as it came. */
  #item(part: JsonObject): void {
    if (part['text'] === '' && !this.#hasSpoken) {
      this.#held = [...this.#held, part]
      return
    }
    this.#speak()
    this.#segments.close(this.#emit)
    for (const event of serverPartEvents(part)) this.#emit(event)
    this.#keep(part)
  }

  #speak(): void {
    this.#hasSpoken = true
    this.#isReasonLast = false
    const held = this.#held
    this.#held = []
    for (const part of held) this.#keep(part)
  }

  #keep(item: JsonObject): void {
    this.#emit({ type: 'block-received', block: otherBlock('provider_item', { provider: 'gemini', item }) })
  }
}
