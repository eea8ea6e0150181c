import { describe, expect, test } from 'vitest'
import { recordLog } from '../../../../test/support/recorded-log.ts'
import { findAnomalies } from './anomalies.ts'
import type { LogEvent } from './log.ts'
import { waterfallsOf } from './waterfall.ts'

const found = (events: readonly LogEvent[]) => findAnomalies(events, waterfallsOf(events))
const renumbered = (events: readonly LogEvent[]) => events.map((event, index) => ({ ...event, ordinal: index + 1 }))
const without = (events: readonly LogEvent[], type: string) => renumbered(events.filter((event) => event.type !== type))
const log = await recordLog({ prompts: ['What is 17 * 23?', 'Say hello'] })

describe('the rules', () => {
  test('find nothing in a log as it is written', () => {
    expect(found(log)).toEqual([])
  })

  test.each([
    ['inference-started', 'orphan-event', /has not begun/],
    ['provider-call-started', 'orphan-event', /without the start of its provider call/],
    ['text-segment-started', 'orphan-event', /without the start of its segment/],
    ['tool-call-requested', 'orphan-event', /without the request for its call/],
    ['provider-call-finished', 'missing-correlation', /has no end/],
    ['tool-result-ready', 'missing-correlation', /has no end/],
  ])('find that %s is missing', (type, rule, message) => {
    const [first] = found(without(log, type)).filter((anomaly) => anomaly.rule === rule)
    expect(first?.message).toMatch(message)
  })

  test('find a gap in the ordinals, and one in a text', () => {
    const at = log.findIndex(({ type }) => type === 'text-delta')
    const text = log.find((event) => event.type === 'text-delta')!
    const halves = [
      { ...text, delta: text.delta.slice(0, 2) },
      { ...text, offset: 2, delta: text.delta.slice(2) },
    ]
    const inTwo = renumbered(log.toSpliced(at, 1, ...halves))
    expect(found(inTwo)).toEqual([])
    expect(found(inTwo.toSpliced(at, 1)).map(({ rule, message }) => [rule, message])).toEqual([
      ['ordinal-gap', `Event ${at + 2} follows event ${at}.`],
      expect.arrayContaining([
        'ordinal-gap',
        expect.stringMatching(/^The text goes on at character \d+, and ends at 0\.$/),
      ]),
    ])
  })

  test('find what comes after the end', () => {
    const [late] = log.filter(({ type }) => type === 'phase-reached')
    const anomalies = found([...log, { ...late!, ordinal: log.length + 1 }])
    expect(anomalies.map(({ rule, severity }) => [rule, severity])).toEqual([['orphan-event', 'warning']])
  })

  test('find an event that nobody knows, and one that says nothing of where it is from', () => {
    const { at } = log[0]!
    const unknown = { type: 'unknown', rawType: 'x', ordinal: log.length + 1, at, fields: {} } as const
    expect(found([...log, unknown]).map(({ rule }) => rule)).toEqual(['missing-correlation', 'schema-error'])
  })

  test('find a value that is not what its key says', () => {
    const opened = log.find((event) => event.type === 'turn-opened')!
    const delta = { ...opened.delta, data: { 'geppetto.tool_config@v1': 'yes' } }
    const events = log.map((event) => (event === opened ? { ...opened, delta } : event))
    expect(found(events)).toMatchObject([{ rule: 'schema-error', severity: 'error', ordinal: opened.ordinal }])
  })

  test('find the step that took far longer than its like', () => {
    const started = log.filter(({ type }) => type === 'provider-call-started')
    // Four calls, of which the second took five seconds.
    const slow = (ordinal: number) => ordinal > started[1]!.ordinal
    const later = (at: string) => new Date(Date.parse(at) + 5_000).toISOString()
    const twice = [...log, ...log.map((event) => retold(event, log.length))]
    const events = twice.map((event) => (slow(event.ordinal) ? { ...event, at: later(event.at) } : event))
    expect(found(events)).toMatchObject([{ rule: 'slow-step', severity: 'warning', ordinal: started[1]!.ordinal }])
  })
})

/** The same again, as of other turns. */
function retold(event: LogEvent, by: number): LogEvent {
  const ids = JSON.stringify({ ...event, ordinal: event.ordinal + by }).replaceAll(/"id-(\d+)/g, '"again-$1')
  return JSON.parse(ids) as LogEvent // it was one before
}
