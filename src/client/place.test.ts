import { describe, expect, test } from 'vitest'
import { GeppettoError } from '../errors.ts'
import type { UnknownEvent } from '../events/event.ts'
import { emptyTimeline } from '../timeline/timeline.ts'
import type { ServerMessage } from './message.ts'
import { advance, afterLoss, consequenceOf, placeAt, type Place } from './place.ts'

const event = (ordinal: number, sessionId = 's'): ServerMessage => {
  const unknown: UnknownEvent = { type: 'unknown', rawType: 'x', ordinal, at: '', fields: {} }
  return { kind: 'event', sessionId, event: unknown }
}
const snapshot = (ordinal: number): ServerMessage => {
  return { kind: 'snapshot', sessionId: 's', snapshot: { timeline: emptyTimeline(ordinal) } }
}
const subscribed = (incarnation: string): ServerMessage => ({
  kind: 'subscribed',
  sessionId: 's',
  incarnation,
  head: 9,
})
const error = new GeppettoError('STORE_BUSY', 'busy')
const at4: Place = { ...placeAt(4), incarnation: 'one', faults: 1 }

describe('a message moves the place', () => {
  test.each<[what: string, from: Place, message: ServerMessage, to: Place]>([
    ['the next event', at4, event(5), { ...at4, ordinal: 5, faults: 0 }],
    ['an event that is known', at4, event(4), at4],
    ['an event before the snapshot', placeAt('snapshot'), event(9), placeAt('snapshot')],
    ['a snapshot', placeAt('snapshot'), snapshot(7), placeAt(7)],
    ['a snapshot of an earlier time', at4, snapshot(2), { ...at4, ordinal: 2 }],
    ['the first word of which session it is', placeAt(4), subscribed('one'), placeAt(4, 'one')],
    ['the same word again', at4, subscribed('one'), at4],
    ['what says nothing', at4, { kind: 'other' }, at4],
  ])('%s', (_what, from, message, to) => expect(advance(from, 's', message)).toEqual(to))

  test.each<[what: string, message: ServerMessage, code: string]>([
    ['an event after a gap', event(6), 'EVENT_GAP'],
    ['an event of another session', event(5, 'other'), 'EVENT_INVALID'],
    ['another incarnation', subscribed('two'), 'CURSOR_FOREIGN'],
    ['an error', { kind: 'error', error }, 'STORE_BUSY'],
    ['the end', { kind: 'closed', sessionId: 's', error }, 'STORE_BUSY'],
  ])('%s ends the connection', (_what, message, code) => {
    expect(() => advance(at4, 's', message)).toThrow(expect.objectContaining({ code }))
  })
})

describe('after a connection', () => {
  const of = (code: GeppettoError['code']) => new GeppettoError(code, 'said so')

  test.each([
    ['SERVER_UNREACHABLE', 'come-back'],
    ['SERVER_STOPPING', 'come-back'],
    ['INTERNAL', 'come-back'],
    ['EVENT_GAP', 'come-back'],
    ['CURSOR_EXPIRED', 'begin-anew'],
    ['CURSOR_FUTURE', 'begin-anew'],
    ['CURSOR_FOREIGN', 'begin-anew'],
    ['SESSION_UNKNOWN', 'give-up'],
    ['UNAUTHENTICATED', 'give-up'],
    ['FORBIDDEN', 'give-up'],
  ] as const)('%s means: %s', (code, consequence) => expect(consequenceOf(of(code))).toBe(consequence))

  test('the next one goes on where the last one was', () => {
    expect(afterLoss(at4, of('SERVER_UNREACHABLE'))).toEqual(at4)
  })
  test('a place that the log no longer knows is given up for a snapshot', () => {
    expect(afterLoss(at4, of('CURSOR_EXPIRED'))).toEqual(placeAt('snapshot'))
  })
  test('what cannot be read twice at the same place is passed over with a snapshot', () => {
    const once = afterLoss(placeAt(4), of('EVENT_INVALID'))
    expect(once.needsSnapshot).toBe(false)
    const twice = afterLoss(once, of('EVENT_GAP'))
    expect(twice.needsSnapshot).toBe(true)
    expect(advance({ ...once, faults: 1 }, 's', event(5)).faults).toBe(0)
  })
})
