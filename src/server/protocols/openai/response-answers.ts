import { GeppettoError } from '../../../errors.ts'
import type { Json } from '../../../json.ts'
import type { ApprovalAnswer } from '../../../session/stored-session.ts'
import type { Answer } from './response-request.ts'
import type { ResponseState } from './response-state.ts'
import { eventsOf, type Running } from './running.ts'

/**
 * Puts the client's answers into the log: those that the previous response asked for, all of them. The same answers again
 * change nothing. Throws REQUEST_INVALID for what was not asked, or is missing.
 */
export async function answer(
  running: Running,
  state: ResponseState,
  part: number,
  answers: readonly Answer[],
  by: string,
): Promise<void> {
  requireComplete(state, part, answers)
  const { session } = running
  const left = new Map(answers.flatMap((one) => callOf(state, one).map((toolCallId) => [toolCallId, one])))
  // A call of several may be asked for a moment later than it was told, or may have failed before.
  for await (const event of eventsOf(running)) {
    if (event.type === 'approval-requested') {
      const given = left.get(event.toolCallId)
      if (given === undefined || (given.kind === 'approval' && given.approvalId !== event.approvalId)) continue
      await session.decide(event.approvalId, { ...decisionOf(given), by })
      left.delete(event.toolCallId)
    }
    if (event.type === 'tool-result-ready') left.delete(event.toolCallId)
    if (left.size === 0) return
  }
}

function requireComplete(state: ResponseState, part: number, answers: readonly Answer[]): void {
  const given = new Set(answers.flatMap((one) => callOf(state, one)))
  const unknown = answers.find((one) => callOf(state, one).length === 0)
  if (unknown !== undefined) {
    const id = unknown.kind === 'function' ? unknown.toolCallId : unknown.approvalId
    throw new GeppettoError('REQUEST_INVALID', `input: the previous response asked for no answer to ${id}.`)
  }
  const missing = part === state.part ? state.waits.find(({ toolCallId }) => !given.has(toolCallId)) : undefined
  if (missing !== undefined) throw unanswered(missing.toolCallId)
}

export function unanswered(toolCallId: string): GeppettoError {
  return new GeppettoError(
    'REQUEST_INVALID',
    `input: No tool output found for function call ${toolCallId}; the previous response waits for it.`,
  )
}

/** The call that an answer is for, when it was asked for. */
function callOf({ clientCalls, approvals }: ResponseState, one: Answer): readonly string[] {
  if (one.kind === 'function') return clientCalls.filter((toolCallId) => toolCallId === one.toolCallId)
  return approvals.filter(({ approvalId }) => approvalId === one.approvalId).map(({ toolCallId }) => toolCallId)
}

function decisionOf(given: Answer): ApprovalAnswer {
  if (given.kind === 'function') return { decision: 'approved', result: given.result satisfies Json }
  const { approve, reason } = given
  return { decision: approve ? 'approved' : 'denied', ...(reason !== undefined && !approve && { message: reason }) }
}
