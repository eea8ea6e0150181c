import { describe, expect, onTestFinished, test } from 'vitest'
import { FakeClock, settle } from '../../test/support/fake-clock.ts'
import { eventEngine, forEver, textReply, toolReply, type EngineStep } from '../../test/support/event-engine.ts'
import { violations } from '../../test/support/history.ts'
import { mortalStore } from '../../test/support/mortal-store.ts'
import { historyOf } from '../../test/support/session-work.ts'
import { countingIds } from '../../test/support/values.ts'
import { GeppettoError } from '../errors.ts'
import type { Engine } from '../inference/engine.ts'
import { toolLoop } from '../inference/tool-loop.ts'
import { defineTool, jsonSchemaInput, type Tool } from '../inference/tool.ts'
import type { Json } from '../json.ts'
import { MemoryStore } from '../store/memory-store.ts'
import type { Store } from '../store/store.ts'
import { inferenceResultKey, partialKey } from '../turns/keys.ts'
import { cursorOf, readCursor } from './cursor.ts'
import { forkSession } from './fork.ts'
import { Session } from './session.ts'
import { trimSession } from './trim.ts'
import type { StoredSession, StoredSessionOptions } from './stored-session.ts'

const clock = () => new FakeClock()

/** A session in a store of memory, whose history is held to its promises when the test is over. */
async function stored(
  engine: Engine,
  options: Partial<StoredSessionOptions> & { store?: Store; clock?: FakeClock } = {},
) {
  const time = options.clock ?? clock()
  const store = options.store ?? new MemoryStore({ clock: time })
  const session = await Session.open(store, 's', { newId: countingIds(), clock: time, ...options, engine })
  onTestFinished(async () => {
    if ((await store.head('s').catch(() => undefined)) === undefined) return
    expect(violations(await historyOf(store, 's', false))).toEqual([])
  })
  return { session, store, clock: time }
}

async function until(time: FakeClock, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let step = 0; step < 400; step += 1) {
    if (await holds()) return
    await time.advance(100)
  }
  throw new Error('it does not come to that')
}

const answers = (...texts: readonly string[]) => eventEngine(...texts.map((text) => textReply(text)))
const typesOf = async (store: Store) => (await store.read('s', { after: 0, limit: 1_000 })).map(({ type }) => type)
const tool = (changes: Partial<Tool> = {}): Tool =>
  defineTool({
    name: 'pay',
    description: 'Pays.',
    input: jsonSchemaInput({ type: 'object' }),
    execute: (input) => ({ paid: (input as { cents: number }).cents }),
    ...changes,
  })

describe('submit', () => {
  test('answers prompts in their order, each on what came before', async () => {
    const { session, clock: time } = await stored(answers('one', 'two'))
    const [first, second] = [await session.submit('a'), await session.submit('b')]
    await until(time, async () => (await session.turns()).length === 2)
    expect((await second.result).blocks.map(({ payload }) => ('text' in payload ? payload.text : ''))).toEqual([
      'a',
      'one',
      'b',
      'two',
    ])
    expect((await first.result).blocks).toHaveLength(2)
    expect((await session.latest())?.id).toBe(second.turnId)
  })

  test('gives the same inference for the same key and prompt, at any time', async () => {
    const { session, clock: time } = await stored(answers('one'))
    const first = await session.submit('a', { idempotencyKey: 'k' })
    const waiting = await session.submit('a', { idempotencyKey: 'k' })
    await until(time, async () => (await session.turns()).length === 1)
    const ended = await session.submit('a', { idempotencyKey: 'k' })
    expect([waiting.id, waiting.ordinal, ended.id, ended.turnId]).toEqual([
      first.id,
      first.ordinal,
      first.id,
      first.turnId,
    ])
  })

  test('refuses another prompt under a known key', async () => {
    const { session } = await stored(answers('one'))
    await session.submit('a', { idempotencyKey: 'k' })
    await expect(session.submit('b', { idempotencyKey: 'k' })).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' })
  })

  test('refuses a prompt when too many wait, and still knows the keys that it took', async () => {
    const { session } = await stored(eventEngine([forEver]), { maxQueued: 1 })
    await session.submit('runs')
    await settle()
    const waiting = await session.submit('waits', { idempotencyKey: 'k' })
    await expect(session.submit('too many')).rejects.toMatchObject({ code: 'SESSION_QUEUE_FULL' })
    expect((await session.submit('waits', { idempotencyKey: 'k' })).id).toBe(waiting.id)
  })

  test('a session of an empty id is none', async () => {
    await expect(stored(answers())).resolves.toBeDefined()
    await expect(Session.open(new MemoryStore(), ' ', { engine: answers() })).rejects.toMatchObject({
      code: 'SESSION_ID_EMPTY',
    })
  })
})

describe('cancel', () => {
  test('stops the inference that runs, durably, and keeps what it said', async () => {
    const steps: readonly EngineStep[] = [...textReply('Hello').slice(0, 3), forEver]
    const { session, store, clock: time } = await stored(eventEngine(steps))
    const inference = await session.submit('a')
    await until(time, async () => (await typesOf(store)).includes('text-delta'))
    expect(await session.cancel()).toBe(true)
    await expect(inference.result).rejects.toMatchObject({ code: 'INFERENCE_CANCELLED' })
    const last = (await session.latest())?.blocks.at(-1)
    expect([last?.kind, last && partialKey.get(last)]).toEqual(['llm_text', true])
    expect((await typesOf(store)).slice(-5)).toContain('cancel-requested')
    expect(await session.cancel(inference.id)).toBe(false)
  })

  test('takes back a prompt that waits; the one that runs goes on', async () => {
    const { session } = await stored(eventEngine([forEver]))
    const running = await session.submit('runs')
    await settle()
    const waiting = await session.submit('waits')
    expect(await session.cancel(waiting.id)).toBe(true)
    await expect(waiting.result).rejects.toMatchObject({ code: 'INFERENCE_CANCELLED' })
    expect((await session.state()).active?.inferenceId).toBe(running.id)
  })

  test('never meets an inference that it did not name', async () => {
    const { session } = await stored(eventEngine(textReply('one'), [forEver]))
    const first = await session.submit('a')
    await first.result
    const second = await session.submit('b')
    await settle()
    expect(await session.cancel(first.id)).toBe(false)
    expect((await session.state()).active).toEqual({ inferenceId: second.id, turnId: second.turnId, restarts: 0 })
    await expect(session.cancel('nobody')).rejects.toMatchObject({ code: 'INFERENCE_UNKNOWN' })
    await expect(session.inference('nobody')).rejects.toMatchObject({ code: 'INFERENCE_UNKNOWN' })
    expect((await session.inference(first.id)).turnId).toBe(first.turnId)
  })
})

describe('approvals', () => {
  const asks = () => eventEngine(toolReply(['c', 'pay', { cents: 9 }]), textReply('done'))
  const guarded = tool({ needsApproval: () => true })

  async function waiting(options: Parameters<typeof stored>[1] = {}) {
    const found = await stored(toolLoop(asks(), [guarded]), options)
    const inference = await found.session.submit('a')
    await until(found.clock, async () => (await found.session.state()).approvals.length === 1)
    const [approval] = (await found.session.state()).approvals
    if (approval === undefined) throw new Error('no approval')
    return { ...found, inference, approval }
  }
  const resultOf = async (session: StoredSession) =>
    (await session.latest())?.blocks.find((block) => block.kind === 'tool_use')?.payload

  test.each<readonly [what: string, decision: Parameters<StoredSession['decide']>[1], payload: Json]>([
    ['runs the tool', { decision: 'approved' }, { id: 'c', result: { paid: 9 } }],
    ['runs it with other arguments', { decision: 'approved', input: { cents: 4 } }, { id: 'c', result: { paid: 4 } }],
    [
      'answers for it',
      { decision: 'denied', message: 'not today' },
      { id: 'c', error: 'the tool was not run: not today' },
    ],
    [
      'answers for it without a word',
      { decision: 'denied' },
      { id: 'c', error: 'the tool was not run: the user did not allow it' },
    ],
  ])('a decision %s', async (_what, decision, payload) => {
    const { session, store, approval, inference } = await waiting()
    await session.decide(approval.approvalId, { ...decision, hash: approval.hash })
    await inference.result
    expect(await resultOf(session)).toEqual(payload)
    const before = await typesOf(store)
    await session.decide(approval.approvalId, decision)
    expect(await typesOf(store)).toEqual(before)
    const other = { ...decision, message: 'something else' }
    await expect(session.decide(approval.approvalId, other)).rejects.toMatchObject({ code: 'APPROVAL_UNKNOWN' })
  })

  test('edited arguments must fit the tool', async () => {
    const { session, approval, inference } = await waiting()
    await session.decide(approval.approvalId, { decision: 'approved', input: 'all of it' })
    await inference.result
    expect(await resultOf(session)).toMatchObject({ error: expect.stringContaining('the tool was not run') })
  })

  test('a decision on another call than the one that was looked at is refused', async () => {
    const { session, approval } = await waiting()
    await expect(session.decide(approval.approvalId, { decision: 'approved', hash: 'other' })).rejects.toMatchObject({
      code: 'APPROVAL_MISMATCH',
    })
    expect((await session.state()).approvals).toHaveLength(1)
  })

  test('an approval that nobody gives in time has expired', async () => {
    const { session, store, clock: time, inference } = await waiting()
    await time.advance(86_400_000)
    await inference.result
    expect(await resultOf(session)).toMatchObject({ error: 'the tool was not run: nobody approved it in time' })
    expect(await typesOf(store)).toContain('approval-decided')
  })

  test('an approval outlives its process', async () => {
    const { store, clock: time, approval, session } = await waiting()
    const other = await Session.open(store, 's', {
      engine: toolLoop(asks(), [guarded]),
      clock: time,
      newId: countingIds('other'),
    })
    await other.decide(approval.approvalId, { decision: 'approved', by: 'ada' })
    await until(time, async () => (await session.turns()).length === 1)
    expect(await resultOf(session)).toEqual({ id: 'c', result: { paid: 9 } })
  })
})

describe('a process that died', () => {
  /** A session whose process is gone in the middle of `engine`, in a store that another may open. */
  async function left(engine: Engine, when: string) {
    const time = clock()
    const store = new MemoryStore({ clock: time })
    const life = { isDead: false }
    const session = await Session.open(mortalStore(store, life), 's', { engine, clock: time, newId: countingIds() })
    const inference = await session.submit('a')
    await until(time, async () => (await typesOf(store)).includes(when))
    life.isDead = true
    await time.advance(20_000)
    return { store, clock: time, inference }
  }
  const begun: readonly EngineStep[] = [...textReply('Hello').slice(0, 3), forEver]

  test('has its reply asked for again, and what it had shown is void', async () => {
    const { store, clock: time } = await left(eventEngine(begun), 'text-delta')
    const { session } = await stored(answers('Again'), { store, clock: time, newId: countingIds('other') })
    await until(time, async () => (await session.turns()).length === 1)
    expect((await session.latest())?.blocks.map(({ payload }) => payload)).toEqual([{ text: 'a' }, { text: 'Again' }])
    const events = (await historyOf(store, 's', true)).events.map(({ type, attempt }) => [type, attempt])
    expect(events).toContainEqual(['attempt-discarded', 1])
    expect(events).toContainEqual(['provider-call-started', 2])
  })

  test('has its inference ended, with what it had shown, where that is wanted', async () => {
    const { store, clock: time, inference } = await left(eventEngine(begun), 'text-delta')
    const { session } = await stored(answers(), {
      store,
      clock: time,
      newId: countingIds('other'),
      recovery: 'interrupt',
    })
    await until(time, async () => (await session.turns()).length === 1)
    const turn = await session.latest()
    expect(turn?.blocks.at(-1)?.payload).toEqual({ text: 'Hello' })
    expect(turn && inferenceResultKey.get(turn)).toMatchObject({
      finish_class: 'interrupted',
      stop_reason: 'interrupted',
    })
    await expect((await session.inference(inference.id)).result).rejects.toMatchObject({
      code: 'INFERENCE_INTERRUPTED',
    })
  })

  test.each<
    readonly [
      what: string,
      changes: Partial<Tool>,
      loop: Parameters<typeof toolLoop>[2],
      starts: number,
      status: string,
    ]
  >([
    ['a tool that changes nothing runs again', { effect: 'read' }, {}, 2, 'success'],
    ['a tool that says so runs again', { effect: 'idempotent' }, {}, 2, 'success'],
    ['any other tool does not', {}, { onUnknownOutcome: 'continue' }, 1, 'unknown'],
  ])('%s', async (_what, changes, options, starts, status) => {
    const keys: string[] = []
    const slow = tool({ ...changes, execute: (_input, { idempotencyKey }) => (keys.push(idempotencyKey), forEver()) })
    const { store, clock: time } = await left(
      toolLoop(eventEngine(toolReply(['c', 'pay', { cents: 9 }])), [slow]),
      'tool-execution-started',
    )
    const quick = tool({ ...changes, execute: (_input, { idempotencyKey }) => keys.push(idempotencyKey) })
    const { session } = await stored(toolLoop(answers('done'), [quick], options), {
      store,
      clock: time,
      newId: countingIds('other'),
    })
    await until(time, async () => (await session.turns()).length === 1)
    expect([keys.length, new Set(keys).size]).toEqual([starts, 1])
    expect((await historyOf(store, 's', true)).events).toContainEqual(
      expect.objectContaining({ type: 'tool-result-ready', status }),
    )
  })

  test('leaves a person to decide on a tool that may have run', async () => {
    let runs = 0
    const once = (work: () => Promise<Json>) => tool({ execute: () => ((runs += 1), work()) })
    const { store, clock: time } = await left(
      toolLoop(eventEngine(toolReply(['c', 'pay', {}])), [once(forEver)]),
      'tool-execution-started',
    )
    const { session } = await stored(toolLoop(answers('done'), [once(async () => 'paid')]), {
      store,
      clock: time,
      newId: countingIds('other'),
    })
    await until(time, async () => (await session.state()).approvals.length === 1)
    expect(runs).toBe(1)
    const [approval] = (await session.state()).approvals
    await session.decide(approval?.approvalId ?? '', { decision: 'denied', message: 'It was paid.' })
    await until(time, async () => (await session.turns()).length === 1)
    expect([runs, (await session.latest())?.blocks[2]?.payload]).toEqual([
      1,
      { id: 'c', error: 'interrupted: outcome unknown. It was paid.', outcome_unknown: true },
    ])
  })

  test('too often in the same inference is not followed any more, and what waits is answered', async () => {
    const { store, clock: time } = await left(eventEngine(begun), 'text-delta')
    for (let life = 0; life < 3; life += 1) {
      const another = { isDead: false }
      const session = await Session.open(mortalStore(store, another), 's', {
        engine: eventEngine(begun),
        clock: time,
        newId: countingIds(`life${life}`),
      })
      await until(time, async () => (await session.state()).active?.restarts === life + 1)
      if (life === 0) await session.submit('next')
      another.isDead = true
      await time.advance(20_000)
    }
    const { session } = await stored(answers('fine'), { store, clock: time, newId: countingIds('last') })
    await until(time, async () => (await session.turns()).length === 2)
    const events = (await historyOf(store, 's', true)).events
    expect(events).toContainEqual(
      expect.objectContaining({
        type: 'inference-failed',
        error: expect.objectContaining({ code: 'INFERENCE_POISONED' }),
      }),
    )
    expect((await session.latest())?.blocks.at(-1)?.payload).toEqual({ text: 'fine' })
  })
})

describe('a store that fails', () => {
  test('fails the inference with its error, and is used again when it is well', async () => {
    const time = clock()
    const store = new MemoryStore({ clock: time })
    let isFull = false
    const errors: unknown[] = []
    const full = new GeppettoError('STORE_FULL', 'The disk is full.')
    const sick = new Proxy(store, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name)
        if (name === 'commit')
          return (...given: Parameters<Store['commit']>) => (isFull ? Promise.reject(full) : target.commit(...given))
        return typeof member === 'function' ? (member.bind(target) as unknown) : member
      },
    })
    const breaks = eventEngine(
      [...textReply('Hello').slice(0, 3), async () => (isFull = true), ...textReply('Hello').slice(3)],
      textReply('well'),
    )
    const session = await Session.open(sick, 's', {
      engine: breaks,
      clock: time,
      newId: countingIds(),
      onError: (error) => errors.push(error),
    })
    await session.submit('a')
    await until(time, () => errors.length > 0)
    await expect(session.submit('b')).rejects.toMatchObject({ code: 'STORE_FULL' })
    isFull = false
    await session.submit('c')
    await until(time, async () => (await session.turns()).length === 2)
    const types = await typesOf(store)
    expect(types.filter((type) => type === 'inference-interrupted' || type === 'inference-failed')).toHaveLength(1)
    expect(violations(await historyOf(store, 's', true))).toEqual([])
  })
})

describe('following', () => {
  test('joins what is there and what comes without a gap', async () => {
    const { session, clock: time } = await stored(answers('one', 'two'))
    await (
      await session.submit('a')
    ).result
    const seen: number[] = []
    const stop = new AbortController()
    const done = (async () => {
      for await (const { ordinal } of session.events({ after: 3, signal: stop.signal })) seen.push(ordinal)
    })()
    const second = await session.submit('b')
    await until(time, async () => (await session.turns()).length === 2)
    await second.result
    await time.advance(500)
    stop.abort()
    await done
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, at) => at + 4))
    expect(seen.at(-1)).toBe(18)
    expect(time.pending).toBe(0)
  })

  test.each([
    [99, 'CURSOR_FUTURE'],
    [1, 'CURSOR_EXPIRED'],
  ])('from %i is answered with %s', async (after, code) => {
    const { session, store } = await stored(answers('one'))
    await (
      await session.submit('a')
    ).result
    await store.trim('s', 5)
    const first = session.events({ after })[Symbol.asyncIterator]().next()
    await expect(first).rejects.toMatchObject({ code })
    await store.delete('s')
  })

  test('a session that is not there', async () => {
    const { session } = await stored(answers())
    await expect(session.events()[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'SESSION_UNKNOWN' })
    await expect(session.cancel()).rejects.toMatchObject({ code: 'SESSION_UNKNOWN' })
  })

  test('a cursor fits its own log and no other', async () => {
    const { session, store } = await stored(answers('one'))
    await (
      await session.submit('a')
    ).result
    const head = await store.head('s')
    if (head === undefined) throw new Error('no session')
    expect(readCursor(head, cursorOf(head, 5))).toBe(5)
    expect(() => readCursor(head, cursorOf({ ...head, incarnation: 'other' }, 5))).toThrow(/CURSOR|not one of session/)
    expect(() => readCursor(head, cursorOf(head, 500))).toThrow(/none 500/)
    for (const damaged of ['', 'x', '%%%', btoa('[]'), btoa('["s"]')])
      expect(() => readCursor(head, damaged)).toThrow(/damaged/)
  })
})

describe('trimming', () => {
  test('forgets what is over, and neither what runs, nor what waits, nor a turn', async () => {
    const engine = eventEngine(textReply('one'), [...textReply('two').slice(0, 3), forEver])
    const { session, store, clock: time } = await stored(engine)
    await (
      await session.submit('a')
    ).result
    const over = (await store.head('s'))?.ordinal ?? 0
    await session.submit('b')
    const waiting = await session.submit('c')
    await until(time, async () => (await typesOf(store)).filter((type) => type === 'text-delta').length === 2)
    expect(await trimSession(store, 's', 5)).toBe(5)
    expect(await trimSession(store, 's', 10_000)).toBe(over + 1)
    expect((await store.head('s'))?.firstOrdinal).toBe(over + 1)
    expect(await session.cancel()).toBe(true)
    expect(await session.cancel(waiting.id)).toBe(true)
    await until(time, async () => (await session.turns()).length === 2)
    expect((await session.latest())?.blocks.map(({ payload }) => payload)).toEqual([
      { text: 'a' },
      { text: 'one' },
      { text: 'b' },
      { text: 'two' },
    ])
    expect(await trimSession(store, 's', 3)).toBe(over + 1)
    await expect(trimSession(store, 'nobody', 3)).rejects.toMatchObject({ code: 'SESSION_UNKNOWN' })
    await store.delete('s')
  })
})

describe('a fork', () => {
  test('goes on from any turn, and leaves the other session as it was', async () => {
    const { session, store } = await stored(answers('one', 'two', 'three'))
    const first = await session.submit('a')
    await first.result
    await (
      await session.submit('b')
    ).result
    await session.close() // it lets go of the session only after its last answer
    const before = await store.head('s')
    await forkSession(store, 's', { turnId: first.turnId, id: 'fork', newId: countingIds('fork') })
    const fork = await Session.open(store, 'fork', { engine: answers('other'), newId: countingIds('f') })
    const turn = await (await fork.submit('c')).result
    expect(turn.blocks.map(({ payload }) => ('text' in payload ? payload.text : ''))).toEqual([
      'a',
      'one',
      'c',
      'other',
    ])
    expect(await store.head('s')).toEqual(before)
    await expect(forkSession(store, 's', { id: 'fork' })).rejects.toMatchObject({ code: 'SESSION_EXISTS' })
    await expect(forkSession(store, 's', { turnId: 'nobody' })).rejects.toMatchObject({ code: 'TURN_UNKNOWN' })
    await expect(forkSession(store, 'nobody')).rejects.toMatchObject({ code: 'SESSION_UNKNOWN' })
    await fork.close()
  })

  test.each([
    ['the first prompt', 0, []],
    ['a later one', 2, ['a', 'one']],
  ])('ends before %s, to ask something else in its place', async (_which, index, expected) => {
    const { session, store } = await stored(answers('one', 'two'))
    await (
      await session.submit('a')
    ).result
    const asked = await (await session.submit('b')).result
    const before = asked.blocks[index]?.id ?? ''
    await forkSession(store, 's', { before, id: 'fork', newId: countingIds('fork') })
    const fork = await Session.open(store, 'fork', { engine: answers('other'), newId: countingIds('f') })
    const turn = await (await fork.submit('instead')).result
    const said = turn.blocks.map(({ payload }) => ('text' in payload ? payload.text : ''))
    expect(said).toEqual([...expected, 'instead', 'other'])
    const [opened] = await store.read('fork', { after: 0, limit: 1 })
    expect(opened).toMatchObject({ type: 'turn-opened', body: expect.stringContaining(`"before":"${before}"`) })
    await expect(forkSession(store, 's', { before: 'nothing' })).rejects.toMatchObject({ code: 'TURN_UNKNOWN' })
    await session.close()
    await fork.close()
  })
})
