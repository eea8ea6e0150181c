import { describe, expect, onTestFinished, test } from 'vitest'
import {
  eventEngine,
  forEver,
  textReply,
  toolReply,
  untilAborted,
  type EngineStep,
} from '../../test/support/event-engine.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { violations } from '../../test/support/history.ts'
import { mortalStore } from '../../test/support/mortal-store.ts'
import { answersOf, testTool } from '../../test/support/runs.ts'
import { historyOf } from '../../test/support/session-work.ts'
import { collect, countingIds } from '../../test/support/values.ts'
import type { Engine } from '../inference/engine.ts'
import { cancelGraceMs } from '../inference/stop.ts'
import { toolLoop } from '../inference/tool-loop.ts'
import type { Json } from '../json.ts'
import { MemoryStore } from '../store/memory-store.ts'
import { SqliteStore } from '../store/sqlite-store.ts'
import type { Store } from '../store/store.ts'
import { StoredSession } from './stored-session.ts'

const stores: readonly (readonly [string, (clock: FakeClock) => Promise<Store>])[] = [
  ['memory', async (clock) => new MemoryStore({ clock })],
  ['SQLite', (clock) => SqliteStore.open(':memory:', { clock })],
]

describe.each(stores)('a session in %s', (_name, newStore) => {
  /** A store, and processes that open its session one after the other. */
  async function place() {
    const clock = new FakeClock()
    const store = await newStore(clock)
    const newId = countingIds()
    const open = (engine: Engine, through = store) => StoredSession.open(through, 's', { engine, clock, newId })
    const types = async () => (await store.read('s', { after: 0, limit: 1_000 })).map(({ type }) => type)
    const until = async (holds: () => boolean | Promise<boolean>) => {
      for (let step = 0; step < 400; step += 1) {
        if (await holds()) return
        await clock.advance(100)
      }
      throw new Error('it does not come to that')
    }
    const isOpen = async (type: string) => (await types()).includes(type)
    onTestFinished(async () => {
      expect(violations(await historyOf(store, 's', true))).toEqual([])
      await store.close()
    })
    return { clock, store, open, types, until, isOpen }
  }
  const guarded = testTool('pay', () => 'paid', { needsApproval: () => true })

  test('is handed over at once while it waits for an approval, and by any number of processes in turn', async () => {
    const { clock, store, open, types, until } = await place()
    const engine = eventEngine(toolReply(['c', 'pay']), textReply('Paid.'))
    let session = await open(toolLoop(engine, [guarded]))
    const inference = await session.submit('Pay')
    await until(async () => (await session.state()).approvals.length === 1)
    const [approval] = (await session.state()).approvals
    for (let life = 0; life < 6; life += 1) {
      const before = clock.now()
      await session.handOver()
      expect([clock.now(), (await store.head('s'))?.owner, (await types()).at(-1)]).toEqual([
        before,
        undefined,
        'inference-handed-over',
      ])
      session = await open(toolLoop(engine, [guarded]))
      await until(async () => (await types()).at(-1) === 'inference-resumed')
    }
    expect(await session.state()).toMatchObject({ active: { restarts: 0 }, approvals: [approval] })
    await session.decide(approval?.approvalId ?? '', { decision: 'approved' })
    await until(async () => (await session.turns()).length === 1)
    expect(answersOf(await inference.result)).toEqual([['c', 'paid']]) // the handle of the first process
    const seen = await collect(inference)
    expect([seen.length, seen.at(-1)?.type]).toEqual([(await types()).length, 'inference-finished'])
    await session.close()
  })

  test('is handed over when the tool that runs has ended; the next process goes on behind it', async () => {
    const { open, types, until, isOpen } = await place()
    const work = Promise.withResolvers<Json>()
    let runs = 0
    const slow = testTool('slow', () => {
      runs += 1
      return work.promise
    })
    const session = await open(toolLoop(eventEngine(toolReply(['c', 'slow'])), [slow]))
    const inference = await session.submit('Go')
    await until(() => isOpen('tool-execution-started'))
    const running = session.active
    const ending = session.handOver()
    work.resolve('done')
    await ending
    await expect(running?.result).rejects.toMatchObject({ code: 'INFERENCE_HANDED_OVER' })
    expect((await types()).slice(-4)).toEqual([
      'tool-result-ready',
      'tool-call-finished',
      'phase-reached',
      'inference-handed-over',
    ])
    const next = eventEngine(textReply('Done.'))
    const other = await open(toolLoop(next, [slow]))
    await until(async () => (await other.turns()).length === 1)
    expect([answersOf(await inference.result), runs, next.requests.length]).toEqual([[['c', 'done']], 1, 1])
    await other.close()
  })

  const hello: readonly EngineStep[] = [...textReply('Hello').slice(0, 3), forEver]
  test.each<readonly [what: string, engine: () => Engine, openPart: string, next: readonly string[]]>([
    ['a reply', () => eventEngine(hello), 'text-delta', ['attempt-discarded', 'inference-resumed']],
    [
      'a tool',
      () => toolLoop(eventEngine(toolReply(['c', 'pay'])), [testTool('pay', forEver)]),
      'tool-execution-started',
      ['inference-resumed', 'approval-requested'],
    ],
  ])('is given up in the middle of %s when its time is over, with all that came', async (_what, engine, part, next) => {
    const { clock, store, open, types, until, isOpen } = await place()
    const session = await open(engine())
    const inference = await session.submit('Go')
    await until(() => isOpen(part))
    const ending = session.handOver(2_000)
    await clock.advance(1_999)
    expect((await store.head('s'))?.owner).toBeDefined()
    await clock.advance(1)
    await ending
    const left = await types()
    expect([(await store.head('s'))?.owner, left.at(-1)]).toEqual([undefined, 'inference-handed-over'])
    await clock.advance(60_000)
    expect(await types()).toEqual(left)
    const other = await open(toolLoop(eventEngine(textReply('Again.')), [testTool('pay', () => 'paid')]))
    await until(() => isOpen('inference-resumed'))
    await clock.advance(100)
    expect((await types()).slice(left.length, left.length + 2)).toEqual(next)
    expect((await other.state()).active?.restarts ?? 0).toBe(0)
    for (const { approvalId } of (await other.state()).approvals) await other.decide(approvalId, { decision: 'denied' })
    await until(async () => (await other.turns()).length === 1)
    await inference.result
    await other.close()
  })

  test('that has nothing to do is handed over by closing it; what waits is left', async () => {
    const { clock, store, open, until, isOpen } = await place()
    const session = await open(eventEngine(hello))
    await session.submit('first')
    await until(() => isOpen('text-delta'))
    await session.submit('second')
    const ending = session.handOver(0)
    await clock.advance(0)
    await ending
    expect((await session.state()).queue).toHaveLength(1)
    const other = await open(eventEngine(textReply('one'), textReply('two')))
    await until(async () => (await other.turns()).length === 2)
    await other.handOver()
    expect((await store.head('s'))?.hasWork).toBe(false)
    expect(clock.pending).toBe(0)
  })

  test('waits for its approval however often its process dies', async () => {
    const { clock, store, open, until, isOpen } = await place()
    const engine = eventEngine(toolReply(['c', 'pay']), textReply('Paid.'))
    for (let life = 0; life < 6; life += 1) {
      const process = { isDead: false }
      const session = await open(toolLoop(engine, [guarded]), mortalStore(store, process))
      if (life === 0) await session.submit('Pay')
      await until(() => isOpen('approval-requested'))
      await clock.advance(1_000)
      process.isDead = true
      await clock.advance(20_000)
    }
    const session = await open(toolLoop(engine, [guarded]))
    const [approval] = (await session.state()).approvals
    await session.decide(approval?.approvalId ?? '', { decision: 'approved' })
    await until(async () => (await session.turns()).length === 1)
    const [last] = await session.turns()
    expect(last && answersOf(last)).toEqual([['c', 'paid']])
    await session.close()
  })

  test.each([
    ['answers with what the tool gave in its grace', true, 'saved half'],
    ['answers that the outcome is unknown, when it gave nothing', false, 'interrupted: outcome unknown'],
  ])('that is cancelled %s', async (_what, isHeeding, answer) => {
    const { clock, store, open, types, until, isOpen } = await place()
    const slow = testTool('slow', async (_input, context) => {
      await untilAborted(context).catch(() => {})
      return isHeeding ? 'saved half' : forEver()
    })
    const session = await open(toolLoop(eventEngine(toolReply(['c', 'slow'])), [slow]))
    const inference = await session.submit('Go')
    await until(() => isOpen('tool-execution-started'))
    await session.cancel()
    await clock.advance(isHeeding ? 100 : cancelGraceMs)
    await expect(inference.result).rejects.toMatchObject({ code: 'INFERENCE_CANCELLED' })
    expect((await types()).slice(-4)).toEqual([
      'cancel-requested',
      'tool-result-ready',
      'tool-call-finished',
      'inference-stopped',
    ])
    const [last] = await session.turns()
    expect(last && answersOf(last)).toEqual([['c', answer]])
    expect((await store.head('s'))?.hasWork).toBe(false)
    await session.close()
  })
})
