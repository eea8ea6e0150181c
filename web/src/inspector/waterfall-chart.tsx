import { Link } from '@tanstack/react-router'
import { classes } from '../design/classes.ts'
import { useInspection } from './inspection.tsx'
import { formatMs } from './model/format.ts'
import { lengthOf, type Span, type SpanKind, type Waterfall } from './model/waterfall.ts'

const bars: Readonly<Record<SpanKind, string>> = {
  queue: 'fill-line-strong',
  attempt: 'fill-accent',
  wait: 'fill-line-strong',
  tool: 'fill-positive',
  approval: 'fill-caution',
  pause: 'fill-caution',
  handover: 'fill-line-strong',
}
const kindNames: Readonly<Record<SpanKind, string>> = {
  queue: 'queue',
  attempt: 'model',
  wait: 'backoff',
  tool: 'tool',
  approval: 'approval',
  pause: 'pause',
  handover: 'hand-over',
}

/** Each step of an inference as a bar, from when it began to when it ended; the paler part waited for a first word. */
export function WaterfallChart({ waterfall, nowMs }: { readonly waterfall: Waterfall; readonly nowMs: number }) {
  const { sessionId } = useInspection()
  const { startMs, spans } = waterfall
  const totalMs = Math.max(lengthOf(waterfall, nowMs), 1)
  return (
    <section aria-label="Waterfall">
      <h3 className="mb-1 text-sm font-semibold">Time</h3>
      <ol className="rounded-xl border bg-surface py-1">
        {spans.map((span) => (
          <li key={span.id}>
            <Link
              to="/inspect/$sessionId"
              params={{ sessionId }}
              search={{ at: String(span.ordinal) }}
              title={span.detail}
              className="grid grid-cols-[minmax(0,1fr)_4.5rem] items-center gap-x-3 px-3 py-1 text-sm hover:bg-hover sm:grid-cols-[14rem_minmax(0,1fr)_4.5rem]"
            >
              <span className="flex min-w-0 items-baseline gap-2">
                <span className="w-16 shrink-0 text-xs text-ink-faint">{kindNames[span.kind]}</span>
                <span className={classes('truncate', isBad(span) && 'text-negative')}>{span.label}</span>
              </span>
              <Bar span={span} startMs={startMs} totalMs={totalMs} nowMs={nowMs} />
              <span className="text-right font-mono text-xs text-ink-soft">{formatMs(lengthOf(span, nowMs))}</span>
              {span.outcome === 'lost' && (
                <span className="col-span-full text-xs text-negative">
                  Its process died; the next one went on here.
                </span>
              )}
              {span.outcome === 'failed' && span.detail !== undefined && (
                <span className="col-span-full text-xs text-negative wrap-anywhere">{span.detail}</span>
              )}
            </Link>
          </li>
        ))}
      </ol>
    </section>
  )
}

function isBad({ outcome }: Span): boolean {
  return outcome === 'failed' || outcome === 'lost'
}

function Bar({
  span,
  startMs,
  totalMs,
  nowMs,
}: {
  readonly span: Span
  readonly startMs: number
  readonly totalMs: number
  readonly nowMs: number
}) {
  const part = (ms: number) => `${(ms / totalMs) * 100}%`
  const length = lengthOf(span, nowMs)
  const waited = span.firstOutputMs === undefined ? 0 : span.firstOutputMs - span.startMs
  const fill = isBad(span) ? 'fill-negative' : bars[span.kind]
  return (
    <svg className="order-last col-span-full h-3 w-full overflow-visible sm:order-none sm:col-span-1" aria-hidden>
      <line x1="0" x2="100%" y1="6" y2="6" className="stroke-line" />
      <rect
        x={part(span.startMs - startMs)}
        width={part(length)}
        height="12"
        rx="2"
        className={fill}
        opacity={0.45}
        stroke="currentColor"
        strokeWidth={0.5}
      />
      <rect
        x={part(span.startMs - startMs + waited)}
        width={part(Math.max(length - waited, 0))}
        height="12"
        rx="2"
        className={classes(fill, span.outcome === 'open' && 'animate-breathe')}
      />
    </svg>
  )
}
