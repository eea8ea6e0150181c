import { hostname } from 'node:os'
import { newUuid, type NewId } from '../clock.ts'

/** A name for who claims sessions: this host, this process, and a new id, as `host:pid:uuid`. */
export function newOwner(newId: NewId = newUuid): string {
  return `${hostname()}:${process.pid}:${newId()}`
}

/** Whether the process that `owner` names was one of this host, and is no more. */
export function isGone(owner: string): boolean {
  const [, host, pid] = /^(.*):([1-9]\d{0,9}):[^:]+$/.exec(owner) ?? []
  if (host !== hostname() || Number(pid) === process.pid) return false
  try {
    return !process.kill(Number(pid), 0) // signal 0 only asks
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH'
  }
}
