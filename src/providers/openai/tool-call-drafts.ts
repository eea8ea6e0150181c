import { isJsonObject, tryParseJson, type Json, type JsonObject } from '../../json.ts'
import { toolCall } from '../../turns/block.ts'
import type { Emit } from '../protocol.ts'
import { number, object, text } from '../wire.ts'

interface Draft {
  readonly toolCallId: string
  readonly index: number | undefined
  wireId: string
  name: string
  isAnnounced: boolean
  readonly isCustom: boolean
  args: string
}

/**
 * The tool calls of one reply while they are written. Vendors differ in how a delta says which call it belongs to: by
 * index, by an index that is always 0, by id alone, by neither. A new id is a new call; without one the index decides,
 * and without that the last call goes on.
 */
export class ToolCallDrafts {
  readonly #drafts: Draft[] = []
  readonly #emit: Emit
  readonly #prefix: () => string

  constructor(emit: Emit, responseId: () => string | undefined) {
    this.#emit = emit
    this.#prefix = () => responseId() ?? ''
  }

  add(delta: JsonObject): void {
    const written = object(delta, 'function') ?? object(delta, 'custom') ?? {}
    const id = text(delta, 'id') ?? ''
    const name = text(written, 'name') ?? ''
    const draft =
      this.#find(id, name, number(delta, 'index')) ?? this.#begin(id, number(delta, 'index'), 'custom' in delta)
    if (draft.wireId === '') draft.wireId = id
    // A name comes whole; vendors that repeat it repeat it whole.
    if (draft.name === '') draft.name = name
    this.#write(draft, argumentsText(written['arguments'] ?? written['input']))
  }

  /** Requests the calls, now that they are whole; false when one of them has no name and cannot be run. */
  finish(): boolean {
    const inOrder = this.#drafts.toSorted((left, right) => (left.index ?? 0) - (right.index ?? 0))
    for (const draft of inOrder.filter(({ name }) => name !== '')) {
      const args = draft.isCustom ? draft.args : parsed(draft.args)
      this.#emit({
        type: 'tool-call-requested',
        toolCallId: draft.toolCallId,
        block: toolCall(draft.toolCallId, draft.name, args),
      })
    }
    return inOrder.every(({ name }) => name !== '')
  }

  #find(id: string, name: string, index: number | undefined): Draft | undefined {
    const sameIndex = this.#drafts.filter((draft) => draft.index === index)
    if (id !== '') return sameIndex.findLast((draft) => draft.wireId === id || draft.wireId === '')
    const last = sameIndex.at(-1)
    const startsAnew = index === undefined && name !== '' && last !== undefined && last.args !== '' && last.name !== ''
    return startsAnew ? undefined : (last ?? (index === undefined ? this.#drafts.at(-1) : undefined))
  }

  #begin(id: string, index: number | undefined, isCustom: boolean): Draft {
    const place = this.#drafts.length
    const wanted = id === '' ? `call_${this.#prefix()}${this.#prefix() === '' ? '' : '_'}${place}` : id
    const draft: Draft = {
      toolCallId: this.#unused(wanted),
      index,
      wireId: id,
      name: '',
      isAnnounced: false,
      isCustom,
      args: '',
    }
    this.#drafts.push(draft)
    return draft
  }

  #unused(id: string): string {
    let unused = id
    for (let count = 2; this.#drafts.some((draft) => draft.toolCallId === unused); count += 1) unused = `${id}-${count}`
    return unused
  }

  #write(draft: Draft, delta: string): void {
    const { toolCallId } = draft
    if (!draft.isAnnounced && draft.name !== '') {
      draft.isAnnounced = true
      this.#emit({ type: 'tool-call-started', toolCallId, toolName: draft.name })
    }
    if (delta === '') return
    this.#emit({ type: 'tool-call-arguments-delta', toolCallId, offset: draft.args.length, delta })
    draft.args += delta
  }
}

function argumentsText(value: Json | undefined): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

// What does not parse stays as the model wrote it: mending it could run half of what was meant.
function parsed(args: string): Json {
  if (args.trim() === '') return {}
  const value = tryParseJson(args)
  return isJsonObject(value) ? value : args
}
