import { GeppettoError } from '../errors.ts'

// Why a session does not do what it was told.

export function busy(sessionId: string, inferenceId: string): GeppettoError {
  return new GeppettoError(
    'SESSION_BUSY',
    `session already has an active inference: session ${sessionId} is running inference ${inferenceId}; wait for it or cancel it.`,
    { details: { sessionId, inferenceId } },
  )
}

export function queueFull(sessionId: string, queued: number): GeppettoError {
  return new GeppettoError(
    'SESSION_QUEUE_FULL',
    `${queued} prompts of session ${sessionId} wait already; try again when one is answered.`,
    { details: { sessionId, queued } },
  )
}

export function nothingSaid(sessionId: string): GeppettoError {
  const message = `Nothing has been said in session ${sessionId} yet; give it a name when something was.`
  return new GeppettoError('SESSION_EMPTY_TURN', message, { details: { sessionId } })
}

export function unknownInference(sessionId: string, inferenceId: string): GeppettoError {
  return new GeppettoError('INFERENCE_UNKNOWN', `Session ${sessionId} has no inference ${inferenceId}.`, {
    details: { sessionId, inferenceId },
  })
}

export function goneOn(sessionId: string, turnId: string): GeppettoError {
  const message = `Session ${sessionId} has gone on since turn ${turnId}; follow its latest turn, or fork from that one.`
  return new GeppettoError('SESSION_BUSY', message, { details: { sessionId, turnId } })
}

export function unknownApproval(sessionId: string, approvalId: string): GeppettoError {
  return new GeppettoError(
    'APPROVAL_UNKNOWN',
    `Session ${sessionId} waits for no approval ${approvalId}: it was decided, its inference has ended, or there never was one.`,
    { details: { sessionId, approvalId } },
  )
}

export function otherApproval(sessionId: string, approvalId: string): GeppettoError {
  return new GeppettoError(
    'APPROVAL_MISMATCH',
    `Approval ${approvalId} of session ${sessionId} is for another call than the one that was looked at; look again.`,
    { details: { sessionId, approvalId } },
  )
}
