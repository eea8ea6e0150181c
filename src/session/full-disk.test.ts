import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { command } from '../../test/support/command-line.ts'
import { eventEngine, textReply, untilAborted } from '../../test/support/event-engine.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { violations } from '../../test/support/history.ts'
import { historyOf } from '../../test/support/session-work.ts'
import { canMountDisks, mountDisk, type SmallDisk } from '../../test/support/small-disk.ts'
import { countingIds } from '../../test/support/values.ts'
import { SqliteStore } from '../store/sqlite-store.ts'
import { Session } from './session.ts'

const canMount = canMountDisks('sessions on a full disk')

describe.runIf(canMount)('on a full disk', () => {
  let disk: SmallDisk
  let file: string
  let store: SqliteStore
  let time: FakeClock

  beforeEach(async () => {
    disk = mountDisk('16m')
    file = join(disk.folder, 'a.db')
    time = new FakeClock()
    store = await SqliteStore.open(file, { clock: time })
    await store.commit({ sessionId: 'junk', create: { incarnation: 'junk', createdAt: '' }, entries: [] })
  })
  afterEach(async () => {
    await store.close()
    disk.unmount()
  })

  /** Another program takes the space, and the log of the store what it has still of its own. */
  const fill = async () => {
    disk.fill()
    const junk = { type: 'junk', body: JSON.stringify('x'.repeat(3000)) }
    await expect(
      (async () => {
        for (;;) await store.commit({ sessionId: 'junk', entries: [junk] })
      })(),
    ).rejects.toMatchObject({ code: 'STORE_FULL' })
  }
  const until = async (holds: () => boolean | Promise<boolean>) => {
    for (let step = 0; step < 400; step += 1) {
      if (await holds()) return
      await time.advance(100)
    }
    throw new Error('it does not come to that')
  }
  const isIdle = async () => (await store.head('s'))?.hasWork === false
  const typesOf = async () => (await store.read('s', { after: 0, limit: 1000 })).map(({ type }) => type)
  const text = textReply('Hello')

  test('what runs is ended with the reason, new prompts are refused, and service goes on when there is space', async () => {
    const filled = Promise.withResolvers<void>()
    const engine = eventEngine(
      [...text.slice(0, 3), () => fill().then(filled.resolve), ...text.slice(3)],
      textReply('well'),
    )
    const session = await Session.open(store, 's', { engine, clock: time, newId: countingIds() })
    await session.submit('a')
    await filled.promise
    await until(isIdle)
    const [last, ...before] = (await store.read('s', { after: 0, limit: 1000 })).toReversed()
    expect(last).toMatchObject({ type: 'inference-failed', body: expect.stringContaining('STORE_FULL') })
    expect(before.filter(({ type }) => type === 'inference-failed' || type === 'inference-interrupted')).toEqual([])
    await expect(session.submit('b')).rejects.toMatchObject({ code: 'STORE_FULL' })
    disk.remount('size=32m')
    await session.submit('c')
    await until(isIdle)
    expect((await session.latest())?.blocks.at(-1)?.payload).toEqual({ text: 'well' })
    expect(violations(await historyOf(store, 's', true))).toEqual([])
    await session.close()
  })

  test('what runs can be cancelled, and what waits goes on waiting', async () => {
    const engine = eventEngine([...text.slice(0, 3), (context) => untilAborted(context)], textReply('well'))
    const session = await Session.open(store, 's', { engine, clock: time, newId: countingIds() })
    await session.submit('a')
    await until(async () => (await typesOf()).includes('text-delta'))
    await session.submit('b')
    await fill()
    expect(await session.cancel()).toBe(true)
    await until(async () => (await typesOf()).includes('inference-stopped'))
    await time.advance(5000)
    expect((await session.state()).queue).toHaveLength(1)
    expect(engine.requests).toHaveLength(1)
    disk.remount('size=32m')
    await until(isIdle)
    expect((await session.latest())?.blocks.at(-1)?.payload).toEqual({ text: 'well' })
    expect(violations(await historyOf(store, 's', true))).toEqual([])
    await session.close()
  })

  test('the commands that read and that delete work', async () => {
    const session = await Session.open(store, 's', { engine: eventEngine(text), clock: time, newId: countingIds() })
    await session.submit('a')
    await until(isIdle)
    await session.close()
    await store.delete('junk')
    await store.close()
    disk.fill()
    const geppetto = (line: string) => command(line.split(' '), { env: { GEPPETTO_DB: file } })
    expect((await geppetto('sessions list')).stdout).toContain('idle')
    disk.fill()
    expect((await geppetto('sessions show s')).stdout).toContain('Hello')
    expect((await geppetto('sessions export s')).stdout).toContain('"kind":"end"')
    expect((await geppetto('trace s')).exitCode).toBe(0)
    expect(await geppetto('doctor')).toMatchObject({ exitCode: 0, stdout: 'All is well.\n' })
    disk.fill()
    expect(await geppetto('run hello --pace 0 --session t')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('STORE_FULL'),
    })
    disk.fill()
    expect((await geppetto('sessions delete s')).exitCode).toBe(0)
    expect((await geppetto('sessions list -o json')).stdout).not.toContain('"s"')
  })
})
