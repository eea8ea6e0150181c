import { messageOf } from '../../../src/errors.ts'
import { Badge } from '../design/badge.tsx'
import { Fold } from '../design/fold.tsx'
import { JsonView } from '../design/json-view.tsx'
import { Notice } from '../design/notice.tsx'
import type { Json } from '../session/json.ts'
import { BlockCard } from './block-card.tsx'
import { useInspection } from './inspection.tsx'
import type { LogEvent } from './model/log.ts'
import type { SentRequest } from './model/prompt-cache.ts'
import type { RecordedTurn } from './model/recorded-turns.ts'
import { repairReason } from './model/repairs.ts'
import { useRequests } from './requests.ts'

/** The requests that were sent for a turn, each with the repairs that it needed and the reply that came. */
export function RequestList({ turn }: { readonly turn: RecordedTurn }) {
  const { sessionId, events } = useInspection()
  const { data: requests = [], error, isFetching } = useRequests(sessionId, turn.turnId, events)
  return (
    <section aria-label="Requests" className="space-y-2">
      <h3 className="text-sm font-semibold">Sent to the model</h3>
      {error !== null && <Notice tone="negative">{messageOf(error)}</Notice>}
      {requests.length === 0 && (
        <p className="text-sm text-ink-faint">{isFetching ? 'The requests are made again.' : 'Nothing was sent.'}</p>
      )}
      {requests.map((request) => (
        <Request key={`${request.providerCallId}.${request.attempt}`} request={request} />
      ))}
    </section>
  )
}

function Request({ request }: { readonly request: SentRequest }) {
  const { events } = useInspection()
  const { providerCallId, attempt, provider, model, body, isExact, repairs } = request
  const reply = events.filter(
    (event) => 'providerCallId' in event && event.providerCallId === providerCallId && event.attempt === attempt,
  )
  return (
    <article aria-label={`Request ${providerCallId}`} className="space-y-2 rounded-xl border bg-surface p-3">
      <p className="flex flex-wrap items-center gap-2 text-sm">
        <span className="font-medium">
          {provider} · {model}
        </span>
        {attempt > 1 && <Badge tone="caution">attempt {attempt}</Badge>}
        <Badge tone={isExact ? 'positive' : 'caution'}>{isExact ? 'as it was sent' : 'made again'}</Badge>
      </p>
      {!isExact && (
        <p className="text-xs text-ink-faint">
          These are not the bytes that were sent: the profile has changed since, a middleware showed the model another
          turn without recording it, or this version writes requests differently.
        </p>
      )}
      {repairs.map((repair) => (
        <Repair key={`${repair.repair} ${repair.block} ${repair.detail}`} {...repair} />
      ))}
      <Fold head="The request">
        <div className="mt-1">
          <JsonView value={body} what="request" />
        </div>
      </Fold>
      <Fold head="The reply">
        <div className="mt-1">
          <Reply events={reply} />
        </div>
      </Fold>
    </article>
  )
}

function Repair({ repair, block, detail }: SentRequest['repairs'][number]) {
  const reason = repairReason(repair)
  return (
    <Notice tone="caution" icon="tool">
      <span className="font-medium">{repair.replaceAll('-', ' ')}</span> at block {block}: {detail}.
      {reason !== undefined && <span className="block">{reason}</span>}
    </Notice>
  )
}

/** What came back, as the log has it: the blocks, in the order in which they were finished, and how it ended. */
function Reply({ events }: { readonly events: readonly LogEvent[] }) {
  const blocks = events.flatMap((event) => {
    const isSaid =
      event.type === 'text-segment-finished' ||
      event.type === 'reasoning-segment-finished' ||
      event.type === 'tool-call-requested' ||
      event.type === 'block-received'
    return isSaid ? [{ ordinal: event.ordinal, block: event.block }] : []
  })
  const end = events.find((event) => event.type === 'provider-call-finished' || event.type === 'attempt-discarded')
  const deltas = events.filter(({ type }) => type.endsWith('-delta')).length
  return (
    <div className="space-y-2">
      <p className="text-xs text-ink-faint">
        {events.length} events, {deltas} of them deltas
      </p>
      {blocks.map(({ ordinal, block }, index) => (
        <BlockCard key={ordinal} block={block} index={index} />
      ))}
      {
        end?.type === 'provider-call-finished' && (
          <JsonView value={end.result as Json} what="result" />
        ) /* its schema is JSON */
      }
      {end?.type === 'attempt-discarded' && (
        <Notice tone="negative">
          {end.error.code}: {end.error.message}
        </Notice>
      )}
      {end === undefined && <p className="text-sm text-ink-faint">It has no end yet.</p>}
    </div>
  )
}
