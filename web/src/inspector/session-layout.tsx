import { useEffect, useState, type ReactNode } from 'react'
import { Link, Outlet, useLocation, useParams } from '@tanstack/react-router'
import { messageOf } from '../../../src/errors.ts'
import { Connection } from '../chat/connection.tsx'
import { SignIn } from '../chat/sign-in.tsx'
import { Badge } from '../design/badge.tsx'
import { Button } from '../design/button.tsx'
import { IdChip } from '../design/copy.tsx'
import { Icon } from '../design/icon.tsx'
import { Notice } from '../design/notice.tsx'
import { useSession, useSessionState } from '../session/client.tsx'
import { isUnauthenticated, useSessions } from '../session/queries.ts'
import { ExportMenu } from './export-menu.tsx'
import { FindId } from './find-id.tsx'
import { InspectionProvider, useInspectionOf } from './inspection.tsx'
import { counted } from './model/format.ts'
import { ThemeMenu } from './theme-menu.tsx'
import { useLog, type ReadLog } from './use-log.ts'

/** A log that is read from its beginning is behind; one that is followed is only a moment late. */
const farBehind = 500
const tab =
  '-mb-px border-b-2 border-transparent px-3 py-1.5 text-sm whitespace-nowrap text-ink-soft hover:text-ink aria-[current=page]:border-accent aria-[current=page]:text-ink'

/** What all pages of a session in the inspector have: its name, where else to look, and whether it is followed. */
export function SessionLayout() {
  const { sessionId = '' } = useParams({ strict: false })
  const log = useLog(sessionId)
  const [held, setHeld] = useState<ReadLog>()
  // What is held is of this session, or nothing is.
  const shown = held?.sessionId === sessionId ? held : log
  const inspection = useInspectionOf(shown)
  const title = useTitle(sessionId)
  const params = { sessionId }
  const isRunning = inspection.waterfalls.some(({ ending, spans }) => ending === undefined && spans.length > 0)
  return (
    <div className="flex h-full flex-col">
      <header className="border-b bg-surface">
        <div className="flex flex-wrap items-center gap-x-3 gap-y-1 px-3 pt-2 sm:px-4">
          <Link to="/inspect" aria-label="All sessions" title="All sessions" className="rounded-md p-1 hover:bg-hover">
            <Icon name="inspect" />
          </Link>
          <h1 className="max-w-96 min-w-0 truncate text-base font-semibold">{title}</h1>
          <IdChip of="session" id={sessionId} />
          <Badge tone={isRunning ? 'accent' : 'neutral'} isLive={isRunning}>
            {isRunning ? 'running' : 'at rest'}
          </Badge>
          <span className="text-xs text-ink-faint" data-testid="counts">
            {counted(inspection.turns.length, 'turn')} · {counted(inspection.events.length, 'event')}
          </span>
          <Standing sessionId={sessionId} last={log.events.at(-1)?.ordinal ?? 0} />
          <div className="ml-auto flex items-center gap-1">
            <FindId sessionId={sessionId} />
            <Button
              tone="quiet"
              icon={shown === log ? 'pause' : 'play'}
              aria-pressed={shown === log}
              onClick={() => setHeld(shown === log ? log : undefined)}
            >
              {shown === log ? 'Following' : `${log.events.length - shown.events.length} new`}
            </Button>
            <ExportMenu sessionId={sessionId} events={inspection.events} />
            <ThemeMenu />
          </div>
        </div>
        <nav aria-label="Inspector" className="flex gap-1 overflow-x-auto px-2 sm:px-3">
          <Link
            to="/inspect/$sessionId"
            params={params}
            activeOptions={{ exact: true, includeSearch: false }}
            className={tab}
          >
            Overview
          </Link>
          <TurnsLink sessionId={sessionId} turnId={inspection.turns.at(-1)?.turnId} />
          <Link to="/inspect/$sessionId/debug" params={params} activeOptions={{ includeSearch: false }} className={tab}>
            Debugger
          </Link>
          <Link
            to="/inspect/$sessionId/compare"
            params={params}
            activeOptions={{ includeSearch: false }}
            className={tab}
          >
            Compare
          </Link>
          <Link to="/c/$sessionId" params={params} className={`${tab} ml-auto`}>
            Conversation
          </Link>
        </nav>
      </header>
      <InspectionProvider value={inspection}>
        <Problem error={log.error}>
          <Outlet />
        </Problem>
      </InspectionProvider>
    </div>
  )
}

/** How what has been read stands to the session. A part of its own, so that what it is asked of is drawn alone. */
function Standing({ sessionId, last }: { readonly sessionId: string; readonly last: number }) {
  const session = useSession(sessionId)
  const isBehind = useSessionState(session, ({ ordinal }) => ordinal - last > farBehind)
  return isBehind ? <Badge isLive>reading the log</Badge> : <Connection session={session} />
}

/** To the latest turn; each turn leads to the others. */
function TurnsLink({ sessionId, turnId }: { readonly sessionId: string; readonly turnId: string | undefined }) {
  const isCurrent = useLocation({ select: ({ pathname }) => pathname.includes('/turn/') })
  if (turnId === undefined) return null
  return (
    <Link
      to="/inspect/$sessionId/turn/$turnId"
      params={{ sessionId, turnId }}
      aria-current={isCurrent ? 'page' : undefined}
      className={tab}
    >
      Turns
    </Link>
  )
}

function Problem({ error, children }: { readonly error: unknown; readonly children: ReactNode }) {
  if (isUnauthenticated(error)) return <SignIn />
  return (
    <>
      {error !== undefined && (
        <div className="p-3">
          <Notice tone="negative">{messageOf(error)}</Notice>
        </div>
      )}
      {children}
    </>
  )
}

function useTitle(sessionId: string): string {
  const { data: sessions = [] } = useSessions()
  const title = sessions.find((session) => session.sessionId === sessionId)?.title ?? ''
  const shown = title === '' ? 'Session' : title
  useEffect(() => {
    document.title = `${shown} · Inspector`
  }, [shown])
  return shown
}
