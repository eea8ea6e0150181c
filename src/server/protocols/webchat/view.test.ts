import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anyEngineEvents } from '../../../../test/support/arbitrary-engine-events.ts'
import { eventEngine } from '../../../../test/support/event-engine.ts'
import { FakeClock } from '../../../../test/support/fake-clock.ts'
import { collect, countingIds } from '../../../../test/support/values.ts'
import {
  bySeq,
  WebchatView,
  type Frame,
  type ShownEntity,
  type Snapshot,
} from '../../../../test/support/webchat-client.ts'
import type { EngineEvent, InferenceEvent, UnknownEvent } from '../../../events/event.ts'
import { readLog } from '../../../session/past.ts'
import { Session } from '../../../session/session.ts'
import { MemoryStore } from '../../../store/memory-store.ts'
import type { TimelineEntity } from './entity.ts'
import { readFrames } from './frames.ts'
import { frameJson, type SemFrame } from './sem.ts'
import { timelineSnapshot } from './timeline.ts'
import { emptyView, tell } from './view.ts'

type Events = readonly (InferenceEvent | UnknownEvent)[]

/** The log of a session whose model did this, a list for each prompt. */
async function logOf(runs: readonly (readonly EngineEvent[])[]) {
  const store = new MemoryStore()
  const newId = countingIds()
  const session = await Session.open(store, 's', { engine: eventEngine(...runs), newId, clock: new FakeClock() })
  const asked = []
  for (const [index] of runs.entries()) asked.push(await session.submit(`prompt ${index}`))
  await Promise.allSettled(asked.map(({ result }) => result))
  await session.close()
  const head = await store.head('s')
  if (head === undefined) throw new Error('the session is there')
  return { store, head, events: await collect(readLog(store, 's', 0)) }
}

function folded(events: Events) {
  let view = emptyView
  const frames: SemFrame[] = []
  const entities = new Map<string, TimelineEntity>()
  for (const event of events) {
    const [next, told] = tell(view, event)
    view = next
    frames.push(...told.frames)
    for (const entity of told.changed) entities.set(entity.id, entity)
  }
  return { frames, entities: [...entities.values()] }
}

const wire = (frames: readonly SemFrame[]) => frames.map((frame) => frameJson(frame) as unknown as Frame) // as a socket gives it
const snapshotAt = (events: Events, ordinal: number) =>
  timelineSnapshot('s', folded(events.slice(0, ordinal)).entities, { since: 0, limit: 5_000, nowMs: 0 }) as Snapshot

/** What lasts of what is shown: whether a call has begun to run is seen live alone. */
function lasting(view: WebchatView): readonly ShownEntity[] {
  return [...view.byId.values()].map(({ id, kind, props: { exec: _exec, input: _input, ...props } }) => ({
    id,
    kind,
    props,
  }))
}

function hydrated(snapshot: Snapshot): WebchatView {
  const view = new WebchatView()
  view.hydrate(snapshot)
  return view
}

const anyRuns = fc.array(anyEngineEvents, { minLength: 1, maxLength: 3 })

describe('frames', () => {
  test('have numbers that only grow, and are the same from wherever they are read', async () => {
    await fc.assert(
      fc.asyncProperty(anyRuns, fc.nat(), async (runs, at) => {
        const { store, head, events } = await logOf(runs)
        const { frames } = folded(events)
        for (const [index, { seq }] of frames.entries()) expect(seq).toBeGreaterThan(frames[index - 1]?.seq ?? 0)
        const since = frames[at % frames.length]?.seq ?? 0
        expect(await collect(readFrames(store, head, since))).toEqual(frames.filter(({ seq }) => seq > since))
      }),
      { numRuns: 150 },
    )
  })

  test('end with one end for each inference, and leave nothing open', async () => {
    await fc.assert(
      fc.asyncProperty(anyRuns, async (runs) => {
        const { events } = await logOf(runs)
        const { frames, entities } = folded(events)
        const ends = frames.filter(({ event }) => event.type === 'inference.ended').map(({ event }) => event.id)
        expect(ends.length).toBe(runs.length)
        expect(new Set(ends).size).toBe(runs.length)
        expect(frames.at(-1)?.event.type).toBe('inference.ended')
        expect(entities.filter(({ props }) => props['streaming'] === true || props['status'] === 'running')).toEqual([])
      }),
      { numRuns: 150 },
    )
  })
})

describe('a browser that attaches first and fetches the timeline then', () => {
  test('shows what is there in the end, whenever it came, and however far its socket lagged', async () => {
    await fc.assert(
      fc.asyncProperty(anyRuns, fc.nat(), fc.nat(), fc.nat(), async (runs, one, two, three) => {
        const { events } = await logOf(runs)
        const [attached, fetched] = [one, two].map((cut) => cut % (events.length + 1)).toSorted((a, b) => a - b)
        const { frames } = folded(events)
        const coming = wire(frames).filter(({ event }) => Number(event.stream_id) > (attached ?? 0))
        const kept = three % (coming.length + 1)
        const view = hydrated(snapshotAt(events, fetched ?? 0))
        for (const frame of coming.slice(0, kept).toSorted(bySeq)) view.apply(frame)
        for (const frame of coming.slice(kept)) view.apply(frame)
        expect(lasting(view)).toEqual(lasting(hydrated(snapshotAt(events, events.length))))
      }),
      { numRuns: 400 },
    )
  })

  test('shows after any event what the timeline says then', async () => {
    await fc.assert(
      fc.asyncProperty(anyRuns, async (runs) => {
        const { events } = await logOf(runs)
        const view = new WebchatView()
        const { frames } = folded(events)
        for (const { ordinal } of events) {
          for (const frame of wire(frames).filter(({ event }) => event.stream_id === String(ordinal))) view.apply(frame)
          expect(lasting(view)).toEqual(lasting(hydrated(snapshotAt(events, ordinal))))
        }
      }),
      { numRuns: 60 },
    )
  })
})
