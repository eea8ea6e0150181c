import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, test } from 'vitest'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { canMountDisks, mountDisk } from '../../test/support/small-disk.ts'
import { newOwner } from './owner.ts'
import { SqliteStore } from './sqlite-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'geppetto-sqlite-'))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0
const newFile = () => join(folder, `${(files += 1)}.db`)

const create = { incarnation: 'first', createdAt: '2026-01-01T00:00:00.000Z' }
const entry = (size = 10) => ({ type: 'x', body: JSON.stringify('x'.repeat(size)) })

/** A closed store with some events in it. */
async function filledFile(): Promise<string> {
  const file = newFile()
  const store = await SqliteStore.open(file)
  await store.commit({ sessionId: 's', create, entries: Array.from({ length: 400 }, () => entry(200)) })
  await store.close()
  return file
}

test('what was committed is there when the file is opened again', async () => {
  const store = await SqliteStore.open(await filledFile())
  expect((await store.head('s'))?.ordinal).toBe(400)
  await store.close()
})

test('a write that cannot be done fails alone, whoever shares its transaction', async () => {
  const store = await SqliteStore.open(':memory:')
  await store.commit({ sessionId: 's', create, entries: [] })
  const results = await Promise.allSettled([
    store.commit({ sessionId: 's', entries: [entry()] }),
    store.commit({ sessionId: 's', entries: [entry(), { type: 'x', body: Symbol('no text') as never }] }),
    store.commit({ sessionId: 's', entries: [entry()] }),
  ])
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(results[1]).toMatchObject({ reason: { code: 'STORE_FAILED' } })
  expect((await store.read('s', { after: 0 })).map(({ ordinal }) => ordinal)).toEqual([1, 2])
  await store.close()
})

test('what is asked before the store is closed is done', async () => {
  const file = newFile()
  const store = await SqliteStore.open(file)
  const made = store.commit({ sessionId: 's', create, entries: [entry()] })
  await store.close()
  expect(await made).toMatchObject({ status: 'committed' })
  expect((await (await SqliteStore.open(file)).head('s'))?.ordinal).toBe(1)
})

test.each(['event SET body', 'block SET body', 'snapshot SET hash'])(
  'the file itself refuses UPDATE %s',
  async (set) => {
    const file = newFile()
    const store = await SqliteStore.open(file)
    const content = { turnId: 't', ranges: [[0, 1] as const], metadata: '{}', data: 0, hash: 'h', at: create.createdAt }
    const snapshots = [{ ...content, phase: 'pre_inference' as const, entry: 0 }]
    const blocks = { from: 0, rows: [{ hash: 'h', body: '1' }] }
    await store.commit({ sessionId: 's', create, entries: [entry()], blocks, snapshots })
    const database = new DatabaseSync(file)
    expect(() => database.exec(`UPDATE ${set} = 'other'`)).toThrow('never changed')
    database.close()
    await store.close()
  },
)

describe('a claim', () => {
  test('of a process that has died is free at once', async () => {
    const store = await SqliteStore.open(':memory:')
    await store.commit({ sessionId: 's', create, entries: [] })
    const { pid } = spawnSync(process.execPath, ['--version'])
    await store.claim('s', `${hostname()}:${pid}:gone`, 60_000)
    expect((await store.head('s'))?.owner).toBeUndefined()
    await store.claim('s', newOwner(), 60_000)
    expect(await store.claim('s', newOwner(), 60_000)).toMatchObject({ status: 'held' })
  })

  test('neither ends nor lasts longer when the time of the system is set', async () => {
    let [wall, ms] = [Date.UTC(2026, 0, 1), 0]
    const clock = { now: () => wall, monotonic: () => ms, schedule: () => () => undefined }
    const file = newFile()
    const store = await SqliteStore.open(file, { clock })
    await store.commit({ sessionId: 's', create, entries: [] })
    await store.claim('s', 'anna', 1000)
    wall += 3_600_000
    expect(await store.claim('s', 'bert', 1000)).toEqual({ status: 'held', owner: 'anna', forMs: 1000 })
    wall -= 7_200_000
    // A process that starts now is an hour behind: to it the claim lasts as long as it was made for, and no longer.
    const late = await SqliteStore.open(file, { clock })
    expect(await late.claim('s', 'bert', 1000)).toEqual({ status: 'held', owner: 'anna', forMs: 1000 })
    ms += 1000
    expect(await late.claim('s', 'bert', 1000)).toMatchObject({ status: 'claimed' })
    await Promise.all([store.close(), late.close()])
  })
})

describe('a file that is no store of ours', () => {
  test.each<[what: string, code: string, make: (file: string) => void]>([
    ['text', 'STORE_CORRUPT', (file) => writeFileSync(file, 'no database at all\n'.repeat(100))],
    ['a folder', 'STORE_FAILED', (file) => mkdirSync(file)],
    ["another program's", 'STORE_FAILED', (file) => new DatabaseSync(file).exec('CREATE TABLE theirs (x)')],
  ])('%s is refused', async (_what, code, make) => {
    const file = newFile()
    make(file)
    const before = statSync(file).isFile() && readFileSync(file)
    await expect(SqliteStore.open(file)).rejects.toMatchObject({ code, message: expect.stringContaining(file) })
    if (before) expect(readFileSync(file)).toEqual(before)
  })

  test('a newer version is refused and left as it is', async () => {
    const file = await filledFile()
    const database = new DatabaseSync(file)
    database.exec('PRAGMA user_version = 99')
    database.close()
    const before = readFileSync(file)
    await expect(SqliteStore.open(file)).rejects.toMatchObject({ code: 'STORE_VERSION' })
    expect(readFileSync(file)).toEqual(before)
  })

  test('a path in a folder that is not there is refused', async () => {
    const file = join(folder, 'none', 'a.db')
    await expect(SqliteStore.open(file)).rejects.toMatchObject({ code: 'STORE_FAILED' })
  })
})

describe('damage is told, and never passed over', () => {
  const faults = async (file: string): Promise<readonly string[]> => {
    try {
      const store = await SqliteStore.open(file)
      try {
        await store.read('s', { after: 0, limit: 1000, maxChars: 1e9 })
        return await store.integrity()
      } finally {
        await store.close()
      }
    } catch (error) {
      expect(error).toMatchObject({ code: 'STORE_CORRUPT' })
      return [String(error)]
    }
  }

  test.each([1, 5, 12, 20, 30])('in page %i', async (page) => {
    const file = await filledFile()
    writeSync(openSync(file, 'r+'), Buffer.alloc(4096, 0xa5), 0, 4096, page * 4096)
    expect(await faults(file)).not.toEqual([])
  })

  test.each([0.2, 0.5, 0.9])('when only %d of the file is left', async (share) => {
    const file = await filledFile()
    truncateSync(file, Math.floor((statSync(file).size * share) / 512) * 512)
    expect(await faults(file)).not.toEqual([])
  })
})

test('a lock that another process keeps is waited for a while, then told, and no harm is left', async () => {
  const file = await filledFile()
  const clock = new FakeClock()
  const store = await SqliteStore.open(file, { clock })
  const hold = `const d = new (require('node:sqlite').DatabaseSync)(process.argv[1]); d.exec('BEGIN IMMEDIATE')
    console.log('locked'); process.stdin.resume().on('end', () => process.exit())`
  const child = spawn(process.execPath, ['-e', hold, file], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  const refused = store.commit({ sessionId: 's', entries: [entry()] }).catch((error: unknown) => error)
  await clock.advance(5100)
  expect(await refused).toMatchObject({ code: 'STORE_BUSY' })
  expect(await store.read('s', { after: 399 })).toHaveLength(1)
  const waiting = store.commit({ sessionId: 's', entries: [entry()] })
  await clock.advance(100)
  child.stdin.end()
  await once(child, 'exit')
  await clock.advance(100)
  expect(await waiting).toEqual({ status: 'committed', ordinal: 401, version: 0 })
  await store.close()
})

describe('on a disk of its own', () => {
  const disk = canMountDisks('a full disk and a read-only one') ? mountDisk('8m') : undefined
  afterAll(() => disk?.unmount())

  test.runIf(disk)('a full disk is told, loses nothing, and is written again when there is space', async () => {
    const file = join(disk?.folder ?? '', 'a.db')
    const store = await SqliteStore.open(file)
    await store.commit({ sessionId: 's', create, entries: [] })
    let acknowledged = 0
    const fill = async () => {
      for (;;) {
        const result = await store.commit({ sessionId: 's', entries: [entry(20_000), entry()] })
        acknowledged = result.status === 'committed' ? result.ordinal : acknowledged
      }
    }
    await expect(fill()).rejects.toMatchObject({ code: 'STORE_FULL', message: expect.stringContaining(file) })
    expect(acknowledged).toBeGreaterThan(10)
    expect((await store.head('s'))?.ordinal).toBe(acknowledged)
    disk?.remount('size=16m')
    const next = await store.commit({ sessionId: 's', entries: [entry()] })
    expect(next).toMatchObject({ status: 'committed', ordinal: acknowledged + 1 })
    const log = await store.read('s', { after: 0, limit: 1e6, maxChars: 1e9 })
    expect(log.map(({ ordinal }) => ordinal)).toEqual(Array.from({ length: acknowledged + 1 }, (_, index) => index + 1))
    expect(await store.integrity()).toEqual([])
    await store.close()
  })

  test.runIf(disk)('a read-only one is told', async () => {
    const file = join(disk?.folder ?? '', 'b.db')
    await (await SqliteStore.open(file)).close()
    disk?.remount('ro')
    await expect(SqliteStore.open(file)).rejects.toMatchObject({ code: 'STORE_READ_ONLY' })
    disk?.remount('rw')
    await (await SqliteStore.open(file)).close()
  })
})
