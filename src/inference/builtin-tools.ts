import { toStandardJsonSchema } from '@valibot/to-json-schema'
import * as v from 'valibot'
import { systemClock, type Clock } from '../clock.ts'
import { GeppettoError } from '../errors.ts'
import { evaluateArithmetic } from './arithmetic.ts'
import type { Tool } from './tool.ts'

// Tools that every program may want. The tool loop checks them, not this file: describing an input takes longer than
// loading all of it, and most programs never do.

const expression = v.pipe(v.string(), v.maxLength(1000), v.description('As in "(2 + 3) * 4 ** 2"'))

/** Computes `+ - * / % **` with parentheses, so that a model need not guess. */
export const calculator: Tool<{ expression: string }> = {
  name: 'calculator',
  description: 'Computes an arithmetic expression of numbers with + - * / % ** and parentheses.',
  input: toStandardJsonSchema(v.strictObject({ expression })),
  effect: 'read',
  execute: (input) => evaluateArithmetic(input.expression),
}

const timeZone = v.optional(
  v.pipe(v.string(), v.maxLength(100), v.description('IANA name, as "Europe/Paris"; default UTC')),
)

/** Tells the date and the time, in UTC or in the time zone that the model names. */
export function currentTime(clock: Clock = systemClock): Tool<{ time_zone?: string | undefined }> {
  return {
    name: 'current_time',
    description: 'Tells the current date and time.',
    input: toStandardJsonSchema(v.strictObject({ time_zone: timeZone })),
    effect: 'read',
    execute: ({ time_zone: zone = 'UTC' }) => timeIn(zone, new Date(clock.now())),
  }
}

function timeIn(timeZone: string, date: Date) {
  const local = formatter(timeZone).format(date)
  return { utc: date.toISOString(), local, time_zone: timeZone }
}

function formatter(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'long', timeZone })
  } catch (cause) {
    throw new GeppettoError(
      'TOOL_FAILED',
      `There is no time zone ${JSON.stringify(timeZone)}; use an IANA name such as "Europe/Paris".`,
      { cause },
    )
  }
}
