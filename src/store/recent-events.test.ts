import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { RecentEvents } from './recent-events.ts'
import { openDatabase } from './sqlite-schema.ts'
import { prepareAll } from './sqlite-statements.ts'
import { SqliteStore } from './sqlite-store.ts'
import type { LogEntry } from './store.ts'
import type { WriteQueue } from './write-queue.ts'

let folder: string
let store: SqliteStore
const file = () => join(folder, 'chats.db')
const ids = Array.from({ length: 20 }, (_, index) => `s${index}`)
const createdAt = () => new Date().toISOString() // the store's clock is the system's

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'geppetto-recent-'))
  store = await SqliteStore.open(file())
  const create = () => ({ incarnation: 'i', createdAt: createdAt() })
  await Promise.all(
    ids.map((sessionId) => store.commit({ sessionId, create: create(), entries: [entry('begun', [sessionId])] })),
  )
})
afterEach(async () => {
  await store.close()
  rmSync(folder, { recursive: true })
})

function entry(word: string, names?: readonly string[]) {
  return { type: 'info', body: JSON.stringify({ word }), ...(names && { names: names.map((name) => `name-${name}`) }) }
}

/** All sessions write at once, so often. */
async function write(times: number, from = 0): Promise<void> {
  for (let at = from; at < from + times; at += 1) {
    const written = ids.map((sessionId) => store.commit({ sessionId, entries: [entry(`${at}`), entry(`${at}+`)] }))
    await Promise.all(written)
  }
}

function words(entries: readonly LogEntry[]): string {
  return entries.map(({ body }) => (JSON.parse(body) as { readonly word: string }).word).join(' ')
}

function count(table: 'event' | 'recent'): number {
  const database = new DatabaseSync(file(), { readOnly: true })
  try {
    return Number(database.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.['count'])
  } finally {
    database.close()
  }
}

const all = 'begun 0 0+ 1 1+ 2 2+'

test('what a crowd writes lies together, and reads as if it were in its place', async () => {
  await write(3)
  expect(count('recent')).toBeGreaterThan(40)
  const other = await SqliteStore.open(file())
  for (const reader of [store, other]) {
    for (const sessionId of ids) {
      const entries = await reader.read(sessionId, { after: 0 })
      expect([words(entries), entries.map(({ ordinal }) => ordinal)]).toEqual([all, [1, 2, 3, 4, 5, 6, 7]])
      expect(words(await reader.read(sessionId, { after: 1, limit: 2 }))).toBe('0 0+')
      expect((await reader.head(sessionId))?.ordinal).toBe(7)
    }
    expect((await reader.list()).map(({ ordinal }) => ordinal)).toEqual(ids.map(() => 7))
    expect(await reader.integrity()).toEqual([])
  }
  await other.close()
})

test('another process goes on behind it', async () => {
  await write(3)
  const other = await SqliteStore.open(file())
  const committed = await other.commit({ sessionId: 's3', entries: [entry('more', ['found'])] })
  expect(committed).toMatchObject({ status: 'committed', ordinal: 8 })
  await write(1, 3)
  expect(words(await other.read('s3', { after: 0 }))).toBe(`${all} more 3 3+`)
  expect(await other.find('name-found')).toEqual([{ sessionId: 's3', ordinal: 8 }])
  expect(await store.integrity()).toEqual([])
  await other.close()
})

test('it goes to its place when it is much, and when the crowd has gone', { timeout: 60_000 }, async () => {
  await write(220)
  expect(count('recent')).toBeLessThan(10_000)
  expect(count('event')).toBeGreaterThan(200)
  expect(await store.integrity()).toEqual([])
  await vi.waitFor(async () => {
    await store.commit({ sessionId: 's0', entries: [entry('alone')] })
    expect(count('recent')).toBe(0)
  }, 20_000)
  expect(await store.integrity()).toEqual([])
  expect(words(await store.read('s7', { after: 439 }))).toBe('219 219+')
})

test('nothing is lost when the transaction that puts it in place is undone and done again', async () => {
  const database = openDatabase(':memory:', 100)
  const sql = prepareAll(database)
  const twice = async (write: () => void) => {
    for (const end of ['ROLLBACK', 'COMMIT']) {
      database.exec('BEGIN')
      write()
      database.exec(end)
    }
  }
  const recent = new RecentEvents(sql, { isCrowded: false, run: twice } as unknown as WriteQueue) // what it uses of it
  for (const id of ids) sql.addSession.get(id, 'i', '', createdAt(), createdAt(), 0, 1, '{}', 0)
  for (let ordinal = 1; ordinal <= 100; ordinal += 1) {
    for (const number of ids.keys()) recent.add(number + 1, ordinal, [entry(`${ordinal}`)])
  }
  recent.settle()
  await vi.waitFor(() => expect(database.prepare('SELECT count(*) AS count FROM recent').get()?.['count']).toBe(0))
  for (const id of ids) expect(sql.events.all(id, 0, 1_000)).toHaveLength(100)
  database.close()
})

test('a process that died leaves it for the next one', async () => {
  await write(3)
  const copy = join(folder, 'copy.db')
  const database = new DatabaseSync(file())
  database.exec(`VACUUM INTO '${copy}'`)
  database.close()
  const next = await SqliteStore.open(copy)
  await next.commit({ sessionId: 's1', entries: [entry('more')] })
  expect(words(await next.read('s1', { after: 0 }))).toBe(`${all} more`)
  expect(await next.integrity()).toEqual([])
  await next.close()
})

test('trimming and deleting take it along', async () => {
  await write(3)
  await store.trim('s1', 4)
  await store.trim('s2', Infinity)
  await store.delete('s3')
  expect(words(await store.read('s1', { after: 0 }))).toBe('1 1+ 2 2+')
  expect(await store.read('s2', { after: 0 })).toEqual([])
  expect(await store.head('s2')).toMatchObject({ ordinal: 7, firstOrdinal: 8 })
  expect(await store.head('s3')).toBeUndefined()
  expect(await store.integrity()).toEqual([])
  expect(await store.commit({ sessionId: 's2', entries: [entry('more')] })).toMatchObject({ ordinal: 8 })
})

test.each([
  ['an event that is gone', 'DELETE FROM recent WHERE session = 2 AND ordinal = 5'],
  ['an event of nobody', "INSERT INTO recent (session, ordinal, type, body) VALUES (99, 1, 'info', '{}')"],
  [
    'an event that is there twice',
    'INSERT INTO event SELECT session, ordinal, type, body FROM recent WHERE session = 2',
  ],
])('the look for damage finds %s', async (_what, sql) => {
  await write(3)
  const database = new DatabaseSync(file())
  database.exec(sql)
  database.close()
  expect(await store.integrity()).toHaveLength(1)
})
