import type { SessionSummary } from 'geppetto/client'

/** A place in a conversation at which it was asked differently: a message, and the session that it was first asked in. */
interface Place {
  readonly sessionId: string
  readonly messageId: string
}

/**
 * The sessions that differ in what is said at one message, in the order in which they were made, the first one first.
 * `isFirstOwn`: nothing was said in the session before the message, but what a fork brought along.
 */
export function versionsAt(
  sessions: readonly SessionSummary[],
  sessionId: string,
  messageId: string,
  isFirstOwn: boolean,
): readonly string[] {
  const place = (isFirstOwn ? placeOf(sessions, sessionId) : undefined) ?? { sessionId, messageId }
  const forks = sessions.filter(
    ({ origin }) => origin?.sessionId === place.sessionId && origin.before === place.messageId,
  )
  const inOrder = forks.toSorted((one, other) => (one.createdAt < other.createdAt ? -1 : 1))
  const first = sessions.some((session) => session.sessionId === place.sessionId) ? [place.sessionId] : []
  return [...first, ...inOrder.map((fork) => fork.sessionId)]
}

/** Where a fork of a version forks from, so that all versions of a message have one origin: that of the first. */
function placeOf(sessions: readonly SessionSummary[], sessionId: string): Place | undefined {
  const { origin } = sessions.find((session) => session.sessionId === sessionId) ?? {}
  return origin?.before === undefined ? undefined : { sessionId: origin.sessionId, messageId: origin.before }
}

/** The sessions as a list shows them: of versions of one conversation the one that changed last. */
export function withoutOlderVersions(sessions: readonly SessionSummary[]): readonly SessionSummary[] {
  const byId = new Map(sessions.map((session) => [session.sessionId, session]))
  const seen = new Set<string>()
  return sessions.filter((session) => {
    const family = firstOf(byId, session)
    const isNew = !seen.has(family)
    seen.add(family)
    return isNew
  })
}

function firstOf(byId: ReadonlyMap<string, SessionSummary>, session: SessionSummary): string {
  let { sessionId, origin } = session
  while (origin?.before !== undefined) {
    sessionId = origin.sessionId
    origin = byId.get(sessionId)?.origin
  }
  return sessionId
}
