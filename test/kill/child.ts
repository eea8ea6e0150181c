import { fsyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { isGeppettoError } from '../../src/errors.ts'
import { encodeEvent } from '../../src/events/codec.ts'
import { forkSession } from '../../src/session/fork.ts'
import { StoredSession } from '../../src/session/stored-session.ts'
import { SqliteStore } from '../../src/store/sqlite-store.ts'
import { workingEngine, type ToolKind } from '../support/session-work.ts'

// A process that works on a store until it is killed: node child.ts FOLDER SEED work|heal|poison DIE_AT. What it was
// told and what its tools did goes to files beside the store, each line on the disk before the next thing happens; with
// a DIE_AT above 0 it kills itself right behind that line. Told to end by SIGTERM, it hands its sessions over.

const [, , folder = '', seed = '1', task = 'work', dieAt = '0'] = process.argv
let state = Number(seed)
let lines = 0

/** The next of a sequence that the seed decides, from 0 up to and without `below`. */
function random(below: number): number {
  state = (state + 0x6d_2b_79_f5) >>> 0
  let mixed = Math.imul(state ^ (state >>> 15), state | 1)
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
  return ((mixed ^ (mixed >>> 14)) >>> 0) % below
}

function die(): void {
  process.kill(process.pid, 'SIGKILL')
}

function journal(name: string, isFatal: boolean): (line: object) => void {
  const file = openSync(join(folder, name), 'a')
  writeSync(file, '\n') // the process before may have died in the middle of a line
  return (line) => {
    writeSync(file, `${JSON.stringify(line)}\n`)
    if (!isFatal) return
    fsyncSync(file)
    lines += 1
    if (lines === Number(dieAt)) die()
  }
}
const acknowledge = journal('acks.jsonl', true)
const effect = journal('effects.jsonl', true)
const see = journal('seen.jsonl', false)

const rest = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const store = await SqliteStore.open(join(folder, 'sessions.db'))
const engine = workingEngine(effect, () => rest(random(5)), asksFor)
const open = (id: string) => StoredSession.open(store, id, { engine })
const sessions = new Map<string, StoredSession>()
process.once('SIGTERM', () => void handOver())
process.stdout.write('ready\n')
for (const { sessionId } of await store.list({ hasWork: true })) sessions.set(sessionId, await open(sessionId))
for (const id of ['one', 'two', 'three']) if (!sessions.has(id)) sessions.set(id, await open(id))

if (task === 'heal') {
  while ((await store.list({ hasWork: true })).length > 0) {
    for (const session of sessions.values()) await answerApprovals(session)
    await rest(20)
  }
  for (const session of sessions.values()) await session.close()
  await store.close()
} else if (task === 'poison') {
  // A tool that kills its process, a prompt behind it, and a session that has nothing to do with it: the process may
  // be gone before all three are there.
  for (const [id, key] of [
    ['one', 'deadly'],
    ['one', 'behind'],
    ['two', 'beside'],
  ] as const) {
    const { id: inferenceId } = await (await open(id)).submit(`Do ${key}`, { idempotencyKey: key })
    acknowledge({ session: id, inferenceId, key })
  }
} else {
  await Promise.all([work(), work(), work(), view(), view()])
}

async function handOver(): Promise<void> {
  await Promise.all([...sessions.values()].map((session) => session.handOver(random(20))))
  process.exit(0)
}

/** Which tools a prompt needs: what kills the process is marked as a thing that may be done again. */
function asksFor(prompt: string): readonly ToolKind[] {
  if (prompt.includes('deadly')) return ['deadly']
  const plans = [['none', 'read', 'idempotent'], ['guarded', 'none'], ['none', 'client'], []] as const
  return plans[prompt.length % plans.length] ?? []
}

async function work(): Promise<never> {
  while (true) {
    const session = [...sessions.values()][random(sessions.size)]
    if (session === undefined) continue
    try {
      await act(session, random(12))
    } catch (error) {
      const isRefusal = isGeppettoError(error) && /QUEUE_FULL|UNKNOWN|EXISTS/.test(error.code)
      if (!isRefusal) throw error
    }
    await rest(random(8))
  }
}

async function act(session: StoredSession, choice: number): Promise<void> {
  if (choice < 6) {
    // Processes that live one after the other use the same keys: who got no answer asks again.
    const key = `${'k'.repeat(1 + random(4))}${Number(seed) + random(3)}`
    const whileRunning = random(12) === 0 ? 'replace' : 'queue'
    const [first, second] = await Promise.all([
      session.submit(`Do ${key}`, { idempotencyKey: key, whileRunning }),
      choice === 0 ? session.submit(`Do ${key}`, { idempotencyKey: key }) : undefined,
    ])
    for (const inference of [first, second]) {
      if (inference !== undefined) acknowledge({ session: session.id, inferenceId: inference.id, key })
    }
  } else if (choice < 8) {
    const { active, queue } = await session.state()
    const isRunning = choice === 6 && random(3) === 0
    const id = isRunning || queue.length === 0 ? active?.inferenceId : queue[random(queue.length)]?.inferenceId
    if (id !== undefined && (await session.cancel(id))) acknowledge({ session: session.id, cancelled: id })
  } else if (choice === 8 && sessions.size < 8) {
    const id = await forkSession(store, session.id)
    acknowledge({ session: id, forked: session.id })
    sessions.set(id, await open(id))
  } else await answerApprovals(session)
}

async function answerApprovals(session: StoredSession): Promise<void> {
  for (const { approvalId } of (await session.state().catch(() => undefined))?.approvals ?? []) {
    const decision = random(2) === 0 ? 'approved' : 'denied'
    const isTaken = await session.decide(approvalId, { decision, result: { answered: seed } }).then(
      () => true,
      (error: unknown) => {
        if (isGeppettoError(error) && error.code === 'APPROVAL_UNKNOWN') return false // another round was faster
        throw error
      },
    )
    if (isTaken) acknowledge({ session: session.id, decided: approvalId })
  }
}

async function view(): Promise<never> {
  while (true) {
    const session = [...sessions.values()][random(sessions.size)]
    const head = session && (await store.head(session.id))
    if (session === undefined || head === undefined) await rest(5)
    else {
      const after = Math.max(head.ordinal - random(60), 0)
      const viewer = `${seed}-${random(1_000_000_000)}`
      let left = random(100)
      for await (const event of session.events({ after, signal: AbortSignal.timeout(100) })) {
        see({ session: session.id, viewer, after, event: encodeEvent(event) })
        left -= 1
        if (left < 0) break
      }
    }
  }
}
