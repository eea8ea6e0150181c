import { expect, test } from 'vitest'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { localUser, type Principal } from './principal.ts'
import { CallCounts, defaultLimits, noLimits } from './rate-limit.ts'

const ada: Principal = { ...localUser, tenant: 'north', name: 'ada' }
const bob: Principal = { ...localUser, tenant: 'north', name: 'bob' }

/** What is said when `call` is refused: how many seconds to wait; 0 when it is not. */
function wait(call: () => void): number {
  try {
    call()
    return 0
  } catch (error) {
    expect(error).toMatchObject({ code: 'RATE_LIMITED' })
    return Number((error as { readonly details: Readonly<Record<string, unknown>> }).details['retryAfterSeconds'])
  }
}

test('an allowance is spent at once or evenly, comes back with time, and is never more than a minute of it', async () => {
  const clock = new FakeClock()
  const counts = new CallCounts({ ...defaultLimits, writesPerCaller: 6 }, clock)
  const spend = (times: number) => Array.from({ length: times }, () => wait(() => counts.countWrite(ada)))
  expect(spend(7)).toEqual([0, 0, 0, 0, 0, 0, 10])
  await clock.advance(4_000)
  expect(spend(1)).toEqual([6])
  await clock.advance(6_000)
  expect(spend(2)).toEqual([0, 10])
  await clock.advance(3_600_000)
  expect(spend(7)).toEqual([0, 0, 0, 0, 0, 0, 10])
})

test('who is refused does not push the end of it away', async () => {
  const clock = new FakeClock()
  const counts = new CallCounts({ ...defaultLimits, writesPerCaller: 1 }, clock)
  expect(wait(() => counts.countWrite(ada))).toBe(0)
  for (let second = 60; second > 0; second -= 1) {
    expect(wait(() => counts.countWrite(ada))).toBe(second)
    await clock.advance(1_000)
  }
  expect(wait(() => counts.countWrite(ada))).toBe(0)
})

test('one caller spends nothing of another, and requests are no writes', () => {
  const counts = new CallCounts({ ...defaultLimits, writesPerCaller: 1, requestsPerCaller: 1 }, new FakeClock())
  expect([ada, bob, ada].map((caller) => wait(() => counts.countWrite(caller)) > 0)).toEqual([false, false, true])
  expect(wait(() => counts.countRequest(ada))).toBe(0)
})

test.each([
  ['192.0.2.1', '192.0.2.1', true],
  ['192.0.2.1', '192.0.2.2', false],
  ['192.0.2.1', '::ffff:192.0.2.1', true],
  ['::ffff:192.0.2.1', '::ffff:192.0.2.2', false],
  ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', true],
  ['2001:db8:1:2::1', '2001:DB8:1:2:0:0:0:9', true],
  ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
  ['2001:db8::1', '2001:db8:0:0:1::', true],
  ['::1', '::2', true],
])('%s and %s are one client: %s', (first, second, areOne) => {
  const counts = new CallCounts({ ...defaultLimits, requestsPerAddress: 1 }, new FakeClock())
  counts.countAddress(first)
  expect(wait(() => counts.countAddress(second)) > 0).toBe(areOne)
})

test('however many addresses there are, what is remembered of them is bounded', () => {
  const counts = new CallCounts({ ...defaultLimits, requestsPerAddress: 1 }, new FakeClock())
  counts.countAddress('first')
  for (let index = 0; index < 10_000; index += 1) counts.countAddress(`address ${index}`)
  expect(wait(() => counts.countAddress('address 9999'))).toBeGreaterThan(0)
  expect(wait(() => counts.countAddress('first'))).toBe(0) // forgotten, and so as good as new
})

test('a stream that is closed twice makes room for one', () => {
  const counts = new CallCounts({ ...defaultLimits, streamsPerCaller: 2 }, new FakeClock())
  const close = counts.openStream(ada)
  counts.openStream(ada)
  expect(wait(() => counts.openStream(ada))).toBeGreaterThan(0)
  close()
  close()
  counts.openStream(ada)
  expect(wait(() => counts.requireStream(ada))).toBeGreaterThan(0)
  expect(wait(() => counts.requireStream(bob))).toBe(0)
})

test('without limits nothing is counted', () => {
  const counts = new CallCounts(noLimits, new FakeClock())
  for (let index = 0; index < 10_000; index += 1) counts.countRequest(ada)
  for (let index = 0; index < 1_000; index += 1) counts.openStream(ada)
})
