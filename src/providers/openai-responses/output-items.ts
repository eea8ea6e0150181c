import type { JsonObject } from '../../json.ts'
import { number, text } from '../wire.ts'
import { kindOf, openItem, type ItemKind, type OutputItem } from './output-item.ts'

/** The items of a reply in their order, found by what events say of them. */
export class OutputItems {
  readonly #items: OutputItem[] = []
  /** How many were taken. */
  #taken = 0

  get isEmpty(): boolean {
    return this.#items.length === 0
  }

  /** The item that an event is about: by its id, otherwise by its place. `fields` is the item as the event has it. */
  find(kind: ItemKind, message: JsonObject, fields?: JsonObject): OutputItem | undefined {
    const id = text(fields ?? {}, 'id') ?? text(message, 'item_id')
    const index = number(message, 'output_index')
    const isIt = (item: OutputItem) => item.kind === kind && item.itemId === id
    const byId = id === undefined ? undefined : this.#items.findLast(isIt)
    if (byId !== undefined) return byId
    if (index === undefined)
      return id === undefined ? this.#items.findLast((item) => item.kind === kind && !item.isDone) : undefined
    const byIndex = this.#items.findLast((item) => item.kind === kind && item.outputIndex === index)
    return byIndex !== undefined && fields !== undefined && isAnother(byIndex, fields) ? undefined : byIndex
  }

  /** Begins the item that an event is about. */
  open(kind: ItemKind, message: JsonObject, fields: JsonObject = {}): OutputItem {
    const index = number(message, 'output_index') ?? (this.#items.at(-1)?.outputIndex ?? -1) + 1
    const item = openItem(kind, index, text(fields, 'id') ?? text(message, 'item_id'), this.#items.length)
    const after = this.#items.findLastIndex((other) => other.outputIndex <= index)
    this.#items.splice(Math.max(after + 1, this.#taken), 0, item)
    return item
  }

  /** Each item of a whole response with the item that it is here; one that no event told of is begun. */
  match(output: readonly JsonObject[]): readonly (readonly [OutputItem, JsonObject])[] {
    const free = new Set(this.#items)
    const byId = output.map((fields) => {
      const item = [...free].find((known) => isSameItem(known, fields))
      if (item !== undefined) free.delete(item)
      return item
    })
    return output.map((fields, index) => {
      // Where a gateway gives other ids at the end, the next item of the kind is the one.
      const known = byId[index] ?? [...free].find((item) => item.kind === kindOf(fields))
      if (known !== undefined) free.delete(known)
      return [known ?? this.open(kindOf(fields), { output_index: index }, fields), fields]
    })
  }

  /** The items that were not taken yet, up to the first that is still being written; with `all`, every one. */
  *take(all: boolean): Iterable<OutputItem> {
    for (
      let item = this.#items[this.#taken];
      item !== undefined && (item.isDone || all);
      item = this.#items[this.#taken]
    ) {
      this.#taken += 1
      yield item
    }
  }
}

function isSameItem(item: OutputItem, fields: JsonObject): boolean {
  const id = text(fields, 'id')
  const callId = text(fields, 'call_id')
  const isNamed =
    (id !== undefined && item.itemId === id) || (callId !== undefined && text(item.fields, 'call_id') === callId)
  return item.kind === kindOf(fields) && isNamed
}

// Some gateways give every item the place 0, others give one item another id in each event.
function isAnother(item: OutputItem, fields: JsonObject): boolean {
  const callIds = [text(item.fields, 'call_id'), text(fields, 'call_id')]
  if (!callIds.includes(undefined)) return callIds[0] !== callIds[1]
  const ids = [item.itemId, text(fields, 'id')]
  return item.isDone && !ids.includes(undefined) && ids[0] !== ids[1]
}
