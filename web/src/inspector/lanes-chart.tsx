import { useEffect, useEffectEvent, useMemo, useState, type PointerEvent } from 'react'
import { IconButton } from '../design/button.tsx'
import { classes } from '../design/classes.ts'
import { entitiesOf } from '../../../src/timeline/timeline.ts'
import { fills } from './colors.ts'
import { useInspection } from './inspection.tsx'
import { formatMs } from './model/format.ts'
import { laneItems, lanes, marksOf, type Lane, type LaneItem } from './model/lanes.ts'
import { timeOf } from './model/log.ts'
import { useInspectSearch } from './search.ts'
import { useWidth } from './use-width.ts'

const labels: Readonly<Record<Lane, string>> = { turns: 'Turns', events: 'Events', entities: 'Entities' }
const laneHeight = 34
const axisHeight = 18
const height = axisHeight + lanes.length * laneHeight
const leastSpan = 20

/** Snapshots of turns, events and what people see, on one axis. Dragging and Ctrl with the wheel zoom; a click selects. */
export function LanesChart({
  selected,
  onSelect,
}: {
  readonly selected: number | undefined
  readonly onSelect: (ordinal: number) => void
}) {
  const { axis, events, turns, timeline } = useInspection()
  const [{ span, to }, change] = useInspectSearch()
  const [ref, width] = useWidth<HTMLDivElement>()
  const [drag, setDrag] = useState<readonly [from: number, to: number]>()
  const items = useMemo(() => laneItems(axis, events, turns, entitiesOf(timeline)), [axis, events, turns, timeline])
  const tracks = useMemo(() => tracksOf(items), [items])
  const end = Math.min(to ?? axis.length, axis.length)
  const from = span === undefined ? 0 : Math.max(end - span, 0)
  const view = { from, to: span === undefined ? axis.length : end }
  const shownSpan = view.to - view.from
  const zoom = (factor: number, center = (view.from + view.to) / 2) => {
    const next = Math.max(shownSpan * factor, leastSpan)
    if (next >= axis.length) return change({ span: undefined, to: undefined })
    const right = Math.min(center + (next * (view.to - center)) / shownSpan, axis.length)
    // What ends where the log does goes on doing so.
    change({ span: Math.round(next), to: right >= axis.length ? undefined : Math.round(right) })
  }
  const move = (part: number) => {
    const right = Math.min(Math.max(view.to + shownSpan * part, shownSpan), axis.length)
    change({ span: Math.round(shownSpan), to: right >= axis.length ? undefined : Math.round(right) })
  }
  useWheelZoom(ref, (factor, x) => zoom(factor, view.from + (x / Math.max(width, 1)) * shownSpan))

  const placeAt = (event: PointerEvent) => {
    const { left } = event.currentTarget.getBoundingClientRect()
    return view.from + ((event.clientX - left) / Math.max(width, 1)) * shownSpan
  }
  const pointer = {
    onPointerDown(event: PointerEvent) {
      setDrag([placeAt(event), placeAt(event)])
    },
    onPointerMove(event: PointerEvent) {
      if (drag !== undefined) setDrag([drag[0], placeAt(event)])
    },
    onPointerUp() {
      const [one, two] = drag ?? [0, 0]
      setDrag(undefined)
      const next = Math.abs(two - one)
      // A click that slipped by a few pixels is a click.
      if (next / shownSpan < 6 / Math.max(width, 1)) return
      change({ span: Math.max(Math.round(next), leastSpan), to: Math.round(Math.max(one, two)) })
    },
    onPointerLeave: () => setDrag(undefined),
  }
  const x = (place: number) => ((place - view.from) / Math.max(shownSpan, 1e-3)) * width
  const chosen = events.find(({ ordinal }) => ordinal === selected)
  return (
    <section aria-label="Timeline" className="border-b bg-surface px-3 py-2 sm:px-4">
      <div className="flex">
        <div className="flex w-14 shrink-0 flex-col text-xs text-ink-faint sm:w-16" aria-hidden>
          <span className="h-4.5" />
          {lanes.map((lane) => (
            <span key={lane} className="flex h-8.5 items-center">
              {labels[lane]}
            </span>
          ))}
        </div>
        <div ref={ref} className="min-w-0 flex-1 touch-pan-y">
          <svg
            role="img"
            aria-label={`${items.turns.length} snapshots, ${items.events.length} events and ${items.entities.length} entities over ${formatMs(axis.length)}`}
            width={width}
            height={height}
            className="block cursor-crosshair overflow-hidden select-none"
            {...pointer}
          >
            <Axis width={width} from={view.from} to={view.to} />
            {axis.folds
              .filter(({ place }) => place >= view.from && place <= view.to)
              .map(({ place, leftOutMs }) => (
                <line
                  key={place}
                  x1={x(place)}
                  x2={x(place)}
                  y1={axisHeight}
                  y2={height}
                  className="stroke-line-strong"
                  strokeDasharray="2 3"
                >
                  <title>{formatMs(leftOutMs)} in which nothing happened are left out</title>
                </line>
              ))}
            {tracks.map(({ key, top, height: high, isLane, shown }) => (
              <LaneMarks
                key={key}
                items={shown}
                view={view}
                width={width}
                top={top}
                height={high}
                isLane={isLane}
                selected={selected}
                onSelect={onSelect}
              />
            ))}
            {chosen !== undefined && (
              <line
                x1={x(axis.place(timeOf(chosen)))}
                x2={x(axis.place(timeOf(chosen)))}
                y1={0}
                y2={height}
                className="pointer-events-none stroke-accent"
              />
            )}
            {drag !== undefined && (
              <rect
                x={Math.min(x(drag[0]), x(drag[1]))}
                width={Math.abs(x(drag[1]) - x(drag[0]))}
                y={0}
                height={height}
                className="pointer-events-none fill-accent/15"
              />
            )}
          </svg>
        </div>
      </div>
      <div className="mt-1 flex items-center gap-1 text-xs text-ink-faint">
        <IconButton
          icon="chevron-left"
          label="Earlier"
          size="small"
          disabled={view.from <= 0}
          onClick={() => move(-0.5)}
        />
        <IconButton
          icon="chevron-right"
          label="Later"
          size="small"
          disabled={view.to >= axis.length}
          onClick={() => move(0.5)}
        />
        <IconButton icon="add" label="Zoom in" size="small" onClick={() => zoom(0.5)} />
        <IconButton icon="minus" label="Zoom out" size="small" disabled={span === undefined} onClick={() => zoom(2)} />
        {span !== undefined && (
          <button
            type="button"
            className="px-1 text-accent-ink underline"
            onClick={() => change({ span: undefined, to: undefined })}
          >
            All of it
          </button>
        )}
        <span className="ml-auto" data-testid="span">
          {formatMs(shownSpan)}
          {axis.folds.length > 0 && `, without ${axis.folds.length} rests`}
        </span>
      </div>
    </section>
  )
}

/** Inferences span all that they made: they get a thin track of their own below it. */
function tracksOf(items: Readonly<Record<Lane, readonly LaneItem[]>>) {
  const top = (lane: Lane) => axisHeight + lanes.indexOf(lane) * laneHeight
  const isInference = ({ isSpan }: LaneItem) => isSpan
  const whole = { height: laneHeight - 12, isLane: true }
  const thin = { height: 4, isLane: false }
  return [
    { key: 'turns', ...whole, top: top('turns') + 6, shown: items.turns },
    { key: 'events', ...whole, top: top('events') + 6, shown: items.events },
    { key: 'entities', ...whole, top: top('entities') + 4, shown: items.entities.filter((item) => !isInference(item)) },
    { key: 'inferences', ...thin, top: top('entities') + laneHeight - 6, shown: items.entities.filter(isInference) },
  ]
}

function LaneMarks({
  items,
  view,
  width,
  top,
  height: high,
  isLane,
  selected,
  onSelect,
}: {
  readonly items: readonly LaneItem[]
  readonly view: { readonly from: number; readonly to: number }
  readonly width: number
  readonly top: number
  readonly height: number
  readonly isLane: boolean
  readonly selected: number | undefined
  readonly onSelect: (ordinal: number) => void
}) {
  const { from, to } = view
  const marks = useMemo(() => marksOf(items, { from, to }, width), [items, from, to, width])
  return (
    <g>
      {isLane && <line x1={0} x2={width} y1={top + high / 2} y2={top + high / 2} className="stroke-line" />}
      {marks.map(({ x, width: wide, count, item }) => (
        // The list below has the keyboard for what is drawn here.
        <rect
          key={item.ordinal}
          x={x}
          y={top}
          width={wide}
          height={high}
          rx={2}
          onClick={() => onSelect(item.ordinal)}
          className={classes(
            'cursor-pointer hover:opacity-70',
            fills[item.color],
            item.ordinal === selected && 'stroke-ink stroke-2',
          )}
        >
          <title>{count > 1 ? `${item.label} and ${count - 1} more` : item.label}</title>
        </rect>
      ))}
    </g>
  )
}

function Axis({ width, from, to }: { readonly width: number; readonly from: number; readonly to: number }) {
  const step = stepOf((to - from) / Math.max(width / 110, 1))
  const ticks: number[] = []
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) ticks.push(at)
  return (
    <g className="fill-ink-faint text-[11px]">
      {ticks.map((at) => {
        const x = ((at - from) / Math.max(to - from, 1e-3)) * width
        return (
          <g key={at}>
            <line x1={x} x2={x} y1={axisHeight - 4} y2={height} className="stroke-line" />
            <text x={x + 3} y={12}>
              {formatMs(at)}
            </text>
          </g>
        )
      })}
    </g>
  )
}

/** The next length that people count in: 1, 2 or 5 of a power of ten. */
function stepOf(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)))
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least) ?? power * 10
}

function useWheelZoom(ref: { readonly current: HTMLElement | null }, zoom: (factor: number, x: number) => void): void {
  const onZoom = useEffectEvent(zoom)
  useEffect(() => {
    const element = ref.current
    // React listens to the wheel passively, and the page would be zoomed too.
    const onWheel = (event: WheelEvent) => {
      if (!event.ctrlKey && !event.metaKey) return
      event.preventDefault()
      onZoom(event.deltaY > 0 ? 1.25 : 0.8, event.offsetX)
    }
    element?.addEventListener('wheel', onWheel, { passive: false })
    return () => element?.removeEventListener('wheel', onWheel)
  }, [ref])
}
