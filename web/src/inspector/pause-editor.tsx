import { useEffect, useMemo, useState } from 'react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { Block, ToolCallBlock } from 'geppetto/turns'
import { messageOf } from '../../../src/errors.ts'
import { pendingToolCalls } from '../../../src/turns/tool-calls.ts'
import { Badge } from '../design/badge.tsx'
import { Button, IconButton } from '../design/button.tsx'
import { TextArea } from '../design/field.tsx'
import { Notice } from '../design/notice.tsx'
import { useClient } from '../session/client.tsx'
import type { JsonObject } from '../session/json.ts'
import type { Pause } from '../session/queries.ts'
import { BlockCard } from './block-card.tsx'
import { formatMs } from './model/format.ts'
import type { RecordedTurn } from './model/recorded-turns.ts'
import { draftText, hasText, readStepEdit, type BlockDraft } from './model/step-edit.ts'

/** A run that waits: the turn as it stands, to be changed, and the arguments of the calls that are about to run. */
export function PauseEditor({
  sessionId,
  pause,
  turn,
}: {
  readonly sessionId: string
  readonly pause: Pause
  readonly turn: RecordedTurn | undefined
}) {
  const client = useClient()
  const queries = useQueryClient()
  const [drafts, setDrafts] = useState<ReadonlyMap<number, BlockDraft>>(new Map())
  const [args, setArgs] = useState<ReadonlyMap<string, string>>(new Map())
  const current = turn?.latest.turn
  const pending = useMemo(() => (current === undefined ? [] : pendingToolCalls(current)), [current])
  const edit = useMemo(() => readStepEdit(current, drafts, args), [current, drafts, args])
  const go = useMutation({
    mutationFn: (wanted: JsonObject | undefined) =>
      client.ask(`/api/sessions/${encodeURIComponent(sessionId)}/steps/${encodeURIComponent(pause.pause_id)}`, {
        method: 'POST',
        body: wanted === undefined ? {} : { edit: wanted },
      }),
    onSettled: () => queries.invalidateQueries({ queryKey: ['steps', sessionId] }),
  })
  const isChanged = edit.problem === undefined && edit.edit !== undefined
  return (
    <section aria-label="Paused" className="space-y-3 rounded-xl border border-accent/40 bg-accent-wash/40 p-3">
      <div className="flex flex-wrap items-center gap-2">
        <Badge tone="accent" isLive>
          {pause.phase.replaceAll('_', ' ')}
        </Badge>
        <span className="text-sm">{pause.summary}</span>
        <Countdown deadlineMs={pause.deadline_ms} />
        <span className="ml-auto flex gap-2">
          {isChanged && (
            <Button disabled={go.isPending} onClick={() => go.mutate(undefined)}>
              Go on unchanged
            </Button>
          )}
          <Button
            tone="accent"
            icon="play"
            disabled={go.isPending || edit.problem !== undefined}
            onClick={() => go.mutate(edit.edit)}
          >
            {isChanged ? 'Go on with the changes' : 'Step'}
          </Button>
        </span>
      </div>
      {edit.problem !== undefined && <Notice tone="negative">{edit.problem}</Notice>}
      {go.error !== null && <Notice tone="negative">{messageOf(go.error)}</Notice>}
      {pending.map((call) => (
        <Arguments
          key={call.payload.id}
          call={call}
          text={args.get(call.payload.id)}
          onChange={(text) => setArgs(new Map(args).set(call.payload.id, text))}
        />
      ))}
      <h3 className="text-sm font-semibold">The turn as the model will see it</h3>
      <div className="space-y-2">
        {current?.blocks.map((block, index) => (
          <EditableBlock
            key={index}
            block={block}
            index={index}
            touches={turn?.latest.touches[index] ?? []}
            draft={drafts.get(index)}
            isRemoved={drafts.has(index) && drafts.get(index) === undefined}
            onChange={(draft) => setDrafts(new Map(drafts).set(index, draft))}
            onReset={() => setDrafts(new Map([...drafts].filter(([at]) => at !== index)))}
          />
        ))}
      </div>
    </section>
  )
}

function Arguments({
  call,
  text,
  onChange,
}: {
  readonly call: ToolCallBlock
  readonly text: string | undefined
  readonly onChange: (text: string) => void
}) {
  const { name, args, id } = call.payload
  return (
    <div>
      <p className="mb-1 text-sm">
        <span className="font-medium">{name}</span> is about to be called{' '}
        <span className="font-mono text-xs text-ink-faint">{id}</span>
      </p>
      <TextArea
        label={`Arguments of ${name}`}
        rows={3}
        className="font-mono"
        value={text ?? JSON.stringify(args, null, 2)}
        onChange={(event) => onChange(event.target.value)}
      />
    </div>
  )
}

function EditableBlock({
  block,
  index,
  touches,
  draft,
  isRemoved,
  onChange,
  onReset,
}: {
  readonly block: Block
  readonly index: number
  readonly touches: RecordedTurn['latest']['touches'][number]
  readonly draft: BlockDraft
  readonly isRemoved: boolean
  readonly onChange: (draft: BlockDraft) => void
  readonly onReset: () => void
}) {
  return (
    <div className="flex items-start gap-1">
      <BlockCard
        block={block}
        index={index}
        touches={touches}
        className={`min-w-0 flex-1 ${isRemoved ? 'opacity-50' : ''}`}
      >
        {isRemoved ? (
          <p className="text-sm line-through">It will be taken out.</p>
        ) : draft === undefined ? undefined : (
          <TextArea
            label={`Block ${index}`}
            rows={Math.min(draft.text.split('\n').length + 1, 14)}
            className={hasText(block) ? '' : 'font-mono'}
            value={draft.text}
            onChange={(event) => onChange({ text: event.target.value })}
          />
        )}
      </BlockCard>
      {draft === undefined && !isRemoved ? (
        <span className="flex flex-col">
          <IconButton
            icon="edit"
            size="small"
            label={`Edit block ${index}`}
            onClick={() => onChange({ text: draftText(block) })}
          />
          <IconButton
            icon="delete"
            size="small"
            label={`Take out block ${index}`}
            onClick={() => onChange(undefined)}
          />
        </span>
      ) : (
        <IconButton icon="close" size="small" label={`Leave block ${index} as it was`} onClick={onReset} />
      )}
    </div>
  )
}

function Countdown({ deadlineMs }: { readonly deadlineMs: number }) {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000)
    return () => clearInterval(timer)
  }, [])
  return <span className="text-xs text-ink-faint">goes on by itself in {formatMs(Math.max(deadlineMs - now, 0))}</span>
}
