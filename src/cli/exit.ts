import { GeppettoError, isGeppettoError, messageOf, type ErrorCode } from '../errors.ts'
import type { Io } from './io.ts'

/** Completed, failed, wrong use, cancelled. Scripts rely on these. */
export type ExitCode = 0 | 1 | 2 | 130

/** The command line was not used as it is meant to be. */
export class UsageError extends GeppettoError {
  override readonly name = 'UsageError'
  constructor(message: string) {
    super('USAGE', message)
  }
}

// Errors that say, when nothing has run yet, that the user has to change what was given.
const wrongUse: ReadonlySet<ErrorCode> = new Set([
  'CASSETTE_INVALID',
  'FILE_ACCESS',
  'KEY_DECODE',
  'PROFILE_INVALID',
  'PROVIDER_ADDRESS_REFUSED',
  'PROVIDER_KEY_MISSING',
  'PROVIDER_UNKNOWN',
  'SCRIPT_INVALID',
  'SESSION_EMPTY_TURN',
  'SESSION_FILE_INVALID',
  'SESSION_ID_EMPTY',
  'SETTINGS_INVALID',
  'TURN_INVALID',
  'TURN_TOO_LARGE',
  'USAGE',
] satisfies readonly ErrorCode[])

/** The exit code of an error that kept a command from running. */
export function exitCodeOf(error: unknown): ExitCode {
  return isGeppettoError(error) && wrongUse.has(error.code) ? 2 : 1
}

/** Says what went wrong: a code and a sentence in one line, and where it happened when GEPPETTO_DEBUG is set. */
export function reportError(io: Io, error: unknown): void {
  const code = isGeppettoError(error) ? error.code : 'INTERNAL'
  tell(io, `${code}: ${messageOf(error)}`)
  if (io.env['GEPPETTO_DEBUG'] && error instanceof Error) io.stderr.write(`${error.stack ?? ''}\n`)
}

/** Tells the user something in one line. */
export function tell(io: Io, sentence: string): void {
  io.stderr.write(`geppetto: ${oneLine(sentence)}\n`)
}

// What a server or a file says is shown as text: it must not steer the terminal.
function oneLine(text: string): string {
  return text
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd')
    .trim()
}
