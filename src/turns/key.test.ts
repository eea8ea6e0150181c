import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { deepFreeze } from '../../test/support/values.ts'
import { assistantText } from './block.ts'
import { blockMeta, KeyDecodeError, turnData, turnMeta } from './key.ts'
import { createTurn, type Turn } from './turn.ts'

const name = turnMeta('app', 'name', 1, z.string())
const tags = turnData('app', 'tags', 2, v.array(v.string()))
const score = blockMeta('app', 'score', 1, v.object({ value: v.number() }))
const turn: Turn = deepFreeze({ ...createTurn(), metadata: { 'app.other@v1': 1 } })

describe('a key', () => {
  it('names its value by namespace, name and version', () => {
    expect([name.id, tags.id, score.id]).toEqual(['app.name@v1', 'app.tags@v2', 'app.score@v1'])
  })

  it.each([
    ['', 'a', 1],
    ['a', '', 1],
    ['a', 'b', 0],
    ['a', 'b', -1],
    ['a', 'b', 1.5],
    ['a', 'b', Number.NaN],
    ['a b', 'c', 1],
    ['a', 'b@v1', 1],
    ['a', '.b', 1],
    ['__proto__ ', 'b', 1],
  ])('is refused for namespace %j, name %j, version %j', (namespace, key, version) => {
    expect(() => turnMeta(namespace, key, version, z.string())).toThrow(
      expect.objectContaining({ code: 'KEY_INVALID' }),
    )
  })

  it('gives undefined when its value is missing', () => {
    expect(name.get(turn)).toBeUndefined()
    expect(score.get(assistantText('a'))).toBeUndefined()
  })

  it('gives what its schema makes of the value', () => {
    const date = turnMeta(
      'app',
      'date',
      1,
      z.iso.date().transform((text) => new Date(text)),
    )
    expect(date.get({ ...turn, metadata: { 'app.date@v1': '2026-01-02' } })).toEqual(new Date('2026-01-02'))
  })

  it.each<[string, unknown, string]>([
    ['another type', 5, 'turn.data["app.tags@v2"] cannot be read: '],
    ['null', null, 'turn.data["app.tags@v2"] cannot be read: '],
    ['a wrong element, with its place', ['search', 123], '1: Invalid type: Expected string but received 123.'],
  ])('throws for %s', (_what, value, message) => {
    const wrong = { ...turn, data: { 'app.tags@v2': value } } as Turn // as a file may hold it
    expect(() => tags.get(wrong)).toThrow(KeyDecodeError)
    expect(() => tags.get(wrong)).toThrow(
      expect.objectContaining({ code: 'KEY_DECODE', message: expect.stringContaining(message) as string }),
    )
  })

  it('sets its value in a new holder and leaves the rest', () => {
    const next = name.set(turn, 'Ada')
    expect(next.metadata).toEqual({ 'app.other@v1': 1, 'app.name@v1': 'Ada' })
    expect(turn.metadata).toEqual({ 'app.other@v1': 1 })
    expect(next.blocks).toBe(turn.blocks)
    expect(name.get(name.set(next, 'Bea'))).toBe('Bea')
  })

  it('deletes its value from a new holder', () => {
    const set = deepFreeze(name.set(turn, 'Ada'))
    expect(name.delete(set)).toEqual(turn)
    expect(name.delete(turn)).toEqual(turn)
  })

  it('reaches only its own bag', () => {
    const meta = turnMeta('app', 'same', 1, z.string())
    const data = turnData('app', 'same', 1, z.string())
    const both = data.set(meta.set(turn, 'fact'), 'input')
    expect([meta.get(both), data.get(both)]).toEqual(['fact', 'input'])
    expect(meta.get(data.set(turn, 'input'))).toBeUndefined()
  })

  it('works on a block, with metadata and without', () => {
    const block = deepFreeze(assistantText('a'))
    const scored = score.set(block, { value: 1 })
    expect(scored).toEqual({ ...block, metadata: { 'app.score@v1': { value: 1 } } })
    expect(score.get(scored)).toEqual({ value: 1 })
    expect(score.delete(block)).toEqual({ ...block, metadata: {} })
  })

  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  const anything = turnMeta('app', 'anything', 1, z.unknown())
  it.each<[string, unknown, string]>([
    ['a function', () => 1, '$'],
    ['undefined', undefined, '$'],
    ['NaN', Number.NaN, '$'],
    ['infinity', { deep: [1, -Infinity] }, '$.deep[1]'],
    ['a cycle', cycle, '$.self'],
    ['a date', { at: new Date(0) }, '$.at'],
    ['a map', new Map(), '$'],
    ['a class instance', new (class Point {})(), '$'],
    ['a big integer', [1n], '$[0]'],
    ['a symbol', { a: Symbol('x') }, '$.a'],
    ['undefined in a list', [undefined], '$[0]'],
    ['bytes', new Uint8Array(2), '$'],
  ])('refuses %s, and sets nothing', (_what, value, path) => {
    expect(() => anything.set(turn, value)).toThrow(
      expect.objectContaining({
        code: 'KEY_NOT_JSON',
        message: `turn.metadata["app.anything@v1"] was not set: the value at ${path} is not JSON.`,
      }),
    )
    expect(anything.get(turn)).toBeUndefined()
  })

  it('takes a value twice in one place and another, and properties that are undefined', () => {
    const shared = { a: 1 }
    expect(anything.get(anything.set(turn, { x: shared, y: shared, z: undefined }))).toEqual({ x: shared, y: shared })
  })

  it('does not take a schema that answers later', () => {
    const later = turnMeta(
      'app',
      'later',
      1,
      v.pipeAsync(
        v.string(),
        v.checkAsync(async () => Promise.resolve(true)),
      ),
    )
    expect(() => later.get(later.set(turn, 'a'))).toThrow(expect.objectContaining({ code: 'KEY_INVALID' }))
  })
})
