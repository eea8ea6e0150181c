import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EngineEvent } from '../../src/events/event.ts'
import type { Engine } from '../../src/inference/engine.ts'
import { checkSession } from '../../src/session/doctor.ts'
import type { StoredInference } from '../../src/session/stored-inference.ts'
import { StoredSession, type StoredSessionOptions, type SubmitOptions } from '../../src/session/stored-session.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { SqliteStore } from '../../src/store/sqlite-store.ts'
import type { Store } from '../../src/store/store.ts'
import { assistantText } from '../../src/turns/block.ts'
import { forEver } from '../support/event-engine.ts'
import { FakeClock, settle } from '../support/fake-clock.ts'
import { violations } from '../support/history.ts'
import { mortalStore } from '../support/mortal-store.ts'
import { historyOf } from '../support/session-work.ts'
import { countingIds } from '../support/values.ts'

// A session against a model of it that has no store, no log and no time: what runs, what waits, how each ended.

const sessionId = 's'
const maxQueued = 2
const maxRestarts = 3
type End = 'finished' | 'failed' | 'stopped' | 'interrupted'

interface Prompt {
  /** Its place among the prompts that were accepted. */
  readonly number: number
  readonly text: string
  restarts: number
}

interface Model {
  active: Prompt | undefined
  readonly queue: Prompt[]
  readonly ends: Map<number, End>
  readonly keys: Map<string, Prompt>
  accepted: number
  title: string | undefined
}

function begin(model: Model): void {
  model.active ??= model.queue.shift()
}

function end(model: Model, how: End): void {
  if (model.active !== undefined) model.ends.set(model.active.number, how)
  model.active = undefined
  begin(model)
}

/** The real thing: one process at a time, whose engine says a word and waits for what becomes of it. */
class Real {
  readonly store: Store
  readonly clock: FakeClock
  readonly inferences: StoredInference[] = []
  readonly #recovery: NonNullable<StoredSessionOptions['recovery']>
  readonly #newId = countingIds()
  #life = { isDead: false }
  #answer: PromiseWithResolvers<'finish' | 'fail'> = Promise.withResolvers()
  session!: StoredSession // `start` comes first

  constructor(store: Store, clock: FakeClock, recovery: NonNullable<StoredSessionOptions['recovery']>) {
    this.store = store
    this.clock = clock
    this.#recovery = recovery
  }

  async start(): Promise<void> {
    const options = { clock: this.clock, newId: this.#newId, recovery: this.#recovery, maxQueued, maxRestarts }
    const engine: Engine = () => this.#speak(this.#life)
    this.session = await StoredSession.open(mortalStore(this.store, this.#life), sessionId, { ...options, engine })
    await this.rest()
  }

  async crash(): Promise<void> {
    this.#life.isDead = true
    this.#life = { isDead: false }
    await this.clock.advance(20_000) // nobody renews its claim
    await this.start()
  }

  /** The engine is in the middle of a reply, so there is no step to wait for. */
  async handOver(): Promise<void> {
    const ending = this.session.handOver(1_000)
    await this.clock.advance(1_000)
    await ending
    this.#life = { isDead: false }
    await this.start()
  }

  async answer(how: 'finish' | 'fail'): Promise<void> {
    this.#answer.resolve(how)
    await this.rest()
  }

  /** Lets everything come to rest that waits for nothing but the store. */
  async rest(): Promise<void> {
    for (let turn = 0; turn < 30; turn += 1) await settle()
  }

  async *#speak(life: { readonly isDead: boolean }): AsyncIterable<EngineEvent> {
    this.#answer = Promise.withResolvers()
    const { promise } = this.#answer
    yield { type: 'provider-call-started', provider: 'test', model: 'test-1' }
    yield { type: 'text-delta', segmentId: '0', offset: 0, delta: 'Hello' }
    const how = await promise
    if (life.isDead) await forEver()
    if (how === 'fail') throw new Error('it broke')
    yield { type: 'text-segment-finished', segmentId: '0', block: assistantText('Hello') }
    yield { type: 'provider-call-finished', finishClass: 'completed', result: { finish_class: 'completed' }, blocks: 1 }
  }
}

/** What is in the store is what the model says. */
async function agree(model: Model, real: Real): Promise<void> {
  const head = await real.store.head(sessionId)
  if (model.accepted === 0) return expect(head).toBeUndefined()
  const numberOf = (id: string) => real.inferences.findIndex((inference) => inference.id === id)
  const { title, active, queue } = await real.session.state()
  expect({
    title,
    active: active && [numberOf(active.inferenceId), active.restarts],
    queue: queue.map(({ inferenceId }) => numberOf(inferenceId)),
  }).toEqual({
    title: model.title,
    active: model.active && [model.active.number, model.active.restarts],
    queue: model.queue.map(({ number }) => number),
  })
  const history = await historyOf(real.store, sessionId, false)
  const ends = new Map<number, End>()
  for (const event of history.events as readonly { type: string; inference_id: string }[]) {
    const [, how] = /^inference-(finished|failed|stopped|interrupted)$/.exec(event.type) ?? []
    if (how !== undefined) ends.set(numberOf(event.inference_id), how as End) // the expression says so
  }
  expect(ends).toEqual(model.ends)
  expect(violations(history)).toEqual([])
}

type Command = fc.AsyncCommand<Model, Real>
const always = () => true

type WhileRunning = NonNullable<SubmitOptions['whileRunning']>

const submit = (key: string | undefined, text: string, whileRunning: WhileRunning): Command => ({
  check: always,
  async run(model, real) {
    const known = key === undefined ? undefined : model.keys.get(key)
    const options = { whileRunning, ...(key !== undefined && { idempotencyKey: key }) }
    const submitted = real.session.submit(text, options)
    if (known !== undefined && known.text !== text) {
      await expect(submitted).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' })
    } else if (known !== undefined) {
      expect((await submitted).id).toBe(real.inferences[known.number]?.id)
    } else if (whileRunning === 'refuse' && model.active !== undefined) {
      await expect(submitted).rejects.toMatchObject({ code: 'SESSION_BUSY' })
    } else if (whileRunning === 'queue' && model.queue.length >= maxQueued) {
      await expect(submitted).rejects.toMatchObject({ code: 'SESSION_QUEUE_FULL' })
    } else {
      const prompt = { number: model.accepted, text, restarts: 0 }
      if (whileRunning === 'replace') {
        for (const { number } of model.queue.splice(0)) model.ends.set(number, 'stopped')
        end(model, 'stopped')
      }
      model.accepted += 1
      model.queue.push(prompt)
      if (key !== undefined) model.keys.set(key, prompt)
      real.inferences.push(await submitted)
      begin(model)
    }
    await real.rest()
    await agree(model, real)
  },
  toString: () => `submit ${key} ${text} ${whileRunning}`,
})

const cancel = (which: number): Command => ({
  check: ({ accepted }) => accepted > 0,
  async run(model, real) {
    const number = which % model.accepted
    const isOpen = !model.ends.has(number)
    expect(await real.session.cancel(real.inferences[number]?.id)).toBe(isOpen)
    const waiting = model.queue.findIndex((prompt) => prompt.number === number)
    if (model.active?.number === number) end(model, 'stopped')
    else if (waiting >= 0) {
      model.queue.splice(waiting, 1)
      model.ends.set(number, 'stopped')
    }
    await real.rest()
    await agree(model, real)
  },
  toString: () => `cancel ${which}`,
})

const rename = (title: string): Command => ({
  check: always,
  async run(model, real) {
    const renamed = real.session.rename(title)
    if (model.accepted === 0) await expect(renamed).rejects.toMatchObject({ code: 'SESSION_UNKNOWN' })
    else {
      await renamed
      model.title = title
    }
    await real.rest()
    await agree(model, real)
  },
  toString: () => `rename ${title}`,
})

const answer = (how: 'finish' | 'fail'): Command => ({
  check: ({ active }) => active !== undefined,
  async run(model, real) {
    end(model, how === 'finish' ? 'finished' : 'failed')
    await real.answer(how)
    await agree(model, real)
  },
  toString: () => how,
})

const crash = (recovery: StoredSessionOptions['recovery']): Command => ({
  check: always,
  async run(model, real) {
    const { active } = model
    if (active !== undefined && recovery === 'interrupt') end(model, 'interrupted')
    else if (active !== undefined && active.restarts === maxRestarts) end(model, 'failed')
    else if (active !== undefined) active.restarts += 1
    await real.crash()
    await agree(model, real)
  },
  toString: () => 'crash and restart',
})

const handOver = (recovery: StoredSessionOptions['recovery']): Command => ({
  check: always,
  async run(model, real) {
    if (recovery === 'interrupt') end(model, 'interrupted')
    await real.handOver()
    await agree(model, real)
  },
  toString: () => 'hand over',
})

const wait = (ms: number): Command => ({
  check: always,
  async run(model, real) {
    await real.clock.advance(ms)
    await agree(model, real)
  },
  toString: () => `wait ${ms} ms`,
})

const view = (from: number): Command => ({
  check: ({ accepted }) => accepted > 0,
  async run(_model, real) {
    const head = await real.store.head(sessionId)
    const after = from % ((head?.ordinal ?? 0) + 1)
    const seen: number[] = []
    if (after === head?.ordinal) return
    for await (const { ordinal } of real.session.events({ after })) {
      seen.push(ordinal)
      if (ordinal === head?.ordinal) break
      if (seen.length > 10_000) throw new Error('there is no end of it')
    }
    expect(seen).toEqual(Array.from({ length: (head?.ordinal ?? 0) - after }, (_, at) => after + at + 1))
  },
  toString: () => `view after ${from}`,
})

const key = fc.constantFrom(undefined, undefined, 'k1', 'k2')
const commands = (recovery: StoredSessionOptions['recovery']) =>
  fc.commands(
    [
      fc
        .tuple(key, fc.constantFrom('a', 'b'), fc.constantFrom<WhileRunning>('queue', 'queue', 'refuse', 'replace'))
        .map(([given, text, whileRunning]) => submit(given, text, whileRunning)),
      fc.constantFrom('Tea', 'Rain').map(rename),
      fc.nat(9).map(cancel),
      fc.constantFrom('finish' as const, 'fail' as const).map(answer),
      fc.constant(crash(recovery)),
      fc.constant(handOver(recovery)),
      fc.nat(30_000).map(wait),
      fc.nat(200).map(view),
    ],
    { maxCommands: 30, size: '+1' },
  )

const stores: readonly (readonly [string, (clock: FakeClock) => Promise<Store>])[] = [
  ['memory', async (clock) => new MemoryStore({ clock })],
  ['SQLite', (clock) => SqliteStore.open(':memory:', { clock })],
]

describe.each(stores)('a session in %s', (_name, open) => {
  test.each(['resume', 'interrupt'] as const)(
    'does what its model does, where a restart means to %s',
    async (recovery) => {
      await fc.assert(
        fc.asyncProperty(commands(recovery), async (given) => {
          const clock = new FakeClock()
          const store = await open(clock)
          const real = new Real(store, clock, recovery)
          await real.start()
          const model: Model = {
            active: undefined,
            queue: [],
            ends: new Map(),
            keys: new Map(),
            accepted: 0,
            title: undefined,
          }
          await fc.asyncModelRun(() => ({ model, real }), given)
          // What is left is answered in its order, and all is as it should be.
          while (model.active !== undefined) {
            end(model, 'finished')
            await real.answer('finish')
          }
          await agree(model, real)
          if (model.accepted === 0) return
          for await (const finding of checkSession(store, sessionId)) expect(finding).toBeUndefined()
          await store.close()
        }),
        { numRuns: Number(process.env['MODEL_RUNS'] ?? 250) },
      )
    },
    120_000,
  )
})
