import { expect, test } from 'vitest'
import { checkSession } from '../../src/session/doctor.ts'
import { StoredSession } from '../../src/session/stored-session.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import type { Store } from '../../src/store/store.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { violations, type Effect } from '../support/history.ts'
import { historyOf, workingEngine } from '../support/session-work.ts'
import { countingIds } from '../support/values.ts'

// Every place at which a process can die between two commits, and again while it recovers.

const sessionId = 's'
const never = new Promise<never>(() => {})

/** A store whose user dies at its n-th change: before it is made, or after it is made and before anyone hears of it. */
function mortal(store: Store, dieAt: number, isAfter: boolean) {
  let changes = 0
  let isDead = false
  const change = <T>(work: () => Promise<T>): Promise<T> => {
    if (isDead) return never
    changes += 1
    if (changes < dieAt) return work()
    isDead = true
    return isAfter ? work().then(() => never) : never
  }
  const ask = <T>(work: () => Promise<T>): Promise<T> => (isDead ? never : work())
  const user: Store = {
    commit: (commit) => change(() => store.commit(commit)),
    claim: (...given) => change(() => store.claim(...given)),
    release: (...given) => change(() => store.release(...given)),
    renew: (...given) => ask(() => store.renew(...given)),
    head: (id) => ask(() => store.head(id)),
    list: (options) => ask(() => store.list(options)),
    read: (id, options) => ask(() => store.read(id, options)),
    blocks: (id, ranges) => ask(() => store.blocks(id, ranges)),
    snapshots: (id, options) => ask(() => store.snapshots(id, options)),
    find: (name) => ask(() => store.find(name)),
    trim: (id, before) => ask(() => store.trim(id, before)),
    delete: (id) => ask(() => store.delete(id)),
    integrity: () => ask(() => store.integrity()),
    watch: (id, wake) => store.watch(id, () => (isDead ? undefined : wake())),
    close: () => store.close(),
  }
  return { user, isDead: () => isDead }
}

/** Moves time on until it holds; false when it does not come to that in an hour. */
async function comesTo(clock: FakeClock, holds: () => Promise<boolean> | boolean): Promise<boolean> {
  for (let step = 0; step < 720; step += 1) {
    if (await holds()) return true
    await clock.advance(5_000)
  }
  return false
}

interface Fates {
  total: number
  readonly ends: Set<string>
}

/** Dies at one place, dies again while recovering, heals. Gives whether the first death came at all. */
async function live(first: number, second: number, isAfter: boolean, fates: Fates): Promise<boolean> {
  const clock = new FakeClock()
  const store = new MemoryStore({ clock })
  const newId = countingIds()
  const effects: Effect[] = []
  const accepted: { readonly inferenceId: string; readonly key: string }[] = []
  const engine = workingEngine((effect) => effects.push(effect))
  const open = (of: Store) => StoredSession.open(of, sessionId, { engine, clock, newId })
  const isIdle = async () => (await store.head(sessionId))?.hasWork !== true

  const one = mortal(store, first, isAfter)
  const session = await open(one.user)
  const submit = async () => {
    for (const key of ['one', 'two']) {
      const { id } = await session.submit(`Do ${key}`, { idempotencyKey: key })
      accepted.push({ inferenceId: id, key })
    }
  }
  void submit()
  await comesTo(clock, async () => one.isDead() || (accepted.length === 2 && (await isIdle())))
  if (one.isDead() && second > 0) {
    const two = mortal(store, second, isAfter)
    void open(two.user)
    await comesTo(clock, async () => two.isDead() || (await isIdle()))
  }
  const healer = await open(store)
  const heals = await comesTo(clock, async () => {
    if ((await store.head(sessionId)) === undefined) return true
    for (const { approvalId } of (await healer.state()).approvals)
      await healer.decide(approvalId, { decision: 'denied' })
    return isIdle()
  })
  const where = `dies ${isAfter ? 'after' : 'before'} change ${first}, then ${second}`
  expect([where, heals]).toEqual([where, true])
  const isThere = (await store.head(sessionId)) !== undefined
  const history = isThere ? await historyOf(store, sessionId, true) : { events: [], isHealed: true }
  expect([where, ...violations({ ...history, accepted, effects })]).toEqual([where])
  for await (const finding of isThere ? checkSession(store, sessionId) : []) expect([where, finding]).toEqual([where])
  fates.total += 1
  for (const { type } of history.events as readonly { type: string }[]) fates.ends.add(type)
  return one.isDead()
}

test('wherever a process dies, and dies again, nothing is lost and nothing runs twice', async () => {
  const fates: Fates = { total: 0, ends: new Set() }
  for (const isAfter of [false, true]) {
    for (let first = 1; ; first += 1) {
      if (!(await live(first, 0, isAfter, fates))) break
      for (const second of [1, 2, 3, 4, 6, 9]) await live(first, second, isAfter, fates)
    }
  }
  console.log(`crash points: ${fates.total}`)
  expect(fates.total).toBeGreaterThan(300)
  // The deaths met everything that recovery can do.
  for (const type of ['attempt-discarded', 'inference-resumed', 'approval-requested', 'approval-decided']) {
    expect(fates.ends).toContain(type)
  }
}, 120_000)
