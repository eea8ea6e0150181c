import { GeppettoError } from '../errors.ts'

/** A run was cancelled; `inference.turn` holds what it had produced. */
export class InferenceCancelledError extends GeppettoError {
  override readonly name = 'InferenceCancelledError'
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
