import { describe, expect, test } from 'vitest'
import { FakeClock, settle } from '../../test/support/fake-clock.ts'
import type { InferenceEvent } from '../events/event.ts'
import { RecordQueue } from './record-queue.ts'

function event(message: string): InferenceEvent {
  return { type: 'info', message, ordinal: 0, at: '', sessionId: 's', inferenceId: 'i', turnId: 't' }
}
const words = (events: readonly InferenceEvent[]) => events.map((each) => ('message' in each ? each.message : ''))

/** A queue before a log that keeps what it is given, unless it fails. */
function queue() {
  const clock = new FakeClock()
  const batches: (readonly string[])[] = []
  const shown: (readonly [number, string])[] = []
  const state = { fails: false, ordinal: 1, wait: Promise.resolve() }
  const made = new RecordQueue(
    async (events) => {
      await state.wait
      if (state.fails) throw new Error('the disk is full')
      batches.push(words(events))
      const first = state.ordinal
      state.ordinal += events.length
      return first
    },
    (shownEvent) => shown.push([shownEvent.ordinal, ...words([shownEvent])] as const as [number, string]), // one word each
    clock,
  )
  return { queue: made, clock, batches, shown, state }
}

describe('the queue before the log', () => {
  test('keeps events together for 25 ms, and shows them with their places when they are recorded', async () => {
    const { queue: made, clock, batches, shown } = queue()
    for (const word of ['a', 'b']) made.add(event(word))
    await clock.advance(24)
    expect([batches, shown]).toEqual([[], []])
    await clock.advance(1)
    expect(batches).toEqual([['a', 'b']])
    expect(shown).toEqual([
      [1, 'a'],
      [2, 'b'],
    ])
    expect(clock.pending).toBe(0)
  })

  test('does not keep 20 waiting', async () => {
    const { queue: made, clock, batches } = queue()
    for (let at = 0; at < 20; at += 1) made.add(event(`${at}`))
    await settle()
    expect(batches.map(({ length }) => length)).toEqual([20])
    expect(clock.pending).toBe(0)
  })

  test('records together what comes while others are being recorded, and is full at 256', async () => {
    const { queue: made, batches, state } = queue()
    const { promise, resolve } = Promise.withResolvers<void>()
    state.wait = promise
    for (let at = 0; at < 20; at += 1) made.add(event(`${at}`))
    await settle()
    for (let at = 0; at < 255; at += 1) made.add(event(`${at}`))
    expect(made.isFull).toBe(false)
    made.add(event('last'))
    expect(made.isFull).toBe(true)
    resolve()
    await made.flush()
    expect(batches.map(({ length }) => length)).toEqual([20, 256])
  })

  test('flushes at once when it is told to, and an empty flush records nothing', async () => {
    const { queue: made, clock, batches } = queue()
    made.add(event('a'))
    await made.flush()
    await made.flush()
    expect([batches, clock.pending]).toEqual([[['a']], 0])
  })

  test('shows nothing that could not be recorded, says so to whoever flushes, and tries it again in its place', async () => {
    const { queue: made, clock, batches, shown, state } = queue()
    state.fails = true
    made.add(event('a'))
    await clock.advance(25)
    made.add(event('b'))
    await expect(made.flush()).rejects.toThrow('the disk is full')
    expect(shown).toEqual([])
    state.fails = false
    made.add(event('c'))
    await made.flush()
    expect(batches).toEqual([['a', 'b', 'c']])
    expect(shown.map(([ordinal]) => ordinal)).toEqual([1, 2, 3])
  })
})

describe('tokens before the log', () => {
  const scope = { ordinal: 0, at: '', sessionId: 's', inferenceId: 'i', turnId: 't', providerCallId: 'p', attempt: 1 }
  const token = (segmentId: string, offset: number, delta: string): InferenceEvent => {
    return { type: segmentId.startsWith('r') ? 'reasoning-delta' : 'text-delta', ...scope, segmentId, offset, delta }
  }

  /** What is recorded of events that wait together. */
  async function recorded(events: readonly InferenceEvent[], isDiskFull = false) {
    const said: string[] = []
    let fails = isDiskFull
    const made = new RecordQueue(
      async (batch) => {
        if (fails) throw new Error('the disk is full')
        said.push(
          ...batch.map((each) =>
            'segmentId' in each && 'offset' in each ? `${each.segmentId}@${each.offset} ${each.delta}` : each.type,
          ),
        )
        return 1
      },
      () => {},
      new FakeClock(),
    )
    for (const each of events) {
      made.add(each)
      if (fails) await made.flush().catch(() => {})
    }
    fails = false
    await made.flush()
    return said
  }

  test('that wait together are one piece of text', async () => {
    const tokens = [token('1', 0, 'He'), token('1', 2, 'll'), token('1', 4, 'o'), token('2', 0, 'Hm'), event('x')]
    const more = [token('2', 2, '!'), token('r1', 0, 'So'), token('r1', 2, '?')]
    expect(await recorded([...tokens, ...more])).toEqual(['1@0 Hello', '2@0 Hm', 'info', '2@2 !', 'r1@0 So?'])
  })

  test('keep their order when they could not be recorded at first', async () => {
    const tokens = [token('1', 0, 'He'), token('1', 2, 'll'), token('1', 4, 'o')]
    expect((await recorded(tokens, true)).join('|').replaceAll(/\|?1@\d /g, '')).toBe('Hello')
  })
})
