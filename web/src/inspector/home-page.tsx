import { useEffect } from 'react'
import { Link } from '@tanstack/react-router'
import { messageOf } from '../../../src/errors.ts'
import { SignIn } from '../chat/sign-in.tsx'
import { Badge } from '../design/badge.tsx'
import { Button } from '../design/button.tsx'
import { shortId } from '../design/copy.tsx'
import { Notice } from '../design/notice.tsx'
import { isUnauthenticated, useSessions } from '../session/queries.ts'
import { FindId } from './find-id.tsx'
import { formatCount } from './model/format.ts'
import { ThemeMenu } from './theme-menu.tsx'

/** Where an inspection begins: with a session of the list, or with an id that somebody has written down. */
export function HomePage() {
  const { data: sessions = [], error, hasNextPage, fetchNextPage, isPending } = useSessions()
  useEffect(() => {
    document.title = 'Inspector · Geppetto'
  }, [])
  if (isUnauthenticated(error)) return <SignIn />
  return (
    <main className="h-full overflow-y-auto">
      <div className="mx-auto max-w-3xl px-4 py-8">
        <div className="mb-4 flex flex-wrap items-center gap-3">
          <h1 className="flex-1 text-xl font-semibold">Inspector</h1>
          <FindId />
          <Link to="/" className="text-sm text-accent-ink underline">
            Chat
          </Link>
          <ThemeMenu />
        </div>
        {error !== null && <Notice tone="negative">{messageOf(error)}</Notice>}
        {!isPending && sessions.length === 0 && <p className="text-ink-soft">There are no sessions yet.</p>}
        <ul className="divide-y rounded-xl border bg-surface">
          {sessions.map(({ sessionId, title, updatedAt, ordinal, isActive }) => (
            <li key={sessionId}>
              <Link
                to="/inspect/$sessionId"
                params={{ sessionId }}
                className="flex flex-wrap items-center gap-x-3 px-4 py-2 hover:bg-hover"
              >
                <span className="min-w-0 flex-1 basis-48 truncate">{title === '' ? 'Nothing said yet' : title}</span>
                {isActive && (
                  <Badge tone="accent" isLive>
                    running
                  </Badge>
                )}
                <span className="font-mono text-xs text-ink-faint">{shortId(sessionId)}</span>
                <span className="text-xs text-ink-faint">{formatCount(ordinal)} events</span>
                <time dateTime={updatedAt} className="text-xs text-ink-faint">
                  {new Date(updatedAt).toLocaleString()}
                </time>
              </Link>
            </li>
          ))}
        </ul>
        {hasNextPage && (
          <Button className="mt-4" onClick={() => void fetchNextPage()}>
            Older sessions
          </Button>
        )}
      </div>
    </main>
  )
}
