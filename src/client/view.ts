import type { GeppettoError } from '../errors.ts'
import { applyTimeline, emptyTimeline, entitiesOf, type Timeline } from '../timeline/timeline.ts'
import type { Happening } from './follow.ts'
import type { Snapshot } from './message.ts'

/**
 * `connecting`: nothing is known yet. `catching-up`: connected, and behind the log as it was then. `offline`: the
 * connection is gone, or nobody listens; it comes back by itself. `closed`: it does not, until somebody
 * listens anew.
 */
export type SessionStatus = 'connecting' | 'live' | 'catching-up' | 'offline' | 'closed'

/** A prompt that was sent and is not in the timeline yet. */
export interface PendingSend {
  readonly key: string
  readonly prompt: string
  /** Of its event, once the server has answered. */
  readonly ordinal?: number
}

/** What is known of a session. A value: what changes is another one, and what does not stays the same object. */
export interface SessionView {
  readonly timeline: Timeline
  /** Of the last event that is in the timeline. */
  readonly ordinal: number
  readonly status: SessionStatus
  /** Why it is offline or closed, when there is more to say. */
  readonly error?: GeppettoError
  /** Whether there is more before the timeline; see `loadEarlier`. */
  readonly hasEarlier: boolean
  /** What was sent and the log does not show yet, in the order in which it was sent. */
  readonly pending: readonly PendingSend[]
}

/** A view, and what it takes to go on from it. */
export interface ViewState extends SessionView {
  /** Where the page before the timeline ends. */
  readonly before?: number
  /** Which session of this id it is; absent until the server has said so. */
  readonly incarnation?: string
  /** What the log had when the connection was made. */
  readonly head: number
}

export const unknownView: ViewState = {
  timeline: emptyTimeline(),
  ordinal: 0,
  status: 'connecting',
  hasEarlier: false,
  pending: [],
  head: 0,
}

/** The view after something has happened. */
export function applyHappening(view: ViewState, happening: Happening): ViewState {
  switch (happening.kind) {
    case 'snapshot': {
      const { timeline, before } = happening.snapshot
      const { before: _before, ...rest } = view
      const page = before === undefined ? { hasEarlier: false } : { hasEarlier: true, before }
      return settlePending({ ...rest, ...page, timeline, ordinal: timeline.ordinal })
    }
    case 'subscribed': {
      const { error: _error, ...rest } = view
      const { head, incarnation } = happening
      return { ...rest, head, incarnation, status: view.ordinal >= head ? 'live' : 'catching-up' }
    }
    case 'event': {
      const { event } = happening
      const timeline = applyTimeline(view.timeline, event)
      const status = view.status === 'catching-up' && event.ordinal >= view.head ? 'live' : view.status
      const next = { ...view, timeline, status, ordinal: timeline.ordinal }
      if (event.type !== 'prompt-accepted') return settlePending(next)
      return settlePending({ ...next, pending: next.pending.filter(({ key }) => key !== event.key) })
    }
    case 'lost':
      return { ...view, status: 'offline', error: happening.error }
  }
}

/** The view when somebody listens again. */
export function resumedView(view: ViewState): ViewState {
  if (view.status !== 'closed') return view
  const { error: _error, ...rest } = view
  return { ...rest, status: 'connecting' }
}

/** The view when nobody listens any more. */
export function pausedView(view: ViewState): ViewState {
  return view.status === 'closed' ? view : { ...view, status: 'offline' }
}

/** The view of a session that cannot be followed any more. */
export function closedView(view: ViewState, error: GeppettoError): ViewState {
  return { ...view, status: 'closed', error }
}

/** The view with the page that ends at `before`; a page that is no longer the one before the timeline is left out. */
export function withEarlier(view: ViewState, before: number, page: Snapshot): ViewState {
  if (view.before !== before) return view
  const { before: _before, ...rest } = view
  const timeline = { ...view.timeline, settled: [...entitiesOf(page.timeline), ...view.timeline.settled] }
  const { before: earlier } = page
  return {
    ...rest,
    timeline,
    ...(earlier === undefined ? { hasEarlier: false } : { hasEarlier: true, before: earlier }),
  }
}

/** The view with a send that waits; the same key again is the same send. */
export function withPending(view: ViewState, send: PendingSend): ViewState {
  return { ...view, pending: [...view.pending.filter(({ key }) => key !== send.key), send] }
}

/** The view once the server has answered a send: it stays listed until the timeline shows it. */
export function answered(view: ViewState, key: string, ordinal: number): ViewState {
  return settlePending({
    ...view,
    pending: view.pending.map((send) => (send.key === key ? { ...send, ordinal } : send)),
  })
}

/** The view once a send was refused, or given up. */
export function withoutPending(view: ViewState, key: string): ViewState {
  return { ...view, pending: view.pending.filter((send) => send.key !== key) }
}

function settlePending(view: ViewState): ViewState {
  if (view.pending.length === 0) return view
  const pending = view.pending.filter(({ ordinal = Number.POSITIVE_INFINITY }) => ordinal > view.ordinal)
  return pending.length === view.pending.length ? view : { ...view, pending }
}
