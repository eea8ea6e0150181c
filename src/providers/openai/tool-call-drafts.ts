import { findNonJson, isJsonObject, tryParseJson, type Json, type JsonObject } from '../../json.ts'
import { toolCall, type ToolCallBlock } from '../../turns/block.ts'
import { sidecarKey } from '../../turns/keys.ts'
import type { Emit } from '../protocol.ts'
import { number, text } from '../wire.ts'

interface Draft {
  readonly index: number | undefined
  /** The id on the wire, '' while there is none. */
  wireId: string
  /** The id that the call goes by here; absent until it is shown. */
  id?: string
  name: string
  written: string
  readonly isCustom: boolean
  /** Fields of the call that no other vendor has. */
  more: JsonObject
}

/** What one delta says of a call. */
interface Piece {
  readonly index: number | undefined
  readonly wireId: string
  readonly name: string
  readonly written: string
}

/**
 * The tool calls of one reply while they are written. Vendors differ in how a delta says which call it goes on with: by
 * an index, by one that is always 0 or null, by an id that is repeated or only in the first, by nothing at all. A call is
 * whole only when the reply is over: arguments that happen to parse may still go on.
 */
export class ToolCallDrafts {
  #drafts: Draft[] = []
  readonly #ids = new Set<string>()

  /** Takes one delta. `responseId` makes the ids unique that a vendor leaves out. */
  add(delta: JsonObject, responseId: string | undefined, emit: Emit): void {
    const { id: _id, index: _index, type: _type, function: called, custom, ...more } = delta
    const written = isJsonObject(called) ? called : isJsonObject(custom) ? custom : {}
    const piece: Piece = {
      index: number(delta, 'index'),
      wireId: text(delta, 'id') ?? '',
      name: text(written, 'name') ?? '',
      written: argumentsText(written['arguments'] ?? written['input']),
    }
    const known = this.#goesOn(piece)
    if (known !== undefined && isRepeated(known, piece)) return
    const draft = known ?? this.#begin(piece, isJsonObject(custom))
    if (draft.wireId === '') draft.wireId = piece.wireId
    draft.name = joinedName(draft, piece)
    draft.more = { ...draft.more, ...more }
    this.#write(draft, piece.written, responseId, emit)
  }

  /**
   * Requests the calls now that they are whole, in the order of their indexes. Where a filter broke the reply off, calls
   * that were not written to their end were never asked for. False when there is a call that nobody could run.
   */
  end(responseId: string | undefined, wasFiltered: boolean, emit: Emit): boolean {
    const hasOrder = this.#drafts.every((draft) => draft.index !== undefined)
    const ordered = hasOrder
      ? this.#drafts.toSorted((one, other) => (one.index ?? 0) - (other.index ?? 0))
      : this.#drafts
    const named = ordered.filter((draft) => draft.name !== '')
    for (const draft of named) {
      if (wasFiltered && !draft.isCustom && typeof parsed(draft.written) === 'string') continue
      const id = this.#show(draft, responseId, emit)
      emit({ type: 'tool-call-requested', toolCallId: id, block: callBlock(draft, id) })
    }
    return named.length === this.#drafts.length
  }

  /** The call that a delta goes on with; undefined for the first of a new one. */
  #goesOn(piece: Piece): Draft | undefined {
    const { index, wireId, name, written } = piece
    const sameId = this.#drafts.findLast((draft) => {
      const isNear = index === undefined || draft.index === undefined || draft.index === index
      return isNear && wireId !== '' && isSameId(draft.wireId, wireId)
    })
    if (sameId !== undefined) return startsOver(sameId, piece) ? undefined : sameId
    const there = index === undefined ? this.#drafts.at(-1) : this.#drafts.findLast((draft) => draft.index === index)
    if (there === undefined) return undefined
    if (wireId === '' || there.wireId === '') return startsOver(there, piece) ? undefined : there
    return name === '' && written !== '' ? there : undefined // a new id for each piece of one call
  }

  #begin({ index, wireId }: Piece, isCustom: boolean): Draft {
    const draft: Draft = { index, wireId, name: '', written: '', isCustom, more: {} }
    this.#drafts.push(draft)
    return draft
  }

  #write(draft: Draft, delta: string, responseId: string | undefined, emit: Emit): void {
    const offset = draft.written.length
    draft.written += delta
    const wasShown = draft.id !== undefined
    if (draft.name === '' || (draft.wireId === '' && draft.written === '')) return
    const toolCallId = this.#show(draft, responseId, emit)
    if (wasShown && delta !== '') emit({ type: 'tool-call-arguments-delta', toolCallId, offset, delta })
  }

  #show(draft: Draft, responseId: string | undefined, emit: Emit): string {
    if (draft.id !== undefined) return draft.id
    draft.id = this.#unusedId(draft, responseId)
    emit({ type: 'tool-call-started', toolCallId: draft.id, toolName: draft.name })
    const delta = draft.written
    if (delta !== '') emit({ type: 'tool-call-arguments-delta', toolCallId: draft.id, offset: 0, delta })
    return draft.id
  }

  #unusedId({ wireId }: Draft, responseId: string | undefined): string {
    const counted = ['call', this.#ids.size + 1, ...(responseId === undefined ? [] : [responseId])].join('_')
    const base = wireId === '' ? counted : wireId
    let id = base
    for (let count = 2; this.#ids.has(id); count += 1) id = `${base}-${count}`
    this.#ids.add(id)
    return id
  }
}

/** Whether a delta belongs to another call than the one that it seems to go on with: its own has been written to the end. */
function startsOver(draft: Draft, piece: Piece): boolean {
  if (piece.name === '' || draft.name === '' || isRepeated(draft, piece)) return false
  const isOtherName = piece.name !== draft.name
  if (isWhole(draft.written)) return isOtherName || piece.written.trim() !== ''
  return isOtherName && piece.index === undefined && draft.written === ''
}

/** Whether a delta says once more what is known: the whole call again, under its own id. */
function isRepeated(draft: Draft, piece: Piece): boolean {
  const isSame = piece.wireId !== '' && piece.wireId === draft.wireId && piece.name === draft.name
  return isSame && piece.written === draft.written && isWhole(piece.written)
}

// Some vendors add the id to itself with each delta.
function isSameId(known: string, id: string): boolean {
  return (
    known === id || (known !== '' && id.length % known.length === 0 && id === known.repeat(id.length / known.length))
  )
}

// A name comes whole, and some repeat it; what comes before any argument and differs goes on with it.
function joinedName(draft: Draft, { name }: Piece): string {
  if (draft.name === '' || name === '') return draft.name + name
  return draft.name !== name && draft.written === '' ? draft.name + name : draft.name
}

function isWhole(written: string): boolean {
  return written.trimEnd().endsWith('}') && isJsonObject(tryParseJson(written))
}

function argumentsText(value: Json | undefined): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** What the arguments say, as an object; text that says none stays as it is, for whoever runs the tool to refuse. */
function parsed(written: string): Json {
  if (written.trim() === '') return {}
  const value = tryParseJson(written)
  return isJsonObject(value) && findNonJson(value) === undefined ? value : written // 1e400 is JSON text for no JSON number
}

/** The call, beside it the item as it came where that says more: other fields, arguments that are spaced otherwise. */
function callBlock({ name, written, isCustom, more }: Draft, id: string): ToolCallBlock {
  const args = isCustom ? written : parsed(written)
  const block = toolCall(id, name, args)
  const isAsWritten = written.trim() === '' || typeof args === 'string' || JSON.stringify(args) === written
  const isPlain = !isCustom && Object.keys(more).length === 0 && isAsWritten
  if (isPlain || findNonJson(more) !== undefined) return block
  const called = isCustom
    ? { type: 'custom', custom: { name, input: written } }
    : { type: 'function', function: { name, arguments: written } }
  return sidecarKey.set(block, { provider: 'openai', item: { id, ...called, ...more } })
}
