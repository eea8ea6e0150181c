import type { JsonObject } from '../json.ts'

/** Where the server says what it does: one record a call, its ids as fields. pino has this shape. */
export interface Log {
  info(fields: JsonObject, message: string): void
  warn(fields: JsonObject, message: string): void
  error(fields: JsonObject, message: string): void
}

/** Says nothing. */
export const silentLog: Log = { info: () => {}, warn: () => {}, error: () => {} }
