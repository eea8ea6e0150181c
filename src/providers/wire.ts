import { isJsonObject, type Json, type JsonObject } from '../json.ts'

// What a provider sends is not trusted: a field may be missing or of another type, and then it counts as absent.

export function text(record: JsonObject, name: string): string | undefined {
  const value = record[name]
  return typeof value === 'string' ? value : undefined
}

export function number(record: JsonObject, name: string): number | undefined {
  const value = record[name]
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

export function object(record: JsonObject, name: string): JsonObject | undefined {
  const value = record[name]
  return isJsonObject(value) ? value : undefined
}

export function list(record: JsonObject, name: string): readonly Json[] {
  const value = record[name]
  return Array.isArray(value) ? (value as readonly Json[]) : [] // what is in a JSON value is one
}

const none: readonly JsonObject[] = []

/** The objects of a list; what else is in it is passed over. */
export function objects(record: JsonObject, name: string): readonly JsonObject[] {
  const value = record[name]
  return Array.isArray(value) ? value.filter(isJsonObject) : none // for most of a stream's lists, which are absent
}
