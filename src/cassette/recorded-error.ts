import { GeppettoError, isGeppettoError, messageOf, type ErrorCode } from '../errors.ts'
import type { RecordedCause, RecordedError } from './format.ts'

const deepest = 5

/** What was thrown, with its causes, as a cassette keeps it. */
export function encodeError(thrown: unknown): RecordedError {
  const causes: RecordedCause[] = []
  for (let cause = thrown; cause !== undefined && causes.length < deepest; cause = causeOf(cause))
    causes.push(one(cause))
  const [first = one(thrown), ...rest] = causes
  return { ...first, ...(rest.length > 0 && { causes: rest }) }
}

/** The error again: name, message, code and causes are as they were. */
export function decodeError(recorded: RecordedError): Error {
  const cause = (recorded.causes ?? [])
    .toReversed()
    .reduce<Error | undefined>((inner, each) => build(each, inner), undefined)
  return build(recorded, cause)
}

function build({ name, message, code, own }: RecordedCause, cause: Error | undefined): Error {
  const options = cause === undefined ? {} : { cause }
  if (own) return new GeppettoError(code as ErrorCode, message, options) // it carried one of our codes
  const error = new Error(message, options)
  Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true })
  return code === undefined ? error : Object.assign(error, { code })
}

function one(error: unknown): RecordedCause {
  if (!(error instanceof Error)) return { name: 'Error', message: messageOf(error) }
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  return { name: error.name, message: error.message, ...code, ...(isGeppettoError(error) && { own: true as const }) }
}

function causeOf(error: unknown): unknown {
  if (!(error instanceof Error)) return undefined
  return error instanceof AggregateError ? (error.errors[0] as unknown) : error.cause
}
