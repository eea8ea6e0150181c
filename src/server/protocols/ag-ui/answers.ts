import { GeppettoError } from '../../../errors.ts'
import type { SessionState } from '../../../session/state.ts'
import type { ApprovalAnswer } from '../../../session/stored-session.ts'
import type { Entity, ToolCallEntity } from '../../../timeline/entity.ts'
import type { News } from './history.ts'
import { decisionOf, type ResumeEntry } from './input.ts'

/** What a run decides, before anything goes on. */
export interface Answer {
  readonly approvalId: string
  readonly answer: ApprovalAnswer
  /** It was waited for until now; a run that is sent once more decides the same again. */
  readonly isNew: boolean
}

/**
 * The answers to interrupts, and the results of the client's tools. Throws APPROVAL_UNKNOWN for an interrupt that there
 * never was, and REQUEST_INVALID for an answer that is none, or leaves open what is to be answered with it: all
 * interrupts are answered at once.
 */
export function answersOf(
  resume: readonly ResumeEntry[],
  { results }: Pick<News, 'results'>,
  entities: readonly Entity[],
): readonly Answer[] {
  const calls = entities.flatMap((entity) => (entity.kind === 'tool-call' ? [entity] : []))
  const decisions = resume.map((entry): Answer => {
    const call = calls.find(({ approval }) => approval?.approvalId === entry.interruptId)
    if (call === undefined || call.approval?.reason === 'client-tool') throw unknownInterrupt(entry.interruptId)
    return { approvalId: entry.interruptId, answer: decisionOf(entry), isNew: isInterrupt(call) }
  })
  const left = calls.filter(
    (call) => isInterrupt(call) && !resume.some(({ interruptId }) => interruptId === call.approval?.approvalId),
  )
  if (decisions.some(({ isNew }) => isNew) && left.length > 0) throw leftOpen(left)
  return [...decisions, ...results.map((result) => ({ ...result, isNew: true }))]
}

/** Throws SESSION_BUSY when something is waited for that a new prompt would have to wait for too. */
export function requireNothingOpen({ approvals }: SessionState, sessionId: string): void {
  if (approvals.length === 0) return
  throw new GeppettoError(
    'SESSION_BUSY',
    `Thread ${sessionId} waits for ${approvals.length} answers; give them (resume, or the results of your tools), or cancel what waits, before anything new is asked.`,
    { details: { sessionId } },
  )
}

function isInterrupt({ status, approval }: ToolCallEntity): boolean {
  return status === 'awaiting-approval' && approval?.reason !== 'client-tool'
}

function unknownInterrupt(interruptId: string): GeppettoError {
  return new GeppettoError('APPROVAL_UNKNOWN', `This thread has no interrupt ${interruptId}.`, {
    details: { approvalId: interruptId },
  })
}

function leftOpen(calls: readonly ToolCallEntity[]): GeppettoError {
  const ids = calls.map(({ approval }) => approval?.approvalId ?? '')
  return new GeppettoError(
    'REQUEST_INVALID',
    `Nothing was decided: all interrupts are answered at once, and ${ids.join(', ')} would be left.`,
  )
}
