import { expect, test } from 'vitest'
import type { SessionSummary } from 'geppetto/client'
import { versionsAt, withoutOlderVersions } from './version-family.ts'

const session = (sessionId: string, createdAt: string, origin?: SessionSummary['origin']): SessionSummary => ({
  ...{ sessionId, title: sessionId, createdAt, updatedAt: createdAt, ordinal: 1, isActive: false },
  ...(origin && { origin }),
})
const first = session('first', '1')
const second = session('second', '2', { sessionId: 'first', before: 'm1' })
const third = session('third', '3', { sessionId: 'first', before: 'm1' })
const later = session('later', '4', { sessionId: 'first', before: 'm2' })
const copy = session('copy', '5', { sessionId: 'first' })
// The one that changed last stands first.
const all = [copy, later, third, second, first]

test.each([
  ['at the message that was asked differently', 'first', 'm1', true, ['first', 'second', 'third']],
  ['seen from a version of it', 'second', 'other', true, ['first', 'second', 'third']],
  ['at a later message', 'first', 'm2', false, ['first', 'later']],
  ['at a later message of a version', 'second', 'm9', false, ['second']],
  ['in a fork of the whole', 'copy', 'm3', true, ['copy']],
])('versions %s', (_where, sessionId, messageId, isFirstOwn, expected) => {
  expect(versionsAt(all, sessionId, messageId, isFirstOwn)).toEqual(expected)
})

test('the first version may be gone', () => {
  expect(versionsAt([third, second], 'third', 'x', true)).toEqual(['second', 'third'])
})

test('a list shows one of all versions, and each fork of the whole', () => {
  expect(withoutOlderVersions(all)).toEqual([copy, later])
})
