import { Link, useParams } from '@tanstack/react-router'
import { Badge } from '../design/badge.tsx'
import { IdChip } from '../design/copy.tsx'
import { Notice } from '../design/notice.tsx'
import { useProfiles } from '../session/queries.ts'
import { CacheView } from './cache-view.tsx'
import { useInspection } from './inspection.tsx'
import { LedgerTable } from './ledger-table.tsx'
import { formatMs } from './model/format.ts'
import { ledgerOf } from './model/ledger.ts'
import { timeOf } from './model/log.ts'
import { priceOf } from './model/profile-of.ts'
import { lengthOf } from './model/waterfall.ts'
import { WaterfallChart } from './waterfall-chart.tsx'

/** One inference: what it spent its time, its tokens and its money on. */
export function InferencePage() {
  const { inferenceId = '' } = useParams({ strict: false })
  const { sessionId, events, waterfalls, turns } = useInspection()
  const profiles = useProfiles()
  const waterfall = waterfalls.find((each) => each.inferenceId === inferenceId)
  const turn = turns.find((each) => each.turnId === waterfall?.turnId)
  if (waterfall === undefined) {
    return (
      <main className="flex-1 p-4">
        <Notice tone="caution">
          {events.length === 0 ? 'The log is being read.' : `This session has no inference ${inferenceId}.`}
        </Notice>
      </main>
    )
  }
  const price = priceOf(turn, profiles)
  const last = events.at(-1)
  const nowMs = last === undefined ? 0 : timeOf(last)
  return (
    <main className="min-h-0 flex-1 overflow-y-auto">
      <div className="mx-auto max-w-5xl space-y-6 p-4">
        <div className="flex flex-wrap items-center gap-2">
          <h2 className="text-lg font-semibold">Inference</h2>
          <IdChip of="inference" id={inferenceId} />
          <Badge tone={waterfall.ending === undefined ? 'accent' : 'neutral'} isLive={waterfall.ending === undefined}>
            {waterfall.ending?.replace('inference-', '') ?? 'running'}
          </Badge>
          <span className="text-sm text-ink-soft">{formatMs(lengthOf(waterfall, nowMs))}</span>
          <Link
            to="/inspect/$sessionId/turn/$turnId"
            params={{ sessionId, turnId: waterfall.turnId }}
            className="text-sm text-accent-ink underline"
          >
            Its turn
          </Link>
          <Link
            to="/inspect/$sessionId"
            params={{ sessionId }}
            search={{ within: inferenceId }}
            className="text-sm text-accent-ink underline"
          >
            Its events
          </Link>
        </div>
        <WaterfallChart waterfall={waterfall} nowMs={nowMs} />
        <LedgerTable ledger={ledgerOf(events, inferenceId, price)} isPriced={price !== undefined} />
        <CacheView turn={turn} inferenceId={inferenceId} />
      </div>
    </main>
  )
}
