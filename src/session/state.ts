import { isTerminal, type InferenceEvent, type UnknownEvent } from '../events/event.ts'

/** An approval that a tool call waits for. */
export interface PendingApproval {
  readonly approvalId: string
  readonly inferenceId: string
  readonly toolCallId: string
  readonly hash: string
  readonly expiresAt?: string
}

/** What a session must know at once, however long it is: a fold of its log, small and stored with it. */
export interface SessionState {
  /** The name that a person gave it. */
  readonly title?: string
  /** The turn that was opened last. */
  readonly turnId?: string
  /** The inference that runs, or that ran when its process died. */
  readonly active?: {
    readonly inferenceId: string
    readonly turnId: string
    /** How often its process has died in the middle since it last finished a step. */
    readonly restarts: number
    /** Its process gave it up, and no other has taken it up yet. */
    readonly handedOver?: true
    /** Why it is to stop. */
    readonly cancel?: string
  }
  /** Prompts that wait, in their order. */
  readonly queue: readonly { readonly inferenceId: string; readonly turnId: string }[]
  readonly approvals: readonly PendingApproval[]
}

export const emptyState: SessionState = { queue: [], approvals: [] }

/** The state after `event`. An event that does not concern it gives the same state back. */
export function applyToState(state: SessionState, event: InferenceEvent | UnknownEvent): SessionState {
  switch (event.type) {
    case 'prompt-accepted':
      return { ...state, queue: [...state.queue, { inferenceId: event.inferenceId, turnId: event.turnId }] }
    case 'session-renamed':
      return { ...state, title: event.title }
    case 'turn-opened':
      return { ...state, turnId: event.turnId }
    case 'inference-started': {
      const { inferenceId, turnId } = event
      return { ...withoutQueued(state, inferenceId), active: { inferenceId, turnId, restarts: 0 } }
    }
    case 'inference-resumed':
      return onActive(state, event.inferenceId, ({ handedOver: _handedOver, ...active }) => ({
        ...active,
        restarts: event.restarts,
      }))
    case 'inference-handed-over':
      return onActive(state, event.inferenceId, (active) => ({ ...active, handedOver: true }))
    case 'provider-call-finished':
    case 'tool-result-ready':
      // It goes on: whatever took its process down was not this inference, or not for good.
      return onActive(state, event.inferenceId, (active) =>
        active.restarts === 0 ? active : { ...active, restarts: 0 },
      )
    case 'cancel-requested':
      return onActive(state, event.inferenceId, (active) => ({ ...active, cancel: event.reason }))
    case 'approval-requested': {
      const { approvalId, inferenceId, toolCallId, hash, expiresAt } = event
      const approval = { approvalId, inferenceId, toolCallId, hash, ...(expiresAt !== undefined && { expiresAt }) }
      return { ...state, approvals: [...state.approvals, approval] }
    }
    case 'approval-decided':
      return { ...state, approvals: state.approvals.filter(({ approvalId }) => approvalId !== event.approvalId) }
    case 'inference-finished':
    case 'inference-stopped':
    case 'inference-failed':
    case 'inference-interrupted': {
      const { active, ...idle } = withoutQueued(state, event.inferenceId)
      const approvals = state.approvals.filter(({ inferenceId }) => inferenceId !== event.inferenceId)
      const others = active === undefined || active.inferenceId === event.inferenceId ? {} : { active }
      return { ...idle, ...others, approvals }
    }
    default:
      return state
  }
}

/** Whether an inference runs or waits. */
export function hasWork(state: SessionState): boolean {
  return state.active !== undefined || state.queue.length > 0
}

/** Whether these events are to be recorded even when the store is full: they end an inference, or ask for that. */
export function endsWork(events: readonly InferenceEvent[]): boolean {
  // One that would only begin now waits for space instead, as what is queued does.
  if (events.some(({ type }) => type === 'inference-started')) return false
  return events.some((event) => isTerminal(event) || event.type === 'cancel-requested')
}

function withoutQueued(state: SessionState, inferenceId: string): SessionState {
  return { ...state, queue: state.queue.filter((queued) => queued.inferenceId !== inferenceId) }
}

function onActive(
  state: SessionState,
  inferenceId: string,
  change: (active: NonNullable<SessionState['active']>) => NonNullable<SessionState['active']>,
): SessionState {
  if (state.active?.inferenceId !== inferenceId) return state
  const active = change(state.active)
  return active === state.active ? state : { ...state, active }
}
