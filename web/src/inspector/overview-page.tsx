import { useMemo } from 'react'
import { filterEvents } from './model/filter.ts'
import { defaultGroups } from './model/log.ts'
import { AnomalyList } from './anomaly-list.tsx'
import { EventDetail } from './event-detail.tsx'
import { EventFilterBar } from './event-filter-bar.tsx'
import { EventList } from './event-list.tsx'
import { useInspection, useSelected } from './inspection.tsx'
import { LanesChart } from './lanes-chart.tsx'
import { readGroups, useInspectSearch } from './search.ts'

/** All of a session at once: three lanes on one axis, what is wrong, and every event. */
export function OverviewPage() {
  const { events } = useInspection()
  const [search, change] = useInspectSearch()
  const { groups: named, q = '', within } = search
  const selected = useSelected()
  const shown = useMemo(() => {
    const groups = new Set(readGroups(named) ?? defaultGroups)
    return filterEvents(events, { groups, search: q, ...(within !== undefined && { within }) })
  }, [events, named, q, within])
  const select = (ordinal: number | undefined) => change({ at: ordinal === undefined ? undefined : String(ordinal) })
  return (
    <main className="flex min-h-0 flex-1 flex-col overflow-y-auto lg:overflow-hidden">
      <LanesChart selected={selected?.ordinal} onSelect={select} />
      <AnomalyList onSelect={select} />
      <EventFilterBar shown={shown.length} />
      <div className="flex min-h-80 flex-1 flex-col lg:min-h-0 lg:flex-row">
        <EventList events={shown} selected={selected?.ordinal} onSelect={select} />
        {selected !== undefined && <EventDetail event={selected} onClose={() => select(undefined)} />}
      </div>
    </main>
  )
}
