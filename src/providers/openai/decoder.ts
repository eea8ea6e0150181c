import { isJsonObject, jsonEqual, type Json, type JsonObject } from '../../json.ts'
import { otherBlock } from '../../turns/block.ts'
import { ProviderError } from '../error.ts'
import type { CallOutcome, Emit, StreamDecoder } from '../protocol.ts'
import { number, object, objects, text } from '../wire.ts'
import { annotatedCitation, GatheredItems, SourceList } from './beside.ts'
import { chunkError, finishError } from './chunk-error.ts'
import { detailText, Segments } from './segments.ts'
import { ToolCallDrafts } from './tool-call-drafts.ts'
import { toUsage } from './usage.ts'

// A reply is a list of chunks, each with a delta of one message. Vendors agree on little more, so everything that one of
// them sends is read, whoever sends it. `<think>` tags inside of the content stay text: whether they are thoughts or the
// subject of the answer is not for a decoder to guess; a server's reasoning parser knows.
// platform.openai.com/docs/api-reference/chat-streaming

/** Finish reasons that say no more than that the model had finished. */
const plainReasons: ReadonlySet<string> = new Set(['stop', 'tool_calls', 'function_call', 'eos', 'end_turn'])

/** Where a field is absent. */
const none: JsonObject = {}

export class ChatDecoder implements StreamDecoder {
  #emit: Emit = () => {}
  #isComplete = false
  #responseId: string | undefined
  /** Chunks of this id; a vendor that names each chunk anew has one of the first. */
  #chunks = 0
  #model: string | undefined
  #reason: string | undefined
  /** Whether nothing was said behind the finish reason. */
  #isReasonLast = false
  #isRefusal = false
  #wasFiltered = false
  #usage: JsonObject | undefined
  #serviceTier: string | undefined
  /** Whether something of the reply is known that was not told yet. */
  #hasNews = false
  #hasSpoken = false
  /** Whether the last chunk had something to say. */
  #spoke = false
  #ignored = 0
  readonly #segments = new Segments()
  readonly #calls = new ToolCallDrafts()
  readonly #sources = new SourceList()
  readonly #gathered = new GatheredItems()

  get isComplete(): boolean {
    return this.#isComplete
  }

  get isAnswered(): boolean {
    return this.#reason !== undefined && this.#isReasonLast
  }

  done(): void {
    this.#isComplete = true
  }

  /** True for each chunk with something in it: it may make no event, but the model is at work. */
  push(chunk: JsonObject, emit: Emit): boolean {
    this.#emit = emit
    this.#spoke = false
    const choice = objects(chunk, 'choices').find(isFirst)
    const error = chunkError(chunk, choice)
    if (error !== undefined) throw error
    if (this.#isSpliced(chunk, choice)) return false
    this.#identify(chunk)
    const delta = choice === undefined ? undefined : this.#deltaOf(choice)
    if (choice !== undefined && delta !== undefined) this.#choice(choice, delta)
    if (chunk['choices'] === undefined && chunk['usage'] === undefined) this.#ignored += 1
    for (const citation of this.#sources.news(chunk)) emit(citation)
    this.#count(chunk, choice)
    this.#serviceTier = text(chunk, 'service_tier') ?? this.#serviceTier
    if (this.#hasNews) this.#tell()
    return this.#spoke || (delta !== undefined && hasContent(delta))
  }

  finish(emit: Emit): CallOutcome | undefined {
    this.#emit = emit
    if (this.#reason === undefined && !this.#isComplete && !this.#wasFiltered) return undefined
    const stopReason = this.#stopReason()
    const failure = finishError(stopReason)
    if (failure !== undefined) throw failure
    this.#segments.end(emit)
    for (const item of this.#gathered.all()) this.#keep(item)
    const isFiltered = stopReason === 'content_filter' || stopReason === 'refusal'
    const canRun = this.#calls.end(this.#responseId, isFiltered, emit)
    const usage = this.#usage === undefined ? undefined : toUsage(this.#usage)
    const extra = {
      ...(this.#serviceTier !== undefined && { service_tier: this.#serviceTier }),
      ...(this.#usage !== undefined && { usage: this.#usage }),
      ...(this.#ignored > 0 && { ignored_events: this.#ignored }),
    }
    return {
      stopReason,
      ...(usage !== undefined && { usage }),
      ...(this.#responseId !== undefined && { responseId: this.#responseId }),
      ...(this.#model !== undefined && { model: this.#model }),
      ...(!canRun && { malformedToolCall: true }),
      ...(Object.keys(extra).length > 0 && { extra }),
    }
  }

  // A reply that begins in the middle of another is two streams in one; behind the end of one it is not read.
  #isSpliced(chunk: JsonObject, choice: JsonObject | undefined): boolean {
    const id = text(chunk, 'id') ?? ''
    const isOther = id !== '' && id !== this.#responseId && this.#chunks > 1
    if (!isOther || text(object(choice ?? none, 'delta') ?? none, 'role') === undefined) return false
    if (this.isAnswered) {
      this.#isComplete = true
      return true
    }
    const message = `openai began another answer (${id}) in the middle of one (${this.#responseId}). What had come is kept; try again.`
    throw new ProviderError('PROVIDER_PROTOCOL', message, { provider: 'openai', retryable: true })
  }

  #identify(chunk: JsonObject): void {
    const id = text(chunk, 'id') ?? ''
    if (id !== '' && this.#responseId === undefined) {
      this.#responseId = id
      this.#hasNews = true
    }
    if (id !== '' && id === this.#responseId) this.#chunks += 1
    const model = text(chunk, 'model') ?? ''
    if (model === '' || model === this.#model) return
    this.#model = model
    this.#hasNews = true
  }

  // Some gateways send the message in place of its deltas; one that repeats what the deltas said is not read.
  #deltaOf(choice: JsonObject): JsonObject {
    return object(choice, 'delta') ?? (this.#hasSpoken ? undefined : object(choice, 'message')) ?? {}
  }

  #choice(choice: JsonObject, delta: JsonObject): void {
    this.#delta(delta)
    this.#wasFiltered ||= isFiltered(choice)
    const reason = text(choice, 'finish_reason') ?? ''
    if (reason !== '' && reason !== 'null') this.#end(reason)
  }

  #delta(delta: JsonObject): void {
    const { content } = delta
    // What nearly all of them are: a piece of the text, and nothing else that would have to be looked for.
    if (typeof content === 'string' && Object.keys(delta).length === 1) return this.#content(content)
    this.#reasoning(delta)
    this.#content(content)
    this.#refusal(text(delta, 'refusal') ?? '')
    this.#segments.write('text', text(object(delta, 'audio') ?? none, 'transcript') ?? '', this.#say)
    for (const image of objects(delta, 'images')) this.#keep(image)
    this.#toolCalls(delta)
    this.#gathered.add(delta)
    for (const annotation of objects(delta, 'annotations')) this.#annotation(annotation)
  }

  /** Emits what is part of the answer itself. */
  readonly #say: Emit = (event) => {
    this.#hasSpoken = true
    this.#spoke = true
    this.#isReasonLast = false
    this.#emit(event)
  }

  #reasoning(delta: JsonObject): void {
    const newer = text(delta, 'reasoning') ?? ''
    const thought = newer === '' ? (text(delta, 'reasoning_content') ?? '') : newer
    const details = objects(delta, 'reasoning_details')
    if (thought !== '')
      this.#segments.write('reasoning', thought, this.#say, newer === '' ? 'reasoning_content' : 'reasoning')
    else if (details.length > 0)
      this.#segments.write('reasoning', details.map(detailText).join(''), this.#say, 'reasoning')
    for (const detail of details) this.#segments.addDetail(detail)
  }

  // A text, or parts where the model reasons or refers to sources. docs.mistral.ai/capabilities/reasoning
  #content(content: Json | undefined): void {
    if (typeof content === 'string') return this.#segments.write('text', content, this.#say)
    if (!Array.isArray(content)) return
    for (const part of content.filter(isJsonObject)) {
      if (part['type'] === 'text') this.#segments.write('text', text(part, 'text') ?? '', this.#say)
      else if (part['type'] === 'thinking') this.#segments.write('reasoning', thoughtText(part), this.#say, 'parts')
      else if (!this.#segments.mark(part)) this.#keep(part)
    }
  }

  #refusal(refusal: string): void {
    this.#isRefusal ||= refusal !== ''
    this.#segments.write('text', refusal, this.#say)
  }

  #toolCalls(delta: JsonObject): void {
    const calls = objects(delta, 'tool_calls')
    for (const call of calls) this.#calls.add(call, this.#responseId, this.#say)
    const legacy = object(delta, 'function_call') // of before there were several; some send both
    if (legacy !== undefined && calls.length === 0) this.#calls.add({ function: legacy }, this.#responseId, this.#say)
    if (calls.length > 0 || legacy !== undefined) this.#isReasonLast = false
  }

  #annotation(annotation: JsonObject): void {
    this.#segments.annotate(annotation)
    const citation = annotatedCitation(annotation)
    if (citation !== undefined) this.#emit(citation)
  }

  /** An item that is neither text, reasoning nor a call of ours. */
  #keep(item: JsonObject): void {
    this.#segments.close(this.#say)
    this.#say({ type: 'block-received', block: otherBlock('provider_item', { provider: 'openai', item }) })
  }

  // The last reason holds, for some translating proxies send one ahead of the answer. A limit or a filter is not taken
  // back by a plain one, which would hide it.
  #end(reason: string): void {
    const isHidden = this.#reason !== undefined && !plainReasons.has(this.#reason) && plainReasons.has(reason)
    if (!isHidden) this.#reason = reason
    this.#isReasonLast = true
    this.#hasNews = true
  }

  // At the end beside no choice, in the last choice's chunk or inside of it, or in every chunk, more each time.
  #count(chunk: JsonObject, choice: JsonObject | undefined): void {
    const groq = object(chunk, 'x_groq') ?? none
    const usage = object(chunk, 'usage') ?? object(groq, 'usage') ?? object(choice ?? none, 'usage')
    if (usage === undefined || jsonEqual(usage, this.#usage)) return
    this.#usage = usage
    this.#hasNews = true
  }

  #stopReason(): string {
    const isPlain = this.#reason === undefined || plainReasons.has(this.#reason)
    if (this.#isRefusal && isPlain) return 'refusal'
    // Azure may break off without a word: learn.microsoft.com/azure/ai-foundry/openai/concepts/content-streaming
    if (this.#wasFiltered && this.#reason === undefined) return 'content_filter'
    return this.#reason ?? ''
  }

  #tell(): void {
    this.#hasNews = false
    const usage = this.#usage === undefined ? undefined : toUsage(this.#usage)
    this.#emit({
      type: 'provider-call-metadata-updated',
      ...(this.#responseId !== undefined && { responseId: this.#responseId }),
      ...(this.#model !== undefined && { model: this.#model }),
      ...(this.#reason !== undefined && { stopReason: this.#stopReason() }),
      ...(usage !== undefined && { usage }),
    })
  }
}

function thoughtText(part: JsonObject): string {
  const whole = text(part, 'thinking')
  if (whole !== undefined) return whole
  const thoughts = objects(part, 'thinking')
  return thoughts.map((thought) => text(thought, 'text') ?? '').join('')
}

// learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter
function isFiltered(choice: JsonObject): boolean {
  const results = object(choice, 'content_filter_results')
  if (results === undefined) return false
  return Object.values(results).some((result) => isJsonObject(result) && result['filtered'] === true)
}

/** Whether there is more in a delta than whose it is. */
function hasContent(delta: JsonObject): boolean {
  return Object.entries(delta).some(([name, value]) => name !== 'role' && !isEmpty(value))
}

function isEmpty(value: Json): boolean {
  return value === null || value === '' || (Array.isArray(value) && value.length === 0)
}

/** A second choice was not asked for. */
function isFirst(choice: JsonObject): boolean {
  return (number(choice, 'index') ?? 0) === 0
}
