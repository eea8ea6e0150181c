import type { EngineEvent } from '../../events/event.ts'
import { findNonJson, isJsonObject, tryParseJson, type Json, type JsonObject } from '../../json.ts'
import { assistantText, otherBlock, reasoning, toolCall, type Block, type ReasoningPayload } from '../../turns/block.ts'
import { sidecarKey } from '../../turns/keys.ts'
import type { Emit } from '../protocol.ts'
import { list, number, text } from '../wire.ts'
import { serverItemFinished } from './server-tools.ts'

type BlockKind = 'text' | 'reasoning' | 'call' | 'item'

/** A content block while it is written. */
export interface OpenBlock {
  readonly kind: BlockKind
  /** The segment's id, or the tool call's. */
  readonly id: string
  readonly outputIndex: number
  /** The block as it was opened, and what deltas have set of it since. */
  fields: JsonObject
  /** The text, the thinking, or the input as JSON text. */
  written: string
  isShown: boolean
  isStopped: boolean
}

const kinds: ReadonlyMap<string, BlockKind> = new Map([
  ['text', 'text'],
  ['thinking', 'reasoning'],
  ['redacted_thinking', 'reasoning'],
  ['tool_use', 'call'],
])

/** What a content block of this type is to us; what is not known is an item, kept as it comes. */
export function kindOf(type: string): BlockKind {
  return kinds.get(type) ?? 'item'
}

/** Begins the segment when it was not yet. */
export function show(block: OpenBlock, emit: Emit): void {
  if (block.isShown) return
  block.isShown = true
  if (block.kind === 'text') emit({ type: 'text-segment-started', segmentId: block.id })
  else emit({ type: 'reasoning-segment-started', segmentId: block.id, source: 'thinking' })
}

// A new object, so that the key order of what was opened stays and nothing that was emitted changes.
export function setFields(block: OpenBlock, fields: JsonObject): void {
  block.fields = { ...block.fields, ...fields }
}

export function addCitation(block: OpenBlock, citation: Json, emit: Emit): void {
  emitCitation(block, citation, list(block.fields, 'citations').length, emit)
  setFields(block, { citations: [...list(block.fields, 'citations'), citation] })
}

export function emitCitation(block: OpenBlock, citation: Json, annotationIndex: number, emit: Emit): void {
  if (!isJsonObject(citation)) return
  const url = text(citation, 'url') ?? text(citation, 'source')
  const title = text(citation, 'title') ?? text(citation, 'document_title')
  const citedText = text(citation, 'cited_text')
  const startIndex = firstNumber(citation, ['start_char_index', 'start_page_number', 'start_block_index'])
  const endIndex = firstNumber(citation, ['end_char_index', 'end_page_number', 'end_block_index'])
  emit({
    type: 'citation',
    ...(url !== undefined && { url }),
    ...(title !== undefined && { title }),
    ...(citedText !== undefined && { citedText }),
    ...(startIndex !== undefined && { startIndex }),
    ...(endIndex !== undefined && { endIndex }),
    outputIndex: block.outputIndex,
    annotationIndex,
  })
}

function firstNumber(record: JsonObject, names: readonly string[]): number | undefined {
  return names.map((name) => number(record, name)).find((value) => value !== undefined)
}

/** What a whole block comes to: nothing for one in which nothing was said. */
export function finished(block: OpenBlock): readonly EngineEvent[] {
  switch (block.kind) {
    case 'text':
      return finishedText(block)
    case 'reasoning':
      return finishedThinking(block)
    case 'call':
      return finishedCall(block)
    case 'item':
      return finishedItem(block)
  }
}

function finishedText({ id, fields, written }: OpenBlock): readonly EngineEvent[] {
  if (written === '') return []
  const item = { ...fields, text: written }
  const block = sealed(assistantText(written), item, ['type', 'text'])
  return [{ type: 'text-segment-finished', segmentId: id, block }]
}

function finishedThinking(open: OpenBlock): readonly EngineEvent[] {
  const { id, fields, written } = open
  const events: EngineEvent[] = []
  if (fields['type'] === 'redacted_thinking') {
    const data = text(fields, 'data') ?? ''
    if (data === '') return []
    show(open, (event) => events.push(event))
    const block = sealed(reasoning({ encrypted_content: data }), fields, [])
    return [...events, { type: 'reasoning-segment-finished', segmentId: id, block }]
  }
  const signature = text(fields, 'signature') ?? ''
  if (written === '' && signature === '') return []
  show(open, (event) => events.push(event))
  const payload: ReasoningPayload = { ...(written !== '' && { text: written }), ...(signature !== '' && { signature }) }
  const block =
    signature === '' ? reasoning(payload) : sealed(reasoning(payload), { ...fields, thinking: written, signature }, [])
  return [...events, { type: 'reasoning-segment-finished', segmentId: id, block }]
}

function finishedCall({ id, fields, written }: OpenBlock): readonly EngineEvent[] {
  const given = fields['input'] ?? {}
  const hasGiven = written.trim() === '' && !(isJsonObject(given) && Object.keys(given).length === 0)
  const args = hasGiven ? parsed(given) : parsed(written)
  const events: EngineEvent[] = []
  if (hasGiven) {
    const delta = typeof given === 'string' ? given : JSON.stringify(given)
    events.push({ type: 'tool-call-arguments-delta', toolCallId: id, offset: 0, delta })
  }
  const block = toolCall(id, text(fields, 'name') ?? '', args)
  const kept = sealed(block, { ...fields, input: args }, ['type', 'id', 'name', 'input'])
  return [...events, { type: 'tool-call-requested', toolCallId: id, block: kept }]
}

function finishedItem({ fields, written }: OpenBlock): readonly EngineEvent[] {
  if (text(fields, 'type') === undefined) return []
  const item = written.trim() === '' ? fields : { ...fields, input: parsed(written) }
  return [
    ...serverItemFinished(item),
    { type: 'block-received', block: otherBlock('provider_item', { provider: 'anthropic', item }) },
  ]
}

/** What JSON text says; text that is none stays as it is, for whoever reads the call to refuse. */
function parsed(value: Json): Json {
  if (typeof value !== 'string') return value
  if (value.trim() === '') return {}
  const json = tryParseJson(value)
  return json === undefined || findNonJson(json) !== undefined ? value : json // 1e400 is JSON text for no JSON number
}

/** The block with the item that it came as, where that says more than the fields in `portable`. */
function sealed<B extends Block>(block: B, item: JsonObject, portable: readonly string[]): B {
  const more = Object.entries(item).filter(
    ([name, value]) => !portable.includes(name) && value !== null && !isEmptyList(value),
  )
  return more.length === 0 || findNonJson(item) !== undefined
    ? block
    : sidecarKey.set(block, { provider: 'anthropic', item })
}

function isEmptyList(value: Json): boolean {
  return Array.isArray(value) && value.length === 0
}
