import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { toStoredJson } from './tool-result.ts'

const cycle: { self?: unknown } = {}
cycle.self = cycle

test.each([
  ['undefined', undefined, null],
  ['a text', 'fine', 'fine'],
  ['a property that is undefined', { a: 1, b: undefined }, { a: 1 }],
  ['half of a surrogate pair', { '\ud800': ['a\udc00b'] }, { '\ufffd': ['a\ufffdb'] }],
  ['a NUL', 'a\0b', 'a\ufffdb'],
  ['minus zero', [-0], [0]],
  [
    'a property named __proto__',
    JSON.parse('{"__proto__":{"polluted":1}}') as unknown,
    JSON.parse('{"__proto__":{"polluted":1}}'),
  ],
])('%s is kept as JSON', (_what, given, kept) => {
  expect(toStoredJson('the result', given, 1000)).toStrictEqual(kept)
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
})

test.each([
  ['NaN', { a: [Number.NaN] }, '$.a[0]'],
  ['a BigInt', { big: 1n }, '$.big'],
  ['a function', () => 1, '$'],
  ['a symbol', [Symbol('s')], '$[0]'],
  ['a cycle', cycle, '$.self'],
  ['a date', { at: new Date(0) }, '$.at'],
  ['a map', new Map(), '$'],
  ['a hole in a list', [undefined], '$[0]'],
])('%s is refused with its path', (_what, given, path) => {
  expect(() => toStoredJson('the result', given, 1000)).toThrow(`the result is not JSON at ${path}`)
})

test.each([
  ['a text', 'x'.repeat(11), `${'x'.repeat(10)}\n[cut: the first 10 of 11 characters]`],
  ['an object', { a: 'xxxxx' }, '{"a":"xxxx\n[cut: the first 10 of 13 characters]'],
  ['a pair of surrogates', `${'x'.repeat(9)}😀`, `${'x'.repeat(9)}\ufffd\n[cut: the first 10 of 11 characters]`],
])('%s that is too long is cut, with a note', (_what, given, kept) => {
  expect(toStoredJson('the result', given, 10)).toBe(kept)
})

test('any JSON value is kept as it is, as a copy', () => {
  const value = fc.jsonValue().map((json) => JSON.parse(JSON.stringify(json)) as unknown)
  fc.assert(
    fc.property(value, (given) => {
      expect(toStoredJson('the result', given, 100_000)).toStrictEqual(given)
    }),
  )
})
