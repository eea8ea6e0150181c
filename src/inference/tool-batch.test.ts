import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { eventEngine, testContext, textReply, toolReply } from '../../test/support/event-engine.ts'
import { settle } from '../../test/support/fake-clock.ts'
import { answersOf, promptTurn, startRun, testTool } from '../../test/support/runs.ts'
import { collect } from '../../test/support/values.ts'
import type { Json } from '../json.ts'
import { toolLoop } from './tool-loop.ts'

describe('many calls', () => {
  /** A tool that ends when a test says so, and counts how many of its calls run. */
  function gated() {
    const gates = new Map<string, (value: Json) => void>()
    let running = 0
    let most = 0
    const gate = testTool('gate', async (_input, { ids }) => {
      running += 1
      most = Math.max(most, running)
      const { promise, resolve } = Promise.withResolvers<Json>()
      gates.set(ids.toolCallId, resolve)
      const value = await promise
      running -= 1
      return value
    })
    return { gate, gates, most: () => most }
  }
  const calls = ['c1', 'c2', 'c3', 'c4', 'c5'].map((id) => [id, 'gate'] as const)

  test('run side by side, no more than allowed', async () => {
    const { gate, gates, most } = gated()
    const { inference } = startRun(
      toolLoop(eventEngine(toolReply(...calls), textReply('Done.')), [gate], { maxParallel: 2 }),
    )
    for (const expected of [['c1', 'c2'], ['c3'], ['c4'], ['c5'], []]) {
      await settle()
      expect([...gates.keys()]).toEqual(expect.arrayContaining(expected))
      const [first] = gates
      first?.[1](first[0])
      if (first !== undefined) gates.delete(first[0])
    }
    await inference.result
    expect(most()).toBe(2)
  })

  test('give the same turn in whatever order they end', async () => {
    const order = fc.shuffledSubarray(
      calls.map(([id]) => id),
      { minLength: calls.length },
    )
    const turnOf = async (ending: readonly string[]) => {
      const { gate, gates } = gated()
      const { inference } = startRun(
        toolLoop(eventEngine(toolReply(...calls), textReply('Done.')), [gate], { maxParallel: 5 }),
      )
      for (const id of ending) {
        await settle()
        gates.get(id)?.(`${id} done`)
      }
      const events = await collect(inference)
      const results = events.flatMap((event) => (event.type === 'tool-call-finished' ? [event.toolCallId] : []))
      return { bytes: JSON.stringify(inference.turn), results }
    }
    const inOrder = await turnOf(['c1', 'c2', 'c3', 'c4', 'c5'])
    expect(inOrder.results).toEqual(['c1', 'c2', 'c3', 'c4', 'c5'])
    const holds = fc.asyncProperty(order, async (ending) => {
      expect(await turnOf(ending)).toEqual(inOrder)
    })
    await fc.assert(holds, { numRuns: 30 })
  })

  test('end with the reason of the cancel when those that run have ended, and none begins after it', async () => {
    const abort = new AbortController()
    const { gate, gates } = gated()
    const loop = toolLoop(eventEngine(toolReply(...calls)), [gate], { maxParallel: 2 })
    const ending = collect(loop(promptTurn, testContext({ signal: abort.signal })))
    await settle()
    abort.abort(new Error('enough'))
    for (const end of gates.values()) end('done')
    await expect(ending).rejects.toBe(abort.signal.reason)
    expect([...gates.keys()]).toEqual(['c1', 'c2'])
  })

  test('tell each result as soon as those before it are told', async () => {
    const { gate, gates } = gated()
    const { inference } = startRun(toolLoop(eventEngine(toolReply(...calls.slice(0, 3)), textReply('Done.')), [gate]))
    const told = () => answersOf(inference.turn).map(([id]) => id)
    await settle()
    gates.get('c2')?.(2)
    await settle()
    expect(told()).toEqual([])
    gates.get('c1')?.(1)
    await settle()
    expect(told()).toEqual(['c1', 'c2'])
    gates.get('c3')?.(3)
    await inference.result
    expect(told()).toEqual(['c1', 'c2', 'c3'])
  })
})
