import type { Entity } from 'geppetto/timeline'
import { groupOf, isFailure, summaryOf, timeOf, typeOf, type EventGroup, type LogEvent } from './log.ts'
import type { RecordedTurn } from './recorded-turns.ts'

export const lanes = ['turns', 'events', 'entities'] as const
export type Lane = (typeof lanes)[number]

/** What matters most of many that are drawn as one: what failed, then whatever is no delta. */
const weightOf = ({ color }: LaneItem) => (color === 'failure' ? 2 : color === 'delta' ? 0 : 1)

/** Something in a lane. Places are milliseconds on the axis, see `TimeAxis`. */
export interface LaneItem {
  readonly lane: Lane
  /** Of the event that made it: what is selected when it is. */
  readonly ordinal: number
  readonly from: number
  readonly to: number
  readonly label: string
  readonly color: EventGroup | 'failure'
  /** It spans other items of its lane, as an inference does all that it made. */
  readonly isSpan: boolean
}

/**
 * Time as the lanes show it: what lies between two events counts, but where nothing happened for long only
 * `foldedMs` of it do. Sessions rest for hours, and answers take seconds.
 */
export interface TimeAxis {
  readonly length: number
  /** Where time was left out, and how much. */
  readonly folds: readonly { readonly place: number; readonly leftOutMs: number }[]
  place(ms: number): number
}

const foldedMs = 1_000
const idleMs = 5_000

export function axisOf(events: readonly LogEvent[]): TimeAxis {
  const starts: number[] = [] // when each stretch begins, and its place on the axis
  const places: number[] = []
  const folds: { place: number; leftOutMs: number }[] = []
  let last = events[0] === undefined ? 0 : timeOf(events[0])
  let place = 0
  starts.push(last)
  places.push(0)
  for (const event of events) {
    const ms = timeOf(event)
    const passed = Math.max(ms - last, 0) // a clock may have been set back
    if (passed > idleMs) {
      folds.push({ place: place + foldedMs / 2, leftOutMs: passed - foldedMs })
      place += foldedMs
      starts.push(ms)
      places.push(place)
    } else place += passed
    last = Math.max(ms, last)
  }
  const end = place
  return {
    length: Math.max(end, 1),
    folds,
    place(ms) {
      const at = lastAtMost(starts, ms)
      const next = places[at + 1]
      const inStretch = (places[at] ?? 0) + Math.max(ms - (starts[at] ?? 0), 0)
      return Math.min(inStretch, next ?? end)
    },
  }
}

/** The index of the last of these sorted numbers that is not above `value`; 0 when all are. */
function lastAtMost(sorted: readonly number[], value: number): number {
  let low = 0
  let high = sorted.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if ((sorted[middle] ?? 0) <= value) low = middle
    else high = middle - 1
  }
  return low
}

/** What stands in each lane, in the order of time. */
export function laneItems(
  axis: TimeAxis,
  events: readonly LogEvent[],
  turns: readonly RecordedTurn[],
  entities: readonly Entity[],
): Readonly<Record<Lane, readonly LaneItem[]>> {
  const times = new Map(events.map((event) => [event.ordinal, timeOf(event)]))
  return {
    turns: turns.flatMap(({ states }) =>
      states.map((state): LaneItem => {
        const from = axis.place(timeOf(state))
        const label = `${state.phase.replaceAll('_', ' ')}, ${state.turn.blocks.length} blocks`
        return { lane: 'turns', ordinal: state.ordinal, from, to: from, label, color: 'session', isSpan: false }
      }),
    ),
    events: events.map((event) => {
      const from = axis.place(timeOf(event))
      const color = isFailure(event) ? 'failure' : groupOf(event)
      const label = `${typeOf(event)} ${summaryOf(event)}`.slice(0, 120)
      return { lane: 'events', ordinal: event.ordinal, from, to: from, label, color, isSpan: false }
    }),
    entities: entities.map((entity) => {
      const from = axis.place(timeOf(entity))
      const to = Math.max(axis.place(times.get(entity.updatedOrdinal) ?? timeOf(entity)), from)
      const label = labelOf(entity)
      const isSpan = entity.kind === 'inference'
      return { lane: 'entities', ordinal: entity.ordinal, from, to, label, color: colorOf(entity), isSpan }
    }),
  }
}

/** Something that is drawn: an item, or several that lie too close to be told apart. */
export interface Mark {
  readonly x: number
  readonly width: number
  readonly count: number
  /** The first of those that matter most. */
  readonly item: LaneItem
}

const leastWidth = 4

/** What of a lane is drawn in so many pixels: never more marks than there is room for, however many items there are. */
export function marksOf(
  items: readonly LaneItem[],
  { from, to }: { readonly from: number; readonly to: number },
  width: number,
): readonly Mark[] {
  const scale = width / Math.max(to - from, 1e-3)
  const marks: Mark[] = []
  let row: { x: number; end: number; count: number; item: LaneItem } | undefined
  const put = () => {
    if (row !== undefined)
      marks.push({ x: row.x, width: Math.max(row.end - row.x, leastWidth), count: row.count, item: row.item })
  }
  for (const item of items) {
    if (item.to < from || item.from > to) continue
    const x = Math.max((item.from - from) * scale, 0)
    const end = Math.min((item.to - from) * scale, width)
    if (row !== undefined && x < row.x + leastWidth + 1 && end - x < leastWidth * 2) {
      row.end = Math.max(row.end, end)
      row.count += 1
      if (weightOf(item) > weightOf(row.item)) row.item = item
      continue
    }
    put()
    row = { x, end, count: 1, item }
  }
  put()
  return marks
}

function labelOf(entity: Entity): string {
  switch (entity.kind) {
    case 'message':
      return `${entity.role === 'user' ? 'Prompt' : 'Answer'}: ${entity.text.slice(0, 80)}`
    case 'reasoning':
      return `Reasoning: ${entity.text.slice(0, 80)}`
    case 'tool-call':
      return `${entity.toolName}: ${entity.status}`
    case 'activity':
      return `${entity.activity}: ${entity.step}`
    case 'notice':
      return entity.message
    case 'inference':
      return `Inference: ${entity.status}`
  }
}

function colorOf(entity: Entity): LaneItem['color'] {
  switch (entity.kind) {
    case 'message':
      return entity.role === 'user' ? 'session' : 'text'
    case 'reasoning':
      return 'reasoning'
    case 'tool-call':
      return entity.status === 'error' || entity.status === 'unknown' ? 'failure' : 'tool'
    case 'activity':
      return 'provider-tool'
    case 'notice':
      return entity.level === 'error' ? 'failure' : 'note'
    case 'inference':
      return entity.status === 'failed' || entity.status === 'interrupted' ? 'failure' : 'inference'
  }
}
