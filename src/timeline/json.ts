import { GeppettoError } from '../errors.ts'
import { isJsonObject, type Json, type JsonObject } from '../json.ts'
import { entityKinds, type Entity } from './entity.ts'
import { entitiesOf, settle, type Timeline } from './timeline.ts'

const version = 1

/** The timeline as plain JSON, to be sent or kept: `{ version, ordinal, entities }`, names in snake_case. */
export function timelineToJson(timeline: Timeline): JsonObject {
  const entities = entitiesOf(timeline).map((entity) => renamed(entity as unknown as JsonObject, snakeCase)) // all of it is JSON
  return { version, ordinal: timeline.ordinal, entities }
}

/**
 * Reads what `timelineToJson` gave. Entities of a kind that this version does not know are left out. Throws
 * EVENT_INVALID for anything else.
 */
export function timelineFromJson(value: unknown): Timeline {
  if (!isJsonObject(value) || value['version'] !== version) throw invalid(`its version is not ${version}`)
  const { ordinal, entities } = value
  if (typeof ordinal !== 'number' || !Array.isArray(entities)) throw invalid('ordinal or entities are missing')
  const known = entities.map((entity) => (isJsonObject(entity) ? renamed(entity, camelCase) : {})).filter(isEntity)
  return settle({ ordinal, settled: [], live: known as unknown as readonly Entity[] }) // kind and id have been checked
}

function isEntity({ id, kind }: JsonObject): boolean {
  return typeof id === 'string' && (entityKinds as readonly Json[]).includes(kind ?? null)
}

// Only an entity's own names, and those of its approval: what a tool was given and gave is not ours to rename.
function renamed(entity: JsonObject, rename: (name: string) => string): JsonObject {
  const entries = Object.entries(entity).map(([name, value]): [string, Json | undefined] => [
    rename(name),
    name === 'approval' && isJsonObject(value) ? renamed(value, rename) : value,
  ])
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as JsonObject // undefined is gone
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase())
}

function invalid(problem: string): GeppettoError {
  return new GeppettoError('EVENT_INVALID', `This is no timeline: ${problem}.`)
}
