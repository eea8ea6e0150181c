import { describe, expect, test } from 'vitest'
import { eventEngine, forEver, textReply, type EngineStep } from '../../test/support/event-engine.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { violations } from '../../test/support/history.ts'
import { historyOf } from '../../test/support/session-work.ts'
import { countingIds } from '../../test/support/values.ts'
import { MemoryStore } from '../store/memory-store.ts'
import type { Store } from '../store/store.ts'
import { Session } from './session.ts'
import type { StoredSession } from './stored-session.ts'

/** The store, with some of what it does done otherwise. */
function changed(store: Store, changes: Partial<Store>): Store {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(changes, name) ?? Reflect.get(target, name)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    },
  })
}

describe('a store that commits, and cannot be read just then', () => {
  /** A session of which another process says something while deltas come; what it said cannot be read at first. */
  async function meddled(meddle: (other: StoredSession) => Promise<unknown>, end: readonly EngineStep[]) {
    const clock = new FakeClock()
    const store = new MemoryStore({ clock })
    let failures = 0
    const flaky = changed(store, {
      read: async (...given) => {
        if (failures === 0) return store.read(...given)
        failures -= 1
        throw new Error('the disk is busy')
      },
    })
    const other = await Session.open(store, 's', { engine: eventEngine(), clock, newId: countingIds('other') })
    await other.close() // it speaks, and answers nothing
    const reply = textReply('Hello')
    const meddles = async () => {
      await clock.advance(60)
      await meddle(other)
      failures = 1
    }
    const engine = eventEngine(
      [...reply.slice(0, 2), meddles, ...reply.slice(2, 3), () => clock.advance(60), ...end],
      textReply('two'),
    )
    const session = await Session.open(flaky, 's', { engine, clock, newId: countingIds() })
    await session.submit('a')
    for (let step = 0; step < 100 && (await store.head('s'))?.hasWork !== false; step += 1) await clock.advance(100)
    expect(failures).toBe(0)
    expect(violations(await historyOf(store, 's', true))).toEqual([])
    return (await store.read('s', { after: 0, limit: 1_000 })).map(({ type }) => type)
  }

  test('has each event once, and answers what was asked in between', async () => {
    const types = await meddled((other) => other.submit('b'), textReply('Hello').slice(3))
    expect(types.filter((type) => type === 'text-delta')).toHaveLength(2)
    expect(types.filter((type) => type === 'inference-finished')).toHaveLength(2)
  })

  test('hears a cancel all the same', async () => {
    const types = await meddled((other) => other.cancel(), [forEver])
    expect(types.filter((type) => type === 'text-delta')).toHaveLength(1)
    expect(types.at(-1)).toBe('inference-stopped')
  })
})
