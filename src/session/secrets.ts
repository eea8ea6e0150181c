import type { InferenceEvent, UnknownEvent } from '../events/event.ts'
import { isJsonObject, type Json } from '../json.ts'

// What people paste and tools print may hold keys. A session file leaves this house, so they are taken out of it.

/** Keys by the shapes that their makers give them. */
const shapes =
  /\b(?:sk-[\w-]{16,}|AIza[\w-]{30,}|gh[pousr]_[A-Za-z0-9]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|AKIA[A-Z0-9]{16}|Bearer [\w.~+/-]{16,}=*)/g

const removed = '[secret removed]'

function hasSecret(text: string): boolean {
  return text.search(shapes) >= 0
}

/** The value with each key in its texts replaced; the value itself when there is none. */
export function withoutSecrets<T extends Json>(value: T): T {
  return clean(value) as T // only texts change, and stay texts
}

function clean(value: Json): Json {
  if (typeof value === 'string') return hasSecret(value) ? value.replaceAll(shapes, removed) : value
  if (Array.isArray(value)) {
    const items = value.map(clean)
    return items.every((item, at) => item === value[at]) ? value : items
  }
  if (!isJsonObject(value)) return value
  const entries = Object.entries(value).map(([key, item]) => [key, clean(item)] as const)
  return entries.every(([key, item]) => item === value[key]) ? value : Object.fromEntries(entries)
}

/**
 * Finds the texts that spell a key delta by delta, where no single event holds it. `add` every event first; then `spells`
 * says of a delta whether it belongs to such a text.
 */
export class SpelledSecrets {
  readonly #open = new Map<string, string>()
  readonly #found = new Set<string>()

  add(event: InferenceEvent | UnknownEvent): void {
    const text = textOf(event)
    if (text === undefined) return
    const { key } = text
    const so = ((this.#open.get(key) ?? '') + text.delta).slice(-4_096)
    this.#open.set(key, so)
    if (hasSecret(so)) this.#found.add(key)
  }

  spells(event: InferenceEvent | UnknownEvent): boolean {
    const text = textOf(event)
    return text !== undefined && this.#found.has(text.key)
  }
}

function textOf(event: InferenceEvent | UnknownEvent): { readonly key: string; readonly delta: string } | undefined {
  switch (event.type) {
    case 'text-delta':
    case 'reasoning-delta':
      return { key: event.segmentId, delta: event.delta }
    case 'tool-call-arguments-delta':
      return { key: `${event.inferenceId}/${event.providerCallId}/${event.toolCallId}`, delta: event.delta }
    case 'code-interpreter-code-delta':
    case 'mcp-args-delta':
      return { key: `${event.providerCallId}/${event.type}/${event.itemId}`, delta: event.delta }
    default:
      return undefined
  }
}
