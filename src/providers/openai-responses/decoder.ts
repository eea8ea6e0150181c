import { isJsonObject, type JsonObject } from '../../json.ts'
import type { Usage } from '../../turns/values.ts'
import { ProviderError, streamError } from '../error.ts'
import type { CallOutcome, Emit, StreamDecoder } from '../protocol.ts'
import { list, number, object, text } from '../wire.ts'
import { isRefusal, providerName } from './item.ts'
import {
  cite,
  finishItem,
  isBareReasoning,
  kindOf,
  openItem,
  showCall,
  showText,
  type ItemKind,
  type OutputItem,
} from './output-item.ts'
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
  /** The last sequence number, and whether such numbers were seen to count. */
  #sequence = { last: -1, counts: false }
  /** All items, in the order of the reply; the first `#finished` of them are over. */
  readonly #items: OutputItem[] = []
  #finished = 0
  /** Reasoning items without words, which wait for the item that they belong to. */
  #bare: JsonObject[] = []
  readonly #callIds = new Set<string>()

  push(message: JsonObject, emit: Emit): boolean {
    const type = text(message, 'type') ?? ''
    const written = textEvent(type, message)
    if (written !== undefined) {
      if (!this.#isRepeated(message, written)) this.#write(written, message, emit)
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
    throw new ProviderError('PROVIDER_PROTOCOL', message, { provider: providerName, retryable: this.#items.length === 0 })
  }

  #announce(message: JsonObject, fields: JsonObject, emit: Emit): void {
    const known = this.#find(kindOf(fields), message, fields)
    if (known?.isAnnounced === true) return
    const item = known ?? this.#open(kindOf(fields), message, fields)
    item.isAnnounced = true
    item.fields = fields
    for (const event of serverItemOpened(fields)) emit(event)
    this.#showCall(item, emit)
  }

  #done(message: JsonObject, fields: JsonObject, emit: Emit): void {
    const item = this.#find(kindOf(fields), message, fields) ?? this.#open(kindOf(fields), message, fields)
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
    const item = this.#find(kind, message) ?? this.#open(kind, message)
    if (item.isDone) return
    this.#isRefusal ||= refuses
    if ('delta' in content) return showText(item, item.written.add(part, content.delta), source, emit)
    item.isSettled = true
    showText(item, item.written.settle(part, content.whole), source, emit)
  }

  #annotate(message: JsonObject, emit: Emit): void {
    const item = this.#find('message', message)
    if (item === undefined || item.isDone) return
    const contentIndex = number(message, 'content_index')
    const annotationIndex = number(message, 'annotation_index')
    const place = { ...(contentIndex !== undefined && { contentIndex }), ...(annotationIndex !== undefined && { annotationIndex }) }
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
      throw streamError(providerName, object(response, 'error') ?? { code: failure, message: `The response was ${failure}.` })
    }
    const isWhole = !words.includes('incomplete')
    this.#backfill(list(response, 'output').filter(isJsonObject), emit)
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

  /** Takes from the whole response the items, and the ends of items, that no event brought. */
  #backfill(output: readonly JsonObject[], emit: Emit): void {
    const open = new Set(this.#items)
    const byId = output.map((fields) => {
      const item = this.#items.find((known) => open.has(known) && isSameItem(known, kindOf(fields), fields))
      if (item !== undefined) open.delete(item)
      return item
    })
    for (const [index, fields] of output.entries()) {
      // Where a gateway gives other ids at the end, the next item of the kind is the one.
      const known = byId[index] ?? [...open].find((item) => item.kind === kindOf(fields))
      const item = known ?? this.#open(kindOf(fields), { output_index: index }, fields)
      open.delete(item)
      if (!item.isDone) this.#close(item, fields, emit)
    }
  }

  /** Finishes items in the order of the reply, up to the first that is still being written; with `end`, all of them. */
  #flush(emit: Emit, end?: { readonly isWhole: boolean }): void {
    for (; this.#finished < this.#items.length; this.#finished += 1) {
      const item = this.#items[this.#finished]
      if (item === undefined || (!item.isDone && end === undefined)) return
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

  #find(kind: ItemKind, message: JsonObject, fields?: JsonObject): OutputItem | undefined {
    const id = text(fields ?? {}, 'id') ?? text(message, 'item_id')
    const index = number(message, 'output_index')
    const byId = id === undefined ? undefined : this.#items.findLast((item) => item.kind === kind && item.itemId === id)
    if (byId !== undefined) return byId
    if (index === undefined) return id === undefined ? this.#items.findLast((item) => item.kind === kind && !item.isDone) : undefined
    const byIndex = this.#items.findLast((item) => item.kind === kind && item.outputIndex === index)
    return byIndex !== undefined && fields !== undefined && isAnother(byIndex, fields) ? undefined : byIndex
  }

  #open(kind: ItemKind, message: JsonObject, fields: JsonObject = {}): OutputItem {
    const index = number(message, 'output_index') ?? (this.#items.at(-1)?.outputIndex ?? -1) + 1
    const item = openItem(kind, index, text(fields, 'id') ?? text(message, 'item_id'), this.#items.length)
    const after = this.#items.findLastIndex((other) => other.outputIndex <= index)
    this.#items.splice(Math.max(after + 1, this.#finished), 0, item)
    return item
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

  // A proxy that sends an event twice must not double a word. Only numbers that were seen to count are believed.
  #isRepeated(message: JsonObject, { content }: TextEvent): boolean {
    const place = number(message, 'sequence_number')
    if (place === undefined || !('delta' in content)) return false
    const { last, counts } = this.#sequence
    if (counts && place <= last) return true
    this.#sequence = { last: place, counts: counts || (last >= 0 && place > last) }
    return false
  }

  #tell(stopReason: string, emit: Emit): void {
    const usage = this.#usage
    emit({ type: 'provider-call-metadata-updated', ...this.#names(), stopReason, ...(usage !== undefined && { usage }) })
  }

  #names(): { readonly responseId?: string; readonly model?: string } {
    return {
      ...(this.#responseId !== undefined && { responseId: this.#responseId }),
      ...(this.#model !== undefined && { model: this.#model }),
    }
  }
}

function isSameItem(item: OutputItem, kind: ItemKind, fields: JsonObject): boolean {
  if (item.kind !== kind) return false
  const id = text(fields, 'id')
  const callId = text(fields, 'call_id')
  return (id !== undefined && item.itemId === id) || (callId !== undefined && text(item.fields, 'call_id') === callId)
}

// Some gateways give every item the place 0, others give one item another id in each event.
function isAnother(item: OutputItem, fields: JsonObject): boolean {
  const callIds = [text(item.fields, 'call_id'), text(fields, 'call_id')]
  if (!callIds.includes(undefined)) return callIds[0] !== callIds[1]
  const ids = [item.itemId, text(fields, 'id')]
  return item.isDone && !ids.includes(undefined) && ids[0] !== ids[1]
}
