import { GrowingText } from '../../growing-text.ts'
import type { JsonObject } from '../../json.ts'
import { assistantText, reasoning, type ReasoningBlock, type TextBlock } from '../../turns/block.ts'
import { sidecarKey } from '../../turns/keys.ts'
import type { Emit } from '../protocol.ts'
import { text } from '../wire.ts'

/** Where reasoning comes in: a field of the message, or (`parts`) parts of its content. */
export type ReasoningField = 'reasoning' | 'reasoning_content' | 'parts'

interface Segment {
  readonly kind: 'text' | 'reasoning'
  readonly id: string
  readonly field: ReasoningField
  readonly text: GrowingText
  /** Parts of the content that are not text, each with where in the text it stands. */
  readonly marks: { readonly at: number; readonly part: JsonObject }[]
  readonly annotations: JsonObject[]
}

/**
 * The text and the reasoning of one reply while they are written. A segment ends where the other kind begins, so that
 * the blocks are in the order in which the model spoke.
 */
export class Segments {
  #open: Segment | undefined
  #count = 0
  /** Details that no block has yet. */
  #details: readonly JsonObject[] = []

  write(kind: Segment['kind'], delta: string, emit: Emit, field: ReasoningField = 'reasoning_content'): void {
    if (delta === '') return
    const segment = this.#open?.kind === kind ? this.#open : this.#begin(kind, field, emit)
    const offset = segment.text.length
    segment.text.add(delta)
    emit({ type: kind === 'text' ? 'text-delta' : 'reasoning-delta', segmentId: segment.id, offset, delta })
  }

  /** Keeps a part of the content that is not text where it stands; false where no text is open to hold it. */
  mark(part: JsonObject): boolean {
    if (this.#open?.kind !== 'text') return false
    this.#open.marks.push({ at: this.#open.text.length, part })
    return true
  }

  annotate(annotation: JsonObject): void {
    if (this.#open?.kind === 'text') this.#open.annotations.push(annotation)
  }

  addDetail(detail: JsonObject): void {
    this.#details = withDetail(this.#details, detail)
  }

  close(emit: Emit): void {
    const segment = this.#open
    this.#open = undefined
    if (segment === undefined) return
    if (segment.kind === 'text') {
      emit({ type: 'text-segment-finished', segmentId: segment.id, block: textBlock(segment) })
      return
    }
    const block = reasoningBlock(segment, this.#details)
    this.#details = []
    emit({ type: 'reasoning-segment-finished', segmentId: segment.id, block })
  }

  /** The end of the reply: sealed reasoning that came without a word gets a block of its own. */
  end(emit: Emit): void {
    this.close(emit)
    if (!this.#details.some(isSealed)) return
    this.#begin('reasoning', 'reasoning', emit)
    this.close(emit)
  }

  #begin(kind: Segment['kind'], field: ReasoningField, emit: Emit): Segment {
    this.close(emit)
    const segment: Segment = {
      kind,
      id: `${kind}-${this.#count}`,
      field,
      text: new GrowingText(),
      marks: [],
      annotations: [],
    }
    this.#count += 1
    this.#open = segment
    if (kind === 'text') emit({ type: 'text-segment-started', segmentId: segment.id })
    else emit({ type: 'reasoning-segment-started', segmentId: segment.id, source: 'provider' })
    return segment
  }
}

function textBlock({ text: written, marks, annotations }: Segment): TextBlock {
  const said = written.toString()
  const block = assistantText(said)
  if (marks.length === 0 && annotations.length === 0) return block
  const content = marks.length === 0 ? said : contentParts(said, marks)
  return sidecarKey.set(block, {
    provider: 'openai',
    item: { content, ...(annotations.length > 0 && { annotations }) },
  })
}

function contentParts(said: string, marks: Segment['marks']): readonly JsonObject[] {
  const ends = [...marks.map(({ at }) => at), said.length]
  return ends.flatMap((end, index) => {
    const words = said.slice(ends[index - 1] ?? 0, end)
    const part = marks[index]?.part
    return [...(words === '' ? [] : [{ type: 'text', text: words }]), ...(part === undefined ? [] : [part])]
  })
}

// The item says which field the reasoning came in: it goes back by the same.
function reasoningBlock({ text: written, field }: Segment, details: readonly JsonObject[]): ReasoningBlock {
  const said = written.toString()
  const fieldItem: JsonObject =
    field === 'parts'
      ? { content: [{ type: 'thinking', thinking: [{ type: 'text', text: said }] }] }
      : { [field]: said }
  const item: JsonObject = {
    ...(said !== '' && fieldItem),
    ...(details.length > 0 && { reasoning_details: details }),
  }
  const signature = lastText(details, 'signature')
  const sealed = lastText(details, 'data')
  const block = reasoning({
    ...(said !== '' && { text: said }),
    ...(sealed !== undefined && { encrypted_content: sealed }),
    ...(signature !== undefined && { signature }),
  })
  return sidecarKey.set(block, { provider: 'openai', item })
}

/** What a detail of OpenRouter says for a person to read. */
export function detailText(detail: JsonObject): string {
  return text(detail, 'text') ?? text(detail, 'summary') ?? ''
}

// Pieces of one detail share its type and index; sealed data comes whole. openrouter.ai/docs/use-cases/reasoning-tokens
function withDetail(details: readonly JsonObject[], piece: JsonObject): readonly JsonObject[] {
  const last = details.at(-1)
  const isPiece = last?.['type'] === piece['type'] && last?.['index'] === piece['index']
  if (last === undefined || !isPiece || text(piece, 'data') !== undefined) return [...details, piece]
  const said = Object.entries(piece).filter(([, value]) => value !== null)
  const joined = ['text', 'summary'].flatMap((name) => {
    const more = text(piece, name)
    return more === undefined ? [] : [[name, (text(last, name) ?? '') + more] as const]
  })
  return [...details.slice(0, -1), { ...last, ...Object.fromEntries([...said, ...joined]) }]
}

function isSealed(detail: JsonObject): boolean {
  return (text(detail, 'data') ?? text(detail, 'signature') ?? '') !== ''
}

function lastText(details: readonly JsonObject[], name: string): string | undefined {
  return details.map((detail) => text(detail, name)).findLast((value) => value !== undefined && value !== '')
}
