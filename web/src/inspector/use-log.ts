import { useEffect, useState } from 'react'
import type { Timeline } from 'geppetto/timeline'
import { isGeppettoError } from '../../../src/errors.ts'
import { applyTimeline, emptyTimeline } from '../../../src/timeline/timeline.ts'
import { useClient, useSession } from '../session/client.tsx'
import { isJsonObject, type Json } from '../session/json.ts'
import type { LogEvent } from './model/log.ts'

/** The log of a session as it has been read so far. */
export interface ReadLog {
  readonly sessionId: string
  readonly events: readonly LogEvent[]
  /** Of these events. */
  readonly timeline: Timeline
  /** Why nothing more comes. */
  readonly error?: unknown
}

/** How often what has come is shown: a log is read, not watched letter by letter. */
const showMs = 150
/** Every view is made anew then, so a long log is shown less often: so many events for each millisecond. */
const eventsPerMs = 50

/** Follows the log of a session from its first event on, or from the first that is still there. */
export function useLog(sessionId: string): ReadLog {
  const client = useClient()
  const session = useSession(sessionId)
  const [log, setLog] = useState<ReadLog>(() => emptyLog(sessionId))
  useEffect(() => {
    const ended = new AbortController()
    let read = emptyLog(sessionId)
    let batch: LogEvent[] = []
    let timer: ReturnType<typeof setTimeout> | undefined
    const show = () => {
      timer = undefined
      const timeline = batch.reduce(applyTimeline, read.timeline)
      read = { ...read, events: [...read.events, ...batch], timeline }
      batch = []
      setLog(read)
    }
    const follow = async (after: number) => {
      for await (const event of session.events({ after, signal: ended.signal })) {
        batch.push(event)
        timer ??= setTimeout(show, Math.max(showMs, read.events.length / eventsPerMs))
      }
    }
    /** From the first event that the server has not forgotten. */
    const followRest = async () => {
      const first = firstOrdinalOf(await client.ask(`/api/sessions/${encodeURIComponent(sessionId)}?inferences=1`))
      read = { ...read, timeline: emptyTimeline(first - 1) }
      await follow(first - 1)
    }
    const fail = (error: unknown) => {
      if (ended.signal.aborted) return
      read = { ...read, error }
      timer ??= setTimeout(show)
    }
    follow(0)
      .catch((error: unknown) => {
        if (!isGeppettoError(error, 'CURSOR_EXPIRED')) throw error
        return followRest()
      })
      .catch(fail)
    return () => {
      ended.abort()
      clearTimeout(timer)
    }
  }, [client, session, sessionId])
  // The log of another session is not this one's, not for a moment.
  return log.sessionId === sessionId ? log : emptyLog(sessionId)
}

function firstOrdinalOf(snapshot: Json): number {
  const first = isJsonObject(snapshot) ? Number(snapshot['first_ordinal']) : Number.NaN
  return Number.isSafeInteger(first) ? first : 1
}

function emptyLog(sessionId: string): ReadLog {
  return { sessionId, events: [], timeline: emptyTimeline() }
}
