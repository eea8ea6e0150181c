import { GeppettoError, isGeppettoError, messageOf } from '../errors.ts'
import type { ErrorInfo } from '../events/event.ts'

/** A run was cancelled; `inference.turn` holds what it had produced. */
export class InferenceCancelledError extends GeppettoError {
  override readonly name = 'InferenceCancelledError'
  constructor(inferenceId: string, reason: string) {
    super('INFERENCE_CANCELLED', `Inference ${inferenceId} was cancelled: ${reason}.`, {
      details: { inferenceId, reason },
    })
  }
}

/** The process that ran an inference died, and nothing goes on from there; what it had produced is in the turn. */
export class InferenceInterruptedError extends GeppettoError {
  override readonly name = 'InferenceInterruptedError'
  readonly reason: string
  constructor(inferenceId: string, reason: string) {
    super('INFERENCE_INTERRUPTED', `Inference ${inferenceId} was interrupted: ${reason}. Prompt again to go on.`, {
      details: { inferenceId, reason },
    })
    this.reason = reason
  }
}

/** The process that ran an inference gave it up, and another one goes on with it: its end is in the session's log. */
export class InferenceHandedOverError extends GeppettoError {
  override readonly name = 'InferenceHandedOverError'
  constructor(inferenceId: string) {
    super(
      'INFERENCE_HANDED_OVER',
      `Inference ${inferenceId} was handed over, for another process to go on with; follow its session to see its end.`,
      { details: { inferenceId } },
    )
  }
}

/** An error as an event tells it; what is not ours has the code INTERNAL. */
export function errorInfo(error: unknown): ErrorInfo {
  return { code: isGeppettoError(error) ? error.code : 'INTERNAL', message: messageOf(error) }
}
