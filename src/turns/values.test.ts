import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { durationMs, durationOf, durationSchema, type Duration } from './values.ts'

describe('a duration', () => {
  it.each<[Duration, number]>([
    ['30s', 30_000],
    ['1m30s', 90_000],
    ['1h0m0s', 3_600_000],
    ['250ms', 250],
    ['1.5s', 1500],
    ['100us', 0.1],
    ['100µs', 0.1],
    ['5ns', 0.000005],
    ['0s', 0],
    ['0', 0],
    [30_000_000_000, 30_000],
    [0, 0],
  ])('%j is %d ms', (duration, ms) => {
    expect(v.is(durationSchema, duration)).toBe(true)
    expect(durationMs(duration)).toBeCloseTo(ms, 9)
  })

  it.each(['', '30', 's', '30 s', '-', '1d', '30s later', null, {}])('%j is none', (value) => {
    expect(v.is(durationSchema, value)).toBe(false)
  })

  it.each([
    [0, '0s'],
    [1500, '1500ms'],
    [90_000, '90s'],
  ])('%d ms is written as %s', (ms, text) => {
    expect(durationOf(ms)).toBe(text)
    expect(durationMs(durationOf(ms))).toBe(ms)
  })
})
