import { GeppettoError } from '../errors.ts'

// Why a session does not do what it was told.

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
