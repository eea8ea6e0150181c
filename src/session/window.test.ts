import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { scripted } from '../providers/scripted/engine.ts'
import { MemoryStore } from '../store/memory-store.ts'
import type { Head, Store } from '../store/store.ts'
import { applyTimeline, emptyTimeline, entitiesOf } from '../timeline/timeline.ts'
import { countingIds } from '../../test/support/values.ts'
import { readEvents } from './past.ts'
import { beginSession } from './fork.ts'
import { Session } from './session.ts'
import type { StoredInference } from './stored-inference.ts'
import { trimSession } from './trim.ts'
import { readTimeline } from './window.ts'

/** A session of `rounds`: each submits so many prompts at once, so that all but the first of them wait. */
async function sessionOf(rounds: readonly number[], cancelLast: boolean, newId = countingIds()) {
  const store = new MemoryStore()
  const session = await Session.open(store, 's', { engine: scripted({ pace: 0 }), newId })
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

/** A store with a session that goes on from a turn of another one. */
async function forked() {
  const other = await sessionOf([2], false, countingIds('other'))
  const turn = await (await Session.open(other, 's', { engine: scripted() })).latest()
  const store = new MemoryStore()
  if (turn !== undefined) await beginSession(store, turn, { id: 's' })
  return store
}

/** That the pages up to `head` are what the log has up to there. */
async function pagesAgree(store: MemoryStore, head: Head, inferences: number) {
  const read = store.read.bind(store)
  // What is written meanwhile is not looked at.
  const still = new Proxy(store, {
    get: (target, name) => {
      if (name === 'read')
        return async (...[id, options]: Parameters<Store['read']>) =>
          (await read(id, options)).filter(({ ordinal }) => ordinal <= head.ordinal)
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    },
  })
  let whole = emptyTimeline(head.firstOrdinal - 1)
  for await (const event of readEvents(still, 's', head.firstOrdinal - 1)) whole = applyTimeline(whole, event)
  let page = await readTimeline(still, head, { inferences })
  let entities = entitiesOf(page.timeline)
  for (let pages = 0; !page.isComplete && pages < 100; pages += 1) {
    page = await readTimeline(still, head, { inferences, before: page.from })
    entities = [...entitiesOf(page.timeline), ...entities]
  }
  expect(entities).toEqual(entitiesOf(whole))
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

  test('pages give all that the log still has, whoever was cancelled, forked or forgotten', async () => {
    const act = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ do: fc.constant('submit' as const), count: fc.integer({ min: 1, max: 3 }) }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), which: fc.nat(9) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('replace' as const) }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('rest' as const) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('trim' as const), share: fc.nat(100) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('rename' as const) }) },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(act, { minLength: 2, maxLength: 14 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 4 }),
        async (acts, isFork, inferences) => {
          const store = isFork ? await forked() : new MemoryStore()
          const session = await Session.open(store, 's', { engine: scripted({ pace: 0 }), newId: countingIds() })
          const submitted: StoredInference[] = []
          const rest = () => Promise.allSettled(submitted.map(({ result }) => result))
          for (const each of acts) {
            if (each.do === 'submit')
              for (let index = 0; index < each.count; index += 1) submitted.push(await session.submit(`Say ${index}`))
            else if (each.do === 'replace') submitted.push(await session.submit('Say so', { whileRunning: 'replace' }))
            else if (each.do === 'cancel') {
              // One that was forgotten is not known any more.
              await submitted[each.which % submitted.length]?.cancel().catch(() => {})
            } else if (each.do === 'rest') await rest()
            else if (submitted.length === 0) continue
            else if (each.do === 'trim') {
              const { ordinal } = await headOf(store)
              await trimSession(store, 's', 1 + Math.floor((ordinal * each.share) / 100))
            } else await session.rename('Tea').catch(() => {}) // all that was said was taken back
            const head = await headOf(store).catch(() => undefined)
            if (head !== undefined) await pagesAgree(store, head, inferences)
          }
          await rest()
          await session.close()
          const head = await store.head('s')
          if (head !== undefined) await pagesAgree(store, head, inferences)
        },
      ),
      { numRuns: Number(process.env['WINDOW_RUNS'] ?? 60) },
    )
  }, 60_000)

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
