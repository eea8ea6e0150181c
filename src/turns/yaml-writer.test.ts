import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jsonObject } from '../../test/support/arbitraries.ts'
import { readDocument } from './document-reader.ts'
import { writeYaml } from './yaml-writer.ts'

describe('writeYaml', () => {
  it.each([
    ['text over lines', 'a\n  b\n', 'a: |\n  a\n    b\n'],
    ['blank lines', ' \n \n', 'a: "\\ \\n\\ \\n"\n'],
    ['a byte order mark', '\ufeffx', 'a: "\ufeffx"\n'],
    ['half a character in long text', `\ud800 \n \n${'x'.repeat(50)}`, `a: "\\ud800\\ \\n\\ \\n${'x'.repeat(50)}"\n`],
    ['half a character', '\ud800', 'a: "\\ud800"\n'],
    ['a word that YAML 1.1 reads as false', 'no', 'a: "no"\n'],
    ['a word that it reads as a date', '2024-01-01', 'a: "2024-01-01"\n'],
    ['a very long line', 'word '.repeat(100).trim(), `a: ${'word '.repeat(100).trim()}\n`],
  ])('writes %s', (_what, text, yaml) => {
    expect(writeYaml({ a: text })).toBe(yaml)
    expect(readDocument(yaml)).toEqual({ a: text })
  })

  it('writes a value that occurs twice twice', () => {
    const shared = { x: 1 }
    expect(writeYaml({ a: shared, b: shared })).toBe('a:\n  x: 1\nb:\n  x: 1\n')
  })

  // Everything that means something at the beginning, at the end or in the middle of a YAML text.
  const morsel = fc.constantFrom(
    ' ',
    '  ',
    '\n',
    '\t',
    '\r',
    'a',
    '#',
    ': ',
    '- ',
    '---',
    '...',
    '%',
    '"',
    "'",
    '|',
    '>',
    '{',
    '[',
    ',',
    '&',
    '*',
    '!',
    '@',
    '`',
    '?',
    '~',
    '=',
    '<<',
    'null',
    '12',
    '\\',
    '\u0000',
    '\u007f',
    '\u0085',
    '\u2028',
    '\ufeff',
    '\ud800',
    '😀',
  )
  const text = fc.array(morsel, { maxLength: 12 }).map((morsels) => morsels.join(''))
  it('writes any text, as value and as key, so that it is read as it was', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(text, (any) => {
        for (const value of [{ a: any }, { a: [{ b: any }] }, { [any]: any, a: { [any]: [any] } }]) {
          expect(readDocument(writeYaml(value))).toEqual(value)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('writes any value so that it is read as it was', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(jsonObject, (value) => JSON.stringify(readDocument(writeYaml(value))) === JSON.stringify(value)),
      { numRuns: 300 },
    )
  })
})
