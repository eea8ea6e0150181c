import { useSyncExternalStore } from 'react'
import type { ClientSession } from 'geppetto/client'
import { Badge } from '../design/badge.tsx'
import { useSessionState } from '../session/client.tsx'

/** How what is shown stands to what is: nothing when they are the same. */
export function Connection({ session }: { readonly session: ClientSession }) {
  const status = useSessionState(session, (view) => view.status)
  const isOnline = useSyncExternalStore(subscribeToNetwork, () => navigator.onLine)
  if (status !== 'closed' && !isOnline) return <Status text="No network" isProblem />
  switch (status) {
    case 'live':
    case 'closed':
      return null
    case 'connecting':
      return <Status text="Connecting" />
    case 'catching-up':
      return <Status text="Catching up" />
    case 'offline':
      return <Status text="Connection lost, trying again" isProblem />
  }
}

function Status({ text, isProblem = false }: { readonly text: string; readonly isProblem?: boolean }) {
  return (
    <span role="status" className="animate-appear">
      <Badge tone={isProblem ? 'caution' : 'neutral'} isLive>
        {text}
      </Badge>
    </span>
  )
}

function subscribeToNetwork(listener: () => void): () => void {
  addEventListener('online', listener)
  addEventListener('offline', listener)
  return () => {
    removeEventListener('online', listener)
    removeEventListener('offline', listener)
  }
}
