import { useState, type ReactNode } from 'react'
import { Link, useParams } from '@tanstack/react-router'
import { Button } from '../design/button.tsx'
import { IdChip } from '../design/copy.tsx'
import { Notice } from '../design/notice.tsx'
import { Tabs } from '../design/tabs.tsx'
import { BlockCard } from './block-card.tsx'
import { DiffView } from './diff-view.tsx'
import { EditList } from './edit-list.tsx'
import { ForkDialog } from './fork-dialog.tsx'
import { useInspection } from './inspection.tsx'
import { profileOf } from './model/profile-of.ts'
import { nameOfState, shownStates, stateOf, type RecordedTurn, type TurnState } from './model/recorded-turns.ts'
import { RequestList } from './request-list.tsx'
import { useInspectSearch } from './search.ts'

/** One turn: each of its phases, block by block, who touched what, and what was sent for it. */
export function TurnPage() {
  const { turnId = '' } = useParams({ strict: false })
  const { turns, events, sessionId } = useInspection()
  const turn = turns.find((each) => each.turnId === turnId)
  if (turn === undefined) {
    return (
      <Page>
        <Notice tone="caution">
          {events.length === 0
            ? 'The log is being read.'
            : `Session ${sessionId} has no turn ${turnId} up to where its log has been read.`}
        </Notice>
      </Page>
    )
  }
  return <TurnView key={turnId} turn={turn} />
}

function TurnView({ turn }: { readonly turn: RecordedTurn }) {
  const { sessionId, turns } = useInspection()
  const [{ phase, against }, change] = useInspectSearch()
  const [isForking, setIsForking] = useState(false)
  const states = shownStates(turn)
  const state = (phase === undefined ? undefined : stateOf(turn, phase)) ?? states.at(-1) ?? turn.latest
  const other = against === undefined ? undefined : stateNamed(turns, turn, against)
  const profile = profileOf(turn)
  return (
    <Page>
      <div className="flex flex-wrap items-center gap-2">
        <h2 className="text-lg font-semibold">Turn {turns.indexOf(turn) + 1}</h2>
        <IdChip of="turn" id={turn.turnId} />
        {turn.inferenceIds.map((inferenceId) => (
          <Link
            key={inferenceId}
            to="/inspect/$sessionId/inference/$inferenceId"
            params={{ sessionId, inferenceId }}
            className="text-sm text-accent-ink underline"
          >
            Its inference
          </Link>
        ))}
        <TurnLink sessionId={sessionId} turnId={turn.base}>
          The turn before
        </TurnLink>
        <TurnLink sessionId={turn.origin?.sessionId ?? sessionId} turnId={turn.origin?.turnId}>
          Forked from
        </TurnLink>
        <TurnLink sessionId={sessionId} turnId={turns[turns.indexOf(turn) + 1]?.turnId}>
          The next turn
        </TurnLink>
        {profile !== undefined && <span className="text-xs text-ink-faint">answered by {profile}</span>}
        <Button icon="fork" className="ml-auto" onClick={() => setIsForking(true)}>
          Ask again elsewhere
        </Button>
      </div>
      {!turn.isWhole && (
        <Notice tone="caution">
          The log no longer has the turn that this one goes on from: what came before it is not shown.
        </Notice>
      )}
      <EditList turn={turn} />
      <Tabs
        value={state.key}
        tabs={states.map((each) => ({ value: each.key, label: nameOfState(turn, each) }))}
        onChoose={(key) => change({ phase: key })}
      >
        <div className="mb-3 flex flex-wrap items-center gap-2 text-sm">
          <span className="text-ink-soft" id="compared-with">
            Compare with
          </span>
          <StateChoice turn={turn} value={against ?? ''} onChoose={(key) => change({ against: key || undefined })} />
          <span className="text-xs text-ink-faint">{state.turn.blocks.length} blocks</span>
        </div>
        {other === undefined ? (
          <div className="space-y-2">
            {state.turn.blocks.map((block, index) => (
              // A block has no name of its own: its place is one.
              <BlockCard key={index} block={block} index={index} touches={state.touches[index] ?? []} />
            ))}
          </div>
        ) : (
          <DiffView before={other.turn} after={state.turn} touches={state.touches} />
        )}
      </Tabs>
      <RequestList turn={turn} />
      <ForkDialog turn={turn} isOpen={isForking} onClose={() => setIsForking(false)} />
    </Page>
  )
}

function Page({ children }: { readonly children: ReactNode }) {
  return (
    <main className="min-h-0 flex-1 overflow-y-auto">
      <div className="mx-auto max-w-4xl space-y-4 p-4">{children}</div>
    </main>
  )
}

function TurnLink({
  sessionId,
  turnId,
  children,
}: {
  readonly sessionId: string
  readonly turnId: string | undefined
  readonly children: string
}) {
  if (turnId === undefined) return null
  return (
    <Link
      to="/inspect/$sessionId/turn/$turnId"
      params={{ sessionId, turnId }}
      className="text-sm text-accent-ink underline"
    >
      {children}
    </Link>
  )
}

/** Any state of any turn of the session. */
function StateChoice({
  turn,
  value,
  onChoose,
}: {
  readonly turn: RecordedTurn
  readonly value: string
  readonly onChoose: (key: string) => void
}) {
  const { turns } = useInspection()
  return (
    <select
      aria-labelledby="compared-with"
      value={value}
      onChange={(event) => onChoose(event.target.value)}
      className="h-8 max-w-64 rounded-lg border border-line-strong/60 bg-surface px-2 text-sm text-ink"
    >
      <option value="">nothing</option>
      <optgroup label="This turn">
        {shownStates(turn).map((state) => (
          <option key={state.key} value={state.key}>
            {nameOfState(turn, state)}
          </option>
        ))}
      </optgroup>
      {turns
        .filter((each) => each !== turn)
        .map((each) => (
          <optgroup key={each.turnId} label={`Turn ${turns.indexOf(each) + 1}`}>
            {shownStates(each).map((state) => (
              <option key={state.key} value={`${each.turnId}/${state.key}`}>
                {nameOfState(each, state)}
              </option>
            ))}
          </optgroup>
        ))}
    </select>
  )
}

function stateNamed(turns: readonly RecordedTurn[], turn: RecordedTurn, name: string): TurnState | undefined {
  const slash = name.indexOf('/')
  if (slash < 0) return stateOf(turn, name)
  const other = turns.find(({ turnId }) => turnId === name.slice(0, slash))
  return other && stateOf(other, name.slice(slash + 1))
}
