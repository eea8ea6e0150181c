import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as some from '../../../test/support/arbitraries.ts'
import { isJsonObject, tryParseJson, type Json, type JsonObject } from '../../json.ts'
import { parsePath } from './json-path.ts'
import { PartialArguments } from './partial-arguments.ts'

test.each<[string, readonly (string | number)[] | undefined]>([
  ['$', []],
  ['$.a.b', ['a', 'b']],
  ['$.a[0][12].b', ['a', 0, 12, 'b']],
  ['a.b', ['a', 'b']],
  ['["a"]', ['a']],
  [`$['it\\'s']["\\"b\\""]['"c"']`, ["it's", '"b"', '"c"']],
  ["$['\\u00e9\\n']['a.b[0]']", ['é\n', 'a.b[0]']],
  ['$.größe.__proto__', ['größe', '__proto__']],
  ["$['']", ['']],
  ['$..a', undefined],
  ['$.a[*]', undefined],
  ['$.a[-1]', undefined],
  ['$.a[0', undefined],
  ["$['a\\x']", undefined],
  ['$.a?', ['a?']],
])('the path %s', (path, steps) => {
  expect(parsePath(path)).toEqual(steps)
})

/** The leaves of a value in the order of its text, each text in two pieces. */
function piecesOf(value: Json, path: string): readonly JsonObject[] {
  if (typeof value === 'string') {
    const half = Math.ceil(value.length / 2)
    return [
      { jsonPath: path, stringValue: value.slice(0, half), willContinue: true },
      { jsonPath: path, stringValue: value.slice(half) },
    ]
  }
  if (Array.isArray(value)) return value.flatMap((item: Json, index) => piecesOf(item, `${path}[${index}]`))
  if (isJsonObject(value))
    return Object.entries(value).flatMap(([key, item]) => piecesOf(item, `${path}[${JSON.stringify(key)}]`))
  if (value === null) return [{ jsonPath: path, nullValue: 'NULL_VALUE' }]
  return [{ jsonPath: path, [typeof value === 'number' ? 'numberValue' : 'boolValue']: value }]
}

/** A value without empty containers, which no piece can say. */
function sayable(value: Json): Json | undefined {
  if (Array.isArray(value)) {
    const items = value.map(sayable).filter((item) => item !== undefined)
    return items.length === 0 ? undefined : items
  }
  if (!isJsonObject(value)) return value
  const entries = Object.entries(value).flatMap(([key, item]) => {
    const said = sayable(item)
    return said === undefined ? [] : [[key, said] as const]
  })
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

test('arguments of any kind come out as they went in, and what was told along the way is their JSON', () => {
  fc.assert(
    fc.property(some.jsonObject, (args) => {
      const said = sayable(args) ?? {}
      const read = new PartialArguments()
      const told = piecesOf(said, '$').map((piece) => read.add({ partialArgs: [piece] }))
      const { text, value } = read.end()
      expect(value).toEqual(said)
      expect(JSON.parse(told.join('') + text)).toEqual(said)
      expect(JSON.stringify(value)).toBe(JSON.stringify(JSON.parse(told.join('') + text)))
    }),
    { numRuns: 500 },
  )
})

test('in any order they come out the same, or say that they cannot be read', () => {
  const shuffled = some.jsonObject
    .map((args) => piecesOf(sayable(args) ?? {}, '$').filter((piece) => !('stringValue' in piece)))
    .chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray([...all], { minLength: all.length })))
  fc.assert(
    fc.property(shuffled, ([inOrder, outOfOrder]) => {
      const [one, other] = [new PartialArguments(), new PartialArguments()]
      one.add({ partialArgs: inOrder })
      const told = outOfOrder.map((piece) => other.add({ partialArgs: [piece] })).join('')
      const { text, value } = other.end()
      expect(value).toEqual(one.end().value)
      const parsed = tryParseJson(told + text)
      if (parsed === undefined) expect(text).toBe('')
      else expect(parsed).toEqual(value)
    }),
    { numRuns: 300 },
  )
})

test('a piece for a place that is closed ends the text, and nothing more is told', () => {
  const read = new PartialArguments()
  const add = (jsonPath: string, numberValue: number) => read.add({ partialArgs: [{ jsonPath, numberValue }] })
  expect([add('$.a.x', 1), add('$.b', 2), add('$.a.y', 3), add('$.c', 4)]).toEqual(['{"a":{"x":1', '},"b":2', '', ''])
  expect(read.end()).toEqual({ text: '', value: { a: { x: 1, y: 3 }, b: 2, c: 4 } })
})

test('any pieces at all end as a value or as a text that nobody takes for one', () => {
  const path = fc.array(fc.constantFrom('.a', '.b', '[0]', '[1]', '[900]', "['__proto__']", '[*]', '..'), {
    maxLength: 4,
  })
  const piece = fc.record({
    jsonPath: path.map((steps) => `$${steps.join('')}`),
    value: fc.constantFrom<object>({ stringValue: 'x' }, { numberValue: 1 }, { nullValue: null }, {}),
  })
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (made) => {
      const read = new PartialArguments()
      read.add({ partialArgs: made.map(({ jsonPath, value }) => ({ jsonPath, ...value })) })
      const written = read.written
      expect(written).toMatch(/^\{/)
      expect(() => JSON.parse(written)).toThrow(SyntaxError)
      const { value } = read.end()
      if (value !== undefined) expect(JSON.parse(JSON.stringify(value))).toEqual(value)
      expect(Reflect.get({}, 'a')).toBeUndefined()
    }),
    { numRuns: 1000 },
  )
})
