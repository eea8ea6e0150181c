import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/json.ts'
import { checkStore } from '../../src/session/doctor.ts'
import { SqliteStore } from '../../src/store/sqlite-store.ts'
import { violations, type Effect } from '../support/history.ts'
import { historyOf } from '../support/session-work.ts'

// Kills a process that works on a store, again and again, at instants that nobody chose, and then holds everything that
// is in the store to everything that anybody was told or saw.

const kills = Number(process.env['KILLS'] ?? 300)
const lanes = 2
const seed = Number(process.env['KILL_SEED'] ?? Math.floor(Math.random() * 1e9))
const program = join(import.meta.dirname, 'child.ts')

async function start(folder: string, childSeed: number, task: 'work' | 'heal') {
  const child = spawn(process.execPath, [program, folder, String(childSeed), task], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'geppetto-kill-cache') },
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const closed = once(child, 'close')
  await Promise.race([once(child.stdout, 'data'), closed])
  return { child, closed, errors: () => errors }
}

/** Kills as often as it is told, in its own folder, and heals. Gives what went wrong. */
async function lane(folder: string, firstSeed: number, count: number): Promise<readonly string[]> {
  for (let round = 0; round < count; round += 1) {
    const { child, closed, errors } = await start(folder, firstSeed + round, 'work')
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 120)) // the instant is nobody's choice
    const isAlive = child.exitCode === null && child.kill('SIGKILL')
    await closed
    if (!isAlive) return [`the process with seed ${firstSeed + round} ended by itself: ${errors()}`]
  }
  const healer = await start(folder, firstSeed + count, 'heal')
  await healer.closed
  return healer.child.exitCode === 0 ? [] : [`healing ended with ${healer.child.exitCode}: ${healer.errors()}`]
}

/** The lines of a file that were written whole. */
function lines<T>(folder: string, name: string): readonly T[] {
  const file = join(folder, name)
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T) // child.ts wrote it
}

interface Ack {
  readonly session: string
  readonly inferenceId?: string
  readonly key?: string
  readonly forked?: string
}
interface Seen {
  readonly session: string
  readonly viewer: string
  readonly after: number
  readonly event: JsonObject
}

async function check(
  folder: string,
): Promise<{ readonly found: readonly string[]; readonly counts: readonly number[] }> {
  const acks = lines<Ack>(folder, 'acks.jsonl')
  const effects = lines<Effect>(folder, 'effects.jsonl')
  const seen = Object.groupBy(lines<Seen>(folder, 'seen.jsonl'), ({ session, viewer }) => `${session}/${viewer}`)
  const store = await SqliteStore.open(join(folder, 'sessions.db'))
  const heads = await store.list()
  const found: string[] = []
  const known = new Set(heads.map(({ sessionId }) => sessionId))
  for (const { session } of acks) if (!known.has(session)) found.push(`session ${session} was acknowledged and is gone`)
  let events = 0
  for (const { sessionId } of heads) {
    const history = await historyOf(store, sessionId, true)
    const own = new Set(history.events.map((event) => event['inference_id']))
    events += history.events.length
    found.push(
      ...violations({
        ...history,
        accepted: acks.flatMap(({ session, inferenceId, key }) =>
          session === sessionId && inferenceId !== undefined && key !== undefined ? [{ inferenceId, key }] : [],
        ),
        effects: effects.filter(({ inferenceId }) => own.has(inferenceId)),
        viewers: Object.values(seen).flatMap((events = []) => {
          const [first] = events
          return first?.session === sessionId ? [{ after: first.after, events: events.map(({ event }) => event) }] : []
        }),
      }).map((problem) => `${sessionId}: ${problem}`),
    )
  }
  for await (const { message, sessionId } of checkStore(store)) found.push(`doctor: ${sessionId ?? ''} ${message}`)
  await store.close()
  return { found, counts: [heads.length, events, acks.length, effects.length, Object.keys(seen).length] }
}

test(`${kills} kills at any instant lose nothing, run no tool twice, and leave nothing behind`, async () => {
  const folders = Array.from({ length: lanes }, () => mkdtempSync(join(tmpdir(), 'geppetto-kill-')))
  const each = Math.ceil(kills / lanes)
  const failures = await Promise.all(folders.map((folder, at) => lane(folder, seed + at * 100_000, each)))
  const checks = await Promise.all(folders.map(check))
  const [sessions, events, acks, effects, viewers] = [0, 1, 2, 3, 4].map((at) =>
    checks.reduce((sum, { counts }) => sum + (counts[at] ?? 0), 0),
  )
  console.log(
    `kill loop: seed ${seed}, ${each * lanes} kills, ${sessions} sessions, ${events} events, ${acks} acknowledgements, ${effects} tool starts, ${viewers} viewers`,
  )
  expect({ seed, folders, found: [...failures.flat(), ...checks.flatMap(({ found }) => found)] }).toEqual({
    seed,
    folders,
    found: [],
  })
  for (const folder of folders) rmSync(folder, { recursive: true })
}, 600_000)
