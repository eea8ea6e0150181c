import { isJsonObject, type Json, type JsonObject } from '../../json.ts'

/** The values that the engine itself gives; all others are groups of the rule's `when`. */
export type ValueRoot = 'prompt' | 'result' | 'error' | 'tool' | 'args' | 'results'

/** What a placeholder stands for, by its name; undefined when there is no such value. */
export type Lookup = (name: string) => Json | undefined

const placeholder = /\{\{\s*([^{}\s]+)\s*\}\}/g

/** The names of all placeholders in `value`. */
export function placeholdersOf(value: unknown): readonly string[] {
  return [...JSON.stringify(value).matchAll(placeholder)].map(([, name = '']) => name)
}

/** `text` with each placeholder replaced by the text of its value. */
export function fillText(text: string, lookup: Lookup): string {
  return text.replaceAll(placeholder, (_all, name: string) => textOf(lookup(name) ?? ''))
}

/** `value` with the placeholders in its texts filled; a text that is one placeholder alone becomes the value itself. */
export function fillJson(value: Json, lookup: Lookup): Json {
  if (typeof value === 'string') {
    const [whole, name = ''] = /^\{\{\s*([^{}\s]+)\s*\}\}$/.exec(value) ?? []
    return whole === undefined ? fillText(value, lookup) : (lookup(name) ?? '')
  }
  if (Array.isArray(value)) return value.map((item: Json) => fillJson(item, lookup))
  if (!isJsonObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillJson(item, lookup)]))
}

/** What is at `path` (`utc`, `0.name`) in `value`. */
export function valueAt(value: Json | undefined, path: readonly string[]): Json | undefined {
  let found = value
  for (const step of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined
    found = (found as JsonObject)[step] // a list has its indexes as keys too
  }
  return found
}

function textOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
