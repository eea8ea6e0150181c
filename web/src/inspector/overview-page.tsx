import { Link, useParams } from '@tanstack/react-router'
import { useSession, useSessionView } from '../session/client.tsx'

export function OverviewPage() {
  const { sessionId = '' } = useParams({ strict: false })
  const view = useSessionView(useSession(sessionId))
  return (
    <main className="p-6">
      <h1 className="text-xl font-semibold">Session {sessionId}</h1>
      <p className="text-ink-soft">
        {view.ordinal} events, {view.status}
      </p>
      <Link to="/c/$sessionId" params={{ sessionId }} className="text-accent-ink underline">
        To the conversation
      </Link>
    </main>
  )
}
