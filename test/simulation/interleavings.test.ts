import { expect, test } from 'vitest'
import { canonicalJson } from '../../src/json.ts'
import { isGeppettoError } from '../../src/errors.ts'
import { StoredSession } from '../../src/session/stored-session.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import type { Store } from '../../src/store/store.ts'
import { encodeEvent } from '../../src/events/codec.ts'
import type { JsonObject } from '../../src/json.ts'
import { FakeClock, settle } from '../support/fake-clock.ts'
import { violations, type Effect } from '../support/history.ts'
import { historyOf, workingEngine, type ToolKind } from '../support/session-work.ts'
import { countingIds } from '../support/values.ts'

// Two processes, viewers, cancels and submits over one store. Every call of the store waits at a gate; a seed decides
// which one goes through next, whether its process is dead by then, and when time moves. What came of it must hold.

const runs = Number(process.env['INTERLEAVINGS'] ?? 2_000)
const firstSeed = Number(process.env['INTERLEAVING_SEED'] ?? 1)
const sessionId = 's'

/** Prompts under one key ask for a tool of their client too. */
const toolsFor = (prompt: string): readonly ToolKind[] =>
  prompt === 'Do k0' ? ['client', 'none'] : ['none', 'read', 'idempotent']

class Random {
  #state: number
  constructor(seed: number) {
    this.#state = seed >>> 0
  }
  below(count: number): number {
    this.#state = (this.#state + 0x6d_2b_79_f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % count
  }
}

interface Waiting {
  readonly node: number
  readonly open: () => void
}

/** Where the calls of all nodes wait for their turn. What a dead node asked for is never answered. */
class Gate {
  #waiting: Waiting[] = []
  readonly dead = new Set<number>()
  isOpen = false

  pass<T>(node: number, work: () => Promise<T>): Promise<T> {
    if (this.dead.has(node)) return new Promise<never>(() => {})
    if (this.isOpen) return work()
    return new Promise((resolve, reject) => {
      const open = () => {
        work().then((value) => (this.dead.has(node) ? undefined : resolve(value)), reject)
      }
      this.#waiting.push({ node, open })
    })
  }

  openOne(random: Random): boolean {
    this.#waiting = this.#waiting.filter(({ node }) => !this.dead.has(node))
    if (this.#waiting.length === 0) return false
    const [next] = this.#waiting.splice(random.below(this.#waiting.length), 1)
    next?.open()
    return true
  }

  openAll(): void {
    this.isOpen = true
    for (const { node, open } of this.#waiting.splice(0)) if (!this.dead.has(node)) open()
  }
}

function storeOf(node: number, store: Store, gate: Gate, random: Random): Store {
  const pass = <T>(work: () => Promise<T>) => gate.pass(node, work)
  return {
    commit: (commit) => pass(() => store.commit(commit)),
    claim: (...given) => pass(() => store.claim(...given)),
    release: (...given) => pass(() => store.release(...given)),
    renew: (...given) => pass(() => store.renew(...given)),
    head: (id) => pass(() => store.head(id)),
    list: (options) => pass(() => store.list(options)),
    read: (id, options) => pass(() => store.read(id, options)),
    blocks: (id, ranges) => pass(() => store.blocks(id, ranges)),
    snapshots: (id, options) => pass(() => store.snapshots(id, options)),
    find: (name) => pass(() => store.find(name)),
    trim: (id, before) => pass(() => store.trim(id, before)),
    delete: (id) => pass(() => store.delete(id)),
    integrity: () => pass(() => store.integrity()),
    // A hint may come with its news, without, twice, or not at all.
    watch: (id, wake) =>
      store.watch(id, (news) => {
        const fate = gate.dead.has(node) ? 0 : random.below(4)
        if (fate > 0) wake(fate === 1 ? undefined : news)
        if (fate === 3) wake(news)
      }),
    close: () => store.close(),
  }
}

interface Outcome {
  readonly found: readonly string[]
  readonly log: string
  readonly types: ReadonlySet<string>
}

async function interleave(seed: number): Promise<Outcome> {
  const random = new Random(seed)
  const clock = new FakeClock()
  const store = new MemoryStore({ clock })
  const gate = new Gate()
  const effects: Effect[] = []
  const accepted: { readonly inferenceId: string; readonly key: string }[] = []
  const viewers: { readonly after: number; readonly events: JsonObject[] }[] = []
  const failures: string[] = []
  const newId = countingIds()
  const open = (node: number) =>
    StoredSession.open(storeOf(node, store, gate, random), sessionId, {
      engine: workingEngine((effect) => effects.push(effect), undefined, toolsFor),
      clock,
      newId,
    })
  const nodes: Promise<StoredSession>[] = [open(0), open(1)]
  // A refusal is an answer; anything else is not.
  const expectRefusal = (error: unknown) => {
    if (!isGeppettoError(error) || !/UNKNOWN|QUEUE_FULL|EMPTY_TURN/.test(error.code)) failures.push(String(error))
  }
  const act = async (node: number, choice: number): Promise<void> => {
    const session = await nodes[node]
    if (session === undefined) return
    if (choice < 3) {
      const key = `k${random.below(4)}`
      const whileRunning = random.below(6) === 0 ? 'replace' : 'queue'
      const { id } = await session.submit(`Do ${key}`, { idempotencyKey: key, whileRunning })
      accepted.push({ inferenceId: id, key })
    } else if (choice === 3) await session.cancel()
    else if (choice === 4) {
      const { active, queue } = await session.state()
      await session.cancel(queue[0]?.inferenceId ?? active?.inferenceId ?? 'nobody')
    } else if (choice === 5) {
      for (const { approvalId } of (await session.state()).approvals)
        await session.decide(approvalId, {
          decision: random.below(2) === 0 ? 'approved' : 'denied',
          result: { answered: random.below(100) },
        })
    } else if (choice === 10) await session.rename(`Title ${random.below(3)}`)
    else if (choice === 11) {
      nodes.push(open(nodes.length))
      await session.handOver(random.below(3_000))
    } else {
      const seen: JsonObject[] = []
      viewers.push({ after: 0, events: seen })
      for await (const event of session.events()) seen.push(encodeEvent(event))
    }
  }
  for (let step = 0; step < 100; step += 1) {
    const choice = random.below(24)
    // Cancels are rare, or there would be nothing left to interrupt.
    const isCancel = choice === 3 || choice === 4
    const isHandOver = choice === 11
    if ((choice < 7 && (!isCancel || random.below(4) === 0)) || choice === 10 || (isHandOver && random.below(4) === 0))
      void act(random.below(nodes.length), choice).catch(expectRefusal)
    else if (choice === 7) {
      const node = random.below(nodes.length)
      gate.dead.add(node)
      nodes.push(open(nodes.length))
    } else if (choice === 8 || choice === 9) await clock.advance(random.below(20_000))
    for (let opened = random.below(10); opened > 0; opened -= 1) {
      if (!gate.openOne(random)) break
      await settle()
    }
  }
  gate.openAll()
  // A process that was told to end may still accept a prompt, and leaves it to whoever opens the session next.
  for (let turn = 0; turn < 20; turn += 1) await settle()
  const healer = await open(nodes.length)
  let isHealed = false
  for (let step = 0; step < 600 && !isHealed; step += 1) {
    await clock.advance(1_000)
    const head = await store.head(sessionId)
    isHealed = head?.hasWork !== true
    if (head === undefined) continue
    for (const { approvalId } of (await healer.state()).approvals)
      await healer.decide(approvalId, { decision: 'denied' }).catch(expectRefusal)
  }
  const isThere = (await store.head(sessionId)) !== undefined
  const history = isThere ? await historyOf(store, sessionId, true) : { events: [], isHealed: true }
  const found = [...violations({ ...history, accepted, effects, viewers }), ...failures]
  if (!isHealed) found.push(`it does not come to rest: ${JSON.stringify(await healer.state())}`)
  const types = new Set((history.events as readonly { type: string }[]).map(({ type }) => type))
  return { found, log: canonicalJson(history.events), types }
}

test(`${runs} interleavings of two processes keep every promise`, async () => {
  const types = new Map<string, number>()
  for (let seed = firstSeed; seed < firstSeed + runs; seed += 1) {
    const { found, types: seen } = await interleave(seed)
    expect({ seed, found }).toEqual({ seed, found: [] })
    for (const type of seen) types.set(type, (types.get(type) ?? 0) + 1)
  }
  const met = [
    'inference-stopped',
    'inference-resumed',
    'inference-handed-over',
    'session-renamed',
    'attempt-discarded',
    'approval-requested',
    'inference-finished',
  ]
  console.log(`interleavings: ${runs}; ${met.map((type) => `${type} in ${types.get(type) ?? 0}`).join(', ')}`)
  for (const type of met) expect([type, (types.get(type) ?? 0) > runs / 50]).toEqual([type, true])
}, 300_000)

test('a seed is an interleaving', async () => {
  for (let seed = firstSeed; seed < firstSeed + 20; seed += 1) {
    expect((await interleave(seed)).log).toBe((await interleave(seed)).log)
  }
})
