import { describe, expect, test } from 'vitest'
import { scripted } from '../providers/scripted/engine.ts'
import { MemoryStore } from '../store/memory-store.ts'
import { runtimeKey } from '../turns/keys.ts'
import { createSession, forkSession } from './fork.ts'
import { Session } from './session.ts'

describe('the runtime of a prompt', () => {
  test('is what the turn says to the engine, and stays until another one is named', async () => {
    const store = new MemoryStore()
    const seen: unknown[] = []
    const engine = scripted({ pace: 0 })
    const session = await Session.open(store, 's', {
      engine: (turn, context) => {
        seen.push(runtimeKey.get(turn))
        return engine(turn, context)
      },
    })
    for (const runtime of [undefined, { profile: 'poet' }, undefined, 'plain']) {
      await (
        await session.submit('Hello', runtime === undefined ? {} : { runtime })
      ).result
    }
    expect(seen).toEqual([undefined, { profile: 'poet' }, { profile: 'poet' }, 'plain'])
    await session.close()
  })

  test('belongs to what an idempotency key stands for', async () => {
    const session = await Session.open(new MemoryStore(), 's', { engine: scripted({ pace: 0 }) })
    const first = await session.submit('Hello', { idempotencyKey: 'k', runtime: 'a' })
    expect((await session.submit('Hello', { idempotencyKey: 'k', runtime: 'a' })).id).toBe(first.id)
    await expect(session.submit('Hello', { idempotencyKey: 'k', runtime: 'b' })).rejects.toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
    })
    await first.result
    await session.close()
  })
})

describe('a session that is made before anyone says anything', () => {
  test('is forked for whose it is, or for whoever is named', async () => {
    const store = new MemoryStore()
    await createSession(store, { id: 's', tenant: 'anna' })
    const session = await Session.open(store, 's', { engine: scripted({ pace: 0 }) })
    await (
      await session.submit('Hello')
    ).result
    await forkSession(store, 's', { id: 'hers' })
    await forkSession(store, 's', { id: 'his', tenant: 'bert' })
    expect([(await store.head('hers'))?.tenant, (await store.head('his'))?.tenant]).toEqual(['anna', 'bert'])
    await session.close()
  })

  test('is there, empty, once however often it is made, and another tenant cannot have its id', async () => {
    const store = new MemoryStore()
    const id = await createSession(store, { tenant: 'anna' })
    expect(await createSession(store, { id, tenant: 'anna' })).toBe(id)
    expect(await store.head(id)).toMatchObject({ ordinal: 0, tenant: 'anna', hasWork: false })
    await expect(createSession(store, { id, tenant: 'bert' })).rejects.toMatchObject({ code: 'SESSION_EXISTS' })
    const session = await Session.open(store, id, { engine: scripted({ pace: 0 }) })
    await (
      await session.submit('Hello')
    ).result
    expect((await store.head(id))?.tenant).toBe('anna')
    await session.close()
  })
})

describe('a prompt that comes while another is answered', () => {
  const [slow, fast] = [scripted({ pace: 1 }), scripted({ pace: 0 })]
  const opened = () =>
    Session.open(new MemoryStore(), 's', {
      engine: (turn, context) => (runtimeKey.get(turn) === 'fast' ? fast : slow)(turn, context),
    })

  test('is refused when it may not wait, and is accepted when nothing runs', async () => {
    const session = await opened()
    const first = await session.submit('Say one two three', { whileRunning: 'refuse' })
    await expect(session.submit('Say four', { whileRunning: 'refuse' })).rejects.toMatchObject({ code: 'SESSION_BUSY' })
    await first.cancel()
    await first.result.catch(() => {})
    await (await session.submit('Say four', { whileRunning: 'refuse' })).cancel()
    await session.close()
  })

  test('takes the place of what runs and of what waits', async () => {
    const session = await opened()
    const running = await session.submit('Say one two three')
    const waiting = await session.submit('Say four')
    const last = await session.submit('Say five', { whileRunning: 'replace', runtime: 'fast' })
    for (const replaced of [running, waiting]) {
      await expect(replaced.result).rejects.toMatchObject({ code: 'INFERENCE_CANCELLED' })
    }
    const events = []
    for await (const event of last) events.push(event.type)
    expect(events.at(-1)).toBe('inference-finished')
    await session.close()
  })
})

describe('the name of a session', () => {
  test('is given once something was said, and is a part of its log', async () => {
    const store = new MemoryStore()
    const session = await Session.open(store, await createSession(store, { id: 's' }), {
      engine: scripted({ pace: 0 }),
    })
    await expect(session.rename('Plans')).rejects.toMatchObject({ code: 'SESSION_EMPTY_TURN' })
    await (
      await session.submit('Hello')
    ).result
    await session.rename('Plans')
    await session.rename('Plans')
    await session.rename('More plans')
    expect((await session.state()).title).toBe('More plans')
    const titles = (await store.read('s', { after: 0 })).filter(({ type }) => type === 'session-renamed')
    expect(titles).toHaveLength(2)
    await session.close()
  })
})
