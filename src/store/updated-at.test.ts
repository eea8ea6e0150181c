import { expect, test } from 'vitest'
import type { Commit } from './store.ts'
import { updatedAtOf } from './updated-at.ts'

const before = '2026-01-01T00:00:00.000Z'
const at = (ms: number) => Date.parse(before) + ms
const later = (ms: number) => new Date(at(ms)).toISOString()
const events: Commit = { sessionId: 's', entries: [{ type: 'text-delta', body: '{}' }] }
const state = { after: 0, value: '1', hasWork: true }

test.each<readonly [what: string, commit: Commit, ms: number, expected: string]>([
  ['events alone within a second', events, 999, before],
  ['events alone after a second', events, 1_000, later(1_000)],
  ['a change of the state', { ...events, state }, 1, later(1)],
  ['pieces of the block log', { ...events, blocks: { from: 0, rows: [] } }, 1, later(1)],
  ['a clock that was set back', events, -5, later(-5)],
])('%s', (_what, commit, ms, expected) => {
  expect(updatedAtOf(before, commit, at(ms))).toBe(expected)
})
