import { describe, expect, it } from 'vitest'
import type { InferenceEvent } from './event.ts'
import { isTerminal, terminalTypes } from './event.ts'
import { SinkGroup, type EventSink } from './sink.ts'

const event: InferenceEvent = {
  type: 'inference-started',
  ordinal: 1,
  at: '',
  sessionId: 's',
  inferenceId: 'i',
  turnId: 't',
}

function group(...sinks: readonly EventSink[]) {
  const failures: string[] = []
  return { failures, show: () => new SinkGroup(sinks, (message) => failures.push(message)).show(event) }
}

describe('SinkGroup', () => {
  it('shows each event to each sink once, in order, even to one that is given twice', () => {
    const seen: string[] = []
    const first = () => void seen.push('first')
    group(first, () => void seen.push('second'), first).show()
    expect(seen).toEqual(['first', 'second'])
  })

  it('goes on after a sink that throws, and reports it', () => {
    const seen: InferenceEvent[] = []
    const failing = () => {
      throw new Error('broken')
    }
    const { failures, show } = group(failing, (shown) => void seen.push(shown))
    show()
    expect(seen).toEqual([event])
    expect(failures).toEqual(['an event sink failed: broken'])
  })

  it('reports a sink that fails later', async () => {
    const { failures, show } = group(() => Promise.reject(new Error('later')))
    show()
    await Promise.resolve()
    expect(failures).toEqual(['an event sink failed: later'])
  })

  it('reports only the first failure of each sink', () => {
    const failures: string[] = []
    const failing = (name: string) => () => {
      throw new Error(name)
    }
    const sinks = new SinkGroup([failing('a'), failing('b')], (message) => failures.push(message))
    sinks.show(event)
    sinks.show(event)
    expect(failures).toEqual(['an event sink failed: a', 'an event sink failed: b'])
  })
})

it('four types end an inference', () => {
  expect(terminalTypes).toEqual([
    'inference-finished',
    'inference-stopped',
    'inference-failed',
    'inference-interrupted',
  ])
  expect(
    isTerminal({ ...event, type: 'inference-interrupted', reason: '', result: { finish_class: 'interrupted' } }),
  ).toBe(true)
  expect(isTerminal(event)).toBe(false)
})
