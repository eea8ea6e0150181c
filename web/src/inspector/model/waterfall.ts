import type { InferenceEvent, TerminalEvent } from 'geppetto/events'
import { timeOf, type LogEvent } from './log.ts'

/**
 * What an inference spends its time on. `queue`: until it is taken up; `wait`: between a failed attempt and the next;
 * `approval` and `pause`: for a person; `handover`: from one process to the next.
 */
export const spanKinds = ['queue', 'attempt', 'wait', 'tool', 'approval', 'pause', 'handover'] as const
export type SpanKind = (typeof spanKinds)[number]

export interface Span {
  /** Unique in its session. */
  readonly id: string
  readonly kind: SpanKind
  readonly label: string
  /** Milliseconds since 1970. */
  readonly startMs: number
  /** Absent while it goes on. */
  readonly endMs?: number
  /** Of the event that begins it. */
  readonly ordinal: number
  /** `lost`: its process died meanwhile, and `endMs` is when the next one went on. */
  readonly outcome: 'open' | 'done' | 'failed' | 'lost'
  /** When the first of its output came, in milliseconds since 1970. */
  readonly firstOutputMs?: number
  readonly detail?: string
}

export interface Waterfall {
  readonly inferenceId: string
  readonly turnId: string
  readonly startMs: number
  /** Absent while it runs. */
  readonly endMs?: number
  /** In the order in which they began. */
  readonly spans: readonly Span[]
  /** The type of the event that ended it. */
  readonly ending?: TerminalEvent['type']
}

interface Draft {
  readonly inferenceId: string
  readonly turnId: string
  readonly startMs: number
  readonly spans: Map<string, Span>
  endMs?: number
  ending?: TerminalEvent['type']
}

/** The waterfalls of all inferences of a log, in the order in which they were asked for. */
export function waterfallsOf(events: readonly LogEvent[]): readonly Waterfall[] {
  const drafts = new Map<string, Draft>()
  for (const event of events) {
    if (event.type === 'unknown' || event.inferenceId === undefined) continue
    const { inferenceId, turnId } = event
    const draft = drafts.get(inferenceId) ?? { inferenceId, turnId, startMs: timeOf(event), spans: new Map() }
    drafts.set(inferenceId, draft)
    add(draft, event)
  }
  return [...drafts.values()].map(({ spans, ...rest }) => ({ ...rest, spans: [...spans.values()] }))
}

/** How long it took, or has taken at `nowMs`. */
export function lengthOf({ startMs, endMs }: Pick<Span, 'startMs' | 'endMs'>, nowMs: number): number {
  return Math.max((endMs ?? nowMs) - startMs, 0)
}

function add(draft: Draft, event: InferenceEvent): void {
  const begin = (id: string, kind: SpanKind, label: string, detail?: string) => {
    const { ordinal } = event
    const more = detail === undefined ? {} : { detail }
    draft.spans.set(id, { id, kind, label, startMs: timeOf(event), ordinal, outcome: 'open', ...more })
  }
  const change = (id: string, made: Partial<Span>) => {
    const span = draft.spans.get(id)
    if (span?.outcome === 'open') draft.spans.set(id, { ...span, ...made })
  }
  const end = (id: string, outcome: 'done' | 'failed' | 'lost' = 'done', detail?: string) =>
    change(id, { endMs: timeOf(event), outcome, ...(detail !== undefined && { detail }) })
  const endAll = (kind: SpanKind, outcome: 'done' | 'failed' | 'lost' = 'done') => {
    for (const span of draft.spans.values()) if (span.kind === kind) end(span.id, outcome)
  }
  // Nothing says that a pause has ended: the next thing that happens does.
  if (event.type !== 'debugger.pause' && event.type !== 'cancel-requested') endAll('pause')

  const { inferenceId } = draft
  switch (event.type) {
    case 'prompt-accepted':
      return begin(`${inferenceId}.queue`, 'queue', 'Waits for its turn')
    case 'inference-started':
      return end(`${inferenceId}.queue`)
    case 'inference-handed-over':
      return begin(`${inferenceId}.handover.${event.ordinal}`, 'handover', 'Handed over')
    case 'inference-resumed':
      // A question that was asked waits on; what the process was at when it died has no end that anybody saw.
      for (const kind of spanKinds)
        if (kind !== 'approval') endAll(kind, kind === 'handover' || kind === 'wait' ? 'done' : 'lost')
      return
    case 'provider-call-started': {
      endAll('wait')
      const label = event.attempt === 1 ? event.model : `${event.model}, attempt ${event.attempt}`
      return begin(attemptOf(event), 'attempt', label, event.provider)
    }
    case 'text-segment-started':
    case 'text-delta':
    case 'reasoning-segment-started':
    case 'reasoning-delta':
    case 'tool-call-started': {
      if (event.providerCallId === undefined || event.attempt === undefined) return
      const id = attemptOf({ providerCallId: event.providerCallId, attempt: event.attempt })
      if (draft.spans.get(id)?.firstOutputMs === undefined) change(id, { firstOutputMs: timeOf(event) })
      return
    }
    case 'provider-call-finished':
      return end(attemptOf(event), event.finishClass === 'error' ? 'failed' : 'done', event.finishClass)
    case 'attempt-discarded':
      end(attemptOf(event), 'failed', `${event.error.code}: ${event.error.message}`)
      return begin(`${attemptOf(event)}.wait`, 'wait', 'Waits to try again', `${event.retryInMs} ms were asked for`)
    case 'approval-requested':
      return begin(event.approvalId, 'approval', `Approval of ${event.toolName}`, event.reason)
    case 'approval-decided': {
      const by = event.by === undefined ? '' : ` by ${event.by}`
      return end(event.approvalId, event.decision === 'approved' ? 'done' : 'failed', `${event.decision}${by}`)
    }
    case 'tool-execution-started':
      return begin(`${inferenceId}.${event.toolCallId}`, 'tool', event.toolName)
    case 'tool-result-ready': {
      const outcome = event.status === 'success' ? 'done' : 'failed'
      return end(`${inferenceId}.${event.toolCallId}`, outcome, event.block.payload.error ?? event.status)
    }
    case 'debugger.pause':
      return begin(event.pauseId, 'pause', `Paused ${event.phase.replaceAll('_', ' ')}`, event.summary)
    case 'inference-finished':
    case 'inference-stopped':
    case 'inference-failed':
    case 'inference-interrupted':
      for (const kind of spanKinds) endAll(kind, event.type === 'inference-finished' ? 'done' : 'failed')
      draft.endMs = timeOf(event)
      draft.ending = event.type
      return
    default:
  }
}

function attemptOf({ providerCallId, attempt }: { providerCallId: string; attempt: number }): string {
  return `${providerCallId}.${attempt}`
}
