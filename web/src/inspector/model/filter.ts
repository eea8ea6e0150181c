import { encodeEvent } from '../../../../src/events/codec.ts'
import { groupOf, type EventGroup, type LogEvent } from './log.ts'

/** Which events are shown. */
export interface EventFilter {
  readonly groups: ReadonlySet<EventGroup>
  /** Of an inference or a turn alone. */
  readonly within?: string
  /** What must stand somewhere in the event: in its type, an id or a text, in any case. */
  readonly search: string
}

export function filterEvents(events: readonly LogEvent[], filter: EventFilter): readonly LogEvent[] {
  const search = filter.search.trim().toLowerCase()
  return events.filter(
    (event) =>
      filter.groups.has(groupOf(event)) &&
      (filter.within === undefined || event.inferenceId === filter.within || event.turnId === filter.within) &&
      (search === '' || textOf(event).includes(search)),
  )
}

/**
 * The event that an id or an ordinal names: the first that is about it. A selection in the address is one of these, so
 * that a link from anywhere, with whatever id, leads to its event.
 */
export function eventNamed(events: readonly LogEvent[], name: string): LogEvent | undefined {
  if (/^\d{1,15}$/.test(name)) {
    const ordinal = Number(name)
    return events.find((event) => event.ordinal === ordinal)
  }
  return events.find((event) => idsOf(event).some(({ id }) => id === name))
}

/** An id that an event carries, and what it is of. */
export interface NamedId {
  readonly of: string
  readonly id: string
}

/** The ids of an event, those that more events share first. */
export function idsOf(event: LogEvent): readonly NamedId[] {
  const ids: readonly (readonly [string, string | undefined])[] = [
    ['turn', event.turnId],
    ['inference', event.inferenceId],
    ['call', 'providerCallId' in event ? event.providerCallId : undefined],
    ['segment', 'segmentId' in event ? event.segmentId : undefined],
    ['tool call', 'toolCallId' in event ? event.toolCallId : undefined],
    ['approval', 'approvalId' in event ? event.approvalId : undefined],
    ['pause', 'pauseId' in event ? event.pauseId : undefined],
    ['block', 'block' in event ? event.block.id : undefined],
  ]
  return ids.flatMap(([of, id]) => (id === undefined ? [] : [{ of, id }]))
}

// What an event says does not change: it is made a text once.
const texts = new WeakMap<LogEvent, string>()

function textOf(event: LogEvent): string {
  const known = texts.get(event)
  if (known !== undefined) return known
  const text = JSON.stringify(encodeEvent(event)).toLowerCase()
  texts.set(event, text)
  return text
}
