import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { scripted } from '../providers/scripted/engine.ts'
import { MemoryStore } from '../store/memory-store.ts'
import { applyTimeline, emptyTimeline, entitiesOf } from '../timeline/timeline.ts'
import { countingIds } from '../../test/support/values.ts'
import { readEvents } from './past.ts'
import { Session } from './session.ts'
import { readTimeline } from './window.ts'

/** A session of `rounds`: each submits so many prompts at once, so that all but the first of them wait. */
async function sessionOf(rounds: readonly number[], cancelLast: boolean) {
  const store = new MemoryStore()
  const session = await Session.open(store, 's', { engine: scripted({ pace: 0 }), newId: countingIds() })
  for (const count of rounds) {
    const submitted = []
    for (let index = 0; index < count; index += 1) submitted.push(await session.submit(`Say ${index}`))
    if (cancelLast) await submitted.at(-1)?.cancel()
    await Promise.allSettled(submitted.map(({ result }) => result))
  }
  await session.close()
  return store
}

async function headOf(store: MemoryStore) {
  const head = await store.head('s')
  if (head === undefined) throw new Error('the session is there')
  return head
}

async function wholeTimeline(store: MemoryStore) {
  let timeline = emptyTimeline()
  for await (const event of readEvents(store, 's', 0)) timeline = applyTimeline(timeline, event)
  return timeline
}

describe('the end of a timeline', () => {
  test('pages give the whole timeline, whoever waited while another was answered', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 8 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 4 }),
        async (rounds, cancelLast, inferences) => {
          const store = await sessionOf(rounds, cancelLast)
          const head = await headOf(store)
          let page = await readTimeline(store, head, { inferences })
          let entities = entitiesOf(page.timeline)
          while (!page.isComplete) {
            page = await readTimeline(store, head, { inferences, before: page.from })
            entities = [...entitiesOf(page.timeline), ...entities]
          }
          expect(entities).toEqual(entitiesOf(await wholeTimeline(store)))
        },
      ),
      { numRuns: 60 },
    )
  })

  test('costs what it shows', async () => {
    const store = await sessionOf(
      Array.from({ length: 60 }, () => 1),
      false,
    )
    const head = await headOf(store)
    let read = 0
    const readEntries = store.read.bind(store)
    store.read = async (...args) => {
      const entries = await readEntries(...args)
      read += entries.length
      return entries
    }
    const { timeline, from, isComplete } = await readTimeline(store, head, { inferences: 5 })
    expect(read).toBe(head.ordinal - from)
    expect(isComplete).toBe(false)
    expect(entitiesOf(timeline).filter(({ kind }) => kind === 'inference')).toHaveLength(5)
  })

  test('of an empty session is empty', async () => {
    const store = new MemoryStore()
    await store.commit({ sessionId: 's', create: { incarnation: 'i', createdAt: '' }, entries: [] })
    expect(await readTimeline(store, await headOf(store))).toEqual({
      timeline: emptyTimeline(),
      from: 0,
      isComplete: true,
    })
  })
})
