import { expect, test } from 'vitest'
import { checkSession } from '../../src/session/doctor.ts'
import { forkSession } from '../../src/session/fork.ts'
import { StoredSession } from '../../src/session/stored-session.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import type { Store } from '../../src/store/store.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { violations, type Effect } from '../support/history.ts'
import { historyOf, workingEngine } from '../support/session-work.ts'
import { countingIds } from '../support/values.ts'

// Every place at which a process can die between two commits, and every place at which it can die again while it
// recovers, once and as often as it takes until it is given up.

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
    // A claim that is refused changes nothing: dying there is dying with what was done last.
    claim: async (...given) => {
      const owner = (await ask(() => store.head(given[0])))?.owner
      const claim = () => store.claim(...given)
      return owner === undefined || owner === given[1] ? change(claim) : ask(claim)
    },
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

/** What callers were told before their process died. */
interface Told {
  readonly accepted: { readonly session: string; readonly inferenceId: string; readonly key: string }[]
  readonly cancelled: { readonly session: string; readonly id: string }[]
  readonly decided: { readonly session: string; readonly id: string }[]
  readonly forked: string[]
}
interface Caller {
  readonly store: Store
  readonly told: Told
  open(id: string): Promise<StoredSession>
}

async function submit({ told }: Caller, session: StoredSession, key: string): Promise<string> {
  const { id: inferenceId } = await session.submit(`Do ${key}`, { idempotencyKey: key })
  told.accepted.push({ session: session.id, inferenceId, key })
  return inferenceId
}

async function cancel({ told }: Caller, session: StoredSession, id: string): Promise<void> {
  if (await session.cancel(id)) told.cancelled.push({ session: session.id, id })
}

async function untilEvent(session: StoredSession, inferenceId: string, type: string): Promise<void> {
  for await (const event of session.events()) if (event.type === type && event.inferenceId === inferenceId) return
}

/** Decides on what is asked for; who comes too late changes nothing. */
async function decideAll({ told }: Pick<Caller, 'told'>, session: StoredSession, isAllowed: boolean): Promise<void> {
  for (const { approvalId } of (await session.state()).approvals) {
    const decision = isAllowed ? 'approved' : 'denied'
    const isTaken = await session.decide(approvalId, { decision }).then(
      () => true,
      () => false,
    )
    if (isTaken) told.decided.push({ session: session.id, id: approvalId })
  }
}

/** What a process does before it dies for the first time. */
const scripts: Readonly<Record<string, (caller: Caller) => Promise<void>>> = {
  async 'two prompts'(caller) {
    const session = await caller.open('s')
    await submit(caller, session, 'one')
    await submit(caller, session, 'two')
  },
  async cancels(caller) {
    const session = await caller.open('s')
    const [first, , third] = [
      await submit(caller, session, 'one'),
      await submit(caller, session, 'two'),
      await submit(caller, session, 'three'),
    ]
    await cancel(caller, session, third)
    await untilEvent(session, first, 'tool-execution-started')
    await cancel(caller, session, first)
  },
  async 'a tool that needs approval'(caller) {
    const session = await caller.open('s')
    for (const isAllowed of [true, false]) {
      const id = await submit(caller, session, `guarded, ${isAllowed}`)
      await untilEvent(session, id, 'approval-requested')
      await decideAll(caller, session, isAllowed)
    }
  },
  async 'a fork'(caller) {
    const session = await caller.open('s')
    await untilEvent(session, await submit(caller, session, 'one'), 'inference-finished')
    caller.told.forked.push(await forkSession(caller.store, 's', { id: 'fork' }))
    await submit(caller, await caller.open('fork'), 'one')
  },
}

interface Fate {
  readonly script: string
  /** The change at which the first process dies. */
  readonly first: number
  /** The change at which each of those dies that recover, and how many of them there are. */
  readonly again: number
  readonly times: number
  readonly isAfter: boolean
  /** What is said to approvals while it recovers. */
  readonly isAllowed: boolean
}

interface Tally {
  total: number
  readonly met: Map<string, number>
}

/** Lives through a fate and heals. Gives whether the first and the last of the other deaths came at all. */
async function live(fate: Fate, tally: Tally): Promise<{ readonly first: boolean; readonly again: boolean }> {
  const clock = new FakeClock()
  const store = new MemoryStore({ clock })
  const newId = countingIds()
  const effects: Effect[] = []
  const told: Told = { accepted: [], cancelled: [], decided: [], forked: [] }
  const asksFor = (prompt: string) =>
    prompt.includes('guarded') ? (['guarded', 'read'] as const) : (['none', 'read', 'idempotent'] as const)
  const engine = workingEngine((effect) => effects.push(effect), undefined, asksFor)
  const open = (of: Store, id: string) => StoredSession.open(of, id, { engine, clock, newId })
  const isIdle = async () => (await store.list({ hasWork: true })).length === 0
  /** Goes on with all sessions, deciding what is asked, until all is done or `isDead`. */
  const recover = async (of: Store, isDead: () => boolean) => {
    const heads = await store.list()
    const sessions: StoredSession[] = []
    for (const { sessionId } of heads) void open(of, sessionId).then((session) => sessions.push(session))
    return comesTo(clock, async () => {
      for (const session of sessions) void decideAll({ told }, session, fate.isAllowed)
      return isDead() || (await isIdle())
    })
  }

  const one = mortal(store, fate.first, fate.isAfter)
  let isDone = false
  void scripts[fate.script]?.({ store: one.user, told, open: (id) => open(one.user, id) }).then(() => (isDone = true))
  await comesTo(clock, async () => one.isDead() || (isDone && (await isIdle())))
  let again = one.isDead()
  for (let time = 0; time < fate.times && again; time += 1) {
    const next = mortal(store, fate.again, fate.isAfter)
    await recover(next.user, next.isDead)
    again = next.isDead()
  }
  const heals = await recover(store, () => false)
  const found: string[] = heals ? [] : ['it does not come to rest']
  const heads = await store.list()
  const known = new Set(heads.map(({ sessionId }) => sessionId))
  for (const id of [...told.forked, ...told.accepted.map(({ session }) => session)])
    if (!known.has(id)) found.push(`session ${id} was acknowledged and is gone`)
  for (const { sessionId } of heads) {
    const history = await historyOf(store, sessionId, true)
    const own = new Set(history.events.map((event) => event['inference_id']))
    const idsOf = (list: Told['decided']) => list.filter(({ session }) => session === sessionId).map(({ id }) => id)
    const accepted = told.accepted.filter(({ session }) => session === sessionId)
    const ownEffects = effects.filter(({ inferenceId }) => own.has(inferenceId))
    const heard = { accepted, cancelled: idsOf(told.cancelled), decided: idsOf(told.decided), effects: ownEffects }
    found.push(...violations({ ...history, ...heard }))
    for await (const { message } of checkSession(store, sessionId)) found.push(message)
    for (const { type, error } of history.events as readonly { type: string; error?: { code: string } }[]) {
      const what = type === 'inference-failed' ? `${type} ${error?.code}` : type
      tally.met.set(what, (tally.met.get(what) ?? 0) + 1)
    }
  }
  expect({ fate, found }).toEqual({ fate, found: [] })
  tally.total += 1
  return { first: one.isDead(), again }
}

test.each(Object.keys(scripts))(
  '%s: wherever a process dies, and dies again, nothing is lost and nothing runs twice',
  async (script) => {
    const tally: Tally = { total: 0, met: new Map() }
    for (const isAfter of [false, true]) {
      for (let first = 1; ; first += 1) {
        const fate = { script, first, isAfter, isAllowed: first % 2 === 0, again: 0, times: 0 }
        if (!(await live(fate, tally)).first) break
        // Dying four times at the same place is what an inference is given up for; it is early, or it gets further.
        for (const times of [1, 4]) {
          for (let again = 1; times === 1 || again <= 6; again += 1)
            if (!(await live({ ...fate, times, again, isAllowed: (first + again) % 2 === 0 }, tally)).again) break
        }
      }
    }
    console.log(
      `crash points of ${script}: ${tally.total}; ${[...tally.met].map(([type, count]) => `${type} ${count}`).join(', ')}`,
    )
    expect(tally.total).toBeGreaterThan(300)
    // The deaths met everything that recovery can do.
    const all = ['attempt-discarded', 'inference-resumed', 'approval-requested', 'approval-decided']
    for (const type of [...all, 'inference-failed INFERENCE_POISONED']) expect([...tally.met.keys()]).toContain(type)
  },
  300_000,
)
