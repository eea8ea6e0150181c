import { useState } from 'react'
import { Link } from '@tanstack/react-router'
import { messageOf } from '../../../src/errors.ts'
import { inferenceResultKey } from '../../../src/turns/keys.ts'
import { answerText } from '../../../src/turns/turn.ts'
import { Badge } from '../design/badge.tsx'
import { shortId } from '../design/copy.tsx'
import { Notice } from '../design/notice.tsx'
import { Tabs } from '../design/tabs.tsx'
import { useProfiles, useSessions } from '../session/queries.ts'
import { BlockCard } from './block-card.tsx'
import { DiffView, TextDiff } from './diff-view.tsx'
import { promptOf } from './fork-dialog.tsx'
import { useInspection, useInspectionOf, type Inspection } from './inspection.tsx'
import { formatCost, formatCount, formatMs } from './model/format.ts'
import { inputOf, ledgerOf, outputOf } from './model/ledger.ts'
import { timeOf } from './model/log.ts'
import { priceOf } from './model/profile-of.ts'
import { nameOfState, shownStates, stateOf, type RecordedTurn, type TurnState } from './model/recorded-turns.ts'
import { lengthOf } from './model/waterfall.ts'
import { useInspectSearch } from './search.ts'
import { useLog } from './use-log.ts'

const select = 'h-8 max-w-full min-w-0 flex-1 rounded-lg border border-line-strong/60 bg-surface px-2 text-sm text-ink'

/** Two turns, of this session and of any, side by side while they are answered, and block by block. */
export function ComparePage() {
  const own = useInspection()
  const [{ other }, change] = useInspectSearch()
  const { data: sessions = [] } = useSessions()
  const choices = sessions.filter(({ sessionId }) => sessionId !== own.sessionId)
  return (
    <main className="min-h-0 flex-1 overflow-y-auto">
      <div className="mx-auto max-w-6xl space-y-4 p-4">
        <label className="flex flex-wrap items-center gap-2 text-sm text-ink-soft">
          Compare with
          <select
            value={other ?? ''}
            className={select}
            onChange={(event) => change({ other: event.target.value || undefined, right: undefined })}
          >
            <option value="">this session itself</option>
            {other !== undefined && choices.every(({ sessionId }) => sessionId !== other) && (
              <option value={other}>{shortId(other)}</option>
            )}
            {choices.map(({ sessionId, title }) => (
              <option key={sessionId} value={sessionId}>
                {title === '' ? 'Nothing said yet' : title} ({shortId(sessionId)})
              </option>
            ))}
          </select>
        </label>
        {other === undefined ? <Comparison left={own} right={own} /> : <WithOther own={own} other={other} />}
      </div>
    </main>
  )
}

function WithOther({ own, other }: { readonly own: Inspection; readonly other: string }) {
  const log = useLog(other)
  const inspection = useInspectionOf(log)
  if (log.error !== undefined) return <Notice tone="negative">{messageOf(log.error)}</Notice>
  return <Comparison left={own} right={inspection} />
}

function Comparison({ left, right }: { readonly left: Inspection; readonly right: Inspection }) {
  const [search, change] = useInspectSearch()
  const [view, setView] = useState<'sides' | 'blocks'>('sides')
  const isSelf = left.sessionId === right.sessionId
  const first = sideOf(left, search.left, isSelf ? -2 : -1)
  const second = sideOf(right, search.right, -1)
  if (first === undefined || second === undefined) {
    return <p className="text-sm text-ink-faint">There is nothing to compare yet.</p>
  }
  return (
    <Tabs
      value={view}
      tabs={[
        { value: 'sides', label: 'Side by side' },
        { value: 'blocks', label: 'Block by block' },
      ]}
      onChoose={setView}
    >
      {view === 'sides' ? (
        <div className="space-y-4">
          <div className="grid gap-4 md:grid-cols-2">
            <Side of={left} {...first} name="Left" onChoose={(name) => change({ left: name })} />
            <Side of={right} {...second} name="Right" onChoose={(name) => change({ right: name })} />
          </div>
          <section aria-label="Difference of the answers" className="rounded-xl border bg-surface p-3">
            <h3 className="mb-1 text-sm font-semibold">From the left answer to the right one</h3>
            <TextDiff before={answerText(first.state.turn)} after={answerText(second.state.turn)} what="the answer" />
          </section>
        </div>
      ) : (
        <DiffView before={first.state.turn} after={second.state.turn} touches={second.state.touches} />
      )}
    </Tabs>
  )
}

function Side({
  of: { sessionId, turns, events, waterfalls },
  turn,
  state,
  name,
  onChoose,
}: ComparedState & {
  readonly of: Inspection
  readonly name: string
  readonly onChoose: (state: string) => void
}) {
  const profiles = useProfiles()
  const { blocks } = state.turn
  const from = blocks.findLastIndex((block) => block.kind === 'user') + 1
  const waterfall = waterfalls.findLast(({ turnId }) => turnId === turn.turnId)
  const result = inferenceResultKey.get(state.turn)
  const ledger = waterfall && ledgerOf(events, waterfall.inferenceId, priceOf(turn, profiles))
  const last = events.at(-1)
  return (
    <section aria-label={`${name} turn`} className="min-w-0 space-y-2">
      <div className="flex items-center gap-2">
        <select
          aria-label={`${name} turn`}
          value={turn.turnId}
          className={select}
          onChange={(event) => onChoose(event.target.value)}
        >
          {turns.map((each, index) => (
            <option key={each.turnId} value={each.turnId}>
              Turn {index + 1}: {promptOf(each)?.payload.text.slice(0, 60) ?? ''}
            </option>
          ))}
        </select>
        <select
          aria-label={`${name} phase`}
          value={state.key}
          className={`${select} max-w-40`}
          onChange={(event) => onChoose(`${turn.turnId}/${event.target.value}`)}
        >
          {shownStates(turn).map((each) => (
            <option key={each.key} value={each.key}>
              {nameOfState(turn, each)}
            </option>
          ))}
        </select>
        <Link
          to="/inspect/$sessionId/turn/$turnId"
          params={{ sessionId, turnId: turn.turnId }}
          className="text-sm text-accent-ink underline"
        >
          Look into it
        </Link>
      </div>
      <p className="flex flex-wrap items-center gap-2 text-xs text-ink-soft">
        {waterfall !== undefined && (
          <Badge tone={waterfall.ending === undefined ? 'accent' : 'neutral'} isLive={waterfall.ending === undefined}>
            {waterfall.ending?.replace('inference-', '') ?? 'running'}
          </Badge>
        )}
        {result?.model !== undefined && <span>{result.model}</span>}
        {waterfall !== undefined && last !== undefined && <span>{formatMs(lengthOf(waterfall, timeOf(last)))}</span>}
        {ledger !== undefined && (
          <span>
            {formatCount(inputOf(ledger.total))} in, {formatCount(outputOf(ledger.total))} out
          </span>
        )}
        {ledger?.cost !== undefined && <span>{formatCost(ledger.cost)}</span>}
      </p>
      {blocks.slice(Math.max(from - 1, 0)).map((block, index) => {
        const at = Math.max(from - 1, 0) + index
        return <BlockCard key={at} block={block} index={at} touches={state.touches[at] ?? []} />
      })}
    </section>
  )
}

interface ComparedState {
  readonly turn: RecordedTurn
  readonly state: TurnState
}

/** The state that the address names, as `turn` or `turn/key`; else the end of the turn at this place. */
function sideOf({ turns }: Inspection, name: string | undefined, place: number): ComparedState | undefined {
  const [turnId, key] = name?.split('/') ?? []
  const turn = turns.find((each) => each.turnId === turnId) ?? turns.at(place)
  return (
    turn && {
      turn,
      state: (key === undefined ? undefined : stateOf(turn, key)) ?? shownStates(turn).at(-1) ?? turn.latest,
    }
  )
}
