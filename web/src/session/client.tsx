import { createContext, use, useSyncExternalStore, type ReactNode } from 'react'
import { createClient, type Client, type ClientSession, type SessionView } from 'geppetto/client'
import { baseUrl } from './base.ts'
import { storedToken } from './token.ts'

const ClientContext = createContext<Client | undefined>(undefined)

const loopback = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/**
 * The client of the server that the page came from. Over HTTP/1.1 a browser has six connections to a server, and the
 * stream of each tab would hold one; so tabs use sockets on this machine, where no proxy is in between that does not
 * know them. A key is more than a socket can carry.
 */
export function openClient(): Client {
  const token = storedToken()
  if (token !== undefined) return createClient({ baseUrl, token })
  return createClient({ baseUrl, transport: loopback.test(location.hostname) ? 'websocket' : 'sse' })
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

/**
 * One thing of what is known of a session: whoever uses it is drawn again when that changes, and not with every token.
 * What `select` gives must be the same object while it says the same.
 */
export function useSessionState<Value>(session: ClientSession, select: (view: SessionView) => Value): Value {
  return useSyncExternalStore(session.subscribe, () => select(session.getSnapshot()))
}
