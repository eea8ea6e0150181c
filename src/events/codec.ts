import { GeppettoError } from '../errors.ts'
import { isJsonObject, type Json, type JsonObject } from '../json.ts'
import type { EventRegistry } from './custom.ts'
import { eventTable, type AnyField, type EventScope } from './event-table.ts'
import type { Envelope, InferenceEvent, SegmentScope, ToolCallScope, UnknownEvent } from './event.ts'
import { isLegacyEvent, legacyFields, upgradeEvent } from './legacy.ts'

// The border between an event in the program (camelCase) and an event as JSON (flat, snake_case).

interface IdColumn {
  readonly name: string
  readonly stored: string
  readonly isOptional: boolean
}

const [sessionId, inferenceId, turnId] = [id('sessionId'), id('inferenceId'), id('turnId')]
const [providerCallId, attempt, segmentId, toolCallId] = [
  id('providerCallId'),
  id('attempt'),
  id('segmentId'),
  id('toolCallId'),
]
const inferenceIds = [sessionId, inferenceId, turnId]
const providerCallIds = [...inferenceIds, providerCallId, attempt]
const scopeIds: Readonly<Record<EventScope, readonly IdColumn[]>> = {
  turn: [sessionId, { ...inferenceId, isOptional: true }, turnId],
  inference: inferenceIds,
  'provider-call': providerCallIds,
  segment: [...providerCallIds, segmentId],
  'tool-call': [...inferenceIds, { ...providerCallId, isOptional: true }, { ...attempt, isOptional: true }, toolCallId],
}
const everyId = [...providerCallIds, segmentId, toolCallId]

/** The stored names of what events of any type may have. */
export const sharedFields: ReadonlySet<string> = new Set([
  'type',
  'ordinal',
  'at',
  ...everyId.map(({ stored }) => stored),
])

function id(name: keyof (SegmentScope & ToolCallScope)): IdColumn {
  return { name, stored: snakeCase(name), isOptional: false }
}

interface Column {
  readonly name: string
  readonly stored: string
  readonly encode: ((value: never) => Json) | undefined
  readonly decode: (stored: Json) => unknown
  readonly isOptional: boolean
}
interface Row {
  readonly ids: readonly IdColumn[]
  readonly columns: readonly Column[]
}

// Names are converted once, here, so that nothing is left to do for each event.
const rows: ReadonlyMap<string, Row> = new Map(
  Object.entries(eventTable).map(([type, [scope, fields]]) => [
    type,
    { ids: scopeIds[scope], columns: columnsOf(fields) },
  ]),
)

function columnsOf(fields: Readonly<Record<string, AnyField>>): readonly Column[] {
  return Object.entries(fields).map(([name, { encode, decode, isOptional }]) => ({
    name,
    stored: snakeCase(name),
    encode,
    decode,
    isOptional: isOptional === true,
  }))
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** The event as it is stored and sent: flat, snake_case, its ids before its own fields. */
export function encodeEvent(event: InferenceEvent | UnknownEvent): JsonObject {
  const stored: Record<string, Json> = {
    type: event.type === 'unknown' ? event.rawType : event.type,
    ordinal: event.ordinal,
    at: event.at,
  }
  const source = event as unknown as Readonly<Record<string, Json | undefined>> // read by its row's names
  for (const { name, stored: storedName } of everyId) {
    const value = source[name]
    if (value !== undefined) stored[storedName] = value
  }
  if (event.type === 'unknown') return { ...stored, ...event.fields }
  for (const { name, stored: storedName, encode } of rows.get(event.type)?.columns ?? []) {
    const value = source[name]
    if (value !== undefined) stored[storedName] = encode === undefined ? value : encode(value as never) // its own
  }
  return stored
}

/** The event as one line of JSON, line break included. */
export function eventToJsonLine(event: InferenceEvent | UnknownEvent): string {
  return `${JSON.stringify(encodeEvent(event))}\n`
}

/**
 * Reads a stored event: what `JSON.parse` gave of it. An event of an older version becomes one of today (legacy.ts); a
 * type that this version does not know is kept as it came. Fields that a known type does not have are left out. Throws
 * EVENT_INVALID, naming the type and the field, for a missing id or a wrong value, and for data that does not fit the
 * custom event of its name in `registry`.
 */
export function decodeEvent(value: unknown, registry?: EventRegistry): InferenceEvent | UnknownEvent {
  if (!isJsonObject(value)) throw new GeppettoError('EVENT_INVALID', 'An event is a JSON object with a type.')
  const event = isLegacyEvent(value) ? decodeLegacy(value) : decodeStored(value)
  if (event.type === 'custom') registry?.check(event.name, event.data)
  return event
}

function decodeStored(stored: JsonObject): InferenceEvent | UnknownEvent {
  const type = stored['type']
  if (typeof type !== 'string' || type === '') throw new GeppettoError('EVENT_INVALID', 'The event has no type.')
  const row = rows.get(type)
  if (row === undefined) return decodeUnknown(type, stored)
  const event: Record<string, unknown> = { type, ...decodeEnvelope(type, stored) }
  for (const { name, stored: storedName, isOptional } of row.ids) {
    const value = stored[storedName]
    if (isId(name, value)) event[name] = value
    else if (value !== undefined || !isOptional) throw invalid(type, storedName, 'is missing')
  }
  for (const { name, stored: storedName, decode, isOptional } of row.columns) {
    const field = stored[storedName]
    if (field === undefined) {
      if (!isOptional) throw invalid(type, storedName, 'is missing')
      continue
    }
    const decoded = decode(field)
    if (decoded === undefined) throw invalid(type, storedName, 'has a value that this type of event cannot have')
    event[name] = decoded
  }
  return event as unknown as InferenceEvent // each id and field of its row has been checked
}

function decodeEnvelope(type: string, { ordinal, at }: JsonObject): Envelope {
  if (typeof ordinal !== 'number' || !Number.isSafeInteger(ordinal) || ordinal < 0) {
    throw invalid(type, 'ordinal', 'must be a whole number from 0 up')
  }
  if (typeof at !== 'string') throw invalid(type, 'at', 'must be a time as text')
  return { ordinal, at }
}

function isId(name: string, value: Json | undefined): boolean {
  return name === 'attempt' ? Number.isSafeInteger(value) : typeof value === 'string' && value !== ''
}

function decodeUnknown(rawType: string, stored: JsonObject): UnknownEvent {
  const ids = everyId.filter(({ name, stored: storedName }) => isId(name, stored[storedName]))
  const taken = new Set(['type', 'ordinal', 'at', ...ids.map((column) => column.stored)])
  return {
    type: 'unknown',
    rawType,
    ...decodeEnvelope(rawType, stored),
    ...Object.fromEntries(ids.map((column) => [column.name, stored[column.stored]])),
    fields: Object.fromEntries(Object.entries(stored).filter(([name]) => !taken.has(name))),
  }
}

// What an older version wrote is never refused for a field: a value of an unexpected kind makes it an unknown event,
// under a name that is not taken by the event of today.
function decodeLegacy(old: JsonObject): InferenceEvent | UnknownEvent {
  const kept = legacyFields(old)
  const upgraded = upgradeEvent(old)
  if (!rows.has(typeOf(upgraded))) return decodeUnknown(typeOf(old), kept)
  try {
    return decodeStored(upgraded)
  } catch (error) {
    if (kept['session_id'] === undefined) throw error
    return decodeUnknown(`legacy:${typeOf(old)}`, kept)
  }
}

function typeOf({ type }: JsonObject): string {
  return typeof type === 'string' ? type : ''
}

function invalid(type: string, field: string, problem: string): GeppettoError {
  return new GeppettoError('EVENT_INVALID', `The event ${type} cannot be read: ${field} ${problem}.`, {
    details: { type, field },
  })
}
