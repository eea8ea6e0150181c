import { spawn } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { SqliteStore } from './sqlite-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'geppetto-kill-'))
afterAll(() => rmSync(folder, { recursive: true }))

const writer = resolve(import.meta.dirname, '../../test/support/store-writer.ts')
const kills = 50

/** Runs a writer for so many sessions until it has said so many lines, kills it, and gives the last ordinal that it said of each session. */
function writeAndKill(file: string, sessions: number, lines: number): Promise<ReadonlyMap<string, number>> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [writer, file, `${sessions}`], { stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.split('\n').length > lines) child.kill('SIGKILL')
    })
    child.on('error', fail)
    child.on('close', (_code, signal) => {
      if (signal !== 'SIGKILL') fail(new Error(`the writer ended by itself: ${said}`))
      done(new Map([...said.matchAll(/^(\w) (\d+)\n/gm)].map(([, id = '', ordinal]) => [id, Number(ordinal)])))
    })
  })
}

async function checkWhole(store: SqliteStore, sessionId: string, atLeast: number): Promise<void> {
  const { ordinal = 0 } = (await store.head(sessionId)) ?? {}
  expect(ordinal).toBeGreaterThanOrEqual(atLeast)
  expect(ordinal % 5).toBe(0)
  const log = await store.read(sessionId, { after: 0, limit: 1e6, maxChars: 1e9 })
  expect(log.map((entry) => entry.ordinal)).toEqual(Array.from({ length: ordinal }, (_, index) => index + 1))
}

test(`nothing acknowledged is lost when the process is killed, ${kills} times`, { timeout: 240_000 }, async () => {
  const file = join(folder, 'killed.db')
  const acknowledged = new Map<string, number>()
  for (let kill = 0; kill < kills; kill += 1) {
    const said = await writeAndKill(file, kill % 2 === 0 ? 3 : 12, (kill * 7) % 160)
    for (const [sessionId, ordinal] of said) acknowledged.set(sessionId, ordinal)
    const store = await SqliteStore.open(file)
    expect(await store.integrity()).toEqual([])
    for (const [sessionId, ordinal] of acknowledged) await checkWhole(store, sessionId, ordinal)
    await store.close()
  }
  expect(acknowledged.size).toBe(12)
})

test('when the end of the journal is lost, only the last commits are', async () => {
  const file = join(folder, 'cut.db')
  const copy = join(folder, 'copy.db')
  const create = { incarnation: 'first', createdAt: '2026-01-01T00:00:00.000Z' }
  const first = await SqliteStore.open(file)
  await first.commit({ sessionId: 'a', create, entries: [] })
  await first.close()
  const store = await SqliteStore.open(file)
  const entries = Array.from({ length: 5 }, () => ({ type: 'x', body: '{}' }))
  for (let commit = 0; commit < 30; commit += 1) await store.commit({ sessionId: 'a', entries })
  const sectors = Math.ceil(statSync(`${file}-wal`).size / 512)
  let before = 0
  for (let sector = 0; sector <= sectors; sector += 7) {
    copyFileSync(file, copy)
    copyFileSync(`${file}-wal`, `${copy}-wal`)
    truncateSync(`${copy}-wal`, sector * 512)
    const cut = await SqliteStore.open(copy)
    expect(await cut.integrity()).toEqual([])
    await checkWhole(cut, 'a', before)
    before = (await cut.head('a'))?.ordinal ?? 0
    await cut.close()
    rmSync(copy)
  }
  expect(before).toBeGreaterThan(100)
  await store.close()
})
