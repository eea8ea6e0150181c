import { describe, expect, onTestFinished, test } from 'vitest'
import { eventEngine, forEver, textReply, toolReply } from '../../test/support/event-engine.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { violations } from '../../test/support/history.ts'
import { mortalStore } from '../../test/support/mortal-store.ts'
import { answersOf, testTool } from '../../test/support/runs.ts'
import { historyOf } from '../../test/support/session-work.ts'
import { countingIds } from '../../test/support/values.ts'
import type { Engine } from '../inference/engine.ts'
import { toolLoop } from '../inference/tool-loop.ts'
import { MemoryStore } from '../store/memory-store.ts'
import { SqliteStore } from '../store/sqlite-store.ts'
import type { Store } from '../store/store.ts'
import { createSession } from './fork.ts'
import { StoredSession } from './stored-session.ts'

const stores: readonly (readonly [string, (clock: FakeClock) => Promise<Store>])[] = [
  ['memory', async (clock) => new MemoryStore({ clock })],
  ['SQLite', (clock) => SqliteStore.open(':memory:', { clock })],
]

describe.each(stores)('several processes with a session in %s', (_name, newStore) => {
  async function place() {
    const clock = new FakeClock()
    const store = await newStore(clock)
    const newId = countingIds()
    const open = (engine: Engine, through = store) => StoredSession.open(through, 's', { engine, clock, newId })
    const until = async (holds: () => boolean | Promise<boolean>) => {
      for (let step = 0; step < 400; step += 1) {
        if (await holds()) return
        await clock.advance(100)
      }
      throw new Error('it does not come to that')
    }
    onTestFinished(async () => {
      if ((await store.head('s')) !== undefined) expect(violations(await historyOf(store, 's', false))).toEqual([])
      await store.close()
    })
    return { clock, store, open, until }
  }

  test('decide on an approval once: what one was told is not undone by the time that is up in another', async () => {
    const { clock, store, open, until } = await place()
    const pay = testTool('pay', () => 'paid', { needsApproval: () => true })
    const engine = eventEngine(toolReply(['c', 'pay']), textReply('Paid.'))
    const owner = await open(toolLoop(engine, [pay], { approvalTimeoutMs: 1_500 }))
    await owner.submit('Pay')
    await until(async () => (await owner.state()).approvals.length === 1)
    const [approval] = (await owner.state()).approvals
    const other = await open(eventEngine())
    await clock.advance(Date.parse(approval?.expiresAt ?? '') - 1 - clock.now())
    await other.decide(approval?.approvalId ?? '', { decision: 'approved' }) // who runs it looks once a second
    await clock.advance(1)
    await until(async () => (await owner.turns()).length === 1)
    const [turn] = await owner.turns()
    expect(turn && answersOf(turn)).toEqual([['c', 'paid']])
    const decisions = (await store.read('s', { after: 0 })).filter(({ type }) => type === 'approval-decided')
    expect(decisions).toHaveLength(1)
    await Promise.all([owner.close(), other.close()])
  })

  test('a decision that comes too late is refused, and the time is up for all', async () => {
    const { clock, store, open, until } = await place()
    const process = { isDead: false }
    const pay = testTool('pay', () => 'paid', { needsApproval: () => true })
    const engine = eventEngine(toolReply(['c', 'pay']), textReply('Not paid.'))
    const first = await open(toolLoop(engine, [pay], { approvalTimeoutMs: 5_000 }), mortalStore(store, process))
    await first.submit('Pay')
    await until(async () => (await first.state()).approvals.length === 1)
    const [approval] = (await first.state()).approvals
    process.isDead = true
    await clock.advance(20_000)
    const other = await open(toolLoop(engine, [pay]))
    const decided = other.decide(approval?.approvalId ?? '', { decision: 'approved' })
    await expect(decided).rejects.toMatchObject({ code: 'APPROVAL_UNKNOWN' })
    await until(async () => (await other.turns()).length === 1)
    const [turn] = await other.turns()
    expect(turn && answersOf(turn)).toEqual([['c', 'the tool was not run: nobody approved it in time']])
    await other.close()
  })

  test('a cancel is carried out though who ran the inference is dead, and nobody else looked after it', async () => {
    const { clock, store, open, until } = await place()
    const idle = await open(eventEngine())
    const process = { isDead: false }
    const first = await open(eventEngine([forEver]), mortalStore(store, process))
    const { id } = await first.submit('Go')
    await until(async () => (await idle.state()).active !== undefined)
    process.isDead = true
    expect(await idle.cancel(id)).toBe(true)
    await clock.advance(15_000)
    await until(async () => (await store.read('s', { after: 0 })).at(-1)?.type === 'inference-stopped')
    await idle.close()
  })

  test('no command for a session that was deleted reaches the one that is made under its id', async () => {
    const { store, open } = await place()
    await createSession(store, { id: 's', tenant: 'anna' })
    const session = await open(eventEngine(textReply('One.')))
    const inference = await session.submit('one', { idempotencyKey: 'k' })
    await inference.result
    await store.delete('s')
    const gone = { code: 'SESSION_UNKNOWN' }
    await expect(session.submit('two')).rejects.toMatchObject(gone)
    expect(await store.head('s')).toBeUndefined()
    await createSession(store, { id: 's', tenant: 'bert' })
    const other = await open(eventEngine(textReply('Two.')))
    await (
      await other.submit('mine', { idempotencyKey: 'k' })
    ).result
    const before = await store.head('s')
    await expect(session.submit('one', { idempotencyKey: 'k' })).rejects.toMatchObject(gone)
    await expect(session.submit('two', { whileRunning: 'replace' })).rejects.toMatchObject(gone)
    await expect(session.rename('Mine')).rejects.toMatchObject(gone)
    await expect(session.cancel()).rejects.toMatchObject(gone)
    expect([await session.latest(), await session.state()]).toEqual([undefined, { queue: [], approvals: [] }])
    expect(await store.head('s')).toEqual(before)
    await Promise.all([session.close(), other.close()])
  })

  test.each(['submit', 'rename'] as const)(
    'a %s that another makes the session anew under is not written into that one',
    async (command) => {
      const { store, open } = await place()
      const session = await open(eventEngine(textReply('One.')))
      await (
        await session.submit('one')
      ).result
      // The deletion, and the other one's first prompt, come between what is read and what is committed.
      let isMeddled = false
      const meddled = new Proxy(store, {
        get(target, name) {
          const member: unknown = Reflect.get(target, name)
          if (typeof member !== 'function') return member
          return async (...given: unknown[]): Promise<unknown> => {
            if (name === 'commit' && !isMeddled) {
              isMeddled = true
              await target.delete('s')
              const other = await open(eventEngine(textReply('Two.')))
              await (
                await other.submit('mine')
              ).result
              await other.close()
            }
            return Reflect.apply(member, target, given) as unknown
          }
        },
      })
      const late = await open(eventEngine(), meddled)
      const done: Promise<unknown> = command === 'submit' ? late.submit('two') : late.rename('Mine')
      await expect(done).rejects.toMatchObject({ code: 'SESSION_UNKNOWN' })
      const types = (await store.read('s', { after: 0 })).map(({ type }) => type)
      expect(types.filter((type) => type === 'prompt-accepted' || type === 'session-renamed')).toHaveLength(1)
      await Promise.all([session.close(), late.close()])
    },
  )
})
