import { useEffect, useRef, type KeyboardEvent } from 'react'
import { useVirtualizer } from '@tanstack/react-virtual'
import { classes } from '../design/classes.ts'
import { dots } from './colors.ts'
import { formatTime } from './model/format.ts'
import { groupOf, isFailure, summaryOf, typeOf, type LogEvent } from './model/log.ts'

const rowHeight = 30

/** Events, one in a line; only what is in sight is there. Arrows go from one to the next. */
export function EventList({
  events,
  selected,
  onSelect,
}: {
  readonly events: readonly LogEvent[]
  readonly selected: number | undefined
  readonly onSelect: (ordinal: number) => void
}) {
  const scroller = useRef<HTMLDivElement>(null)
  const rows = useVirtualizer({
    count: events.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 12,
  })
  const at = events.findIndex(({ ordinal }) => ordinal === selected)
  useEffect(() => {
    if (at >= 0) rows.scrollToIndex(at, { align: 'auto' })
    // A list that grows stays where it is.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [selected, rows])
  const onKeyDown = (event: KeyboardEvent) => {
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: events.length - 1 }[event.key]
    const target = next === undefined ? undefined : events[Math.min(Math.max(next, 0), events.length - 1)]
    if (target === undefined) return
    event.preventDefault()
    onSelect(target.ordinal)
  }
  const active = events[at]
  return (
    <div
      ref={scroller}
      role="listbox"
      aria-label="Events"
      tabIndex={0}
      aria-activedescendant={active && `event-${active.ordinal}`}
      onKeyDown={onKeyDown}
      className="min-h-64 min-w-0 flex-1 overflow-y-auto focus-visible:-outline-offset-2"
    >
      <div className="relative w-full" style={{ height: rows.getTotalSize() }} role="presentation">
        {rows.getVirtualItems().map(({ index, start }) => {
          const event = events[index]
          if (event === undefined) return null
          const isSelected = event.ordinal === selected
          return (
            // The list has the keyboard, for all of them.
            // oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus
            <div
              key={event.ordinal}
              id={`event-${event.ordinal}`}
              role="option"
              aria-selected={isSelected}
              onClick={() => onSelect(event.ordinal)}
              style={{ height: rowHeight, transform: `translateY(${start}px)` }}
              className={classes(
                'absolute top-0 left-0 flex w-full cursor-pointer items-center gap-2.5 px-3 text-sm sm:px-4',
                isSelected ? 'bg-accent-wash' : 'hover:bg-hover',
              )}
            >
              <span className="w-11 shrink-0 text-right font-mono text-xs text-ink-faint">{event.ordinal}</span>
              <span className="hidden w-24 shrink-0 font-mono text-xs text-ink-faint sm:inline">
                {formatTime(event.at)}
              </span>
              <span
                className={classes('size-2 shrink-0 rounded-full', dots[isFailure(event) ? 'failure' : groupOf(event)])}
              />
              <span className={classes('shrink-0 font-medium', isFailure(event) && 'text-negative')}>
                {typeOf(event)}
              </span>
              <span className="min-w-0 flex-1 truncate text-ink-soft">{summaryOf(event)}</span>
            </div>
          )
        })}
      </div>
      {events.length === 0 && <p className="p-4 text-sm text-ink-faint">No event is like that.</p>}
    </div>
  )
}
