import { createContext, use, useMemo, type ReactNode } from 'react'
import type { Timeline } from 'geppetto/timeline'
import { findAnomalies, type Anomaly } from './model/anomalies.ts'
import { eventNamed } from './model/filter.ts'
import { axisOf, type TimeAxis } from './model/lanes.ts'
import type { LogEvent } from './model/log.ts'
import { recordTurns, type RecordedTurn } from './model/recorded-turns.ts'
import { waterfallsOf, type Waterfall } from './model/waterfall.ts'
import { useInspectSearch } from './search.ts'
import type { ReadLog } from './use-log.ts'

/** A session's log, and what can be seen in it. All of it is made of the same events. */
export interface Inspection {
  readonly sessionId: string
  readonly events: readonly LogEvent[]
  readonly timeline: Timeline
  readonly axis: TimeAxis
  readonly turns: readonly RecordedTurn[]
  readonly waterfalls: readonly Waterfall[]
  readonly anomalies: readonly Anomaly[]
}

const InspectionContext = createContext<Inspection | undefined>(undefined)

/** What a log shows; nothing is made anew while it stays the same. */
export function useInspectionOf({ sessionId, events, timeline }: ReadLog): Inspection {
  return useMemo(() => {
    const waterfalls = waterfallsOf(events)
    return {
      sessionId,
      events,
      timeline,
      axis: axisOf(events),
      turns: recordTurns(events),
      waterfalls,
      anomalies: findAnomalies(events, waterfalls),
    }
  }, [sessionId, events, timeline])
}

export function InspectionProvider({ value, children }: { readonly value: Inspection; readonly children: ReactNode }) {
  return <InspectionContext value={value}>{children}</InspectionContext>
}

/** The session that is inspected. */
export function useInspection(): Inspection {
  const inspection = use(InspectionContext)
  if (inspection === undefined) throw new Error('This is shown outside of an InspectionProvider.')
  return inspection
}

/** The event that the address names. */
export function useSelected(): LogEvent | undefined {
  const { events } = useInspection()
  const [{ at }] = useInspectSearch()
  return useMemo(() => (at === undefined ? undefined : eventNamed(events, at)), [events, at])
}
