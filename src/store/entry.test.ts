import fc from 'fast-check'
import { expect, test } from 'vitest'
import { event, eventOf, unknownEvent } from '../../test/support/arbitraries.ts'
import { encodeEvent } from '../events/codec.ts'
import { fromEntry, toEntry } from './entry.ts'

test('an event comes out of the log as it went in', () => {
  fc.assert(
    fc.property(fc.oneof(event, unknownEvent), (given) => {
      const { type, body } = toEntry(given)
      const read = fromEntry(given.sessionId ?? '', { ordinal: given.ordinal, type, body })
      expect(encodeEvent(read)).toEqual({ ...encodeEvent(given), session_id: given.sessionId ?? '' })
    }),
  )
})

test.each(['text-delta', 'reasoning-delta'] as const)('a %s is stored as any other event is', (type) => {
  fc.assert(
    fc.property(eventOf(type), (given) => {
      const { type: _type, ordinal: _ordinal, session_id: _session, ...fields } = encodeEvent(given)
      expect(toEntry(given)).toEqual({ type, body: JSON.stringify(fields) })
    }),
  )
})

test('an event can be found by each id that it is the first to speak of', () => {
  const ids = { ordinal: 1, at: '', sessionId: 's', inferenceId: 'i', turnId: 't' }
  const block = { kind: 'user' as const, payload: { text: '' } }
  expect(toEntry({ ...ids, type: 'prompt-accepted', block }).names).toEqual(['i', 't'])
  const call = { ...ids, providerCallId: 'p', attempt: 1 }
  expect(toEntry({ ...call, type: 'provider-call-started', provider: '', model: '' }).names).toEqual(['p'])
  expect(toEntry({ ...call, type: 'provider-call-metadata-updated', responseId: 'r' }).names).toEqual(['r'])
  expect(toEntry({ ...ids, type: 'inference-resumed', restarts: 1 }).names).toBeUndefined()
})
