import { useParams } from '@tanstack/react-router'
import { useSession, useSessionView } from '../session/client.tsx'

export function NewChatPage() {
  return <main />
}

export function ChatPage() {
  const { sessionId = '' } = useParams({ strict: false })
  const view = useSessionView(useSession(sessionId))
  return <main>{view.status}</main>
}
