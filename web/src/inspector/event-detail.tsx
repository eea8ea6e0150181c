import { useState } from 'react'
import { Link } from '@tanstack/react-router'
import { encodeEvent } from '../../../src/events/codec.ts'
import { Button, IconButton } from '../design/button.tsx'
import { IdChip } from '../design/copy.tsx'
import { JsonView } from '../design/json-view.tsx'
import { Tabs } from '../design/tabs.tsx'
import type { Json } from '../session/json.ts'
import { useInspection } from './inspection.tsx'
import { idsOf } from './model/filter.ts'
import { formatMs } from './model/format.ts'
import { summaryOf, timeOf, typeOf, type LogEvent } from './model/log.ts'
import { useInspectSearch } from './search.ts'

const shared: ReadonlySet<string> = new Set([
  'type',
  'ordinal',
  'at',
  'session_id',
  'turn_id',
  'inference_id',
  'provider_call_id',
  'tool_call_id',
  'segment_id',
  'attempt',
])

/** One event: what it says, as it is stored, and what else is told of the same things. */
export function EventDetail({ event, onClose }: { readonly event: LogEvent; readonly onClose: () => void }) {
  const { sessionId, anomalies } = useInspection()
  const [view, setView] = useState<'fields' | 'stored' | 'story'>('fields')
  const [, change] = useInspectSearch()
  const stored = encodeEvent(event)
  const { turnId, inferenceId } = event
  const found = anomalies.filter(({ ordinal }) => ordinal === event.ordinal)
  return (
    <section
      aria-label={`Event ${event.ordinal}`}
      className="w-full shrink-0 space-y-3 overflow-y-auto border-t bg-surface p-4 lg:w-104 lg:border-t-0 lg:border-l"
    >
      <div className="flex items-start gap-2">
        <div className="min-w-0 flex-1">
          <h2 className="font-semibold wrap-anywhere">{typeOf(event)}</h2>
          <p className="font-mono text-xs text-ink-faint">
            #{event.ordinal} · {event.at}
          </p>
        </div>
        <IconButton icon="close" label="Close" size="small" onClick={onClose} />
      </div>
      {found.map(({ rule, message }) => (
        <p key={`${rule} ${message}`} className="text-sm text-negative">
          {message}
        </p>
      ))}
      <div className="flex flex-wrap gap-1.5">
        {idsOf(event).map(({ of, id }) => (
          <IdChip key={`${of} ${id}`} of={of} id={id} />
        ))}
      </div>
      <div className="flex flex-wrap items-center gap-2 text-sm">
        {turnId !== undefined && (
          <Link
            to="/inspect/$sessionId/turn/$turnId"
            params={{ sessionId, turnId }}
            className="text-accent-ink underline"
          >
            The turn
          </Link>
        )}
        {inferenceId !== undefined && (
          <>
            <Link
              to="/inspect/$sessionId/inference/$inferenceId"
              params={{ sessionId, inferenceId }}
              className="text-accent-ink underline"
            >
              The inference
            </Link>
            <Button tone="quiet" className="h-6" onClick={() => change({ within: inferenceId })}>
              Only its events
            </Button>
          </>
        )}
      </div>
      <Tabs
        value={view}
        tabs={[
          { value: 'fields', label: 'Fields' },
          { value: 'stored', label: 'As stored' },
          { value: 'story', label: 'Around it' },
        ]}
        onChoose={setView}
      >
        {view === 'fields' && <Fields stored={stored} />}
        {view === 'stored' && <JsonView value={stored} what="event" />}
        {view === 'story' && <Story event={event} />}
      </Tabs>
    </section>
  )
}

function Fields({ stored }: { readonly stored: Readonly<Record<string, Json>> }) {
  const fields = Object.entries(stored).filter(([name]) => !shared.has(name))
  if (fields.length === 0) return <p className="text-sm text-ink-faint">It says nothing but that it happened.</p>
  return (
    <dl className="space-y-2 text-sm">
      {fields.map(([name, value]) => (
        <div key={name}>
          <dt className="text-xs text-ink-faint">{name}</dt>
          <dd className="wrap-anywhere">
            {typeof value === 'object' && value !== null ? <JsonView value={value} what={name} /> : String(value)}
          </dd>
        </div>
      ))}
    </dl>
  )
}

/** How many events of a story are shown before it and after it. */
const storyReach = 8

/** What was told before and after of the innermost thing that the event is about. */
function Story({ event }: { readonly event: LogEvent }) {
  const { events } = useInspection()
  const [, change] = useInspectSearch()
  const inner = idsOf(event).findLast(({ of }) => of !== 'block')
  const story = events.filter((each) => idsOf(each).some(({ id }) => id === inner?.id))
  const at = story.indexOf(event)
  const near = story.slice(Math.max(at - storyReach, 0), at + storyReach + 1)
  return (
    <ol className="space-y-px text-sm">
      {near.map((each) => (
        <li key={each.ordinal}>
          <button
            type="button"
            aria-current={each === event}
            onClick={() => change({ at: String(each.ordinal) })}
            className="flex w-full items-baseline gap-2 rounded-md px-1.5 py-0.5 text-left hover:bg-hover aria-[current=true]:bg-accent-wash"
          >
            <span className="w-14 shrink-0 text-right font-mono text-xs text-ink-faint">
              {offset(timeOf(each) - timeOf(event))}
            </span>
            <span className="font-medium">{typeOf(each)}</span>
            <span className="min-w-0 flex-1 truncate text-ink-soft">{summaryOf(each)}</span>
          </button>
        </li>
      ))}
    </ol>
  )
}

function offset(ms: number): string {
  return `${ms < 0 ? '−' : '+'}${formatMs(Math.abs(ms))}`
}
