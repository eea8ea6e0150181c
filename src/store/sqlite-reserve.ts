import { createHash } from 'node:crypto'
import { realpathSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'

// Freeing space takes some: a delete is written before its pages can be used again. So each store keeps a file beside its
// own that holds nothing. Urgent writes (deletes, claims, ends of inferences) may trade it for space when the disk is full;
// all others need it to be there, and so cannot use up what those need.

/** Must be more than the log before the database holds, for that is what the database may grow by when it is written back. */
export const reserveBytes = 2 * 1024 * 1024
/** How much of the log is written back at a time, in pages of 4096 bytes. */
export const checkpointPages = 250
/** Less than the reserve, and still enough to open a store and delete sessions: SQLite's index of its log and a short log. */
export const openingBytes = reserveBytes / 16
/** So much unused space in the database itself does in its stead: what is written there does not make it grow. */
const roomBytes = reserveBytes / 4

/** Where the reserve of the store in `file` lies, however it was named; a store in memory has none. */
export function reserveOf(file: string): string | undefined {
  try {
    return `${realpathSync(file)}-reserve`
  } catch {
    return undefined
  }
}

/** Whether all of the reserve is there, as it is for a store that has none. */
export function hasReserve(reserve: string | undefined): boolean {
  return reserve === undefined || sizeOf(reserve) === reserveBytes
}

/** Whether the reserve is there; it is made when it is not, and there are at least `least` bytes for it. */
export function keepReserve(reserve: string | undefined, least = reserveBytes): boolean {
  if (reserve === undefined || hasReserve(reserve)) return true
  try {
    const { bavail, bsize } = statfsSync(dirname(reserve))
    const bytes = Math.min(bavail * bsize + sizeOf(reserve), reserveBytes)
    if (bytes < least) return false
    rmSync(reserve, { force: true })
    writeFileSync(reserve, incompressible(bytes), { flag: 'wx', mode: 0o600 })
    return bytes === reserveBytes
  } catch (error) {
    if (!isNoSpace(error)) return true // a folder that takes no new file: the store does without
    giveUpReserve(reserve)
    return false
  }
}

/** Gives the disk the reserve's space. */
export function giveUpReserve(reserve: string | undefined): void {
  if (reserve === undefined) return
  try {
    rmSync(reserve, { force: true })
  } catch {
    // It stays, and whoever needed it is told that the disk is full.
  }
}

/** Whether the database has so many unused pages that a store may go on without its reserve. */
export function hasRoom(database: DatabaseSync): boolean {
  const row = database
    .prepare('SELECT freelist_count * page_size AS bytes FROM pragma_freelist_count, pragma_page_size')
    .get()
  return Number(row?.['bytes']) >= roomBytes
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

// Zeros take no space on a file system that compresses.
function incompressible(bytes: number): Buffer {
  return createHash('shake256', { outputLength: bytes }).digest()
}

function isNoSpace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}
