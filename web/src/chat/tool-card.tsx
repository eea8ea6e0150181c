import type { ReactNode } from 'react'
import type { ToolCallEntity, ToolCallStatus } from 'geppetto/timeline'
import { Badge, type Tone } from '../design/badge.tsx'
import { Fold } from '../design/fold.tsx'
import { Icon } from '../design/icon.tsx'
import { JsonView } from '../design/json-view.tsx'
import { Approval } from './approval.tsx'

interface Look {
  readonly label: string
  readonly tone: Tone
  readonly isLive?: true
}

const looks: Readonly<Record<ToolCallStatus, Look>> = {
  writing: { label: 'Being written', tone: 'neutral', isLive: true },
  requested: { label: 'Requested', tone: 'neutral', isLive: true },
  'awaiting-approval': { label: 'Waits for you', tone: 'caution', isLive: true },
  running: { label: 'Running', tone: 'accent', isLive: true },
  success: { label: 'Done', tone: 'positive' },
  error: { label: 'Failed', tone: 'negative' },
  unknown: { label: 'Outcome unknown', tone: 'caution' },
  unanswered: { label: 'Not run', tone: 'neutral' },
}

/** A call of a tool: what it was given as it is written, how far it is, what it gave. */
export function ToolCard({ entity, sessionId }: { readonly entity: ToolCallEntity; readonly sessionId: string }) {
  const { toolName, status, approval, progress, result, error } = entity
  const { label, tone, isLive = false } = looks[status]
  const isOpen = status !== 'success' && status !== 'requested' && status !== 'unanswered'
  const head = (
    <span className="flex min-w-0 flex-wrap items-center gap-2">
      <Icon name="tool" size={15} />
      <span className="truncate font-mono text-[13px] text-ink">{toolName === '' ? 'a tool' : toolName}</span>
      <Badge tone={tone} isLive={isLive}>
        {label}
      </Badge>
      {approval?.decision !== undefined && <span>{decisionText(approval)}</span>}
    </span>
  )
  return (
    <section aria-label={`Tool ${toolName}`} className="rounded-xl border bg-surface px-3 py-2">
      <Fold head={head} isOpen={isOpen}>
        <div className="mt-2 space-y-2">
          <Part name="Arguments">{argumentsOf(entity)}</Part>
          {status === 'awaiting-approval' && approval !== undefined && approval.decision === undefined && (
            <Approval key={approval.approvalId} sessionId={sessionId} approval={approval} input={entity.input ?? {}} />
          )}
          {progress !== undefined && (
            <Part name={progress.count === 1 ? 'Progress' : `Progress, ${progress.count} reports`}>
              <JsonView what="progress" value={progress.last} />
            </Part>
          )}
          {error !== undefined && (
            <p className="rounded-lg bg-negative-wash px-3 py-2 text-sm wrap-anywhere whitespace-pre-wrap text-negative">
              {error}
            </p>
          )}
          {result !== undefined && (
            <Part name="Result">
              <JsonView what="result" value={result} />
            </Part>
          )}
          {status === 'unknown' && <p className="text-sm text-caution">It may have run; nobody saw how it ended.</p>}
        </div>
      </Fold>
    </section>
  )
}

function Part({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  if (children === null) return null
  return (
    <div>
      <h3 className="mb-1 text-xs font-medium text-ink-faint">{name}</h3>
      {children}
    </div>
  )
}

function argumentsOf({ input, argumentsText, status, approval }: ToolCallEntity): ReactNode {
  // They can be edited below.
  if (status === 'awaiting-approval' && approval?.decision === undefined) return null
  if (input !== undefined) return <JsonView what="arguments" value={input} />
  return argumentsText === undefined ? null : <JsonView what="arguments" value={argumentsText} />
}

function decisionText({ decision, by }: NonNullable<ToolCallEntity['approval']>): string {
  if (decision === 'expired') return 'nobody decided in time'
  return `${decision ?? ''}${by === undefined ? '' : ` by ${by}`}`
}
