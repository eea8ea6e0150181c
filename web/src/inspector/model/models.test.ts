import { describe, expect, test } from 'vitest'
import { recordLog } from '../../../../test/support/recorded-log.ts'
import { eventEngine, textReply } from '../../../../test/support/event-engine.ts'
import { toolLoop } from '../../../../src/inference/tool-loop.ts'
import { scripted } from '../../../../src/providers/scripted/engine.ts'
import { applyTimeline, emptyTimeline, entitiesOf } from '../../../../src/timeline/timeline.ts'
import { eventNamed, filterEvents } from './filter.ts'
import { axisOf, laneItems, marksOf } from './lanes.ts'
import { ledgerOf, sumLedgers } from './ledger.ts'
import { defaultGroups, eventGroups, type LogEvent } from './log.ts'
import { recordTurns } from './recorded-turns.ts'
import { scriptOf } from './script.ts'
import { waterfallsOf } from './waterfall.ts'

const log = await recordLog({ prompts: ['What is 17 * 23?', 'Say hello'] })

/** The events a second apart each, so that what they begin and end has a length. */
function secondsApart(events: readonly LogEvent[]): readonly LogEvent[] {
  return events.map((event) => ({ ...event, at: new Date(event.ordinal * 1_000).toISOString() }))
}

describe('a waterfall', () => {
  test('has each call and each tool of an inference, one after the other', () => {
    const [first] = waterfallsOf(secondsApart(log))
    expect(first?.spans.map(({ kind, label, outcome }) => [kind, label, outcome])).toEqual([
      ['queue', 'Waits for its turn', 'done'],
      ['attempt', 'scripted-1', 'done'],
      ['tool', 'calculator', 'done'],
      ['attempt', 'scripted-1', 'done'],
    ])
    for (const { startMs, endMs = 0 } of first?.spans ?? []) expect(endMs).toBeGreaterThan(startMs)
    expect(first?.ending).toBe('inference-finished')
  })

  test('says when the first of a reply came', () => {
    const [, call] = waterfallsOf(secondsApart(log))[0]?.spans ?? []
    expect(call?.firstOutputMs).toBeGreaterThan(call?.startMs ?? 0)
  })

  test('a process that died leaves what it was at without an end, and a question open', () => {
    const called = log.findIndex(({ type }) => type === 'tool-call-requested')
    const { turnId = '', inferenceId = '' } = log[called]!
    const at = (second: number) => ({ ordinal: second, at: new Date(second * 1_000).toISOString() })
    const ids = { sessionId: 's', turnId, inferenceId }
    const asked = { approvalId: 'a', toolName: 'pay', input: {}, reason: 'policy' as const, hash: '' }
    const events: readonly LogEvent[] = [
      ...secondsApart(log.slice(0, called)),
      { type: 'approval-requested', ...asked, ...ids, toolCallId: 'c', ...at(100) },
      { type: 'inference-resumed', restarts: 1, ...ids, ...at(200) },
      { type: 'approval-decided', approvalId: 'a', decision: 'approved', ...ids, toolCallId: 'c', ...at(300) },
    ]
    expect(waterfallsOf(events)[0]?.spans.map(({ kind, outcome, endMs }) => [kind, outcome, endMs])).toEqual([
      ['queue', 'done', expect.any(Number)],
      ['attempt', 'lost', 200_000],
      ['approval', 'done', 300_000],
    ])
  })

  test('what has no end is open', () => {
    const until = log.findIndex(({ type }) => type === 'text-delta')
    const last = waterfallsOf(log.slice(0, until)).at(-1)
    expect([last?.endMs, last?.spans.at(-1)?.outcome]).toEqual([undefined, 'open'])
  })
})

describe('a ledger', () => {
  const usage = {
    input_tokens: 100,
    output_tokens: 50,
    cache_read_input_tokens: 60,
    cache_creation_input_tokens: 10,
    reasoning_tokens: 20,
  }
  const discarded = { error: { code: 'PROVIDER_OVERLOADED', message: 'Too much.' }, blocks: 0, retryInMs: 10 }
  const model = eventEngine([
    { type: 'provider-call-started', provider: 'test', model: 'test-1' },
    { type: 'provider-call-metadata-updated', usage: { input_tokens: 7, output_tokens: 0 } },
    { type: 'attempt-discarded', ...discarded },
    ...textReply('Hello', { usage }),
  ])

  test('takes the totals apart, counts what a failed attempt cost, and makes what the inference says', async () => {
    const events = await recordLog({ model, middleware: [], prompts: ['Hi'] })
    const inferenceId = events.at(-1)?.inferenceId ?? ''
    const price = { input: 10, output: 100, cacheRead: 1 }
    const ledger = ledgerOf(events, inferenceId, price)
    expect(ledger.rows.map(({ outcome, tokens }) => [outcome, tokens])).toEqual([
      ['discarded', { fresh: 7, cacheRead: 0, cacheWrite: 0, visible: 0, reasoning: 0 }],
      ['finished', { fresh: 30, cacheRead: 60, cacheWrite: 10, visible: 30, reasoning: 20 }],
    ])
    expect(ledger.total).toEqual({ fresh: 37, cacheRead: 60, cacheWrite: 10, visible: 30, reasoning: 20 })
    expect(ledger.cost).toBeCloseTo((47 * 10 + 60 + 50 * 100) / 1e6, 12)
    expect(ledger.addsUp).toBe(true)
    expect(sumLedgers([ledger, ledger]).total.fresh).toBe(74)
  })

  test('says so when the parts do not make the whole', async () => {
    const events = await recordLog({ prompts: ['Say hi'] })
    const wrong = events.map((event) =>
      event.type === 'inference-finished'
        ? { ...event, result: { ...event.result, usage: { input_tokens: 1, output_tokens: 1 } } }
        : event,
    )
    expect(ledgerOf(wrong, events.at(-1)?.inferenceId ?? '').addsUp).toBe(false)
  })
})

describe('filter and search', () => {
  const all = { groups: new Set(eventGroups), search: '' }

  test('groups hold every event, and deltas are not shown until they are asked for', () => {
    expect(filterEvents(log, all)).toHaveLength(log.length)
    const shown = filterEvents(log, { groups: new Set(defaultGroups), search: '' })
    expect(log.length - shown.length).toBe(log.filter(({ type }) => type.endsWith('-delta')).length)
  })

  test('any id, any type and any text is found, whatever its case', () => {
    const id = log.at(-1)?.inferenceId ?? ''
    expect(filterEvents(log, { ...all, search: id }).every((event) => JSON.stringify(event).includes(id))).toBe(true)
    expect(filterEvents(log, { ...all, search: 'CALCULATOR' }).length).toBeGreaterThan(3)
    expect(filterEvents(log, { ...all, within: id })).toEqual(log.filter(({ inferenceId }) => inferenceId === id))
  })

  test('a selection is an ordinal or any id', () => {
    const requested = log.find((event) => event.type === 'tool-call-requested')!
    expect(eventNamed(log, '3')).toBe(log[2])
    expect(eventNamed(log, requested.toolCallId)).toBeDefined()
    expect(eventNamed(log, 'nobody')).toBeUndefined()
  })
})

describe('the lanes', () => {
  const entities = entitiesOf(log.reduce(applyTimeline, emptyTimeline()))

  test('hold every state, every event and every entity on one axis', () => {
    const events = secondsApart(log)
    const turns = recordTurns(events)
    const items = laneItems(axisOf(events), events, turns, entities)
    expect(items.turns).toHaveLength(turns.flatMap(({ states }) => states).length)
    expect(items.events).toHaveLength(events.length)
    expect(items.entities).toHaveLength(entities.length)
    expect(items.events.map(({ from }) => from)).toEqual(events.map((_event, index) => index * 1_000))
  })

  test('fold the time in which nothing happened', () => {
    const events = log.slice(0, 3).map((event, index) => ({ ...event, at: new Date(index * 3_600_000).toISOString() }))
    const axis = axisOf(events)
    expect(axis.length).toBe(2_000)
    expect(axis.folds.map(({ leftOutMs }) => leftOutMs)).toEqual([3_599_000, 3_599_000])
    expect([0, 1_800_000, 3_600_000, 7_200_000].map((ms) => axis.place(ms))).toEqual([0, 1_000, 1_000, 2_000])
  })

  test('never have more marks than pixels, and show the failure among many', () => {
    const items = Array.from({ length: 5_000 }, (_item, index) => ({
      lane: 'events' as const,
      ordinal: index,
      from: index,
      to: index,
      label: '',
      isSpan: false,
      color: index === 2_500 ? ('failure' as const) : ('delta' as const),
    }))
    const marks = marksOf(items, { from: 0, to: 5_000 }, 800)
    expect(marks.length).toBeLessThanOrEqual(200)
    expect(marks.reduce((sum, { count }) => sum + count, 0)).toBe(5_000)
    expect(marks.filter(({ item }) => item.color === 'failure')).toHaveLength(1)
    expect(marksOf(items, { from: 100, to: 110 }, 800)).toHaveLength(11)
  })
})

describe('a session as a script', () => {
  test('gives the same conversation again', async () => {
    const replayed = await recordLog({
      model: scripted({ script: scriptOf(log), pace: 0 }),
      prompts: ['What is 17 * 23?', 'Say hello'],
    })
    const said = (events: readonly LogEvent[]) =>
      events.flatMap((event) => ('block' in event ? [[event.type, event.block.payload]] : []))
    expect(said(replayed)).toEqual(said(log))
  })

  test('keeps prompts and answers that look like patterns and values', async () => {
    const prompts = ['Say {{x}} (a+b)? [c] / $1']
    const model = toolLoop(eventEngine(textReply('All of {{it}}')), [])
    const script = scriptOf(await recordLog({ model, middleware: [], prompts }))
    const events = await recordLog({ model: scripted({ script, pace: 0 }), middleware: [], prompts })
    const finished = events.find((event) => event.type === 'text-segment-finished')
    expect(finished?.block.payload.text).toBe('All of { {it} }')
  })
})
