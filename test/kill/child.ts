import { fsyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { encodeEvent } from '../../src/events/codec.ts'
import { isGeppettoError } from '../../src/errors.ts'
import { forkSession } from '../../src/session/fork.ts'
import { StoredSession } from '../../src/session/stored-session.ts'
import { SqliteStore } from '../../src/store/sqlite-store.ts'
import { workingEngine } from '../support/session-work.ts'

// A process that works on a store until it is killed: node child.ts FOLDER SEED work|heal. What it was told and what it
// saw goes to files beside the store, each line on the disk before the next thing happens.

const [, , folder = '', seed = '1', task = 'work'] = process.argv
let state = Number(seed)

/** The next of a sequence that the seed decides, from 0 up to and without `below`. */
function random(below: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return Math.floor((state / 4_294_967_296) * below)
}

function journal(name: string): (line: object) => void {
  const file = openSync(join(folder, name), 'a')
  return (line) => {
    writeSync(file, `${JSON.stringify(line)}\n`)
    fsyncSync(file)
  }
}
const acknowledge = journal('acks.jsonl')
const effect = journal('effects.jsonl')
const see = journal('seen.jsonl')

const rest = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const store = await SqliteStore.open(join(folder, 'sessions.db'))
const engine = workingEngine(effect, () => rest(random(12)))
const open = (id: string) => StoredSession.open(store, id, { engine })
const sessions = new Map<string, StoredSession>()
for (const { sessionId } of await store.list({ hasWork: true })) sessions.set(sessionId, await open(sessionId))
for (const id of ['one', 'two', 'three']) if (!sessions.has(id)) sessions.set(id, await open(id))
process.stdout.write('ready\n')

if (task === 'heal') {
  while ((await store.list({ hasWork: true })).length > 0) {
    for (const session of sessions.values()) await answerApprovals(session)
    await rest(20)
  }
  for (const session of sessions.values()) await session.close()
  await store.close()
} else {
  await Promise.all([work(), work(), view(), view()])
}

async function work(): Promise<never> {
  while (true) {
    const session = [...sessions.values()][random(sessions.size)]
    if (session === undefined) continue
    try {
      await act(session, random(10))
    } catch (error) {
      const isRefusal = isGeppettoError(error) && /QUEUE_FULL|UNKNOWN|EXISTS/.test(error.code)
      if (!isRefusal) throw error
    }
    await rest(random(15))
  }
}

async function act(session: StoredSession, choice: number): Promise<void> {
  if (choice < 5) {
    const key = `${session.id}-${seed}-${random(40)}`
    const [first, second] = await Promise.all([
      session.submit(`Do ${key}`, { idempotencyKey: key }),
      choice === 0 ? session.submit(`Do ${key}`, { idempotencyKey: key }) : undefined,
    ])
    for (const inference of [first, second]) {
      if (inference !== undefined) acknowledge({ session: session.id, inferenceId: inference.id, key })
    }
  } else if (choice < 7) {
    const { active, queue } = await session.state()
    const id = choice === 5 ? active?.inferenceId : queue[random(queue.length)]?.inferenceId
    if (id !== undefined && (await session.cancel(id))) acknowledge({ session: session.id, cancelled: id })
  } else if (choice === 7 && sessions.size < 8) {
    const id = await forkSession(store, session.id)
    acknowledge({ session: id, forked: session.id })
    sessions.set(id, await open(id))
  } else await answerApprovals(session)
}

async function answerApprovals(session: StoredSession): Promise<void> {
  for (const { approvalId } of (await session.state().catch(() => undefined))?.approvals ?? []) {
    const decision = random(2) === 0 ? 'approved' : 'denied'
    await session.decide(approvalId, { decision }).catch(() => {}) // another round was faster
  }
}

async function view(): Promise<never> {
  while (true) {
    const session = [...sessions.values()][random(sessions.size)]
    const head = session && (await store.head(session.id))
    if (session === undefined || head === undefined) await rest(5)
    else {
      const after = random(head.ordinal + 1)
      const viewer = `${seed}-${random(1_000_000)}`
      let left = random(60)
      for await (const event of session.events({ after, signal: AbortSignal.timeout(200) })) {
        see({ session: session.id, viewer, after, event: encodeEvent(event) })
        left -= 1
        if (left < 0) break
      }
    }
  }
}
