import type { StandardSchemaV1 } from '@standard-schema/spec'
import { GeppettoError } from '../errors.ts'
import { findNonJson, type Json, type JsonObject } from '../json.ts'
import type { Block } from './block.ts'
import type { Turn } from './turn.ts'

export type KeyId = `${string}.${string}@v${number}`
export type KeyFamily = 'turn.metadata' | 'turn.data' | 'block.metadata'

/** A stored value is there but is not what its key says. */
export class KeyDecodeError extends GeppettoError {
  override readonly name = 'KeyDecodeError'
}

/**
 * A typed, versioned name for a stored value. `get` gives undefined when the value is missing and throws KeyDecodeError
 * when it is there but wrong; `set` returns a new holder and throws KEY_NOT_JSON for what JSON cannot say.
 * The family is part of the type, and a key reaches only its own bag: the families cannot mix.
 */
export interface Key<T, Family extends KeyFamily, Holder> {
  readonly id: KeyId
  readonly family: Family
  get(holder: Holder): T | undefined
  set<H extends Holder>(holder: H, value: T): H
  delete<H extends Holder>(holder: H): H
}
export type TurnMetaKey<T> = Key<T, 'turn.metadata', Turn>
export type TurnDataKey<T> = Key<T, 'turn.data', Turn>
export type BlockMetaKey<T> = Key<T, 'block.metadata', Block>

type Schema<T> = StandardSchemaV1<unknown, T>

// A bundle that asks for no key of the catalogue is not to carry it: making one touches nothing else.

/** A key for a fact about a turn: `turnMeta('app', 'author', 1, z.string())`. */
/* @__NO_SIDE_EFFECTS__ */
export function turnMeta<T>(namespace: string, name: string, version: number, schema: Schema<T>): TurnMetaKey<T> {
  return defineKey('turn.metadata', keyId(namespace, name, version), schema, turnMetadataBag)
}

/** A key for an input that carries over from turn to turn. */
/* @__NO_SIDE_EFFECTS__ */
export function turnData<T>(namespace: string, name: string, version: number, schema: Schema<T>): TurnDataKey<T> {
  return defineKey('turn.data', keyId(namespace, name, version), schema, turnDataBag)
}

/** A key for a fact about one block. */
/* @__NO_SIDE_EFFECTS__ */
export function blockMeta<T>(namespace: string, name: string, version: number, schema: Schema<T>): BlockMetaKey<T> {
  return defineKey('block.metadata', keyId(namespace, name, version), schema, blockMetadataBag)
}

/** Where in its holder a family's values lie. */
interface Bag<Holder> {
  read(holder: Holder): JsonObject | undefined
  write<H extends Holder>(holder: H, entries: JsonObject): H
}
const turnMetadataBag: Bag<Turn> = {
  read: (turn) => turn.metadata,
  write: (turn, metadata) => ({ ...turn, metadata }),
}
const turnDataBag: Bag<Turn> = {
  read: (turn) => turn.data,
  write: (turn, data) => ({ ...turn, data }),
}
const blockMetadataBag: Bag<Block> = {
  read: (block) => block.metadata,
  write: (block, metadata) => ({ ...block, metadata }),
}

function defineKey<T, Family extends KeyFamily, Holder>(
  family: Family,
  id: KeyId,
  schema: Schema<T>,
  bag: Bag<Holder>,
): Key<T, Family, Holder> {
  return {
    id,
    family,
    get(holder) {
      const entries = bag.read(holder)
      return entries !== undefined && Object.hasOwn(entries, id) ? decode(family, id, schema, entries[id]) : undefined
    },
    set(holder, value) {
      const problem = value === undefined ? '$' : findNonJson(value)
      if (problem === undefined) return bag.write(holder, { ...bag.read(holder), [id]: value as Json }) // checked above
      throw new GeppettoError('KEY_NOT_JSON', `${family}["${id}"] was not set: the value at ${problem} is not JSON.`, {
        details: { key: id, path: problem },
      })
    },
    delete(holder) {
      const { [id]: _removed, ...rest } = bag.read(holder) ?? {}
      return bag.write(holder, rest)
    },
  }
}

function decode<T>(family: KeyFamily, id: KeyId, schema: Schema<T>, value: unknown): T {
  const result = schema['~standard'].validate(value)
  if (result instanceof Promise) throw new GeppettoError('KEY_INVALID', `The schema of key ${id} must not be async.`)
  if (result.issues === undefined) return result.value
  const problems = result.issues.map(describeIssue)
  throw new KeyDecodeError('KEY_DECODE', `${family}["${id}"] cannot be read: ${problems.join('; ')}.`, {
    details: { key: id, family, problems },
  })
}

function describeIssue(issue: StandardSchemaV1.Issue): string {
  const path = issue.path?.map((step) => String(typeof step === 'object' ? step.key : step)).join('.')
  return path === undefined || path === '' ? issue.message : `${path}: ${issue.message}`
}

const keyPart = /^[A-Za-z0-9_-]+(?:[.:/][A-Za-z0-9_-]+)*$/

function keyId(namespace: string, name: string, version: number): KeyId {
  if (keyPart.test(namespace) && keyPart.test(name) && Number.isInteger(version) && version >= 1) {
    return `${namespace}.${name}@v${version}`
  }
  throw new GeppettoError(
    'KEY_INVALID',
    `A key needs a namespace, a name and a version from 1 up; got namespace=${JSON.stringify(namespace)} name=${JSON.stringify(name)} version=${version}.`,
  )
}
