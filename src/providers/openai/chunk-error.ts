import { isJsonObject, type JsonObject } from '../../json.ts'
import { type ProviderError, streamError } from '../error.ts'
import { number, text } from '../wire.ts'

/** The words for statuses that gateways put where others put a word. */
const words: ReadonlyMap<number, string> = new Map([
  [401, 'authentication_error'],
  [402, 'insufficient_quota'],
  [403, 'permission_error'],
  [408, 'timeout_error'],
  [429, 'rate_limit_error'],
  [503, 'overloaded_error'],
  [529, 'overloaded_error'],
])

/** Finish reasons that say that the server gave up, with the error that each is. */
const failures: ReadonlyMap<string, string> = new Map([
  ['error', 'server_error'],
  ['abort', 'server_error'],
  ['network_error', 'server_error'],
  ['insufficient_system_resource', 'overloaded_error'], // api-docs.deepseek.com/api/create-chat-completion
])

/** The error that a chunk reports beside or in place of its choices; undefined for a chunk that reports none. */
export function chunkError(chunk: JsonObject, choice: JsonObject | undefined): ProviderError | undefined {
  const reported = chunk['error'] ?? choice?.['error']
  if (typeof reported === 'string' && reported !== '') return streamError('openai', { error: reported })
  if (isJsonObject(reported)) return streamError('openai', { error: worded(reported) })
  // The error itself, without an envelope: vLLM, Mistral, Alibaba.
  const isBare = chunk['choices'] === undefined && text(chunk, 'message') !== undefined
  return isBare ? streamError('openai', worded(chunk)) : undefined
}

/** The error that a finish reason is; undefined for one that ends an answer. */
export function finishError(reason: string): ProviderError | undefined {
  const type = failures.get(reason)
  return type === undefined
    ? undefined
    : streamError('openai', { error: { type, message: `it stopped with "${reason}"` } })
}

function worded(error: JsonObject): JsonObject {
  const status = number(error, 'code') ?? Number(text(error, 'code') ?? '')
  const word = words.get(status) ?? (status >= 500 ? 'server_error' : undefined)
  return word === undefined ? error : { ...error, code: word }
}
