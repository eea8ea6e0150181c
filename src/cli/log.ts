import { pino, stdTimeFunctions } from 'pino'
import type { Log } from '../server/log.ts'
import type { LogLevel } from './formats.ts'
import type { Io } from './io.ts'

/** A log on standard error: a line of JSON for each record. */
export function openLog(level: LogLevel, { stderr }: Pick<Io, 'stderr'>): Log {
  const settings = {
    level,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  return pino(settings, { write: (line) => void stderr.write(line) })
}
