import { useState } from 'react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { messageOf } from '../../../src/errors.ts'
import { Badge } from '../design/badge.tsx'
import { Button } from '../design/button.tsx'
import { TextArea } from '../design/field.tsx'
import { Notice } from '../design/notice.tsx'
import { useClient, useSession } from '../session/client.tsx'
import { BlockCard } from './block-card.tsx'
import { useInspection } from './inspection.tsx'
import { PauseEditor } from './pause-editor.tsx'
import { useSteps, type Steps } from './steps.ts'

/** Where a run can wait, in the order in which it comes there. */
const phases = [
  ['before_inference', 'before the model is asked'],
  ['after_inference', 'after it asked for tools'],
  ['before_tool', 'before each tool'],
  ['after_tools', 'after the tools'],
  ['after_answer', 'after its answer'],
] as const
type Phase = (typeof phases)[number][0]

/** People read and write; nothing is to go on under their hands. */
const pauseMs = 15 * 60_000

/** Holds the runs of a session between their steps, shows the turn as it stands there, and lets it be changed. */
export function DebugPage() {
  const { sessionId, turns, events } = useInspection()
  const steps = useSteps(sessionId)
  // What is edited must be what the run holds, so the log has to be up to the pause.
  const told = steps.pauses.filter(({ pause_id }) =>
    events.some((event) => event.type === 'debugger.pause' && event.pauseId === pause_id),
  )
  const turn = turns.at(-1)
  return (
    <main className="min-h-0 flex-1 overflow-y-auto">
      <div className="mx-auto max-w-4xl space-y-4 p-4">
        <StepSettings sessionId={sessionId} steps={steps} />
        <PromptForm sessionId={sessionId} />
        {told.length < steps.pauses.length && (
          <Notice tone="accent" icon="pause">
            A run waits, and what is shown here is not up to there: follow the session to see it.
          </Notice>
        )}
        {told.map((pause) => (
          <PauseEditor key={pause.pause_id} sessionId={sessionId} pause={pause} turn={turn} />
        ))}
        {steps.pauses.length === 0 && (
          <section aria-label="The turn as it stands" className="space-y-2">
            <h2 className="text-sm font-semibold">
              The turn as it stands {steps.isEnabled && <Badge tone="neutral">nothing waits</Badge>}
            </h2>
            {turn?.latest.turn.blocks.map((block, index) => (
              <BlockCard key={index} block={block} index={index} touches={turn.latest.touches[index] ?? []} />
            ))}
          </section>
        )}
      </div>
    </main>
  )
}

function StepSettings({ sessionId, steps }: { readonly sessionId: string; readonly steps: Steps }) {
  const client = useClient()
  const queries = useQueryClient()
  const set = useMutation({
    mutationFn: (wanted: readonly Phase[]) =>
      client.ask(`/api/sessions/${encodeURIComponent(sessionId)}/steps`, {
        method: 'POST',
        body: { enabled: wanted.length > 0, ...(wanted.length > 0 && { phases: wanted, timeout_ms: pauseMs }) },
      }),
    onSettled: () => queries.invalidateQueries({ queryKey: ['steps', sessionId] }),
  })
  const chosen = steps.isEnabled ? steps.phases : []
  const toggle = (phase: Phase) =>
    set.mutate(phases.flatMap(([each]) => (chosen.includes(each) !== (each === phase) ? [each] : [])))
  return (
    <section aria-label="Where runs wait" className="rounded-xl border bg-surface p-3">
      <div className="flex flex-wrap items-center gap-2">
        <h2 className="text-sm font-semibold">Runs of this session wait</h2>
        <Button
          className="ml-auto"
          icon={steps.isEnabled ? 'play' : 'pause'}
          onClick={() => set.mutate(steps.isEnabled ? [] : phases.map(([phase]) => phase))}
        >
          {steps.isEnabled ? 'Let it run' : 'Wait at every step'}
        </Button>
      </div>
      <div className="mt-2 flex flex-wrap gap-x-4 gap-y-1">
        {phases.map(([phase, label]) => (
          <label key={phase} className="flex items-center gap-1.5 text-sm">
            <input
              type="checkbox"
              className="accent-accent"
              checked={chosen.includes(phase)}
              disabled={set.isPending}
              onChange={() => toggle(phase)}
            />
            {label}
          </label>
        ))}
      </div>
      {set.error !== null && <Notice tone="negative">{messageOf(set.error)}</Notice>}
    </section>
  )
}

function PromptForm({ sessionId }: { readonly sessionId: string }) {
  const session = useSession(sessionId)
  const [prompt, setPrompt] = useState('')
  const send = useMutation({ mutationFn: () => session.send(prompt), onSuccess: () => setPrompt('') })
  return (
    <form
      className="flex flex-wrap items-end gap-2"
      onSubmit={(event) => {
        event.preventDefault()
        if (prompt.trim() !== '') send.mutate()
      }}
    >
      <TextArea
        label="Prompt"
        rows={1}
        placeholder="Ask something, and step through the answer"
        value={prompt}
        className="flex-1 basis-64"
        onChange={(event) => setPrompt(event.target.value)}
      />
      <Button type="submit" tone="accent" icon="send" disabled={prompt.trim() === '' || send.isPending}>
        Send
      </Button>
      {send.error !== null && <Notice tone="negative">{messageOf(send.error)}</Notice>}
    </form>
  )
}
