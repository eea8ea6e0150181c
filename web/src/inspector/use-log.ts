import { useEffect, useState } from 'react'
import type { Timeline } from 'geppetto/timeline'
import { applyTimeline, emptyTimeline } from '../../../src/timeline/timeline.ts'
import { useSession } from '../session/client.tsx'
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

/** Follows the log of a session from its first event on. */
export function useLog(sessionId: string): ReadLog {
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
    const follow = async () => {
      for await (const event of session.events({ signal: ended.signal })) {
        batch.push(event)
        timer ??= setTimeout(show, showMs)
      }
    }
    const fail = (error: unknown) => {
      if (ended.signal.aborted) return
      read = { ...read, error }
      timer ??= setTimeout(show)
    }
    follow().catch(fail)
    return () => {
      ended.abort()
      clearTimeout(timer)
    }
  }, [session, sessionId])
  // The log of another session is not this one's, not for a moment.
  return log.sessionId === sessionId ? log : emptyLog(sessionId)
}

function emptyLog(sessionId: string): ReadLog {
  return { sessionId, events: [], timeline: emptyTimeline() }
}
