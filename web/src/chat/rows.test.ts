import { describe, expect, test } from 'vitest'
import type { Entity } from 'geppetto/timeline'
import { conversationRows } from './rows.ts'

const base = (id: string, inferenceId?: string) => ({
  id,
  ordinal: 1,
  updatedOrdinal: 1,
  at: '2026-01-01T00:00:00.000Z',
  ...(inferenceId !== undefined && { inferenceId }),
})
const said = (id: string, role: 'user' | 'assistant', inferenceId?: string): Entity => ({
  ...base(id, inferenceId),
  kind: 'message',
  role,
  text: id,
  isStreaming: false,
})
const inference = (id: string): Entity => ({
  ...base(id, id),
  kind: 'inference',
  status: 'running',
  retries: 0,
  restarts: 0,
})
const keys = (settled: readonly Entity[], live: readonly Entity[] = []) =>
  conversationRows(settled, live, []).map(({ key }) => key)

const first = [said('ask 1', 'user', 'i1'), inference('i1')]
const second = [said('ask 2', 'user', 'i2'), inference('i2')]
const answer = said('answer 1', 'assistant', 'i1')

describe('rows', () => {
  test.each([
    ['an answer has its foot last', [...first, answer], [], ['ask 1', 'answer 1', 'foot:i1']],
    [
      'a prompt that came before the answer was there stands after it',
      [],
      [...first, ...second, answer],
      ['ask 1', 'answer 1', 'foot:i1', 'ask 2', 'foot:i2'],
    ],
    [
      'an answer is one, though half of it has settled',
      first,
      [...second, answer],
      ['ask 1', 'answer 1', 'foot:i1', 'ask 2', 'foot:i2'],
    ],
    [
      'what a fork brought along stands by itself',
      [said('old', 'user'), said('older', 'assistant')],
      first,
      ['old', 'older', 'ask 1', 'foot:i1'],
    ],
  ])('%s', (_rule, settled, live, expected) => {
    expect(keys(settled, live)).toEqual(expected)
  })

  test('what was sent and is not in the log yet comes last', () => {
    const rows = conversationRows(first, [], [{ key: 'k', prompt: 'next' }])
    expect(rows.at(-1)).toEqual({ kind: 'pending', key: 'k', send: { key: 'k', prompt: 'next' } })
  })

  test('rows of what has settled stay the same objects', () => {
    const settled = [...first, answer]
    expect(conversationRows(settled, [], [])[1]).toBe(conversationRows(settled, second, [])[1])
  })
})
