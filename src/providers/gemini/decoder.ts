import { isJsonObject, jsonEqual, type JsonObject } from '../../json.ts'
import { assistantText, otherBlock, reasoning, toolCall, type ToolCallBlock } from '../../turns/block.ts'
import { sidecarKey, thoughtKey, thoughtSignatureKey } from '../../turns/keys.ts'
import { streamError } from '../error.ts'
import type { CallOutcome, Emit, StreamDecoder } from '../protocol.ts'
import { list, number, object, objects, text } from '../wire.ts'
import { hasPartialArguments, PartialArguments } from './partial-args.ts'
import { toUsage } from './usage.ts'

// The stream of POST /models/{model}:streamGenerateContent. ai.google.dev/api/generate-content

interface OpenSegment {
  readonly kind: 'text' | 'reasoning'
  readonly segmentId: string
  text: string
  /** The parts as they are to be sent back: unsigned ones joined, a signed one by itself. */
  readonly parts: JsonObject[]
}

interface CallDraft {
  readonly toolCallId: string
  readonly part: JsonObject
  readonly args: PartialArguments
}

const malformedReasons: ReadonlySet<string> = new Set([
  'MALFORMED_FUNCTION_CALL',
  'UNEXPECTED_TOOL_CALL',
  'TOO_MANY_TOOL_CALLS',
  'MISSING_THOUGHT_SIGNATURE',
])

export class GeminiDecoder implements StreamDecoder {
  /** Content may follow a chunk that says how it ended, so only the end of the stream is the end. */
  readonly isComplete = false
  #emit: Emit = () => {}
  #segment: OpenSegment | undefined
  #segments = 0
  readonly #calls: ToolCallBlock[] = []
  #draft: CallDraft | undefined
  #finishReason: string | undefined
  #blockReason: string | undefined
  #responseId: string | undefined
  #model: string | undefined
  #usage: JsonObject | undefined
  readonly #extra: Record<string, JsonObject | string> = {}

  get isAnswered(): boolean {
    return this.#finishReason !== undefined || this.#blockReason !== undefined
  }

  push(message: JsonObject, emit: Emit): void {
    this.#emit = emit
    if (isJsonObject(message['error'])) throw streamError('gemini', message)
    this.#identify(message)
    const feedback = object(message, 'promptFeedback')
    if (feedback !== undefined && text(feedback, 'blockReason') !== undefined) {
      this.#blockReason = text(feedback, 'blockReason')
      this.#extra['prompt_feedback'] = feedback
    }
    for (const candidate of objects(message, 'candidates')) {
      if ((number(candidate, 'index') ?? 0) === 0) this.#candidate(candidate)
    }
  }

  finish(emit: Emit): CallOutcome | undefined {
    this.#emit = emit
    if (!this.isAnswered) return undefined
    this.#closeSegment()
    this.#closeDraft()
    for (const block of this.#calls) emit({ type: 'tool-call-requested', toolCallId: block.payload.id, block })
    const usage = this.#usage === undefined ? undefined : toUsage(this.#usage)
    const stopReason = this.#finishReason ?? (this.#blockReason === 'OTHER' ? 'blocked' : this.#blockReason) ?? ''
    return {
      stopReason,
      ...(usage !== undefined && { usage }),
      ...(this.#responseId !== undefined && { responseId: this.#responseId }),
      ...(this.#model !== undefined && { model: this.#model }),
      ...(malformedReasons.has(stopReason) && { malformedToolCall: true }),
      extra: { ...this.#extra, ...(this.#usage !== undefined && { usage: this.#usage }) },
    }
  }

  #identify(message: JsonObject): void {
    const [responseId, model] = [text(message, 'responseId'), text(message, 'modelVersion')]
    if (this.#responseId === undefined && responseId !== undefined) {
      this.#responseId = responseId
      this.#model = model
      this.#emit({ type: 'provider-call-metadata-updated', responseId, ...(model !== undefined && { model }) })
    }
    const raw = object(message, 'usageMetadata')
    if (raw === undefined || jsonEqual(raw, this.#usage)) return
    this.#usage = { ...this.#usage, ...raw }
    const usage = toUsage(this.#usage)
    if (usage !== undefined) this.#emit({ type: 'provider-call-metadata-updated', usage })
  }

  #candidate(candidate: JsonObject): void {
    for (const part of objects(object(candidate, 'content') ?? {}, 'parts')) this.#part(part)
    // The last reason holds: some proxies send an early STOP.
    this.#finishReason = text(candidate, 'finishReason') ?? this.#finishReason
    const said = text(candidate, 'finishMessage')
    if (said !== undefined) this.#extra['finish_message'] = said
    this.#citations(candidate)
  }

  #part(part: JsonObject): void {
    const call = object(part, 'functionCall')
    if (call !== undefined) return this.#functionCall(part, call)
    if (typeof part['text'] === 'string') return this.#text(part, part['text'])
    this.#closeSegment()
    this.#emit({ type: 'block-received', block: otherBlock('provider_item', { provider: 'gemini', item: part }) })
  }

  #text(part: JsonObject, said: string): void {
    const kind = part['thought'] === true ? 'reasoning' : 'text'
    const signature = text(part, 'thoughtSignature')
    if (said === '' && signature === undefined) return
    const isOpen = this.#segment !== undefined && (this.#segment.kind === kind || said === '')
    if (!isOpen && said === '') {
      this.#closeSegment()
      this.#emit({ type: 'block-received', block: otherBlock('provider_item', { provider: 'gemini', item: part }) })
      return
    }
    const segment = isOpen && this.#segment !== undefined ? this.#segment : this.#openSegment(kind)
    if (said !== '') {
      const type = kind === 'text' ? 'text-delta' : 'reasoning-delta'
      this.#emit({ type, segmentId: segment.segmentId, offset: segment.text.length, delta: said })
      segment.text += said
    }
    this.#keep(segment, part, said, signature)
    if (signature !== undefined) this.#closeSegment()
  }

  // A part with a signature is not joined with one without. ai.google.dev/gemini-api/docs/thought-signatures
  #keep(segment: OpenSegment, part: JsonObject, said: string, signature: string | undefined): void {
    const last = segment.parts.at(-1)
    if (signature === undefined && last !== undefined) {
      segment.parts[segment.parts.length - 1] = { ...last, text: `${text(last, 'text') ?? ''}${said}` }
    } else {
      segment.parts.push(part)
    }
  }

  #openSegment(kind: OpenSegment['kind']): OpenSegment {
    this.#closeSegment()
    const segment: OpenSegment = { kind, segmentId: `${kind}-${this.#segments}`, text: '', parts: [] }
    this.#segments += 1
    this.#segment = segment
    if (kind === 'text') this.#emit({ type: 'text-segment-started', segmentId: segment.segmentId })
    else this.#emit({ type: 'reasoning-segment-started', segmentId: segment.segmentId, source: 'thinking' })
    return segment
  }

  #closeSegment(): void {
    const segment = this.#segment
    this.#segment = undefined
    if (segment === undefined) return
    const { segmentId, parts } = segment
    const signature = parts.map((part) => text(part, 'thoughtSignature')).findLast((found) => found !== undefined)
    if (segment.kind === 'text') {
      const block = assistantText(segment.text)
      this.#emit({ type: 'text-segment-finished', segmentId, block: sealed(block, parts, signature) })
    } else {
      const block = thoughtKey.set(reasoning({ text: segment.text }), true)
      this.#emit({ type: 'reasoning-segment-finished', segmentId, block: sealed(block, parts, signature) })
    }
  }

  #functionCall(part: JsonObject, call: JsonObject): void {
    const name = text(call, 'name')
    if (name !== undefined) this.#beginCall(part, call, name)
    else this.#draft?.args.add(list(call, 'partialArgs'))
    if (!hasPartialArguments(call)) this.#closeDraft()
  }

  #beginCall(part: JsonObject, call: JsonObject, name: string): void {
    this.#closeSegment()
    this.#closeDraft()
    const toolCallId = this.#unusedId(text(call, 'id'))
    this.#draft = { toolCallId, part, args: new PartialArguments() }
    this.#emit({ type: 'tool-call-started', toolCallId, toolName: name })
    this.#draft.args.add(list(call, 'partialArgs'))
  }

  #closeDraft(): void {
    const draft = this.#draft
    this.#draft = undefined
    if (draft === undefined) return
    const call = object(draft.part, 'functionCall') ?? {}
    const args = { ...object(call, 'args'), ...draft.args.value() }
    const name = text(call, 'name') ?? ''
    const id = text(call, 'id')
    const delta = JSON.stringify(args)
    this.#emit({ type: 'tool-call-arguments-delta', toolCallId: draft.toolCallId, offset: 0, delta })
    const signature = text(draft.part, 'thoughtSignature')
    const item = {
      functionCall: { ...(id !== undefined && { id }), name, args },
      ...(signature !== undefined && { thoughtSignature: signature }),
    }
    this.#calls.push(sealed(toolCall(draft.toolCallId, name, args), [item], signature))
  }

  #unusedId(id: string | undefined): string {
    const wanted = id || `call_${this.#responseId ?? 'gemini'}_${this.#calls.length}`
    let unused = wanted
    const isTaken = () => this.#calls.some((call) => call.payload.id === unused)
    for (let count = 2; isTaken(); count += 1) unused = `${wanted}-${count}`
    return unused
  }

  #citations(candidate: JsonObject): void {
    const metadata = object(candidate, 'groundingMetadata')
    if (metadata !== undefined) this.#extra['grounding_metadata'] = metadata
    for (const chunk of objects(metadata ?? {}, 'groundingChunks'))
      this.#citation(object(chunk, 'web') ?? object(chunk, 'retrievedContext'))
    for (const source of objects(object(candidate, 'citationMetadata') ?? {}, 'citationSources')) this.#citation(source)
  }

  #citation(source: JsonObject | undefined): void {
    const [url, title] = [text(source ?? {}, 'uri'), text(source ?? {}, 'title')]
    if (url === undefined && title === undefined) return
    const [startIndex, endIndex] = [number(source ?? {}, 'startIndex'), number(source ?? {}, 'endIndex')]
    this.#emit({
      type: 'citation',
      ...(url !== undefined && { url }),
      ...(title !== undefined && { title }),
      ...(startIndex !== undefined && { startIndex }),
      ...(endIndex !== undefined && { endIndex }),
    })
  }
}

/** The block with its parts as they go back, where a signature makes them more than the block says. */
function sealed<B extends ReturnType<typeof assistantText> | ReturnType<typeof reasoning> | ToolCallBlock>(
  block: B,
  parts: readonly JsonObject[],
  signature: string | undefined,
): B {
  if (signature === undefined) return block
  return sidecarKey.set(thoughtSignatureKey.set(block, signature), { provider: 'gemini', item: { parts } })
}
