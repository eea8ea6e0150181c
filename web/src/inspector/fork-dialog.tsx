import { useState } from 'react'
import { useMutation } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import type { UserBlock } from 'geppetto/turns'
import { newUuid } from '../../../src/clock.ts'
import { messageOf } from '../../../src/errors.ts'
import { Button } from '../design/button.tsx'
import { Dialog } from '../design/dialog.tsx'
import { TextArea } from '../design/field.tsx'
import { Notice } from '../design/notice.tsx'
import { useClient, useSession } from '../session/client.tsx'
import type { JsonObject } from '../session/json.ts'
import { useProfiles, useRefreshSessions, type Profile } from '../session/queries.ts'
import { useInspection } from './inspection.tsx'
import type { RecordedTurn } from './model/recorded-turns.ts'

/** Asks what a turn was asked once more, in a fork that ends before it: by another profile, prompt or set of tools. */
export function ForkDialog({
  turn,
  isOpen,
  onClose,
}: {
  readonly turn: RecordedTurn
  readonly isOpen: boolean
  readonly onClose: () => void
}) {
  return (
    <Dialog title="Ask again elsewhere" isOpen={isOpen} onClose={onClose}>
      <ForkForm turn={turn} onDone={onClose} />
    </Dialog>
  )
}

function ForkForm({ turn, onDone }: { readonly turn: RecordedTurn; readonly onDone: () => void }) {
  const { sessionId } = useInspection()
  const client = useClient()
  const session = useSession(sessionId)
  const profiles = useProfiles()
  const refresh = useRefreshSessions()
  const navigate = useNavigate()
  const asked = promptOf(turn)
  const [prompt, setPrompt] = useState(asked?.payload.text ?? '')
  const [slug, setSlug] = useState<string>()
  const [systemPrompt, setSystemPrompt] = useState('')
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set())
  const profile = profiles.find((each) => each.slug === slug) ?? profiles[0]
  const overrides = overridesOf(profile, systemPrompt, left)
  const fork = useMutation({
    mutationFn: async () => {
      const point = asked?.id === undefined ? {} : { before: asked.id }
      const made = await session.fork({ turnId: turn.turnId, ...point })
      const path = `/api/sessions/${encodeURIComponent(made.id)}/messages`
      const images = asked?.payload.images ?? []
      const attachments = images.flatMap((image): readonly JsonObject[] => {
        if ('content' in image) return [{ type: 'image', media_type: image.media_type, data: image.content }]
        return 'url' in image ? [{ type: 'image_url', url: image.url }] : []
      })
      const body = {
        prompt,
        ...(attachments.length > 0 && { attachments }),
        ...(profile && { profile: profile.slug }),
        ...overrides,
      }
      await client.ask(path, { method: 'POST', body, idempotencyKey: newUuid() })
      return made.id
    },
    onSuccess: async (other) => {
      refresh()
      onDone()
      await navigate({ to: '/inspect/$sessionId/compare', params: { sessionId }, search: { other, left: turn.turnId } })
    },
  })
  return (
    <form
      className="space-y-3"
      onSubmit={(event) => {
        event.preventDefault()
        fork.mutate()
      }}
    >
      <TextArea label="Prompt" rows={3} value={prompt} onChange={(event) => setPrompt(event.target.value)} />
      <fieldset className="space-y-1">
        <legend className="text-sm text-ink-soft">Answered by</legend>
        {profiles.map((each) => (
          <label key={each.slug} className="flex items-baseline gap-2 text-sm">
            <input
              type="radio"
              name="profile"
              className="accent-accent"
              checked={each === profile}
              onChange={() => {
                setSlug(each.slug)
                setLeft(new Set())
              }}
            />
            {each.slug} <span className="text-xs text-ink-faint">{each.description}</span>
          </label>
        ))}
      </fieldset>
      {profile?.allows_overrides === true ? (
        <>
          <TextArea
            label="System prompt"
            rows={2}
            placeholder="Its own system prompt"
            value={systemPrompt}
            onChange={(event) => setSystemPrompt(event.target.value)}
          />
          <fieldset className="flex flex-wrap gap-x-4">
            <legend className="text-sm text-ink-soft">Tools</legend>
            {profile.tools.map(({ name }) => (
              <label key={name} className="flex items-center gap-1.5 text-sm">
                <input
                  type="checkbox"
                  className="accent-accent"
                  checked={!left.has(name)}
                  onChange={() =>
                    setLeft(
                      left.has(name) ? new Set([...left].filter((each) => each !== name)) : new Set([...left, name]),
                    )
                  }
                />
                {name}
              </label>
            ))}
          </fieldset>
        </>
      ) : (
        <p className="text-xs text-ink-faint">This profile keeps its system prompt and its tools.</p>
      )}
      {fork.error !== null && <Notice tone="negative">{messageOf(fork.error)}</Notice>}
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>Cancel</Button>
        <Button type="submit" tone="accent" icon="fork" disabled={prompt.trim() === '' || fork.isPending}>
          Fork and compare
        </Button>
      </div>
    </form>
  )
}

function overridesOf(profile: Profile | undefined, systemPrompt: string, left: ReadonlySet<string>): JsonObject {
  if (profile?.allows_overrides !== true) return {}
  const tools = profile.tools.map(({ name }) => name).filter((name) => !left.has(name))
  return {
    ...(systemPrompt.trim() !== '' && { system_prompt: systemPrompt }),
    ...(left.size > 0 && { tools }),
  }
}

/** What the turn was asked: the last of its user blocks. */
export function promptOf({ states, latest }: RecordedTurn): UserBlock | undefined {
  const blocks = (states[0] ?? latest).turn.blocks
  return blocks.findLast((block) => block.kind === 'user')
}
