import { useState, type RefObject } from 'react'
import { Link, useNavigate } from '@tanstack/react-router'
import type { SessionSummary } from 'geppetto/client'
import { messageOf } from '../../../src/errors.ts'
import { Button, IconButton } from '../design/button.tsx'
import { classes } from '../design/classes.ts'
import { Dialog } from '../design/dialog.tsx'
import { TextField } from '../design/field.tsx'
import { Menu, MenuItem } from '../design/menu.tsx'
import { useClient } from '../session/client.tsx'
import { useRefreshSessions, useSessions } from '../session/queries.ts'
import { useOpenSession } from './send.ts'
import { withoutOlderVersions } from './version-family.ts'

/** The sessions, to choose from, search, rename, fork and delete. */
export function SessionList({
  current,
  search,
  onChosen,
}: {
  readonly current: string | undefined
  readonly search?: RefObject<HTMLInputElement | null>
  readonly onChosen?: () => void
}) {
  const { data: sessions = [], isPending, error, hasNextPage, isFetchingNextPage, fetchNextPage } = useSessions()
  const [query, setQuery] = useState('')
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  const isSought = ({ title, sessionId }: SessionSummary) =>
    words.every((word) => title.toLowerCase().includes(word) || sessionId.includes(word))
  const shown = (words.length === 0 ? withoutOlderVersions(sessions) : sessions).filter(isSought)

  return (
    <nav aria-label="Conversations" className="flex min-h-0 flex-1 flex-col">
      <div className="px-3 pb-2">
        <TextField
          ref={search}
          type="search"
          label="Search conversations"
          placeholder="Search (Ctrl K)"
          value={query}
          onChange={(event) => setQuery(event.target.value)}
        />
      </div>
      <ul className="min-h-0 flex-1 overflow-y-auto px-2 pb-3">
        {shown.map((session) => (
          <Item
            key={session.sessionId}
            session={session}
            isCurrent={session.sessionId === current}
            onChosen={onChosen}
          />
        ))}
        {!isPending && shown.length === 0 && (
          <li className="px-2 py-3 text-sm text-ink-faint">
            {error === null
              ? words.length > 0
                ? 'No title has these words.'
                : 'No conversations yet.'
              : messageOf(error)}
          </li>
        )}
        {hasNextPage && (
          <li className="px-2 py-2">
            <Button tone="quiet" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
              {words.length > 0 ? 'Search older ones' : 'Older ones'}
            </Button>
          </li>
        )}
      </ul>
    </nav>
  )
}

function Item({
  session,
  isCurrent,
  onChosen,
}: {
  readonly session: SessionSummary
  readonly isCurrent: boolean
  readonly onChosen: (() => void) | undefined
}) {
  const { sessionId, isActive } = session
  const title = session.title === '' ? 'New conversation' : session.title
  const client = useClient()
  const open = useOpenSession()
  const navigate = useNavigate()
  const refresh = useRefreshSessions()
  const [asked, setAsked] = useState<'rename' | 'delete'>()
  const [problem, setProblem] = useState<string>()

  /** Does it, shows the list anew, and closes what asked for it. */
  const act = (done: Promise<unknown>) => {
    setProblem(undefined)
    const tell = (error: unknown) => setProblem(messageOf(error))
    done.then(() => setAsked(undefined), tell).finally(refresh)
  }
  const fork = async () => {
    const forked = await client.session(sessionId).fork()
    await open(forked.id)
  }
  const remove = async () => {
    await client.session(sessionId).delete()
    if (isCurrent) await navigate({ to: '/' })
  }

  return (
    <li className={classes('group flex items-center rounded-lg pr-1', isCurrent ? 'bg-hover' : 'hover:bg-hover')}>
      <Link
        to="/c/$sessionId"
        params={{ sessionId }}
        aria-current={isCurrent ? 'page' : undefined}
        onClick={onChosen}
        className="flex min-w-0 flex-1 items-center gap-2 rounded-lg px-2 py-1.5 text-sm -outline-offset-2"
      >
        <span className="truncate">{title}</span>
        {isActive && (
          <span
            role="img"
            aria-label="Answering"
            className="size-1.5 shrink-0 animate-breathe rounded-full bg-accent"
          />
        )}
      </Link>
      <Menu
        trigger={
          <IconButton
            size="small"
            icon="more"
            label={`More on ${title}`}
            className={classes(
              !isCurrent &&
                'opacity-0 group-focus-within:opacity-100 group-hover:opacity-100 data-popup-open:opacity-100 pointer-coarse:opacity-100',
            )}
          />
        }
      >
        <MenuItem icon="edit" onSelect={() => setAsked('rename')}>
          Rename
        </MenuItem>
        <MenuItem icon="fork" onSelect={() => act(fork())}>
          Fork
        </MenuItem>
        <MenuItem icon="inspect" onSelect={() => void navigate({ to: '/inspect/$sessionId', params: { sessionId } })}>
          Inspect
        </MenuItem>
        <MenuItem icon="delete" isNegative onSelect={() => setAsked('delete')}>
          Delete
        </MenuItem>
      </Menu>
      <Dialog title="Rename the conversation" isOpen={asked === 'rename'} onClose={() => setAsked(undefined)}>
        <RenameForm title={title} problem={problem} onRename={(name) => act(client.session(sessionId).rename(name))} />
      </Dialog>
      <Dialog title="Delete the conversation?" isOpen={asked === 'delete'} onClose={() => setAsked(undefined)}>
        <p className="mb-4 text-ink-soft">“{title}” and all that is in it is gone for good.</p>
        <Problem text={problem} />
        <div className="flex justify-end gap-2">
          <Button onClick={() => setAsked(undefined)}>Keep</Button>
          <Button tone="negative" icon="delete" onClick={() => act(remove())}>
            Delete
          </Button>
        </div>
      </Dialog>
    </li>
  )
}

function RenameForm({
  title,
  problem,
  onRename,
}: {
  readonly title: string
  readonly problem: string | undefined
  readonly onRename: (title: string) => void
}) {
  const [text, setText] = useState(title)
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        if (text.trim() !== '') onRename(text.trim())
      }}
    >
      <TextField label="Name" maxLength={200} value={text} onChange={(event) => setText(event.target.value)} />
      <Problem text={problem} />
      <div className="mt-4 flex justify-end">
        <Button tone="accent" type="submit" disabled={text.trim() === ''}>
          Rename
        </Button>
      </div>
    </form>
  )
}

function Problem({ text }: { readonly text: string | undefined }) {
  if (text === undefined) return null
  return (
    <p role="alert" className="my-2 text-sm text-negative">
      {text}
    </p>
  )
}
