import { expect, test } from 'vitest'
import { eventEngine, forEver, textReply } from '../../test/support/event-engine.ts'
import { FakeClock, settle } from '../../test/support/fake-clock.ts'
import { mortalStore } from '../../test/support/mortal-store.ts'
import { countingIds } from '../../test/support/values.ts'
import { MemoryStore } from '../store/memory-store.ts'
import type { Store } from '../store/store.ts'
import { Conversations } from './conversations.ts'
import { localUser, type Principal } from './principal.ts'

function conversationsOf(store: Store, clock: FakeClock, engine = eventEngine([forEver]), name = 'id') {
  const errors: unknown[] = []
  const onError = (error: unknown) => void errors.push(error)
  const conversations = new Conversations({ store, engine, clock, newId: countingIds(name), sinks: [], onError })
  return { conversations, errors }
}
const rest = async () => {
  for (let turn = 0; turn < 20; turn += 1) await settle()
}
const anna: Principal = { ...localUser, tenant: 'anna' }
const bert: Principal = { ...localUser, tenant: 'bert' }

test('sessions stop in time though their store answers nothing any more', async () => {
  const clock = new FakeClock()
  const life = { isDead: false }
  const { conversations, errors } = conversationsOf(mortalStore(new MemoryStore({ clock }), life), clock)
  await conversations.start()
  const { session } = await conversations.findOrCreate(anna, 's')
  await session.submit('Hello')
  await rest()
  life.isDead = true
  let isOver = false
  const stopped = conversations.stop(8_000).then(() => (isOver = true))
  await clock.advance(8_999)
  expect([isOver, errors]).toEqual([false, []])
  await clock.advance(1)
  await stopped
  expect(errors).toMatchObject([{ code: 'STORE_BUSY' }])
})

test('a session that was deleted, and made anew by another tenant, is not reached by who had it', async () => {
  const clock = new FakeClock()
  const store = new MemoryStore({ clock })
  // Two processes: one has the session open, the other deletes it.
  const first = conversationsOf(store, clock, eventEngine(textReply('One.')), 'one')
  const second = conversationsOf(store, clock, eventEngine(textReply('Two.')), 'two')
  const { session } = await first.conversations.findOrCreate(anna, 's')
  await second.conversations.delete(anna, 's')
  await second.conversations.create(bert, 's')
  await expect(first.conversations.find(anna, 's')).rejects.toMatchObject({ code: 'SESSION_UNKNOWN' })
  await expect(session.submit('Hello')).rejects.toMatchObject({ code: 'SESSION_UNKNOWN' })
  const his = (await first.conversations.find(bert, 's')).session
  expect(his).not.toBe(session)
  await (
    await his.submit('Hello')
  ).result
  expect((await store.head('s'))?.tenant).toBe('bert')
  await Promise.all([first.conversations.stop(0), second.conversations.stop(0)])
})

test('a session that goes while it is opened is not made anew', async () => {
  const clock = new FakeClock()
  const store = new MemoryStore({ clock })
  let isDeleting = false
  const meddled = new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      return async (...given: unknown[]): Promise<unknown> => {
        const answer: unknown = await Reflect.apply(member, target, given)
        if (name === 'head' && isDeleting) await target.delete('s')
        return answer
      }
    },
  })
  const { conversations } = conversationsOf(meddled, clock)
  await conversations.create(anna, 's')
  isDeleting = true
  await expect(conversations.find(anna, 's')).rejects.toMatchObject({ code: 'SESSION_UNKNOWN' })
  expect(await store.head('s')).toBeUndefined()
  await conversations.stop(0)
})
