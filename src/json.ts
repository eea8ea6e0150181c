/** The values that JSON can say. What is stored or sent is always one of these. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The path of the first thing in `value` that JSON cannot say (a function, NaN, a cycle, a Date, `undefined` in a list),
 * or undefined when there is none. A property that is `undefined` counts as absent, as in `JSON.stringify`.
 */
export function findNonJson(value: unknown): string | undefined {
  return walk(value, '$', new Set())
}

function walk(value: unknown, path: string, ancestors: Set<object>): string | undefined {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return undefined
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : path
  if (typeof value !== 'object' || ancestors.has(value)) return path
  ancestors.add(value)
  const found = Array.isArray(value) ? walkList(value, path, ancestors) : walkRecord(value, path, ancestors)
  ancestors.delete(value)
  return found
}

function walkList(list: readonly unknown[], path: string, ancestors: Set<object>): string | undefined {
  for (const [index, item] of list.entries()) {
    const found = walk(item, `${path}[${index}]`, ancestors)
    if (found !== undefined) return found
  }
  return undefined
}

function walkRecord(record: object, path: string, ancestors: Set<object>): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(record)
  if (prototype !== Object.prototype && prototype !== null) return path
  for (const [key, item] of Object.entries(record)) {
    const found = item === undefined ? undefined : walk(item, `${path}.${key}`, ancestors)
    if (found !== undefined) return found
  }
  return undefined
}

/** JSON text with sorted keys and no spaces: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (isJsonObject(item) ? sortKeys(item) : item))
}

function sortKeys(record: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.keys(record)
      .toSorted()
      .map((key) => [key, record[key] as Json]), // the key comes from the record itself
  )
}

/** Whether two JSON values say the same, whatever the order of their keys. */
export function jsonEqual(left: unknown, right: unknown): boolean {
  return left === right || canonicalJson(left) === canonicalJson(right)
}

/** The value that `text` says, or undefined when it is not JSON. */
export function tryParseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json // what JSON.parse returns is Json by definition
  } catch {
    return undefined
  }
}
