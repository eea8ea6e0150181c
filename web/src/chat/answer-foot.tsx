import { useState, type ReactNode } from 'react'
import { Link } from '@tanstack/react-router'
import type { Entity, InferenceEntity } from 'geppetto/timeline'
import { messageOf } from '../../../src/errors.ts'
import { Badge } from '../design/badge.tsx'
import { Button, IconButton } from '../design/button.tsx'
import { CopyButton, IdChip } from '../design/copy.tsx'
import { Icon } from '../design/icon.tsx'
import { Notice } from '../design/notice.tsx'
import { useSession } from '../session/client.tsx'
import { answerState, usageText } from './answer-state.ts'
import type { Asking } from './conversation.tsx'
import { Pauses } from './pauses.tsx'
import { answerOf, promptOf } from './rows.ts'
import { useOpenSession } from './send.ts'

/** What stands under an answer: how it is going or ended, what it cost, and what can be done with it. */
export function AnswerFoot({
  inference,
  made,
  asking,
}: {
  readonly inference: InferenceEntity
  readonly made: readonly Entity[]
  readonly asking: Asking
}) {
  const { sessionId } = asking
  const session = useSession(sessionId)
  const open = useOpenSession()
  const [isDetailed, setIsDetailed] = useState(false)
  const [problem, setProblem] = useState<string>()
  const { status, turnId } = inference
  const state = answerState(inference, made)
  const isOpen = status === 'queued' || status === 'running' || status === 'waiting'
  const prompt = promptOf(made)
  const tell = (error: unknown) => setProblem(messageOf(error))
  const again = () => {
    if (prompt?.kind === 'message') asking.again(prompt, prompt.text).catch(tell)
  }
  const fork = () => {
    const forked = session.fork(turnId === undefined ? {} : { turnId })
    forked.then(({ id }) => open(id)).catch(tell)
  }
  const isWaitingForDecision = made.some(
    (entity) => entity.kind === 'tool-call' && entity.status === 'awaiting-approval',
  )

  return (
    <footer className="space-y-2 pb-3">
      {state?.isLive === true && !isWaitingForDecision && (
        <div className="flex h-7 items-center gap-2">
          <Badge tone={state.tone} isLive>
            {state.text}
          </Badge>
          {status === 'queued' && (
            <IconButton
              size="small"
              icon="close"
              label="Take the message back"
              onClick={() => void session.cancel({ inferenceId: inference.id }).catch(tell)}
            />
          )}
        </div>
      )}
      {status === 'waiting' && !isWaitingForDecision && <Pauses sessionId={sessionId} />}
      {state?.isLive === false && (
        <Notice
          tone={state.tone}
          icon={status === 'stopped' ? 'stop' : 'warning'}
          actions={
            status !== 'finished' && (
              <Button icon="retry" onClick={again}>
                Try again
              </Button>
            )
          }
        >
          {state.text}
        </Notice>
      )}
      {problem !== undefined && <Notice tone="negative">{problem}</Notice>}
      {!isOpen && (
        <div className="-ml-1 flex flex-wrap items-center gap-0.5">
          <CopyButton text={answerOf(made)} what="answer" />
          <IconButton size="small" icon="retry" label="Ask again" onClick={again} />
          <IconButton size="small" icon="fork" label="Fork from here" onClick={fork} />
          {turnId !== undefined && <InspectLink sessionId={sessionId} turnId={turnId} />}
          <button
            type="button"
            aria-expanded={isDetailed}
            onClick={() => setIsDetailed(!isDetailed)}
            className="ml-1 rounded-md px-1.5 py-0.5 text-xs text-ink-faint tabular-nums hover:bg-hover hover:text-ink"
          >
            {usageText(inference) || 'Details'}
          </button>
        </div>
      )}
      {isDetailed && <Details inference={inference} sessionId={sessionId} />}
    </footer>
  )
}

function InspectLink({ sessionId, turnId }: { readonly sessionId: string; readonly turnId: string | undefined }) {
  const place =
    turnId === undefined
      ? ({ to: '/inspect/$sessionId', params: { sessionId } } as const)
      : ({ to: '/inspect/$sessionId/turn/$turnId', params: { sessionId, turnId } } as const)
  return (
    <Link
      {...place}
      aria-label="Inspect this answer"
      title="Inspect this answer"
      className="grid size-6.5 place-items-center rounded-md text-ink-soft hover:bg-hover hover:text-ink"
    >
      <Icon name="inspect" size={15} />
    </Link>
  )
}

function Details({ inference, sessionId }: { readonly inference: InferenceEntity; readonly sessionId: string }) {
  const { result, model, at, turnId, retries, restarts } = inference
  const { usage } = result ?? {}
  const facts: readonly (readonly [name: string, value: ReactNode])[] = [
    ['Model', result?.model ?? model],
    ['Asked', new Date(at).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })],
    ['Input', usage?.input_tokens.toLocaleString()],
    ['of it cached', (usage?.cache_read_input_tokens ?? usage?.cached_tokens)?.toLocaleString()],
    ['Output', usage?.output_tokens.toLocaleString()],
    ['of it reasoning', usage?.reasoning_tokens?.toLocaleString()],
    ['Cost', result?.cost === undefined ? undefined : `$${result.cost}`],
    ['Ended as', result?.stop_reason ?? result?.finish_class],
    ['Attempts', retries === 0 ? undefined : retries + 1],
    ['Restarts', restarts === 0 ? undefined : restarts],
  ]
  return (
    <div className="animate-appear space-y-2 rounded-xl border bg-surface p-3 text-sm">
      <dl className="grid grid-cols-[repeat(auto-fill,minmax(9rem,1fr))] gap-x-4 gap-y-1">
        {facts.map(
          ([name, value]) =>
            value !== undefined && (
              <div key={name}>
                <dt className="text-xs text-ink-faint">{name}</dt>
                <dd className="tabular-nums wrap-anywhere">{value}</dd>
              </div>
            ),
        )}
      </dl>
      <div className="flex flex-wrap gap-1.5">
        <IdChip of="session" id={sessionId} />
        {turnId !== undefined && <IdChip of="turn" id={turnId} />}
        <IdChip of="inference" id={inference.id} />
      </div>
    </div>
  )
}
