import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as some from '../../test/support/arbitraries.ts'
import { wellFormed } from './well-formed.ts'

test('half of a surrogate pair becomes a replacement character, wherever it is', () => {
  expect(wellFormed({ text: 'a\ud800', 'k\udc00': [1, 'b\udfff', null], '😀': '😀' })).toEqual({
    text: 'a\ufffd',
    'k\ufffd': [1, 'b\ufffd', null],
    '😀': '😀',
  })
})

test('what is well formed already is given back as it is', () => {
  const value = { text: '😀', list: [{ deep: 'é' }] }
  expect(wellFormed(value)).toBe(value)
})

test('any JSON becomes well formed, and stays what it then is', () => {
  fc.assert(
    fc.property(some.json, (value) => {
      const fixed = wellFormed(value)
      expect(JSON.stringify(fixed)).not.toMatch(/(?<!\\)(?:\\\\)*\\ud[89a-f]/)
      expect(wellFormed(fixed)).toBe(fixed)
    }),
  )
})
