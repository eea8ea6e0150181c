import type { InferenceEvent } from 'geppetto/events'
import type { Block, Turn } from 'geppetto/turns'
import { messageOf } from '../../../../src/errors.ts'
import { isTerminal } from '../../../../src/events/event.ts'
import { keyCatalogue } from '../../../../src/turns/keys.ts'
import { createTurn } from '../../../../src/turns/turn.ts'
import { typeOf, type LogEvent } from './log.ts'
import { formatMs } from './format.ts'
import type { Span, SpanKind, Waterfall } from './waterfall.ts'

export const anomalyRules = ['orphan-event', 'missing-correlation', 'ordinal-gap', 'slow-step', 'schema-error'] as const
export type AnomalyRule = (typeof anomalyRules)[number]
export type Severity = 'error' | 'warning' | 'info'

/** Something in a log that is not as it should be. */
export interface Anomaly {
  readonly rule: AnomalyRule
  readonly severity: Severity
  /** Of the event that shows it. */
  readonly ordinal: number
  /** What is wrong, as a sentence. */
  readonly message: string
}

/** Everything that the rules find, in the order of the log. */
export function findAnomalies(events: readonly LogEvent[], waterfalls: readonly Waterfall[]): readonly Anomaly[] {
  const found = [
    ...orphans(events),
    ...uncorrelated(events),
    ...gaps(events),
    ...slowSteps(waterfalls),
    ...misshapen(events),
  ]
  return found.toSorted((left, right) => left.ordinal - right.ordinal)
}

/** What may be told of an inference before it begins, or after it has ended. */
const betweenInferences: ReadonlySet<string> = new Set([
  'prompt-accepted',
  'turn-opened',
  'session-renamed',
  'cancel-requested',
  'inference-started',
  'inference-handed-over',
  'log',
  'persist-failed',
])

/** What speaks of something that is not there: an inference that has not begun, a call or a segment that nobody opened. */
function orphans(events: readonly LogEvent[]): readonly Anomaly[] {
  const found: Anomaly[] = []
  const started = new Set<string>()
  const ended = new Set<string>()
  const opened = new Set<string>()
  // A log whose beginning was trimmed may go on with what began there.
  const isWhole = (events[0]?.ordinal ?? 1) <= 1
  const report = (event: InferenceEvent, message: string, severity: Severity = 'error') =>
    found.push({ rule: 'orphan-event', severity, ordinal: event.ordinal, message: `${event.type} ${message}` })
  for (const event of events) {
    if (event.type === 'unknown' || event.inferenceId === undefined) continue
    const { inferenceId } = event
    if (event.type === 'inference-started') started.add(inferenceId)
    const isOfRun = !betweenInferences.has(event.type)
    if (isOfRun && ended.has(inferenceId)) report(event, 'comes after the end of its inference.', 'warning')
    else if (isOfRun && isWhole && !started.has(inferenceId) && !isTerminal(event))
      report(event, 'is of an inference that has not begun.')
    if (isTerminal(event)) ended.add(inferenceId)
    const opens = openedBy(event)
    if (opens !== undefined) opened.add(opens)
    const needs = neededBy(event)
    if (isWhole && needs !== undefined && !opened.has(needs.id)) report(event, `comes without ${needs.what}.`)
  }
  return found
}

function openedBy(event: InferenceEvent): string | undefined {
  switch (event.type) {
    case 'provider-call-started':
      return `${event.providerCallId}.${event.attempt}`
    case 'text-segment-started':
    case 'reasoning-segment-started':
      return event.segmentId
    case 'tool-call-requested':
      return `${event.turnId}.${event.toolCallId}`
    case 'approval-requested':
      return event.approvalId
    default:
      return undefined
  }
}

function neededBy(event: InferenceEvent): { readonly id: string; readonly what: string } | undefined {
  switch (event.type) {
    case 'text-delta':
    case 'text-segment-finished':
    case 'reasoning-delta':
    case 'reasoning-segment-finished':
      return { id: event.segmentId, what: 'the start of its segment' }
    case 'provider-call-finished':
    case 'provider-call-metadata-updated':
    case 'attempt-discarded':
      return { id: `${event.providerCallId}.${event.attempt}`, what: 'the start of its provider call' }
    case 'tool-execution-started':
    case 'tool-result-ready':
      // A program may call a tool, too: then no provider call stands behind it.
      if (event.providerCallId === undefined) return undefined
      return { id: `${event.turnId}.${event.toolCallId}`, what: 'the request for its call' }
    case 'approval-decided':
      return { id: event.approvalId, what: 'the question that it answers' }
    default:
      return undefined
  }
}

/** What cannot be brought together with the rest: no ids, no turn, or an end that never came. */
function uncorrelated(events: readonly LogEvent[]): readonly Anomaly[] {
  const found: Anomaly[] = []
  const report = (ordinal: number, message: string, severity: Severity = 'warning') =>
    found.push({ rule: 'missing-correlation', severity, ordinal, message })
  const open = new Map<string, InferenceEvent>()
  for (const event of events) {
    if (event.type === 'unknown') {
      if (event.inferenceId === undefined && event.turnId === undefined)
        report(event.ordinal, `${event.rawType} says neither which turn nor which inference it is of.`)
      continue
    }
    switch (event.type) {
      case 'provider-call-started':
        open.set(`call ${event.providerCallId}.${event.attempt}`, event)
        break
      case 'provider-call-finished':
      case 'attempt-discarded':
        open.delete(`call ${event.providerCallId}.${event.attempt}`)
        break
      case 'tool-execution-started':
        open.set(`tool ${event.turnId}.${event.toolCallId}`, event)
        break
      case 'tool-result-ready':
        open.delete(`tool ${event.turnId}.${event.toolCallId}`)
        break
      case 'tool-call-requested':
        if (event.providerCallId === undefined)
          report(event.ordinal, `Tool call ${event.toolCallId} does not say which provider call asked for it.`)
        break
      default:
    }
    if (!isTerminal(event)) continue
    for (const [key, opener] of open) {
      if (opener.inferenceId !== event.inferenceId) continue
      open.delete(key)
      // What is cut off has no end; what has finished must have one.
      if (event.type === 'inference-finished')
        report(opener.ordinal, `${opener.type} has no end, though its inference has finished.`)
    }
  }
  return found
}

/** Where something is missing in between: ordinals of the log, characters of a text. */
function gaps(events: readonly LogEvent[]): readonly Anomaly[] {
  const found: Anomaly[] = []
  const report = (ordinal: number, message: string) =>
    found.push({ rule: 'ordinal-gap', severity: 'error', ordinal, message })
  const lengths = new Map<string, number>()
  let last: number | undefined
  for (const event of events) {
    const { ordinal } = event
    if (last !== undefined && ordinal !== last + 1) report(ordinal, `Event ${ordinal} follows event ${last}.`)
    last = ordinal
    if (event.type !== 'text-delta' && event.type !== 'reasoning-delta') continue
    const length = lengths.get(event.segmentId) ?? 0
    if (event.offset !== length)
      report(ordinal, `The text goes on at character ${event.offset}, and ends at ${length}.`)
    lengths.set(event.segmentId, event.offset + event.delta.length)
  }
  return found
}

/** Kinds whose length is the system's doing; how long people take is theirs. */
const timedKinds: readonly SpanKind[] = ['queue', 'attempt', 'tool', 'handover']
/** Nothing below this is slow, whatever the others took. */
const slowMs = 2_000
/** So many times what steps of its kind usually take. */
const slowFactor = 4
const fewestSteps = 4
/** Slow, whatever is usual here. */
const verySlowMs = 30_000

/** Steps that took far longer than those of their kind. */
function slowSteps(waterfalls: readonly Waterfall[]): readonly Anomaly[] {
  const ended = waterfalls.flatMap(({ spans }) => spans).filter(isTimed)
  return timedKinds.flatMap((kind) => {
    const spans = ended.filter((span) => span.kind === kind)
    const lengths = spans.map((span) => span.endMs - span.startMs).toSorted((left, right) => left - right)
    const usual = lengths[Math.floor((lengths.length - 1) / 2)] ?? 0
    return spans.flatMap((span): readonly Anomaly[] => {
      const length = span.endMs - span.startMs
      const isOutlier = spans.length >= fewestSteps && length >= slowMs && length > usual * slowFactor
      if (!isOutlier && length < verySlowMs) return []
      const beside = spans.length < fewestSteps ? '' : `; ${formatMs(usual)} is usual`
      const message = `${span.label} took ${formatMs(length)}${beside}.`
      return [{ rule: 'slow-step', severity: 'warning', ordinal: span.ordinal, message }]
    })
  })
}

type TimedSpan = Span & { readonly endMs: number }

function isTimed(span: Span): span is TimedSpan {
  return span.endMs !== undefined && span.outcome !== 'lost'
}

/** What does not have the shape that it should have: unknown events, values that are not what their key says. */
function misshapen(events: readonly LogEvent[]): readonly Anomaly[] {
  return events.flatMap((event): readonly Anomaly[] => {
    const { ordinal } = event
    if (event.type === 'unknown') {
      const message = `${typeOf(event)} is an event that this version does not know, or a known one with wrong fields.`
      return [{ rule: 'schema-error', severity: 'info', ordinal, message }]
    }
    return problemsOf(event).map((message) => ({ rule: 'schema-error', severity: 'error', ordinal, message }))
  })
}

function problemsOf(event: InferenceEvent): readonly string[] {
  switch (event.type) {
    case 'turn-opened':
    case 'turn-edited': {
      const { metadata = {}, data = {}, add } = event.delta
      return [...bagProblems({ ...createTurn(), metadata, data }), ...add.flatMap(blockProblems)]
    }
    case 'block-received':
    case 'tool-result-ready':
    case 'tool-call-requested':
    case 'text-segment-finished':
    case 'reasoning-segment-finished':
      return blockProblems(event.block)
    default:
      return []
  }
}

function bagProblems(turn: Turn): readonly string[] {
  const keys = [...keyCatalogue['turn.metadata'], ...keyCatalogue['turn.data']]
  return keys.flatMap((key) => problemOf(() => key.get(turn)))
}

function blockProblems(block: Block): readonly string[] {
  if (block.metadata === undefined) return []
  return keyCatalogue['block.metadata'].flatMap((key) => problemOf(() => key.get(block)))
}

function problemOf(read: () => unknown): readonly string[] {
  try {
    read()
    return []
  } catch (error) {
    return [messageOf(error)]
  }
}
