import * as v from 'valibot'
import { describe, expect, expectTypeOf, it } from 'vitest'
import type { Json } from '../json.ts'
import { defineEvent, EventRegistry } from './custom.ts'

const drawn = defineEvent('app.chart-drawn', v.object({ points: v.pipe(v.string(), v.transform(Number), v.number()) }))

describe('defineEvent', () => {
  it('creates a custom event with its data as given, and gives it back as its schema reads it', () => {
    const event = drawn.create({ points: '12' })
    expect(event).toEqual({ type: 'custom', name: 'app.chart-drawn', data: { points: '12' } })
    expect(drawn.match(event)).toEqual({ points: 12 })
    expectTypeOf(drawn.create).parameter(0).toEqualTypeOf<{ points: string }>()
    expectTypeOf(drawn.match(event)).toEqualTypeOf<{ points: number } | undefined>()
  })

  it('matches no other event', () => {
    expect(drawn.match({ type: 'custom', name: 'app.other', data: {} })).toBeUndefined()
    expect(drawn.match({ type: 'info', message: 'app.chart-drawn' })).toBeUndefined()
  })

  it('refuses data that does not fit, made or met', () => {
    // @ts-expect-error a number is no text
    expect(() => drawn.create({ points: 12 })).toThrow('The data of event "app.chart-drawn" cannot be used')
    expect(() => drawn.match({ type: 'custom', name: 'app.chart-drawn', data: null })).toThrow('cannot be used')
  })

  const anything = defineEvent('app.anything', v.unknown())
  it.each([[undefined], [() => 1], [Number.NaN], [new Date(0)], [{ deep: [1n] }]])(
    'refuses %o, which JSON cannot say',
    (data) => {
      expect(() => anything.create(data)).toThrow(/is not JSON/)
    },
  )

  it('needs a name', () => {
    expect(() => defineEvent(' ', v.unknown())).toThrow('An event needs a name')
  })

  it('does not take a schema that answers later', () => {
    const later = defineEvent(
      'app.later',
      v.pipeAsync(
        v.string(),
        v.checkAsync(async () => Promise.resolve(true)),
      ),
    )
    expect(() => later.create('a')).toThrow('its schema must not be async')
  })
})

describe('EventRegistry', () => {
  it('refuses a second event of the same name', () => {
    const registry = new EventRegistry([drawn])
    expect(() => registry.register(defineEvent('app.chart-drawn', v.string()))).toThrow(
      expect.objectContaining({
        code: 'EVENT_TYPE_TAKEN',
        message: expect.stringContaining('"app.chart-drawn" is registered') as string,
      }),
    )
  })

  it('shares nothing with another registry', () => {
    new EventRegistry([drawn])
    expect(() => new EventRegistry([drawn])).not.toThrow()
  })

  it.each<[string, Json, boolean]>([
    ['app.chart-drawn', { points: '1' }, true],
    ['app.chart-drawn', { points: 1 }, false],
    ['app.unheard-of', { points: 1 }, true],
  ])('checks the data of %s: %j', (name, data, fits) => {
    const check = () => new EventRegistry([drawn]).check(name, data)
    if (fits) expect(check).not.toThrow()
    else expect(check).toThrow(expect.objectContaining({ code: 'EVENT_INVALID' }))
  })
})
