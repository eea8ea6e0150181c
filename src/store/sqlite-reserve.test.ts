import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { canMountDisks, mountDisk, type SmallDisk } from '../../test/support/small-disk.ts'
import { isFull } from './sqlite-error.ts'
import { giveUpReserve, keepReserve, reserveBytes, reserveOf } from './sqlite-reserve.ts'
import { SqliteStore } from './sqlite-store.ts'
import type { Commit } from './store.ts'

const folder = mkdtempSync(join(tmpdir(), 'geppetto-reserve-'))
afterAll(() => rmSync(folder, { recursive: true }))

const create = { incarnation: 'first', createdAt: '2026-01-01T00:00:00.000Z' }
const entry = (size = 10, names: readonly string[] = []) => ({
  type: 'x',
  body: JSON.stringify('x'.repeat(size)),
  names,
})
const end = (sessionId: string): Commit => ({ sessionId, entries: [entry(5000)], endsWork: true })
const full = { code: 'STORE_FULL' }

describe('the reserve of a store', () => {
  test('is really on the disk, is made with the first commit, and is made anew when it was cut', async () => {
    const file = join(folder, 'a.db')
    const store = await SqliteStore.open(file)
    const reserve = `${file}-reserve`
    expect(existsSync(reserve)).toBe(false)
    await store.commit({ sessionId: 's', create, entries: [entry()] })
    const { size, blocks } = statSync(reserve)
    expect([size, blocks * 512]).toEqual([reserveBytes, reserveBytes])
    truncateSync(reserve, 1000)
    await store.commit({ sessionId: 's', entries: [entry()] })
    expect(statSync(reserve).size).toBe(reserveBytes)
    await store.close()
  })

  test('is one for all names of the file, and none for a store in memory', async () => {
    const file = join(folder, 'b.db')
    await (await SqliteStore.open(file)).close()
    symlinkSync(file, join(folder, 'link.db'))
    expect(reserveOf(join(folder, 'link.db'))).toBe(reserveOf(file))
    expect(reserveOf(':memory:')).toBeUndefined()
    expect(keepReserve(undefined)).toBe(true)
    giveUpReserve(undefined)
  })

  test('is done without where the folder takes no new file', () => {
    expect(keepReserve(join(folder, 'none', 'a.db-reserve'))).toBe(true)
  })
})

const canMount = canMountDisks('what a full disk still lets do')

describe.runIf(canMount)('on a disk that is full', () => {
  let disk: SmallDisk
  let file: string
  let store: SqliteStore

  // Sessions until the disk is full, and then another program takes what is left.
  beforeEach(async () => {
    disk = mountDisk('16m')
    file = join(disk.folder, 'a.db')
    store = await SqliteStore.open(file)
    for (const id of ['old', 'new', 'small']) await store.commit({ sessionId: id, create, entries: [] })
    const fill = async () => {
      for (let at = 0; ; at += 1) {
        await store.commit({
          sessionId: at % 2 === 0 ? 'old' : 'new',
          entries: [entry(20_000, [`name-${at}`]), entry()],
        })
      }
    }
    const error: unknown = await fill().catch((thrown: unknown) => thrown)
    if (!isFull(error, file)) throw error
    disk.fill()
  })
  afterEach(async () => {
    await store.close()
    disk.unmount()
  })

  const submits = (sessionId: string) => store.commit({ sessionId, entries: [entry(5000)] })

  test('ends of inferences and claims are written, new work is not', async () => {
    await expect(submits('new')).rejects.toMatchObject(full)
    for (let round = 0; round < 10; round += 1) {
      const claim = await store.claim('new', 'anna', 1000)
      expect(claim).toMatchObject({ status: 'claimed' })
      expect(await store.commit(end('new'))).toMatchObject({ status: 'committed' })
      if (claim.status === 'claimed') await store.release('new', claim.head.epoch)
      await expect(submits('new')).rejects.toMatchObject(full)
      await expect(store.commit({ sessionId: `${round}`, create, entries: [] })).rejects.toMatchObject(full)
    }
    expect(await store.integrity()).toEqual([])
  })

  test('many claims use up nothing', async () => {
    for (let round = 0; round < 2000; round += 1) await store.claim('new', 'anna', 1000)
    expect(await store.commit(end('new'))).toMatchObject({ status: 'committed' })
    expect(await store.delete('old')).toBe(true)
  })

  test('a key that was used before still gives its answer', async () => {
    disk.remount('size=32m')
    const submission = { key: 'k', hash: 'h', answer: '{}' }
    await store.commit({ sessionId: 'new', entries: [entry()], submission })
    disk.fill()
    await store.release('new', 0)
    await store.claim('new', 'anna', 1000)
    expect(await store.commit({ sessionId: 'new', entries: [], submission })).toMatchObject({ status: 'duplicate' })
  })

  test.each<[string, (of: SqliteStore) => Promise<unknown>]>([
    ['a delete', (of) => of.delete('old')],
    ['a trim', (of) => of.trim('old', 1e9)],
  ])('%s makes room, in which the store goes on', async (_what, free) => {
    await expect(submits('new')).rejects.toMatchObject(full)
    await free(store)
    for (let round = 0; round < 200; round += 1) await submits('new')
    await expect(
      (async () => {
        for (;;) await submits('new')
      })(),
    ).rejects.toMatchObject(full)
    expect(await store.commit(end('new'))).toMatchObject({ status: 'committed' })
    expect(await store.delete('new')).toBe(true)
    expect(await submits('small')).toMatchObject({ status: 'committed' })
    expect(await store.integrity()).toEqual([])
  })

  test.each<[string, (of: SqliteStore) => Promise<unknown>]>([
    ['deleted', (of) => of.delete('long')],
    ['trimmed', (of) => of.trim('long', 1e9)],
  ])('a session whose removal takes more than the reserve is %s', async (_what, free) => {
    disk.remount('size=28m')
    const entries = Array.from({ length: 500 }, (_, index) => entry(200, [`${(index * 7919) % 500}`]))
    await store.commit({ sessionId: 'long', create, entries: [] })
    await expect(
      (async () => {
        for (;;) await store.commit({ sessionId: 'long', entries })
      })(),
    ).rejects.toMatchObject(full)
    disk.fill()
    expect((await store.head('long'))?.ordinal).toBeGreaterThan(20_000)
    await free(store)
    expect((await store.read('long', { after: 0 })).length).toBe(0)
    expect(await submits('new')).toMatchObject({ status: 'committed' })
    expect(await store.integrity()).toEqual([])
  })

  test('what is left of the space is kept when the store is closed, and is enough to open it and to delete', async () => {
    for (let round = 0; round < 200; round += 1) await store.commit(end('new'))
    await store.delete('small')
    await store.close()
    disk.fill()
    expect(statSync(`${file}-reserve`).size).toBeLessThan(reserveBytes)
    store = await SqliteStore.open(file)
    expect((await store.list()).length).toBe(2)
    await expect(submits('new')).rejects.toMatchObject(full)
    expect(await store.delete('old')).toBe(true)
    expect(await submits('new')).toMatchObject({ status: 'committed' })
  })

  test('a store that has room goes on in it, whether it has its reserve or not', async () => {
    await store.delete('old')
    disk.remount('size=24m')
    await store.close()
    store = await SqliteStore.open(file)
    disk.fill() // before the log has any length
    for (let round = 0; round < 300; round += 1) await submits('new')
    expect(await store.commit(end('new'))).toMatchObject({ status: 'committed' })
    expect(await store.integrity()).toEqual([])
  })

  test('another process does not take what one has given up', async () => {
    const other = await SqliteStore.open(file)
    await store.commit(end('new'))
    while (existsSync(`${file}-reserve`)) await store.commit(end('new'))
    await expect(other.commit({ sessionId: 'old', entries: [entry()] })).rejects.toMatchObject(full)
    expect(await other.commit(end('old'))).toMatchObject({ status: 'committed' })
    await other.close()
  })

  test('the reserve is back when there is space again', async () => {
    while (existsSync(`${file}-reserve`)) await store.commit(end('new'))
    disk.remount('size=32m')
    expect(await submits('new')).toMatchObject({ status: 'committed' })
    expect(statSync(`${file}-reserve`).size).toBe(reserveBytes)
  })

  test('a store is opened, read, checked, and freed of sessions', async () => {
    disk.remount('size=32m') // closed in order it leaves nothing beside it but the reserve
    await store.close()
    disk.fill()
    for (let round = 0; round < 3; round += 1) {
      store = await SqliteStore.open(file)
      expect((await store.list()).length).toBe(3)
      expect((await store.read('old', { after: 0, limit: 5 })).length).toBe(5)
      expect(await store.integrity()).toEqual([])
      await store.close()
      disk.fill()
    }
    store = await SqliteStore.open(file)
    expect(await store.delete('old')).toBe(true)
    expect(await submits('new')).toMatchObject({ status: 'committed' })
  })
})
