import { describe, expect, it } from 'vitest'
import { documentLimits, readDocument } from './document-reader.ts'
import { turnFromText } from './document.ts'

const billionLaughs = [
  'a0: &a0 [x, x, x, x, x, x, x, x, x]',
  ...Array.from(
    { length: 9 },
    (_, at) => `a${at + 1}: &a${at + 1} [${Array.from({ length: 9 }, () => `*a${at}`).join(', ')}]`,
  ),
].join('\n')
const doubling = [
  'a0: &a0 [x]',
  ...Array.from({ length: 24 }, (_, at) => `a${at + 1}: &a${at + 1} [*a${at}, *a${at}]`),
].join('\n')
const manyKeys = Array.from({ length: 2000 }, (_, at) => `k${at}: ${at}`).join(', ')
const deep = 20_000

describe('a text that would do harm', () => {
  it.each<[string, string, string, string]>([
    ['billion laughs', billionLaughs, 'TURN_TOO_LARGE', 'YAML aliases'],
    ['few aliases that double each time', doubling, 'TURN_TOO_LARGE', 'YAML aliases make too much of it'],
    [
      'a long text used often',
      `a: &a "${'x'.repeat(40_000)}"\ndata:\n${' - *a\n'.repeat(2000)}`,
      'TURN_TOO_LARGE',
      'YAML aliases',
    ],
    [
      'a large text in 49 places',
      `a: &a "${'x'.repeat(1_000_000)}"\nb: [${'*a, '.repeat(49)}]`,
      'TURN_TOO_LARGE',
      'YAML aliases',
    ],
    [
      'a large map merged often',
      `a: &a {${manyKeys}}\ndata:\n${' - {<<: *a}\n'.repeat(2000)}`,
      'TURN_TOO_LARGE',
      'YAML aliases',
    ],
    [
      'a merge key',
      'a: &a {x: 1}\nb: {<<: *a}',
      'TURN_INVALID',
      'Merge keys are not read; write the fields out, at line 2, column 5',
    ],
    ['a list of merged maps', 'a: &a {x: 1}\nb: {<<: [*a]}', 'TURN_INVALID', 'Merge keys'],
    [
      'an alias inside of what it names',
      'blocks: &a\n - *a',
      'TURN_INVALID',
      'The alias *a is inside of what it names',
    ],
    ['an alias deep inside of it', 'a: &a\n b: [{c: *a}]', 'TURN_INVALID', 'The alias *a is inside'],
    ['an alias of nothing', 'a: *b', 'TURN_INVALID', 'The alias *b'],
    [
      'lists in lists, in one line',
      `data: ${'['.repeat(deep)}${']'.repeat(deep)}`,
      'TURN_TOO_LARGE',
      'nested deeper than 100',
    ],
    [
      'maps in maps, in one line',
      `data: ${'{a: '.repeat(deep)}${'}'.repeat(deep)}`,
      'TURN_TOO_LARGE',
      'nested deeper than 100',
    ],
    ['lists in lists, never closed', `data: ${'['.repeat(deep)}`, 'TURN_TOO_LARGE', 'nested deeper than 100'],
    ['lists in lists, as blocks', `data:\n${'- '.repeat(deep)}x`, 'TURN_TOO_LARGE', 'nested deeper than 100'],
    ['keys in keys', `${'? '.repeat(deep)}x`, 'TURN_TOO_LARGE', 'nested deeper than 100'],
    [
      'maps in maps, as blocks',
      Array.from({ length: 3000 }, (_, at) => `${' '.repeat(at)}a:`).join('\n'),
      'TURN_TOO_LARGE',
      'nested deeper than 100',
    ],
    [
      'lists in lists, in JSON',
      `{"data": ${'['.repeat(deep)}${']'.repeat(deep)}}`,
      'TURN_TOO_LARGE',
      'nested deeper than 100',
    ],
    [
      'maps in maps, in JSON',
      `{"data": ${'{"a":'.repeat(deep)}1${'}'.repeat(deep)}}`,
      'TURN_TOO_LARGE',
      'nested deeper than 100',
    ],
    [
      'lists in lists, in JSON that is cut off',
      `{"data": ${'['.repeat(deep)}`,
      'TURN_TOO_LARGE',
      'nested deeper than 100',
    ],
    ['several documents', 'id: a\n---\nid: b', 'TURN_INVALID', 'several YAML documents'],
    ['very many documents', '---\n'.repeat(50_000), 'TURN_INVALID', 'several YAML documents'],
    ['a key twice', 'id: a\nid: b', 'TURN_INVALID', 'Map keys must be unique ("id"), at line 2, column 1'],
    [
      'a key twice, deep inside',
      'blocks: [{payload: {a: 1, b: 2, a: 3}}]',
      'TURN_INVALID',
      'Map keys must be unique ("a")',
    ],
    ['a key twice, written differently', 'a: 1\n"a": 2', 'TURN_INVALID', 'Map keys must be unique'],
    ['a key that is a map', '? {a: b}\n: c', 'TURN_INVALID', 'keys must be strings'],
    [
      'a function',
      'data: !!js/function "function(){}"',
      'TURN_INVALID',
      'Unresolved tag: tag:yaml.org,2002:js/function',
    ],
    ['an object of Python', 'data: !!python/object/apply:os.system ["ls"]', 'TURN_INVALID', 'Unresolved tag'],
    ['a tag of its own', 'data: !thing {a: 1}', 'TURN_INVALID', 'Unresolved tag: !thing'],
    ['a set', 'data: !!set {a, b}', 'TURN_INVALID', 'Unresolved tag'],
    ['a date', 'data: !!timestamp 2020-01-01', 'TURN_INVALID', 'Unresolved tag'],
    ['a very long number', `data: {a: ${'9'.repeat(1_000_000)}}`, 'TURN_INVALID', 'cannot be kept exactly'],
    ['a long hexadecimal number', `data: {a: 0x${'f'.repeat(20_000)}}`, 'TURN_INVALID', 'cannot be kept exactly'],
    ['brackets without end', '}\n'.repeat(20_000), 'TURN_INVALID', 'not valid YAML'],
    ['a control character', 'a: "\u0000', 'TURN_INVALID', 'not valid YAML'],
    [
      'more than it may be',
      ' '.repeat(documentLimits.maxLength + 1),
      'TURN_TOO_LARGE',
      'more than 33554432 characters',
    ],
  ])('%s is refused', (_what, text, code, message) => {
    expect(() => turnFromText(text)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) as string }),
    )
  })

  it('that is a number is shown in part only', () => {
    const { message } = thrownBy(() => readDocument(`a: ${'9'.repeat(1000)}`))
    expect(message.length).toBeLessThan(200)
  })
})

describe('what only looks harmful is read', () => {
  const values = (texts: readonly string[]) => texts.map((text) => readDocument(text))
  it('nesting up to the limit', () => {
    const at = documentLimits.maxDepth
    const texts = [
      '['.repeat(at) + ']'.repeat(at),
      `${'- '.repeat(at)}x`,
      `{"a": ${'['.repeat(at - 1)}${']'.repeat(at - 1)}}`,
    ]
    expect(values(texts)).toHaveLength(3)
    for (const text of [`[${texts[0]}]`, `- ${texts[1]}`, `{"a": ${'['.repeat(at)}${']'.repeat(at)}}`]) {
      expect(() => readDocument(text)).toThrow('nested deeper than 100')
    }
  })

  it('as many aliases as there may be, and text that begins like one', () => {
    expect(
      values([`[&a x, ${'*a, '.repeat(50)}]`, `[${'"*a", '.repeat(60)}]`, `- |\n${' *a\n'.repeat(60)}`]),
    ).toHaveLength(3)
    expect(() => readDocument(`[&a x, ${'*a, '.repeat(51)}]`)).toThrow('YAML aliases')
  })

  it('a key << that merges nothing', () => {
    expect(values(['<<: {a: 1}', '"<<": 1', '{"<<": [1]}'])).toEqual([{ '<<': { a: 1 } }, { '<<': 1 }, { '<<': [1] }])
  })

  it('an anchor that is set anew', () => {
    expect(readDocument('[&a 1, *a, &a 2, *a]')).toEqual([1, 1, 2, 2])
  })

  it('keys that are no text', () => {
    expect(readDocument('1: a\n01: b\ntrue: c\nnull: d\n2024-01-01: e')).toEqual({
      '1': 'a',
      '01': 'b',
      true: 'c',
      null: 'd',
      '2024-01-01': 'e',
    })
  })

  it('a map of many keys', () => {
    const keys = Array.from({ length: 5000 }, (_, at) => `k${at}`)
    expect(Object.keys(readDocument(keys.map((key) => `${key}: 1`).join('\n')) as object)).toEqual(keys)
  })
})

function thrownBy(run: () => unknown): Error {
  try {
    run()
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('nothing was thrown')
}
