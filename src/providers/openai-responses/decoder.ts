import { isJsonObject, type JsonObject } from '../../json.ts'
import type { Usage } from '../../turns/values.ts'
import { ProviderError, streamError } from '../error.ts'
import type { CallOutcome, Emit, StreamDecoder } from '../protocol.ts'
import { list, number, object, text } from '../wire.ts'
import { isRefusal, providerName } from './item.ts'
import { cite, finishItem, isBareReasoning, kindOf, showCall, showText, type OutputItem } from './output-item.ts'
import { OutputItems } from './output-items.ts'
import { serverItemOpened, serverToolProgress } from './server-tools.ts'
import { textEvent, type TextEvent } from './text-events.ts'
import { toUsage } from './usage.ts'

/** Events that say nothing which another one does not say too. */
const silent: ReadonlySet<string> = new Set([
  'keepalive',
  'response.content_part.added',
  'response.content_part.done',
  'response.reasoning_summary_part.added',
  'response.reasoning_summary_part.done',
  'response.output_json.done',
  'response.web_search_call.in_progress',
  'response.file_search_call.in_progress',
  'response.code_interpreter_call.in_progress',
])

/**
 * Reads a reply, which is a list of output items: each is announced, written by deltas and told of whole, and what the
 * whole item says wins over its deltas. developers.openai.com/api/reference/resources/responses/streaming-events
 */
export class ResponsesDecoder implements StreamDecoder {
  isComplete = false
  #responseId: string | undefined
  #model: string | undefined
  #usage: Usage | undefined
  #outcome: { readonly stopReason: string; readonly extra: JsonObject } | undefined
  #ignored = 0
  #isRefusal = false
  /** The last sequence number, whether such numbers were seen to count, and which delta had which. */
  #last: number | undefined
  #counts = false
  readonly #deltas = new Map<number, string>()
  readonly #items = new OutputItems()
  /** Reasoning items without words, which wait for the item that they belong to. */
  #bare: JsonObject[] = []
  readonly #callIds = new Set<string>()

  push(message: JsonObject, emit: Emit): boolean {
    const type = text(message, 'type') ?? ''
    const isRepeated = this.#isRepeated(message)
    const written = textEvent(type, message)
    if (written !== undefined) {
      if (!isRepeated) this.#write(written, message, emit)
      return true
    }
    switch (type) {
      case 'response.created':
      case 'response.queued':
      case 'response.in_progress':
        this.#begin(type, object(message, 'response') ?? {}, emit)
        return false
      case 'response.output_item.added':
        this.#announce(message, object(message, 'item') ?? {}, emit)
        return true
      case 'response.output_item.done':
        this.#done(message, object(message, 'item') ?? {}, emit)
        return true
      case 'response.output_text.annotation.added':
        this.#annotate(message, emit)
        return true
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
      case 'response.cancelled':
      case 'response.done':
        this.#end(type.slice('response.'.length), object(message, 'response') ?? {}, emit)
        return true
      default:
        return this.#other(type, message, emit)
    }
  }

  finish(): CallOutcome | undefined {
    if (this.#outcome === undefined) return undefined
    const { stopReason, extra } = this.#outcome
    return {
      stopReason,
      ...this.#names(),
      ...(this.#usage !== undefined && { usage: this.#usage }),
      ...(Object.keys(extra).length > 0 && { extra }),
    }
  }

  #begin(type: string, response: JsonObject, emit: Emit): void {
    const id = text(response, 'id')
    if (this.#responseId === undefined) {
      this.#responseId = id
      this.#model = text(response, 'model')
      if (id !== undefined) emit({ type: 'provider-call-metadata-updated', ...this.#names() })
      return
    }
    // Some gateways say the beginning twice; the beginning of another reply is two streams spliced into one.
    if (type !== 'response.created' || id === undefined || id === this.#responseId) return
    const message = `${providerName} began another answer (${id}) in the middle of one (${this.#responseId}). What had come is kept; try again.`
    throw new ProviderError('PROVIDER_PROTOCOL', message, { provider: providerName, retryable: this.#items.isEmpty })
  }

  #announce(message: JsonObject, fields: JsonObject, emit: Emit): void {
    const known = this.#items.find(kindOf(fields), message, fields)
    if (known?.isAnnounced === true) return
    const item = known ?? this.#items.open(kindOf(fields), message, fields)
    item.isAnnounced = true
    item.fields = fields
    for (const event of serverItemOpened(fields)) emit(event)
    this.#showCall(item, emit)
  }

  #done(message: JsonObject, fields: JsonObject, emit: Emit): void {
    const item = this.#items.find(kindOf(fields), message, fields) ?? this.#items.open(kindOf(fields), message, fields)
    if (item.isDone) return
    this.#close(item, fields, emit)
    this.#flush(emit)
  }

  #close(item: OutputItem, fields: JsonObject, emit: Emit): void {
    if (!item.isAnnounced) for (const event of serverItemOpened(fields)) emit(event)
    item.isAnnounced = true
    item.isDone = true
    item.fields = fields
    item.itemId = text(fields, 'id') ?? item.itemId
    this.#isRefusal ||= isRefusal(fields)
    this.#showCall(item, emit)
  }

  #write({ kind, part, content, source, isRefusal: refuses }: TextEvent, message: JsonObject, emit: Emit): void {
    const item = this.#items.find(kind, message) ?? this.#items.open(kind, message)
    if (item.isDone) return
    this.#isRefusal ||= refuses
    if ('delta' in content) return showText(item, item.written.add(part, content.delta), source, emit)
    item.isSettled = true
    showText(item, item.written.settle(part, content.whole), source, emit)
  }

  #annotate(message: JsonObject, emit: Emit): void {
    const item = this.#items.find('message', message)
    if (item === undefined || item.isDone) return
    const contentIndex = number(message, 'content_index')
    const annotationIndex = number(message, 'annotation_index')
    const place = {
      ...(contentIndex !== undefined && { contentIndex }),
      ...(annotationIndex !== undefined && { annotationIndex }),
    }
    cite(item, message['annotation'], place, emit)
  }

  #other(type: string, message: JsonObject, emit: Emit): boolean {
    if (type === 'error' || type === 'response.error' || (type === '' && message['error'] !== undefined)) {
      throw streamError(providerName, message)
    }
    const event = serverToolProgress(type, message)
    if (event !== undefined) emit(event)
    else if (!silent.has(type)) this.#ignored += 1
    return type.startsWith('response.')
  }

  #end(said: string, response: JsonObject, emit: Emit): void {
    const words = [said, text(response, 'status')]
    this.#responseId ??= text(response, 'id')
    this.#model = text(response, 'model') ?? this.#model
    const raw = object(response, 'usage')
    this.#usage = raw === undefined ? undefined : toUsage(raw)
    const failure = words.find((word) => word === 'failed' || word === 'cancelled')
    if (failure !== undefined) {
      this.#tell(failure, emit)
      // A cancel comes without an error of its own.
      throw streamError(
        providerName,
        object(response, 'error') ?? { code: failure, message: `The response was ${failure}.` },
      )
    }
    const isWhole = !words.includes('incomplete')
    // What no event brought is in the whole response.
    for (const [item, fields] of this.#items.match(list(response, 'output').filter(isJsonObject))) {
      if (!item.isDone) this.#close(item, fields, emit)
    }
    this.#flush(emit, { isWhole })
    const reason = text(object(response, 'incomplete_details') ?? {}, 'reason')
    const stopReason = isWhole ? (this.#isRefusal ? 'refusal' : 'completed') : (reason ?? 'incomplete')
    const tier = text(response, 'service_tier')
    const extra = {
      ...(raw !== undefined && { usage: raw }),
      ...(tier !== undefined && { service_tier: tier }),
      ...(this.#ignored > 0 && { ignored_events: this.#ignored }),
    }
    this.#outcome = { stopReason, extra }
    this.#tell(stopReason, emit)
    this.isComplete = true
  }

  /** Finishes items in the order of the reply, up to the first that is still being written; with `end`, all of them. */
  #flush(emit: Emit, end?: { readonly isWhole: boolean }): void {
    for (const item of this.#items.take(end !== undefined)) {
      // A call that was not said to be whole is one only in a reply that is.
      if (item.kind === 'call' && !item.isDone && !item.isSettled && end?.isWhole !== true) continue
      if (item.kind === 'call' && !item.isShown) showCall(item, this.#callId(''), emit)
      if (isBareReasoning(item)) {
        if (item.isDone) this.#bare.push(item.fields)
        continue
      }
      const hasBlock = finishItem(item, { responseId: this.#responseId, precededBy: this.#bare }, emit)
      if (hasBlock) this.#bare = []
    }
  }

  // A result names `call_id`; the item's own id is another thing, though the deltas have only that.
  #showCall(item: OutputItem, emit: Emit): void {
    const callId = text(item.fields, 'call_id') ?? ''
    if (item.kind === 'call' && !item.isShown && callId !== '') showCall(item, this.#callId(callId), emit)
  }

  #callId(given: string): string {
    const made = this.#responseId === undefined ? '' : `_${this.#responseId}`
    const base = given === '' ? `call_${this.#callIds.size + 1}${made}` : given
    let id = base
    for (let count = 2; this.#callIds.has(id); count += 1) id = `${base}-${count}`
    this.#callIds.add(id)
    return id
  }

  // A proxy that sends a delta twice must not double a word. Numbers that do not count say nothing.
  #isRepeated(message: JsonObject): boolean {
    const place = number(message, 'sequence_number')
    if (place === undefined) return false
    this.#counts ||= this.#last !== undefined && place > this.#last
    this.#last = place
    const delta = text(message, 'delta')
    if (delta === undefined) return false
    const isRepeated = this.#counts && this.#deltas.get(place) === delta
    this.#deltas.set(place, delta)
    return isRepeated
  }

  #tell(stopReason: string, emit: Emit): void {
    const usage = this.#usage
    emit({
      type: 'provider-call-metadata-updated',
      ...this.#names(),
      stopReason,
      ...(usage !== undefined && { usage }),
    })
  }

  #names(): { readonly responseId?: string; readonly model?: string } {
    return {
      ...(this.#responseId !== undefined && { responseId: this.#responseId }),
      ...(this.#model !== undefined && { model: this.#model }),
    }
  }
}
