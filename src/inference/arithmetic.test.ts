import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { evaluateArithmetic } from './arithmetic.ts'

test.each([
  ['17 * 23', 391],
  ['2 + 3 * 4', 14],
  ['(2 + 3) * 4', 20],
  ['10 - 4 - 3', 3],
  ['100 / 10 / 2', 5],
  ['2 ** 3 ** 2', 512],
  ['-2 ** 2', -4],
  ['2 ** -1', 0.5],
  ['7 % 4 * 2', 6],
  ['--3', 3],
  ['+3 - -3', 6],
  ['.5 + 1.', 1.5],
  ['1e3 + 2.5E-1', 1000.25],
  ['\t( 1\n+ 1 ) ', 2],
])('%j is %d', (expression, value) => {
  expect(evaluateArithmetic(expression)).toBe(value)
})

test.each([
  ['', /ends where a number is expected/],
  ['1 +', /ends where a number is expected/],
  ['(1 + 2', /closing parenthesis is missing/],
  ['1 + 2)', /\) was not expected/],
  ['1 2', /2 was not expected/],
  ['2 *** 3', /a number was expected/],
  ['1 / 0', /not a finite number/],
  ['0 / 0', /not a finite number/],
  ['10 ** 1000', /not a finite number/],
  ['process.exit()', /"p" is not part of arithmetic/],
  ['1 + ٣', /is not part of arithmetic/],
  ['1'.repeat(1001), /longer than 1000/],
  [`${'('.repeat(51)}1${')'.repeat(51)}`, /more than 50 levels/],
  [`${'-'.repeat(51)}1`, /more than 50 levels/],
  [`${'2**'.repeat(51)}1`, /more than 50 levels/],
])('%j has no value', (expression, problem) => {
  expect(() => evaluateArithmetic(expression)).toThrow(problem)
})

test('an expression has the value that JavaScript gives it', () => {
  const number = fc.integer({ min: 0, max: 99 }).map(String)
  const { expression } = fc.letrec<{ expression: string }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 4 },
      number,
      fc
        .tuple(tie('expression'), fc.constantFrom('+', '-', '*', '/', '%'), tie('expression'))
        .map((parts) => parts.join(' ')),
      tie('expression').map((inner) => `(${inner})`),
      tie('expression').map((inner) => `(-(${inner}))`),
      fc.tuple(number, fc.integer({ min: 0, max: 5 })).map(([base, power]) => `${base} ** ${power}`),
    ),
  }))
  fc.assert(
    fc.property(expression, (text) => {
      // oxlint-disable-next-line typescript/no-implied-eval -- JavaScript itself is what the parser is measured by
      const value: unknown = new Function(`return ${text}`)()
      fc.pre(Number.isFinite(value) && text.length <= 1000)
      expect(evaluateArithmetic(text)).toBe(value)
    }),
  )
})
