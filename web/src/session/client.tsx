import { createContext, use, useSyncExternalStore, type ReactNode } from 'react'
import { createClient, type Client, type ClientSession, type SessionView } from 'geppetto/client'
import { baseUrl } from './base.ts'
import { storedToken } from './token.ts'

const ClientContext = createContext<Client | undefined>(undefined)

/** The client of the server that the page came from. */
export function openClient(): Client {
  const token = storedToken()
  return createClient({ baseUrl, ...(token !== undefined && { token }) })
}

export function ClientProvider({ client, children }: { readonly client: Client; readonly children: ReactNode }) {
  return <ClientContext value={client}>{children}</ClientContext>
}

export function useClient(): Client {
  const client = use(ClientContext)
  if (client === undefined) throw new Error('This is shown outside of a ClientProvider.')
  return client
}

/** The session of this id: its commands. */
export function useSession(sessionId: string): ClientSession {
  return useClient().session(sessionId)
}

/** What is known of a session. It is followed for as long as somebody uses this. */
export function useSessionView(session: ClientSession): SessionView {
  return useSyncExternalStore(session.subscribe, session.getSnapshot)
}
