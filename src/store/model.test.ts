import assert from 'node:assert/strict'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { MemoryStore } from './memory-store.ts'
import { SqliteStore } from './sqlite-store.ts'
import type { Commit, Store } from './store.ts'

/** What a session is, as far as this test looks: the simplest statement of the rules. */
interface Model {
  readonly sessions: Map<string, { log: string[]; first: number; version: number; epoch: number; keys: Set<string> }>
  firstEpoch: number
}
interface Real {
  readonly stores: readonly Store[]
  readonly clock: FakeClock
}
type Step = fc.AsyncCommand<Model, Real>

/** What every store answers; they must agree. */
async function ask<Answer>({ stores }: Real, question: (store: Store) => Promise<Answer>): Promise<Answer> {
  const [first, ...others] = await Promise.all(stores.map(question))
  for (const other of others) expect(other).toEqual(first)
  return first as Answer // there is a first store
}

const createdAt = '2026-01-01T00:00:00.000Z'
const sessionId = fc.constantFrom('a', "b'", 'c%')
const small = fc.integer({ min: 0, max: 3 })

function step(text: string, run: (model: Model, real: Real) => Promise<void>): Step {
  return { check: () => true, run, toString: () => text }
}

interface Wish {
  readonly id: string
  readonly isNew: boolean
  readonly bodies: readonly string[]
  readonly epoch: number | undefined
  readonly after: number | undefined
  readonly key: string | undefined
}

/** The status that a commit must have, by the order of the rules; a commit that is taken is noted. */
function expected(model: Model, { id, isNew, bodies, epoch, after, key }: Wish): string {
  const existing = model.sessions.get(id)
  if (!existing && !isNew) return 'missing'
  const made = { log: [], first: 1, version: 0, epoch: model.firstEpoch, keys: new Set<string>() }
  const session = existing ?? made
  if (key !== undefined && session.keys.has(key)) return 'duplicate'
  if (epoch !== undefined && epoch !== session.epoch) return 'fenced'
  if ((existing && isNew) || (after !== undefined && after !== session.version)) return 'conflict'
  model.sessions.set(id, session)
  session.log.push(...bodies)
  if (after !== undefined) session.version += 1
  if (key !== undefined) session.keys.add(key)
  return 'committed'
}

function commitOf({ id, isNew, bodies, epoch, after, key }: Wish): Commit {
  return {
    sessionId: id,
    entries: bodies.map((body) => ({ type: 'x', body, names: [body] })),
    ...(isNew && { create: { incarnation: 'i', createdAt } }),
    ...(epoch !== undefined && { epoch }),
    ...(after !== undefined && { state: { after, value: String(after), hasWork: after % 2 === 0 } }),
    ...(key !== undefined && { submission: { key, hash: key, answer: '1' } }),
  }
}

const steps: fc.Arbitrary<Step>[] = [
  fc
    .record<Wish>({
      id: sessionId,
      isNew: fc.boolean(),
      bodies: fc.array(fc.constantFrom('p', 'q', '\0', '😀'), { maxLength: 3 }),
      epoch: fc.option(small, { nil: undefined }),
      after: fc.option(small, { nil: undefined }),
      key: fc.option(fc.constantFrom('k', 'l'), { nil: undefined }),
    })
    .map((wish) =>
      step(`commit ${JSON.stringify(wish)}`, async (model, real) => {
        const { status } = await ask(real, (store) => store.commit(commitOf(wish)))
        assert.equal(status, expected(model, wish))
      }),
    ),
  fc.tuple(sessionId, fc.constantFrom('anna', 'bert')).map(([id, owner]) =>
    step(`claim ${id} ${owner}`, async (model, real) => {
      const { status } = await ask(real, (store) => store.claim(id, owner, 1000))
      const session = model.sessions.get(id)
      assert.equal(status === 'missing', session === undefined)
      if (session && status === 'claimed') session.epoch += 1
    }),
  ),
  fc
    .tuple(sessionId, small)
    .map(([id, epoch]) =>
      step(
        `renew ${id} ${epoch}`,
        async (_model, real) => void (await ask(real, (store) => store.renew(id, epoch, 1000))),
      ),
    ),
  fc
    .tuple(sessionId, small)
    .map(([id, epoch]) =>
      step(`release ${id} ${epoch}`, async (_model, real) => ask(real, (store) => store.release(id, epoch))),
    ),
  fc.tuple(sessionId, fc.nat(9)).map(([id, before]) =>
    step(`trim ${id} ${before}`, async (model, real) => {
      await ask(real, (store) => store.trim(id, before))
      const session = model.sessions.get(id)
      if (session) session.first = Math.max(session.first, Math.min(before, session.log.length + 1))
    }),
  ),
  sessionId.map((id) =>
    step(`delete ${id}`, async (model, real) => {
      const session = model.sessions.get(id)
      assert.equal(await ask(real, (store) => store.delete(id)), session !== undefined)
      if (session) model.firstEpoch = Math.max(model.firstEpoch, session.epoch + 1)
      model.sessions.delete(id)
    }),
  ),
  fc.nat(1500).map((ms) => step(`wait ${ms}`, (_model, { clock }) => clock.advance(ms))),
]

async function compare(model: Model, real: Real): Promise<void> {
  const heads = await ask(real, (store) => store.list())
  expect(heads.map((head) => head.sessionId).toSorted()).toEqual([...model.sessions.keys()].toSorted())
  for (const [id, { log, first, version, epoch }] of model.sessions) {
    const head = await ask(real, (store) => store.head(id))
    expect(head).toMatchObject({ ordinal: log.length, firstOrdinal: first, version, epoch })
    const events = await ask(real, (store) => store.read(id, { after: 0 }))
    expect(events.map(({ body }) => body)).toEqual(log.slice(first - 1))
  }
  const byPlace = (places: readonly { sessionId: string; ordinal: number }[]) =>
    places.map((place) => `${place.sessionId} ${place.ordinal}`).toSorted()
  await ask(real, async (store) => byPlace(await store.find('p')))
}

test('whatever is asked of them, in any order, the stores and a simple model agree', async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(steps, { maxCommands: 40 }), async (commands) => {
      const clock = new FakeClock()
      const stores = [new MemoryStore({ clock }), await SqliteStore.open(':memory:', { clock })]
      const [model, real]: [Model, Real] = [
        { sessions: new Map(), firstEpoch: 0 },
        { stores, clock },
      ]
      await fc.asyncModelRun(() => ({ model, real }), commands)
      await compare(model, real)
      for (const store of stores) expect(await store.integrity()).toEqual([])
      await Promise.all(stores.map((store) => store.close()))
    }),
    { numRuns: 100 },
  )
})
