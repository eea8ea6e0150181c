import { GeppettoError } from '../errors.ts'
import type { InferenceScope } from '../events/event.ts'
import { canonicalJson, type Json } from '../json.ts'
import { sha256Hex } from '../sha256.ts'
import type { Submission } from '../store/store.ts'
import type { ImagePart } from '../turns/block.ts'
import type { PromptContext } from './context.ts'

/** What a caller submits. */
interface Submitted extends PromptContext {
  readonly text: string
  readonly images: readonly ImagePart[]
  readonly runtime: Json | undefined
}

/** The submission of what came under an idempotency key, and the ids that it is answered with. */
export function submissionOf(
  key: string,
  { text, images, runtime, ...around }: Submitted,
  ids: InferenceScope,
): Submission {
  const hash = sha256Hex(canonicalJson({ text, images, ...(runtime !== undefined && { runtime }), ...around }))
  return { key, hash, answer: JSON.stringify({ inference_id: ids.inferenceId, turn_id: ids.turnId }) }
}

/** The ids that a submission was answered with. */
export function answeredIds(sessionId: string, { answer }: Submission): InferenceScope {
  const said = JSON.parse(answer) as { readonly inference_id: string; readonly turn_id: string } // submissionOf wrote it
  return { sessionId, inferenceId: said.inference_id, turnId: said.turn_id }
}

export function keyReused(sessionId: string, key: string): GeppettoError {
  return new GeppettoError(
    'IDEMPOTENCY_KEY_REUSED',
    `The idempotency key ${JSON.stringify(key)} came with another prompt to session ${sessionId} before; use a new key for a new prompt.`,
    { details: { sessionId, key } },
  )
}
