import { isJsonObject, type Json, type JsonObject } from '../json.ts'
import { withoutSecrets } from '../session/secrets.ts'

/** Where the server says what it does: one record a call, its ids as fields. pino has this shape. */
export interface Log {
  debug(fields: JsonObject, message: string): void
  info(fields: JsonObject, message: string): void
  warn(fields: JsonObject, message: string): void
  error(fields: JsonObject, message: string): void
}

/** Says nothing. */
export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** The ids of a record about a session; `run_id` is the old name of the session's id, for dashboards that look for it. */
export function logIds(ids: {
  readonly sessionId: string
  readonly inferenceId?: string | undefined
  readonly turnId?: string | undefined
}): JsonObject {
  return {
    session_id: ids.sessionId,
    run_id: ids.sessionId,
    ...(ids.inferenceId !== undefined && { inference_id: ids.inferenceId }),
    ...(ids.turnId !== undefined && { turn_id: ids.turnId }),
  }
}

/** Fields whose values are nobody's business, whatever they look like. */
const secretNames = /(?:^|[_-])(?:api[_-]?key|authorization|bearer|cookie|password|secret|token)$/i

/** A log whose records hold no key: fields that are named after one are removed, and texts that look like one. */
export function withoutKeys(log: Log): Log {
  const say = (level: keyof Log) => (fields: JsonObject, message: string) =>
    log[level](withoutSecrets(withoutNamed(fields)), withoutSecrets(message))
  return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') }
}

function withoutNamed(fields: JsonObject): JsonObject {
  const entries = Object.entries(fields).map(([name, value]): [string, Json] => {
    if (secretNames.test(name)) return [name, '[secret removed]']
    return [name, isJsonObject(value) ? withoutNamed(value) : value]
  })
  return Object.fromEntries(entries)
}
