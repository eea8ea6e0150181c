import type { Json } from '../json.ts'

/**
 * `value` with texts that UTF-8 can say, keys included: half of a surrogate pair, which providers refuse, becomes U+FFFD.
 * It is the same value when nothing had to change.
 */
export function wellFormed<T extends Json>(value: T): T {
  return fix(value) as T // of the same shape: only characters change
}

function fix(value: Json): Json {
  if (typeof value === 'string') return value.isWellFormed() ? value : value.toWellFormed()
  if (typeof value !== 'object' || value === null) return value
  if (isList(value)) {
    const items = value.map(fix)
    return items.every((item, index) => item === value[index]) ? value : items
  }
  const entries = Object.entries(value).map(([key, item]) => [key.toWellFormed(), fix(item)] as const)
  return entries.every(([key, item]) => Object.hasOwn(value, key) && item === value[key])
    ? value
    : Object.fromEntries(entries)
}

// Array.isArray does not narrow a readonly list.
function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}
