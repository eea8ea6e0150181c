import { finishClass } from '../../inference/result.ts'
import { streamError, type ProviderError } from '../error.ts'

// How a reply ends. ai.google.dev/api/generate-content#FinishReason

/** The model's call of a tool could not be read, or was none that it may make. */
const malformedCalls: ReadonlySet<string> = new Set([
  'MALFORMED_FUNCTION_CALL',
  'UNEXPECTED_TOOL_CALL',
  'TOO_MANY_TOOL_CALLS',
  'MISSING_THOUGHT_SIGNATURE',
])

export function isMalformedCall(reason: string): boolean {
  return malformedCalls.has(reason)
}

/** Whether a word says that the model ended by itself. */
export function isPlainEnd(reason: string | undefined): boolean {
  return reason === 'STOP'
}

/**
 * The reason that holds after another word: the last one, for some proxies send a STOP ahead of the answer. A limit or a
 * filter is not taken back by a plain end.
 */
export function laterReason(known: string | undefined, word: string | undefined): string | undefined {
  if (word === undefined || word === '' || word === 'FINISH_REASON_UNSPECIFIED') return known
  return known !== undefined && isPlainEnd(word) ? known : word
}

/** The stop reason of a prompt that was not answered. Whatever the word, to block is to refuse. */
export function blockedReason(word: string): string {
  return finishClass(word, false) === 'refusal' ? word : 'blocked'
}

/** The error that a reason is; undefined for one that ends an answer. */
export function finishError(reason: string): ProviderError | undefined {
  if (reason !== 'MALFORMED_RESPONSE') return undefined
  const message = 'the model wrote what cannot be read (MALFORMED_RESPONSE)'
  return streamError('gemini', { error: { status: 'INTERNAL', message } })
}
