import type { InferenceEvent, InferenceEventType, UnknownEvent } from 'geppetto/events'
import type { Json } from '../../session/json.ts'

/** What the log of a session holds, and what every view of the inspector is made of. */
export type LogEvent = InferenceEvent | UnknownEvent

/** Events by what they tell of, as filters and colours take them together. */
export const eventGroups = [
  'session',
  'inference',
  'loop',
  'call',
  'text',
  'reasoning',
  'tool',
  'delta',
  'provider-tool',
  'note',
  'unknown',
] as const
export type EventGroup = (typeof eventGroups)[number]

/** What a filter shows while nobody has chosen: deltas are most of a log, and say least. */
export const defaultGroups: readonly EventGroup[] = eventGroups.filter((group) => group !== 'delta')

const groups: Readonly<Partial<Record<InferenceEventType, EventGroup>>> = {
  'turn-opened': 'session',
  'session-renamed': 'session',
  'prompt-accepted': 'session',
  'cancel-requested': 'inference',
  'phase-reached': 'loop',
  'turn-edited': 'loop',
  'debugger.pause': 'loop',
  'request-projected': 'call',
  'attempt-discarded': 'call',
  'block-received': 'provider-tool',
  citation: 'text',
  'text-delta': 'delta',
  'reasoning-delta': 'delta',
  'tool-call-arguments-delta': 'delta',
  'persist-failed': 'note',
  log: 'note',
  info: 'note',
  custom: 'note',
  'agent-mode-switch': 'note',
}
const prefixes: readonly (readonly [prefix: string, group: EventGroup])[] = [
  ['inference-', 'inference'],
  ['provider-call-', 'call'],
  ['text-', 'text'],
  ['reasoning-', 'reasoning'],
  ['tool-search-', 'provider-tool'],
  ['tool-', 'tool'],
  ['approval-', 'tool'],
]

export function groupOf(event: LogEvent): EventGroup {
  if (event.type === 'unknown') return 'unknown'
  const known = groups[event.type] ?? prefixes.find(([prefix]) => event.type.startsWith(prefix))?.[1]
  return known ?? 'provider-tool'
}

/** The event's type as it was written. */
export function typeOf(event: LogEvent): string {
  return event.type === 'unknown' ? event.rawType : event.type
}

/** When it happened, in milliseconds since 1970. */
export function timeOf({ at }: { readonly at: string }): number {
  return Date.parse(at)
}

/** Whether it tells of a failure. */
export function isFailure(event: LogEvent): boolean {
  switch (event.type) {
    case 'inference-failed':
    case 'inference-interrupted':
    case 'attempt-discarded':
    case 'persist-failed':
      return true
    case 'tool-call-finished':
    case 'tool-result-ready':
      return event.status !== 'success'
    case 'log':
      return event.level === 'error'
    default:
      return false
  }
}

/** What it says, in a line. */
export function summaryOf(event: LogEvent): string {
  switch (event.type) {
    case 'prompt-accepted':
      return event.block.payload.text
    case 'turn-opened':
      return event.base === undefined ? 'a first turn' : 'goes on from the turn before'
    case 'session-renamed':
      return event.title
    case 'turn-edited':
      return `by ${event.by}`
    case 'phase-reached':
      return `${event.phase}, iteration ${event.iteration}`
    case 'provider-call-started':
      return `${event.provider} · ${event.model}${event.attempt > 1 ? ` · attempt ${event.attempt}` : ''}`
    case 'provider-call-finished':
      return `${event.finishClass}, ${event.blocks} blocks`
    case 'request-projected':
      return event.repairs.length === 0 ? 'no repairs' : event.repairs.map(({ repair }) => repair).join(', ')
    case 'attempt-discarded':
    case 'inference-failed':
    case 'persist-failed':
      return `${event.error.code}: ${event.error.message}`
    case 'text-delta':
    case 'reasoning-delta':
    case 'tool-call-arguments-delta':
      return event.delta
    case 'text-segment-finished':
    case 'reasoning-segment-finished':
      return event.block.payload.text ?? 'sealed'
    case 'tool-call-started':
      return event.toolName
    case 'tool-call-requested':
      return `${event.block.payload.name} ${lineOf(event.block.payload.args)}`
    case 'tool-execution-started':
    case 'approval-requested':
      return `${event.toolName} ${lineOf(event.input)}`
    case 'approval-decided':
      return `${event.decision}${event.by === undefined ? '' : ` by ${event.by}`}`
    case 'tool-progress':
      return `${event.toolName} ${lineOf(event.progress)}`
    case 'tool-result-ready': {
      const { error, result = null } = event.block.payload
      return `${event.toolName} ${error ?? lineOf(result)}`
    }
    case 'tool-call-finished':
      return `${event.toolName}: ${event.status}`
    case 'inference-finished':
      return event.result.finish_class
    case 'inference-stopped':
    case 'inference-interrupted':
    case 'cancel-requested':
      return event.reason
    case 'debugger.pause':
      return `${event.phase}: ${event.summary}`
    case 'log':
    case 'info':
    case 'agent-mode-switch':
      return event.message
    case 'custom':
      return event.name
    default:
      return ''
  }
}

function lineOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
