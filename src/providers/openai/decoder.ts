import type { ReasoningSource } from '../../events/event.ts'
import { isJsonObject, jsonEqual, type Json, type JsonObject } from '../../json.ts'
import { assistantText, reasoning } from '../../turns/block.ts'
import { sidecarKey } from '../../turns/keys.ts'
import { streamError } from '../error.ts'
import type { CallOutcome, Emit, StreamDecoder } from '../protocol.ts'
import { number, object, objects, text } from '../wire.ts'
import { ToolCallDrafts } from './tool-call-drafts.ts'
import { toUsage } from './usage.ts'

// The stream of POST /chat/completions, as OpenAI and those who are compatible with it send it.
// platform.openai.com/docs/api-reference/chat-streaming

/** Where vendors put reasoning; it is sent back under the name that it came by. */
const reasoningFields = ['reasoning_content', 'reasoning'] as const
type ReasoningField = (typeof reasoningFields)[number]

interface OpenSegment {
  readonly kind: 'text' | 'reasoning'
  readonly segmentId: string
  text: string
}

export class ChatDecoder implements StreamDecoder {
  #emit: Emit = () => {}
  readonly #tools = new ToolCallDrafts(
    (event) => this.#emit(event),
    () => this.#responseId,
  )
  #segment: OpenSegment | undefined
  #segments = 0
  #reasoningField: ReasoningField = 'reasoning_content'
  readonly #reasoningDetails: JsonObject[] = []
  #responseId: string | undefined
  #model: string | undefined
  #finishReason: string | undefined
  #isRefusal = false
  #isDone = false
  #usage: JsonObject | undefined
  #ignored = 0

  get isComplete(): boolean {
    return this.#isDone
  }

  get isAnswered(): boolean {
    return this.#finishReason !== undefined
  }

  done(): void {
    this.#isDone = true
  }

  push(message: JsonObject, emit: Emit): void {
    this.#emit = emit
    const { error } = message
    if (isJsonObject(error) || typeof error === 'string') throw streamError('openai', message)
    this.#identify(message)
    const choices = objects(message, 'choices')
    for (const choice of choices) if ((number(choice, 'index') ?? 0) === 0) this.#choice(choice)
    if (message['choices'] === undefined && message['usage'] === undefined) this.#ignored += 1
    const usage = object(message, 'usage') ?? object(object(message, 'x_groq') ?? {}, 'usage')
    if (usage !== undefined) this.#count(usage, choices.length === 0)
  }

  finish(emit: Emit): CallOutcome | undefined {
    this.#emit = emit
    if (this.#finishReason === undefined && !this.#isDone) return undefined
    this.#closeSegment()
    const areCallsWhole = this.#tools.finish()
    const usage = this.#usage === undefined ? undefined : toUsage(this.#usage)
    return {
      stopReason: this.#isRefusal ? 'refusal' : (this.#finishReason ?? ''),
      ...(usage !== undefined && { usage }),
      ...(this.#responseId !== undefined && { responseId: this.#responseId }),
      ...(this.#model !== undefined && { model: this.#model }),
      ...(!areCallsWhole && { malformedToolCall: true }),
      extra: {
        ...(this.#usage !== undefined && { usage: this.#usage }),
        ...(this.#ignored > 0 && { ignored_events: this.#ignored }),
      },
    }
  }

  #identify(message: JsonObject): void {
    if (this.#responseId !== undefined) return
    const responseId = text(message, 'id')
    this.#model ??= text(message, 'model') || undefined
    if (!responseId) return
    this.#responseId = responseId
    this.#emit({
      type: 'provider-call-metadata-updated',
      responseId,
      ...(this.#model !== undefined && { model: this.#model }),
    })
  }

  #choice(choice: JsonObject): void {
    const delta = object(choice, 'delta') ?? object(choice, 'message') ?? {}
    this.#reasoning(delta)
    this.#content(delta['content'])
    this.#text(text(object(delta, 'audio') ?? {}, 'transcript') ?? '')
    const refusal = text(delta, 'refusal') ?? ''
    if (refusal !== '') this.#isRefusal = true
    this.#text(refusal)
    for (const annotation of objects(delta, 'annotations')) this.#citation(annotation)
    for (const call of objects(delta, 'tool_calls')) this.#tools.add(call)
    const legacyCall = object(delta, 'function_call')
    if (legacyCall !== undefined) this.#tools.add({ index: 0, function: legacyCall })
    const usage = object(choice, 'usage')
    if (usage !== undefined) this.#count(usage, true)
    // The last reason holds: some gateways send an early one on an empty chunk.
    this.#finishReason = text(choice, 'finish_reason') ?? this.#finishReason
  }

  #reasoning(delta: JsonObject): void {
    for (const detail of objects(delta, 'reasoning_details')) this.#reasoningDetail(detail)
    for (const field of reasoningFields) {
      const thought = delta[field]
      if (typeof thought !== 'string' || thought === '') continue
      this.#reasoningField = field
      return this.#segmentDelta('reasoning', thought)
    }
  }

  // OpenRouter sends its details in pieces that share an index. openrouter.ai/docs/use-cases/reasoning-tokens
  #reasoningDetail(detail: JsonObject): void {
    const last = this.#reasoningDetails.at(-1)
    if (last === undefined || last['index'] !== detail['index'] || last['type'] !== detail['type']) {
      this.#reasoningDetails.push(detail)
      return
    }
    const joined = ['text', 'summary', 'data'].flatMap((name) => {
      const more = text(detail, name)
      return more === undefined ? [] : [[name, (text(last, name) ?? '') + more]]
    })
    const said = Object.entries(detail).filter(([, value]) => value !== null)
    this.#reasoningDetails[this.#reasoningDetails.length - 1] = { ...last, ...Object.fromEntries([...said, ...joined]) }
  }

  // Mistral's reasoning models send lists of parts. docs.mistral.ai/capabilities/reasoning
  #content(content: Json | undefined): void {
    if (typeof content === 'string') return this.#text(content)
    if (!Array.isArray(content)) return
    for (const part of content.filter(isJsonObject)) {
      if (part['type'] === 'text') this.#text(text(part, 'text') ?? '')
      else if (part['type'] === 'thinking')
        for (const thought of objects(part, 'thinking')) this.#segmentDelta('reasoning', text(thought, 'text') ?? '')
      else this.#ignored += 1
    }
  }

  #text(delta: string): void {
    this.#segmentDelta('text', delta)
  }

  #segmentDelta(kind: OpenSegment['kind'], delta: string): void {
    if (delta === '') return
    const segment = this.#segment?.kind === kind ? this.#segment : this.#openSegment(kind)
    const { segmentId, text: before } = segment
    segment.text += delta
    this.#emit({ type: kind === 'text' ? 'text-delta' : 'reasoning-delta', segmentId, offset: before.length, delta })
  }

  #openSegment(kind: OpenSegment['kind']): OpenSegment {
    this.#closeSegment()
    const segment = { kind, segmentId: `${kind}-${this.#segments}`, text: '' }
    const source: ReasoningSource = 'provider'
    this.#segments += 1
    this.#segment = segment
    if (kind === 'text') this.#emit({ type: 'text-segment-started', segmentId: segment.segmentId })
    else this.#emit({ type: 'reasoning-segment-started', segmentId: segment.segmentId, source })
    return segment
  }

  #closeSegment(): void {
    const segment = this.#segment
    this.#segment = undefined
    if (segment === undefined) return
    const { segmentId } = segment
    if (segment.kind === 'text') {
      this.#emit({ type: 'text-segment-finished', segmentId, block: assistantText(segment.text) })
      return
    }
    const details = this.#reasoningDetails.splice(0)
    const item: JsonObject = {
      [this.#reasoningField]: segment.text,
      ...(details.length > 0 && { reasoning_details: details }),
    }
    const block = sidecarKey.set(reasoning({ text: segment.text }), { provider: 'openai', item })
    this.#emit({ type: 'reasoning-segment-finished', segmentId, block })
  }

  #citation(annotation: JsonObject): void {
    const source = object(annotation, 'url_citation')
    if (source === undefined) return
    const [url, title] = [text(source, 'url'), text(source, 'title')]
    const [startIndex, endIndex] = [number(source, 'start_index'), number(source, 'end_index')]
    this.#emit({
      type: 'citation',
      ...(url !== undefined && { url }),
      ...(title !== undefined && { title }),
      ...(startIndex !== undefined && { startIndex }),
      ...(endIndex !== undefined && { endIndex }),
    })
  }

  // Vendors that count on in every chunk are told of at the first and at the last.
  #count(usage: JsonObject, isFinal: boolean): void {
    const isNews = this.#usage === undefined || (isFinal && !jsonEqual(this.#usage, usage))
    this.#usage = usage
    const counted = isNews ? toUsage(usage) : undefined
    if (counted !== undefined) this.#emit({ type: 'provider-call-metadata-updated', usage: counted })
  }
}
