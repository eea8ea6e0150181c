import type { Clock } from '../clock.ts'
import { GeppettoError } from '../errors.ts'
import type { EngineEvent } from '../events/event.ts'
import type { ApprovalDecision } from './engine.ts'

type Request = Extract<EngineEvent, { type: 'approval-requested' }>

interface Pending {
  readonly request: Request
  readonly decided: PromiseWithResolvers<ApprovalDecision>
  cancelTimer?: () => void
}

/** The approvals that one run waits for, when it is asked directly. */
export class Approvals {
  readonly #pending = new Map<string, Pending>()
  readonly #clock: Clock
  readonly #emit: (event: EngineEvent) => void

  constructor(clock: Clock, emit: (event: EngineEvent) => void) {
    this.#clock = clock
    this.#emit = emit
  }

  add(request: Request): void {
    this.#pending.set(request.approvalId, { request, decided: Promise.withResolvers() })
  }

  remove(approvalId: string): void {
    this.#pending.get(approvalId)?.cancelTimer?.()
    this.#pending.delete(approvalId)
  }

  clear(): void {
    for (const approvalId of [...this.#pending.keys()]) this.remove(approvalId)
  }

  /** Resolves with the decision, which is `expired` when the request's time is up. */
  async wait(approvalId: string): Promise<ApprovalDecision> {
    const pending = this.#require(approvalId)
    const { expiresAt } = pending.request
    if (expiresAt !== undefined) {
      const restMs = Math.max(Date.parse(expiresAt) - this.#clock.now(), 0)
      pending.cancelTimer = this.#clock.schedule(restMs, () => this.decide(approvalId, { decision: 'expired' }))
    }
    return pending.decided.promise
  }

  decide(approvalId: string, decision: ApprovalDecision): void {
    const { request, decided } = this.#require(approvalId)
    this.#emit({ type: 'approval-decided', approvalId, toolCallId: request.toolCallId, ...decision })
    this.remove(approvalId)
    decided.resolve(decision)
  }

  #require(approvalId: string): Pending {
    const pending = this.#pending.get(approvalId)
    if (pending !== undefined) return pending
    throw new GeppettoError(
      'APPROVAL_UNKNOWN',
      `No approval ${approvalId} is waited for: it was decided, its run has ended, or there never was one.`,
      { details: { approvalId } },
    )
  }
}
