import type { ReasoningSource } from '../../events/event.ts'
import { isJsonObject, type Json, type JsonObject } from '../../json.ts'
import { otherBlock, type Block, type ReasoningPayload } from '../../turns/block.ts'
import { itemStatusKey, itemTypeKey, outputIndexKey, responseIdKey, sidecarKey } from '../../turns/keys.ts'
import type { Emit } from '../protocol.ts'
import { list, number, text } from '../wire.ts'
import { callArguments, inputText, itemText, providerName, withInput } from './item.ts'
import { PartedText } from './parted-text.ts'
import { serverItemFinished } from './server-tools.ts'

/** `message`, `reasoning`, `call` for a call of one of our tools, otherwise the item's own type. */
export type ItemKind = string

/** An output item while it is written. */
export interface OutputItem {
  readonly kind: ItemKind
  /** Its place in the reply. */
  readonly outputIndex: number
  /** The provider's id. Some gateways give another one in each event. */
  itemId: string | undefined
  /** The segment's id, or the tool call's; '' for a call whose id did not come yet. */
  id: string
  /** The item as it was announced, and once it is whole, as it is. */
  fields: JsonObject
  readonly written: PartedText
  isAnnounced: boolean
  isShown: boolean
  /** Whether what a tool is called with is said to be whole. */
  isSettled: boolean
  isDone: boolean
  /** How many annotations of a message were told of. */
  citations: number
}

/** What a finished item is told of the reply that it is in. */
export interface ReplyFacts {
  readonly responseId: string | undefined
  /** Reasoning that says nothing before this item; sent back with it where the provider has kept it. */
  readonly precededBy: readonly JsonObject[]
}

export function kindOf(item: JsonObject): ItemKind {
  const type = text(item, 'type') ?? ''
  return type === 'function_call' || type === 'custom_tool_call' ? 'call' : type
}

export function openItem(kind: ItemKind, outputIndex: number, itemId: string | undefined, ordinal: number): OutputItem {
  const id = kind === 'call' ? '' : `${kind === 'message' ? 'text' : kind}-${ordinal}`
  const written = new PartedText(kind === 'reasoning' ? '\n\n' : '')
  const progress = { isAnnounced: false, isShown: false, isSettled: false, isDone: false, citations: 0 }
  return { kind, outputIndex, itemId, id, fields: {}, written, ...progress }
}

/** Shows `delta`, the newest text of an item. */
export function showText(item: OutputItem, delta: string, source: ReasoningSource | undefined, emit: Emit): void {
  if (delta === '') return
  const offset = item.written.length - delta.length
  if (item.kind === 'call') {
    if (item.isShown) emit({ type: 'tool-call-arguments-delta', toolCallId: item.id, offset, delta })
    return
  }
  openSegment(item, source, emit)
  emit({ type: item.kind === 'message' ? 'text-delta' : 'reasoning-delta', segmentId: item.id, offset, delta })
}

function openSegment(item: OutputItem, source: ReasoningSource | undefined, emit: Emit): void {
  if (item.isShown) return
  item.isShown = true
  if (item.kind === 'message') emit({ type: 'text-segment-started', segmentId: item.id })
  else emit({ type: 'reasoning-segment-started', segmentId: item.id, ...(source !== undefined && { source }) })
}

/** The call has got its id: it is shown, with what had been written before. */
export function showCall(item: OutputItem, toolCallId: string, emit: Emit): void {
  item.id = toolCallId
  item.isShown = true
  emit({ type: 'tool-call-started', toolCallId, toolName: text(item.fields, 'name') ?? '' })
  if (item.written.length > 0)
    emit({ type: 'tool-call-arguments-delta', toolCallId, offset: 0, delta: item.written.text })
}

/** Tells of the annotations of a whole message that no event told of. */
function citeRest(item: OutputItem, emit: Emit): void {
  let seen = 0
  for (const [contentIndex, part] of list(item.fields, 'content').entries()) {
    const annotations = isJsonObject(part) ? list(part, 'annotations') : []
    for (const [annotationIndex, annotation] of annotations.entries()) {
      seen += 1
      if (seen > item.citations) cite(item, annotation, { contentIndex, annotationIndex }, emit)
    }
  }
}

export function cite(
  item: OutputItem,
  annotation: Json | undefined,
  place: { readonly contentIndex?: number; readonly annotationIndex?: number },
  emit: Emit,
): void {
  item.citations += 1
  if (!isJsonObject(annotation)) return
  const url = text(annotation, 'url')
  const title = text(annotation, 'title') ?? text(annotation, 'filename')
  const startIndex = number(annotation, 'start_index') ?? number(annotation, 'index')
  const endIndex = number(annotation, 'end_index')
  emit({
    type: 'citation',
    ...(url !== undefined && { url }),
    ...(title !== undefined && { title }),
    ...(startIndex !== undefined && { startIndex }),
    ...(endIndex !== undefined && { endIndex }),
    outputIndex: item.outputIndex,
    ...place,
  })
}

/** Whether an item is reasoning without a word and without a seal: only its id, which helps the provider alone. */
export function isBareReasoning(item: OutputItem): boolean {
  return (
    item.kind === 'reasoning' && item.written.text === '' && itemText(item.fields) === '' && sealOf(item) === undefined
  )
}

/** What an item comes to that is whole, or as whole as it gets. Emits nothing for one in which nothing was said. */
export function finishItem(item: OutputItem, facts: ReplyFacts, emit: Emit): boolean {
  switch (item.kind) {
    case 'message':
      return finishMessage(item, facts, emit)
    case 'reasoning':
      return finishReasoning(item, facts, emit)
    case 'call':
      return finishCall(item, facts, emit)
    default:
      return finishOther(item, facts, emit)
  }
}

function finishMessage(item: OutputItem, facts: ReplyFacts, emit: Emit): boolean {
  showText(item, item.written.finish(itemText(item.fields)), undefined, emit)
  citeRest(item, emit)
  if (item.written.text === '') return list(item.fields, 'content').length > 0 && finishOther(item, facts, emit)
  openSegment(item, undefined, emit)
  const block = {
    kind: 'llm_text' as const,
    role: 'assistant',
    payload: { text: item.written.text, ...itemIdOf(item) },
  }
  emit({ type: 'text-segment-finished', segmentId: item.id, block: withFacts(block, item, facts) })
  return true
}

function finishReasoning(item: OutputItem, facts: ReplyFacts, emit: Emit): boolean {
  const source =
    list(item.fields, 'summary').length > 0
      ? 'summary'
      : list(item.fields, 'content').length > 0
        ? 'thinking'
        : undefined
  showText(item, item.written.finish(itemText(item.fields)), source, emit)
  const seal = sealOf(item)
  const said = item.written.text
  if (said === '' && seal === undefined) return false
  openSegment(item, source, emit)
  const payload: ReasoningPayload = {
    ...(said !== '' && { text: said }),
    ...itemIdOf(item),
    ...(seal !== undefined && { encrypted_content: seal }),
    ...(Array.isArray(item.fields['summary']) && { summary: list(item.fields, 'summary') }),
  }
  const block = { kind: 'reasoning' as const, role: 'assistant', payload }
  emit({ type: 'reasoning-segment-finished', segmentId: item.id, block: withFacts(block, item, facts) })
  return true
}

function finishCall(item: OutputItem, facts: ReplyFacts, emit: Emit): boolean {
  if (text(item.fields, 'status') === 'incomplete') return false // cut off: what it says is not what was meant
  showText(item, item.written.finish(inputText(item.fields)), undefined, emit)
  if (inputText(item.fields) !== item.written.text) item.fields = withInput(item.fields, item.written.text)
  const args = callArguments(item.fields)
  const payload = { id: item.id, name: text(item.fields, 'name') ?? '', args, ...itemIdOf(item) }
  const block = withFacts({ kind: 'tool_call' as const, payload }, item, facts)
  emit({ type: 'tool-call-requested', toolCallId: item.id, block })
  return true
}

function finishOther(item: OutputItem, facts: ReplyFacts, emit: Emit): boolean {
  if (!item.isDone || item.kind === '') return false
  for (const event of serverItemFinished(item.fields)) emit(event)
  const payload = { provider: providerName, item: item.fields, ...precededBy(facts) }
  emit({ type: 'block-received', block: withPlace(otherBlock('provider_item', payload), item, facts) })
  return true
}

// The seal of an item that is still being written is not the last one.
function sealOf(item: OutputItem): string | undefined {
  const seal = item.isDone ? text(item.fields, 'encrypted_content') : undefined
  return seal === '' ? undefined : seal
}

function itemIdOf(item: OutputItem): { readonly item_id?: string } {
  return item.itemId === undefined || item.itemId === '' ? {} : { item_id: item.itemId }
}

// An item that never came whole, or that came without the words that were streamed, cannot be sent back as it is.
function withFacts<B extends Block>(block: B, item: OutputItem, facts: ReplyFacts): B {
  const placed = withPlace(block, item, facts)
  if (!item.isDone || (item.kind === 'message' && itemText(item.fields) !== item.written.text)) return placed
  return sidecarKey.set(placed, { provider: providerName, item: item.fields, ...precededBy(facts) })
}

function withPlace<B extends Block>(block: B, item: OutputItem, { responseId }: ReplyFacts): B {
  const type = text(item.fields, 'type')
  const status = text(item.fields, 'status')
  let placed = outputIndexKey.set(block, item.outputIndex)
  if (responseId !== undefined) placed = responseIdKey.set(placed, responseId)
  if (type !== undefined) placed = itemTypeKey.set(placed, type)
  return status === undefined ? placed : itemStatusKey.set(placed, status)
}

function precededBy(facts: ReplyFacts): { readonly preceded_by?: readonly JsonObject[] } {
  return facts.precededBy.length === 0 ? {} : { preceded_by: facts.precededBy }
}
