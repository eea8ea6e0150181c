import { createHash, timingSafeEqual } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import * as v from 'valibot'
import { GeppettoError, messageOf } from '../errors.ts'
import { tryParseJson } from '../json.ts'
import { permissions, type Authenticate, type Permission, type Principal } from './principal.ts'

/** A key that a caller shows, and who they are then. */
export interface StaticKey {
  /** 16 characters or more, without spaces: nobody can guess it. `openssl rand -hex 32` makes a good one. */
  readonly key: string
  readonly tenant: string
  readonly name: string
  readonly permissions: readonly Permission[]
}

const keysSchema = v.pipe(
  v.array(
    v.object({
      key: v.pipe(v.string(), v.regex(/^\S{16,}$/, 'must have 16 characters or more, and no spaces')),
      tenant: v.pipe(v.string(), v.minLength(1)),
      name: v.pipe(v.string(), v.minLength(1)),
      permissions: v.array(v.picklist(permissions)),
    }),
  ),
  v.minLength(1),
  v.check((keys) => new Set(keys.map(({ key }) => key)).size === keys.length, 'each key may stand there once'),
)

interface KnownKey {
  readonly hash: Buffer
  readonly principal: Principal
}

/**
 * Lets in who shows one of `keys`. A file holds them as a JSON list of the same fields; it is looked at for each
 * request, so a key that is taken out of it ends within seconds, open streams included. Throws SETTINGS_INVALID.
 */
export function staticKeys(keys: readonly StaticKey[] | { readonly file: string }): Authenticate {
  const known = 'file' in keys ? keysInFile(keys.file) : always(knownKeys(keys, 'The keys'))
  known()
  return async ({ bearer }) => (bearer === undefined ? undefined : ownerOf(bearer, known()))
}

// Every key is compared, as a hash and in the same time: how long the answer takes tells nothing of how near a guess is.
function ownerOf(bearer: string, keys: readonly KnownKey[]): Principal | undefined {
  const hash = hashOf(bearer)
  return keys.filter((known) => timingSafeEqual(known.hash, hash))[0]?.principal
}

function knownKeys(keys: unknown, where: string): readonly KnownKey[] {
  const result = v.safeParse(keysSchema, keys)
  if (!result.success) {
    const [issue] = result.issues
    throw invalid(`${where} cannot be used: ${v.getDotPath(issue) ?? 'the list'}: ${saying(issue.message)}.`)
  }
  return result.output.map(({ key, tenant, name, permissions: allowed }) => {
    return { hash: hashOf(key), principal: { tenant, name, permissions: new Set(allowed) } }
  })
}

function keysInFile(file: string): () => readonly KnownKey[] {
  let version = ''
  let keys: readonly KnownKey[] = []
  return () => {
    const { ino, mtimeMs, size } = attempt(file, () => statSync(file))
    const now = `${ino}/${mtimeMs}/${size}`
    if (now !== version) {
      const text = attempt(file, () => readFileSync(file, 'utf8'))
      keys = knownKeys(tryParseJson(text), `The keys in ${file}`)
      version = now
    }
    return keys
  }
}

function attempt<T>(file: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw invalid(`The keys in ${file} cannot be read: ${messageOf(error)}.`)
  }
}

function always<T>(value: T): () => T {
  return () => value
}

// What does not fit may be a key.
function saying(message: string): string {
  return message.replace(/ but received .*$/s, '')
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function invalid(message: string): GeppettoError {
  return new GeppettoError('SETTINGS_INVALID', message)
}
