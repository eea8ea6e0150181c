import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { FakeClock, settle } from '../../test/support/fake-clock.ts'
import { isGeppettoError } from '../errors.ts'
import { MemoryStore } from '../store/memory-store.ts'
import { SqliteStore } from '../store/sqlite-store.ts'
import type { LogEntry, News, Store } from '../store/store.ts'
import { followLog } from './follow.ts'

// A reader of a log that others write to, trim, delete and make anew, over a store whose hints cannot be relied on.

const id = 's'
const createdAt = '2026-01-01T00:00:00.000Z'

/** What becomes of one hint. */
type Fate = 'told' | 'told without news' | 'lost' | 'doubled' | 'held back'

/** The store, whose watchers hear what the fates make of each hint. Those that are held back come later, the last first. */
function unreliable(store: Store, fates: readonly Fate[]): Store & { tellRest(): void } {
  const held: (() => void)[] = []
  let count = 0
  const watch: Store['watch'] = (sessionId, wake) =>
    store.watch(sessionId, (news) => {
      const fate = fates[count % fates.length] ?? 'told'
      count += 1
      if (fate === 'told' || fate === 'doubled') wake(news)
      if (fate === 'doubled') wake(news)
      if (fate === 'told without news') wake()
      if (fate === 'held back') held.push(() => wake(news))
    })
  const tellRest = () => {
    for (let tell = held.pop(); tell !== undefined; tell = held.pop()) tell()
  }
  return new Proxy(store as Store & { tellRest(): void }, {
    get(target, name) {
      if (name === 'watch') return watch
      if (name === 'tellRest') return tellRest
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    },
  })
}

type Step =
  | { readonly do: 'commit'; readonly count: number; readonly chars: number; readonly isNamed: boolean }
  | { readonly do: 'trim'; readonly by: number }
  | { readonly do: 'delete' }
  | { readonly do: 'make anew'; readonly count: number }
  | { readonly do: 'tell rest' }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'take'; readonly count: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      count: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constantFrom(30, 200)),
      chars: fc.constantFrom(1, 1, 1, 300_000),
      isNamed: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('trim' as const), by: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('make anew' as const), count: fc.nat(12) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('tell rest' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 300 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('take' as const), count: fc.integer({ min: 1, max: 3 }) }) },
)
const fate = fc.constantFrom<Fate>('told', 'told', 'told without news', 'lost', 'doubled', 'held back')

/** Takes batches when it is told to, as a reader does who has other things to do in between. */
class Reader {
  readonly seen: LogEntry[] = []
  end: unknown
  readonly #batches: AsyncIterator<readonly LogEntry[]>
  readonly #stop = new AbortController()
  #isAsked = false

  constructor(store: Store, clock: FakeClock) {
    this.#batches = followLog(store, id, clock, { signal: this.#stop.signal })[Symbol.asyncIterator]()
  }

  take(): void {
    if (this.#isAsked) return
    this.#isAsked = true
    void this.#batches
      .next()
      .then(
        ({ value }) => void this.seen.push(...(value ?? [])),
        (error: unknown) => void (this.end = error),
      )
      .finally(() => (this.#isAsked = false))
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#batches.return?.()
  }
}

const stores: readonly (readonly [string, (clock: FakeClock) => Promise<Store>])[] = [
  ['memory', async (clock) => new MemoryStore({ clock })],
  ['SQLite', (clock) => SqliteStore.open(':memory:', { clock })],
]

describe.each(stores)('following a session in %s', (_name, open) => {
  test('gives each event of that session once and in order, or says why not, whatever becomes of hints', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 4, maxLength: 25 }),
        fc.array(fate, { minLength: 1, maxLength: 6 }),
        async (steps, fates) => {
          const clock = new FakeClock()
          const store = unreliable(await open(clock), fates)
          let incarnation = 0
          let isThere = true
          const bodies: string[] = [] // of the first incarnation
          const commit = async (count: number, chars: number, isNamed: boolean, isNew: boolean) => {
            const made = Array.from({ length: count }, (_, at) =>
              `${incarnation}:${at}`.padEnd(at === 0 ? chars : 1, 'x'),
            )
            await store.commit({
              sessionId: id,
              ...(isNew && { create: { incarnation: `i${incarnation}`, createdAt } }),
              ...(isNamed && !isNew && { incarnation: `i${incarnation}` }),
              entries: made.map((body) => ({ type: 'x', body })),
            })
            if (incarnation === 0) bodies.push(...made)
          }
          await commit(3, 1, false, true)
          let forgotten = 0
          const reader = new Reader(store, clock)
          reader.take()
          await settle()
          for (const each of steps) {
            switch (each.do) {
              case 'commit':
                if (isThere) await commit(each.count, each.chars, each.isNamed, false)
                break
              case 'trim': {
                const head = await store.head(id)
                await store.trim(id, (head?.firstOrdinal ?? 1) + each.by)
                if (incarnation === 0 && isThere) forgotten = ((await store.head(id))?.firstOrdinal ?? 1) - 1
                break
              }
              case 'delete':
                await store.delete(id)
                isThere = false
                break
              case 'make anew':
                if (isThere) await store.delete(id)
                incarnation += 1
                isThere = true
                await commit(each.count, 1, true, true)
                break
              case 'tell rest':
                store.tellRest()
                break
              case 'wait':
                await clock.advance(each.ms)
                break
              case 'take':
                for (let taken = 0; taken < each.count; taken += 1) {
                  reader.take()
                  await settle()
                }
            }
          }
          const isFirst = isThere && incarnation === 0
          // Whatever hints do, who asks all the time has everything before two looks at the store are over.
          for (let round = 0; round < 100 && reader.end === undefined; round += 1) {
            if (isFirst && reader.seen.length === bodies.length) break
            reader.take()
            await clock.advance(round % 50 === 25 ? 250 : 0)
          }
          expect(reader.seen.map(({ ordinal, body }) => [ordinal, body])).toEqual(
            bodies.slice(0, reader.seen.length).map((body, at) => [at + 1, body]),
          )
          const isGone = isGeppettoError(reader.end, 'SESSION_UNKNOWN')
          const isExpired = isGeppettoError(reader.end, 'CURSOR_EXPIRED')
          if (isExpired) expect(forgotten).toBeGreaterThan(reader.seen.length)
          else if (isFirst) expect([reader.end, reader.seen.length]).toEqual([undefined, bodies.length])
          else expect([reader.end, isGone]).toEqual([reader.end, true])
          await reader.close()
          await store.close()
          expect(clock.pending).toBe(0)
        },
      ),
      { numRuns: Number(process.env['FOLLOW_RUNS'] ?? 300) },
    )
  }, 60_000)

  test('what is told and fits is not read, and what was too much to keep is read at once', async () => {
    const clock = new FakeClock()
    const store = await open(clock)
    const create = { incarnation: 'i', createdAt }
    const entriesOf = (count: number) => Array.from({ length: count }, (_, at) => ({ type: 'x', body: String(at) }))
    await store.commit({ sessionId: id, create, entries: entriesOf(1) })
    let reads = 0
    const counting = new Proxy(store, {
      get(target, name) {
        if (name === 'read') reads += 1
        const member: unknown = Reflect.get(target, name)
        return typeof member === 'function' ? (member.bind(target) as unknown) : member
      },
    })
    const reader = new Reader(counting, clock)
    onTestFinished(async () => {
      await reader.close()
      await store.close()
    })
    const takeAll = async (total: number) => {
      for (let round = 0; round < 10 && reader.seen.length < total; round += 1) {
        reader.take()
        await settle()
        await settle()
      }
      expect(reader.seen.map(({ ordinal }) => ordinal)).toEqual(Array.from({ length: total }, (_, at) => at + 1))
    }
    await takeAll(1)
    reader.take()
    await settle()
    await store.commit({ sessionId: id, incarnation: 'i', entries: entriesOf(3) })
    await takeAll(4)
    expect(reads).toBe(1)
    await store.commit({ sessionId: id, incarnation: 'i', entries: entriesOf(3) })
    await store.commit({ sessionId: id, incarnation: 'i', entries: entriesOf(255) })
    await takeAll(262) // and time stands still
  })
})

/** Nothing else may be told as news: what the store's own watchers say is checked against what it has. */
test.each(stores)('news of a store in %s says which session it is of', async (_name, open) => {
  const store = await open(new FakeClock())
  const told: (News | undefined)[] = []
  store.watch(id, (news) => void told.push(news))
  await store.commit({ sessionId: id, create: { incarnation: 'i', createdAt }, entries: [{ type: 'x', body: 'a' }] })
  await store.commit({ sessionId: id, entries: [{ type: 'x', body: 'b' }] })
  await store.commit({ sessionId: id, incarnation: 'i', entries: [{ type: 'x', body: 'c' }] })
  await store.delete(id)
  await settle()
  const entry = (ordinal: number, body: string) => ({ incarnation: 'i', entries: [{ ordinal, type: 'x', body }] })
  expect(told).toEqual([entry(1, 'a'), undefined, entry(3, 'c'), undefined])
  await store.close()
})

test('whoever leaves without a word leaves no timer behind, and whoever waits hears of what no hint told', async () => {
  const store = unreliable(new MemoryStore(), ['lost'])
  const clock = new FakeClock()
  const entries = [{ type: 'info', body: '{}' }]
  await store.commit({ sessionId: id, create: { incarnation: 'i', createdAt }, entries })
  const reader = followLog(store, id, clock)
  await reader.next()
  const second = reader.next()
  await settle()
  await store.commit({ sessionId: id, entries })
  await clock.advance(250)
  expect((await second).value).toMatchObject([{ ordinal: 2 }])
  await clock.advance(250)
  expect(clock.pending).toBe(0)
})
