import { expect, test } from 'vitest'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { testContext } from '../../test/support/event-engine.ts'
import { calculator, currentTime } from './builtin-tools.ts'
import { toolParameters, type ToolContext } from './tool.ts'

const context: ToolContext = {
  ...testContext(),
  ids: { ...testContext().ids, toolCallId: 'call-1' },
  idempotencyKey: 'key-1',
  report: () => {},
}

test('the calculator computes what it is given and describes its input', () => {
  expect(calculator.execute({ expression: '(2 + 3) * 4' }, context)).toBe(20)
  expect(toolParameters(calculator)).toEqual({
    type: 'object',
    properties: { expression: { type: 'string', maxLength: 1000, description: 'As in "(2 + 3) * 4 ** 2"' } },
    required: ['expression'],
    additionalProperties: false,
  })
})

test.each([
  [{}, '2026-07-01T10:30:00.000Z', /1 July 2026.*10:30:00 UTC/, 'UTC'],
  [{ time_zone: 'Asia/Tokyo' }, '2026-07-01T10:30:00.000Z', /1 July 2026.*19:30:00/, 'Asia/Tokyo'],
])('the time for %j is told in its zone', (input, utc, local, timeZone) => {
  const told = currentTime(new FakeClock(Date.UTC(2026, 6, 1, 10, 30))).execute(input, context)
  expect(told).toEqual({ utc, local: expect.stringMatching(local), time_zone: timeZone })
})

test('a time zone that does not exist is named in the error', () => {
  expect(() => currentTime(new FakeClock()).execute({ time_zone: 'Mars/Olympus' }, context)).toThrow(/Mars\/Olympus/)
})
