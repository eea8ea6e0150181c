import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkStore } from '../../src/session/doctor.ts'
import { SqliteStore } from '../../src/store/sqlite-store.ts'
import { check, killLoop, poison } from './kill-loop.ts'

// Kills a process that works on a store, again and again, and then holds everything that is in the store to everything
// that anybody was told or saw. KILLS and KILL_SEED choose how often, and which sequence of works and deaths.

const kills = Number(process.env['KILLS'] ?? 300)
const lanes = 2
const seed = Number(process.env['KILL_SEED'] ?? Math.floor(Math.random() * 1e9))

const newFolder = () => mkdtempSync(join(tmpdir(), 'geppetto-kill-'))

async function doctor(folder: string): Promise<readonly string[]> {
  const store = await SqliteStore.open(join(folder, 'sessions.db'))
  const found: string[] = []
  for await (const { message, sessionId } of checkStore(store)) found.push(`doctor: ${sessionId ?? ''} ${message}`)
  await store.close()
  return found
}

test(`${kills} kills at any instant lose nothing, run no tool twice, and leave nothing behind`, async () => {
  const folders = Array.from({ length: lanes }, newFolder)
  const each = Math.ceil(kills / lanes)
  const failures = await Promise.all(folders.map((folder, at) => killLoop(folder, seed + at * 100_000, each)))
  const reports = folders.map(check)
  const sum = (count: (report: (typeof reports)[number]) => number) => reports.reduce((all, one) => all + count(one), 0)
  const met = (type: string) => sum(({ events }) => events.get(type) ?? 0)
  const all = sum(({ events }) => [...events.values()].reduce((total, count) => total + count, 0))
  console.log(
    [
      `kill loop: seed ${seed}, ${each * lanes} kills, ${sum(({ sessions }) => sessions)} sessions, ${all} events,`,
      `${sum(({ told }) => told.acks.length)} acknowledgements, ${sum(({ told }) => told.effects.length)} tool starts,`,
      `${sum(({ told }) => told.seen.length)} events seen; ${met('prompt-accepted')} prompts,`,
      `${met('inference-resumed')} resumptions, ${met('inference-handed-over')} hand-overs, ${met('attempt-discarded')} replies discarded,`,
      `${met('approval-decided')} decisions, ${met('inference-finished')} finished, ${met('inference-stopped')} stopped,`,
      `${met('inference-failed INFERENCE_POISONED')} given up`,
    ].join(' '),
  )
  const doctors = await Promise.all(folders.map(doctor))
  const found = [...failures, ...reports.map((report) => report.found), ...doctors].flat()
  expect({ seed, folders, found }).toEqual({ seed, folders, found: [] })
  // A loop that does nothing loses nothing.
  for (const type of [
    'inference-resumed',
    'inference-handed-over',
    'attempt-discarded',
    'approval-decided',
    'inference-finished',
  ])
    expect([type, met(type) > 0]).toEqual([type, true])
  expect(sum(({ told }) => told.acks.length)).toBeGreaterThan(kills)
  expect(met('inference-failed TOOL_FAILED') + met('inference-failed STORE_FAILED')).toBe(0)
  for (const folder of folders) rmSync(folder, { recursive: true })
}, 600_000)

test('an inference that kills its process is given up after three restarts, and what waits behind it goes on', async () => {
  const folder = newFolder()
  expect(await poison(folder)).toBe(4)
  const { found, told, ends } = check(folder)
  expect({ folder, found }).toEqual({ folder, found: [] })
  const endOf = (prompt: string) => ends.get(told.acks.find(({ key }) => key === prompt)?.inferenceId ?? '')
  const deadly = told.effects.filter(({ tool }) => tool === 'tool_deadly')
  expect([deadly.length, new Set(deadly.map(({ idempotencyKey }) => idempotencyKey)).size]).toEqual([4, 1])
  const [first] = deadly
  expect(ends.get(first?.inferenceId ?? '')).toBe('inference-failed INFERENCE_POISONED')
  expect(endOf('behind') ?? 'inference-finished').toBe('inference-finished') // absent when the process died before it was told
  // What runs beside it in the same process dies with it each time, and nobody can tell which of the two did it.
  expect(endOf('beside') ?? 'inference-finished').toMatch(/^inference-finished$|INFERENCE_POISONED$/)
  rmSync(folder, { recursive: true })
}, 120_000)
