import { GeppettoError } from '../errors.ts'
import { isTerminal, type InferenceEvent, type TerminalEvent, type UnknownEvent } from '../events/event.ts'
import { changesBy, type Change } from './changes.ts'
import { isOpenInference, type Entity } from './entity.ts'
import { entitiesOfBlocks } from './history.ts'

/**
 * What a person sees of a session: the fold of its events, the same wherever it is folded. Entities stand in the order
 * in which they came to be. Those of inferences that have ended are apart, so that a token costs what the inference
 * that runs weighs, and not what the session does.
 */
export interface Timeline {
  /** Of the last event that is in it. */
  readonly ordinal: number
  /** Entities that nothing is expected to change any more. */
  readonly settled: readonly Entity[]
  /** The entities after them. */
  readonly live: readonly Entity[]
}

/** A timeline that knows the events up to `ordinal` to have said nothing. */
export function emptyTimeline(ordinal = 0): Timeline {
  return { ordinal, settled: [], live: [] }
}

/** All entities, in their order. */
export function entitiesOf({ settled, live }: Timeline): readonly Entity[] {
  return live.length === 0 ? settled : [...settled, ...live]
}

/**
 * The timeline after `event`. An event that is in it already changes nothing, so delivery may repeat itself; one that
 * leaves a gap throws EVENT_GAP, and the reader has to fetch what is between. Entities that an event does not concern
 * keep their identity.
 */
export function applyTimeline(timeline: Timeline, event: InferenceEvent | UnknownEvent): Timeline {
  if (event.ordinal <= timeline.ordinal) return timeline
  if (event.ordinal > timeline.ordinal + 1) throw gap(timeline.ordinal, event.ordinal)
  const next = { ...timeline, ordinal: event.ordinal }
  if (event.type === 'unknown') return next
  if (event.type === 'turn-opened') {
    const known = new Set(next.live.map(({ id }) => id))
    const history = entitiesOfBlocks(event, event.delta.add).filter(({ id }) => !known.has(id))
    return history.length === 0 ? next : settle({ ...next, live: [...next.live, ...history] })
  }
  if (event.type === 'attempt-discarded') return discardAttempt(next, event)
  const changed = changesBy(event).reduce((before, change) => applyChange(before, change), withContext(next, event))
  return isTerminal(event) ? settle(closeInference(changed, event)) : changed
}

/** What a prompt brought along stands before it. */
function withContext(timeline: Timeline, event: InferenceEvent): Timeline {
  if (event.type !== 'prompt-accepted' || event.before === undefined) return timeline
  const { inferenceId } = event
  const brought = entitiesOfBlocks(event, event.before).map((entity) => ({ ...entity, inferenceId }))
  return { ...timeline, live: [...timeline.live, ...brought] }
}

function applyChange(timeline: Timeline, { id, isOf = (entity) => entity.id === id, update }: Change): Timeline {
  const { live, settled, ordinal } = timeline
  const at = live.findLastIndex(isOf)
  if (at >= 0) return { ...timeline, live: changeAt(live, at, update, ordinal) }
  const made = update(undefined)
  // What comes late for an inference that has ended finds its entity, or makes none twice.
  const settledAt = made === undefined ? -1 : settled.findLastIndex((entity) => entity.id === made.id)
  if (settledAt >= 0) return { ...timeline, settled: changeAt(settled, settledAt, update, ordinal) }
  return made === undefined ? timeline : { ...timeline, live: [...live, made] }
}

/** The list with what `update` makes of the entity at `at`; without it when that is nothing. */
function changeAt(
  entities: readonly Entity[],
  at: number,
  update: (entity: Entity | undefined) => Entity | undefined,
  ordinal: number,
): readonly Entity[] {
  const entity = entities[at]
  const next = update(entity)
  if (next === entity) return entities
  return next === undefined ? entities.toSpliced(at, 1) : entities.with(at, { ...next, updatedOrdinal: ordinal })
}

function discardAttempt(timeline: Timeline, event: Extract<InferenceEvent, { type: 'attempt-discarded' }>): Timeline {
  const { providerCallId, attempt, ordinal, inferenceId } = event
  const kept = timeline.live.filter(
    (entity) => !('providerCallId' in entity && entity.providerCallId === providerCallId && entity.attempt === attempt),
  )
  const at = kept.findLastIndex(({ id }) => id === inferenceId)
  const inference = kept[at]
  if (inference?.kind !== 'inference') return { ...timeline, live: kept }
  const retried = { ...inference, retries: inference.retries + 1, updatedOrdinal: ordinal }
  return { ...timeline, live: kept.with(at, retried) }
}

/** Nothing of an inference that has ended streams or runs. */
function closeInference(timeline: Timeline, { inferenceId, ordinal }: TerminalEvent): Timeline {
  const live = timeline.live.map((entity) => {
    const closed = entity.inferenceId === inferenceId ? closeEntity(entity) : entity
    return closed === entity ? entity : { ...closed, updatedOrdinal: ordinal }
  })
  return { ...timeline, live }
}

function closeEntity(entity: Entity): Entity {
  switch (entity.kind) {
    case 'message':
    case 'reasoning':
      return entity.isStreaming ? { ...entity, isStreaming: false, isPartial: true } : entity
    case 'tool-call': {
      const { status } = entity
      if (status === 'writing' || status === 'requested' || status === 'awaiting-approval')
        return { ...entity, status: 'unanswered' }
      return status === 'running' ? { ...entity, status: 'unknown' } : entity
    }
    case 'activity':
    case 'notice':
    case 'inference':
      return entity
  }
}

/** Puts apart what comes before the first entity that is open, or of an inference that is. */
export function settle({ ordinal, settled, live }: Timeline): Timeline {
  const open = new Set(live.filter(isOpenInference).map(({ inferenceId }) => inferenceId))
  const isLive = (entity: Entity) =>
    (entity.inferenceId !== undefined && open.has(entity.inferenceId)) || closeEntity(entity) !== entity
  const first = live.findIndex(isLive)
  const count = first < 0 ? live.length : first
  if (count === 0) return { ordinal, settled, live }
  return { ordinal, settled: [...settled, ...live.slice(0, count)], live: live.slice(count) }
}

function gap(known: number, given: number): GeppettoError {
  return new GeppettoError(
    'EVENT_GAP',
    `The timeline knows the events up to ${known}, and was given ${given}: read those between first.`,
    { details: { known, given } },
  )
}
