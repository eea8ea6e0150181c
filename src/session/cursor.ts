import { GeppettoError } from '../errors.ts'
import { isJsonObject, tryParseJson } from '../json.ts'
import type { Head } from '../store/store.ts'
import { requireCursor } from './follow.ts'

/** A place in one session's log, as an opaque text that only fits that log. */
export function cursorOf(head: Pick<Head, 'sessionId' | 'incarnation'>, ordinal: number): string {
  return btoa(encodeURIComponent(JSON.stringify([head.sessionId, head.incarnation, ordinal])))
}

/**
 * The ordinal that a cursor stands for. Throws CURSOR_INVALID for text that is none, CURSOR_FOREIGN for one of another
 * session or of a session that was deleted, CURSOR_FUTURE and CURSOR_EXPIRED as `follow` does.
 */
export function readCursor(head: Head, cursor: string): number {
  const [sessionId, incarnation, ordinal] = decode(cursor)
  if (sessionId !== head.sessionId || incarnation !== head.incarnation) {
    throw new GeppettoError(
      'CURSOR_FOREIGN',
      `The cursor is not one of session ${head.sessionId} as it is now; read the session from the start.`,
      { details: { sessionId: head.sessionId } },
    )
  }
  requireCursor(head, head.sessionId, ordinal)
  return ordinal
}

function decode(cursor: string): readonly [sessionId: string, incarnation: string, ordinal: number] {
  const parts = tryParseJson(textOf(cursor))
  if (Array.isArray(parts) && parts.length === 3 && !isJsonObject(parts)) {
    const [sessionId, incarnation, ordinal] = parts as readonly unknown[]
    const isOrdinal = typeof ordinal === 'number' && Number.isSafeInteger(ordinal) && ordinal >= 0
    if (typeof sessionId === 'string' && typeof incarnation === 'string' && isOrdinal) {
      return [sessionId, incarnation, ordinal]
    }
  }
  throw new GeppettoError('CURSOR_INVALID', 'The cursor is damaged: give it back exactly as it was given.')
}

function textOf(cursor: string): string {
  try {
    return decodeURIComponent(atob(cursor))
  } catch {
    return ''
  }
}
