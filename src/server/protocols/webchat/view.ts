import type { InferenceEvent, UnknownEvent } from '../../../events/event.ts'
import { entityAfter, entityIdOf, entityJson, type TimelineEntity } from './entity.ts'
import { project, type Running } from './projection.ts'
import { correlationOf, seqOf, type Correlation, type SemEvent, type SemFrame } from './sem.ts'

/** A message that grows is shown again as a whole this often at most. */
const upsertMs = 250

interface Shown {
  readonly entity: TimelineEntity
  /** When it was last shown as a whole while it grew. */
  readonly shownMs?: number
}

/**
 * What has to be known to say what the next event makes: of the inference that runs alone, so that it can be had again
 * from the end of the one before it.
 */
export interface View {
  readonly running: Running
  readonly shown: ReadonlyMap<string, Shown>
}

export const emptyView: View = { running: undefined, shown: new Map() }

/** What an event makes: the frames, and the entities that they changed, both in order. */
export interface Told {
  readonly frames: readonly SemFrame[]
  readonly changed: readonly TimelineEntity[]
}

/** What clients are told of `event`. The same log gives the same frames, wherever and from whenever it is folded. */
export function tell(view: View, event: InferenceEvent | UnknownEvent): readonly [View, Told] {
  const [running, said] = project(view.running, event)
  if (said.length === 0) return [running === view.running ? view : { ...view, running }, { frames: [], changed: [] }]
  const correlation = correlationOf(event.sessionId ?? '', event.inferenceId, event.turnId)
  const atMs = Date.parse(event.at)
  const shown = new Map(view.shown)
  const frames: SemFrame[] = []
  const changed: TimelineEntity[] = []
  for (const [index, semEvent] of said.entries()) {
    // Each has two numbers: one for what was said, and one for the entity that it made of it.
    frames.push({ seq: seqOf(event.ordinal, 2 * index), correlation, event: semEvent })
    const id = entityIdOf(semEvent)
    const known = id === undefined ? undefined : shown.get(id)
    const moment = { atMs, version: seqOf(event.ordinal, 2 * index + 1) }
    const entity = entityAfter(known?.entity, semEvent, moment)
    if (entity === undefined) continue
    changed.push(entity)
    const isGrowing = semEvent.type === 'llm.delta' || semEvent.type === 'llm.thinking.delta'
    const isDue = !isGrowing || known?.shownMs === undefined || atMs - known.shownMs >= upsertMs
    const shownMs = isGrowing && isDue ? atMs : known?.shownMs
    shown.set(entity.id, { entity, ...(shownMs !== undefined && { shownMs }) })
    if (isDue) frames.push({ seq: moment.version, correlation, event: upsert(entity, correlation) })
  }
  // Nothing of an inference that has ended changes any more; a prompt that waits never does.
  return [
    { running, shown: running === undefined ? emptyView.shown : shown },
    { frames, changed },
  ]
}

function upsert(entity: TimelineEntity, { conv_id: convId }: Correlation): SemEvent {
  return {
    type: 'timeline.upsert',
    id: entity.id,
    data: { convId, version: String(entity.version), entity: entityJson(entity) },
  }
}
