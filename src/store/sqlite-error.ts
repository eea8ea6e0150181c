import { accessSync, constants, existsSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { GeppettoError, messageOf, type ErrorOptionsWithDetails } from '../errors.ts'

// https://sqlite.org/rescode.html: the low byte of an error's number is its kind.
const kinds = {
  perm: 3,
  busy: 5,
  locked: 6,
  readOnly: 8,
  io: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notDatabase: 26,
}

/** The error that a store throws for what SQLite or the system said about `file`. */
export function storeError(error: unknown, file: string): GeppettoError {
  if (error instanceof GeppettoError) return error
  const details = { file }
  const options = { cause: error, details }
  const store = file === ':memory:' ? 'The SQLite store in memory' : `The store ${file}`
  if (error instanceof Error && 'code' in error && error.code === 'ERR_INVALID_STATE') return storeClosed(file)
  switch (kindOf(error)) {
    case kinds.busy:
    case kinds.locked:
      return new GeppettoError('STORE_BUSY', `${store} is being written by another process; try again soon.`, options)
    case kinds.readOnly:
    case kinds.perm:
      return readOnly(store, options)
    case kinds.corrupt:
      return new GeppettoError(
        'STORE_CORRUPT',
        `${store} is damaged; keep a copy of it with its -wal file, and restore it from a backup.`,
        options,
      )
    case kinds.notDatabase:
      return new GeppettoError(
        'STORE_CORRUPT',
        `${store} is no SQLite database, or its beginning is damaged; give the path of a store, or of a new file.`,
        options,
      )
    case kinds.full:
      return storeFull(file, error)
    case kinds.io:
    case kinds.cannotOpen:
      if (isDiskFull(file)) return storeFull(file, error)
      if (isReadOnly(file)) return readOnly(store, options)
      if (kindOf(error) === kinds.io) break
      return new GeppettoError(
        'STORE_FAILED',
        `${store} cannot be opened; see that its folder is there, and that this process may write in it.`,
        options,
      )
    default:
  }
  return new GeppettoError('STORE_FAILED', `${store} failed: ${messageOf(error)}; nothing was changed.`, options)
}

export function storeClosed(file: string): GeppettoError {
  return new GeppettoError('STORE_CLOSED', `The store ${file} has been closed; open it again.`, { details: { file } })
}

export function isBusy(error: unknown): boolean {
  return [kinds.busy, kinds.locked].includes(kindOf(error) ?? 0)
}

export function storeFull(file: string, cause?: unknown): GeppettoError {
  const advice = 'free some on its disk or delete sessions, and try again'
  return new GeppettoError('STORE_FULL', `The store ${file} has no space left; ${advice}.`, {
    cause,
    details: { file },
  })
}

export function isFull(error: unknown, file: string): boolean {
  return storeError(error, file).code === 'STORE_FULL'
}

function readOnly(store: string, options: ErrorOptionsWithDetails): GeppettoError {
  const advice = 'give this process the right to write to the file and to its folder'
  return new GeppettoError('STORE_READ_ONLY', `${store} cannot be written; ${advice}.`, options)
}

function kindOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined
  return error.errcode & 0xff
}

/** SQLite cannot always tell why a write failed. */
function isDiskFull(file: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(file))
    return bavail * bsize < 65_536
  } catch {
    return false
  }
}

function isReadOnly(file: string): boolean {
  try {
    for (const path of [dirname(file), file].filter((each) => existsSync(each))) accessSync(path, constants.W_OK)
    return false
  } catch {
    return true
  }
}
