import { useSyncExternalStore } from 'react'
import type { SessionView } from 'geppetto/client'
import { Badge } from '../design/badge.tsx'

/** How what is shown stands to what is: nothing when they are the same. */
export function Connection({ view }: { readonly view: SessionView }) {
  const isOnline = useSyncExternalStore(subscribeToNetwork, () => navigator.onLine)
  if (view.status !== 'closed' && !isOnline) return <Status text="No network" isProblem />
  switch (view.status) {
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
