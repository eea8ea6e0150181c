import type { EngineEvent, EventOf, InferenceEvent } from '../events/event.ts'
import type { ToolCallBlock } from '../turns/block.ts'
import type { FinishClass } from '../turns/values.ts'

/** What is known of a call that has no result yet. */
export interface CallPast {
  /** Whether it was let run and nobody saw it end. */
  readonly isOpen: boolean
  /** The approval that was asked for last, since it was let run last. */
  readonly approval?: {
    readonly request: EventOf<'approval-requested'>
    readonly decision?: EventOf<'approval-decided'>
  }
}

/** Where a run stands: what it does next. */
export type Position =
  | { readonly next: 'model'; readonly iteration: number }
  | {
      readonly next: 'tools'
      readonly iteration: number
      readonly calls: readonly ToolCallBlock[]
      readonly past: ReadonlyMap<string, CallPast>
    }
  | { readonly next: 'nothing'; readonly iteration: number }

const endsWithoutTools: ReadonlySet<FinishClass> = new Set(['refusal', 'error', 'interrupted'])

/** What one model call's events ask for. An engine that answers a call itself leaves nothing to do for it. */
export class Reply {
  readonly #pending = new Map<string, ToolCallBlock>()
  #requested = 0
  #finishClass: FinishClass | undefined
  #isFinished = false

  add(event: EngineEvent | InferenceEvent): void {
    switch (event.type) {
      case 'provider-call-started':
        this.#isFinished = false
        return
      case 'tool-call-requested':
        this.#requested += 1
        if (!this.#pending.has(event.toolCallId)) this.#pending.set(event.toolCallId, event.block)
        return
      case 'tool-result-ready':
        this.#pending.delete(event.toolCallId)
        return
      case 'attempt-discarded':
        this.#pending.clear()
        this.#requested = 0
        this.#isFinished = false
        return
      case 'provider-call-finished':
        this.#isFinished = true
        this.#finishClass = event.finishClass
        return
      default:
    }
  }

  /** Whether the model has said all that it had to say. */
  get isFinished(): boolean {
    return this.#isFinished
  }

  /** Whether it asked for tools that may be run, answered by now or not. */
  get asksForTools(): boolean {
    return this.#requested > 0 && !(this.#finishClass !== undefined && endsWithoutTools.has(this.#finishClass))
  }

  get pendingCalls(): readonly ToolCallBlock[] {
    return this.asksForTools ? [...this.#pending.values()] : []
  }
}

/**
 * Where the events of one inference leave off. Its log is the journal of its steps: what has an end there is never done
 * again, and what has only a beginning is known to have begun.
 */
export function positionOf(events: readonly InferenceEvent[]): Position {
  let iteration = 0
  let isLoop = false
  let reply = new Reply()
  const past = new Map<string, CallPast>()
  for (const event of events) {
    reply.add(event)
    if (event.type === 'phase-reached' && event.phase === 'pre_inference') {
      isLoop = true
      iteration = event.iteration
      reply = new Reply()
      past.clear()
    } else addCallPast(past, event)
  }
  if (!reply.isFinished) return { next: 'model', iteration }
  if (!isLoop || !reply.asksForTools) return { next: 'nothing', iteration }
  const calls = reply.pendingCalls
  return calls.length === 0 ? { next: 'model', iteration: iteration + 1 } : { next: 'tools', iteration, calls, past }
}

/** Whether a run that stands here does nothing but wait for a decision: no tool is under way. */
export function isWaiting(position: Position): boolean {
  if (position.next !== 'tools') return false
  const pasts = position.calls.flatMap(({ payload }) => position.past.get(payload.id) ?? [])
  const isAsked = pasts.some(({ approval }) => approval !== undefined && approval.decision === undefined)
  // A call that was asked about since it began is not run before it begins again.
  return isAsked && !pasts.some(({ isOpen, approval }) => isOpen && approval === undefined)
}

function addCallPast(past: Map<string, CallPast>, event: InferenceEvent): void {
  switch (event.type) {
    case 'tool-execution-started':
      past.set(event.toolCallId, { isOpen: true })
      return
    case 'approval-requested':
      past.set(event.toolCallId, {
        isOpen: past.get(event.toolCallId)?.isOpen ?? false,
        approval: { request: event },
      })
      return
    case 'approval-decided': {
      const call = past.get(event.toolCallId)
      if (call?.approval?.request.approvalId !== event.approvalId) return
      past.set(event.toolCallId, { ...call, approval: { ...call.approval, decision: event } })
      return
    }
    default:
  }
}
