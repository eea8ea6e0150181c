import { HttpAgent as Agent45 } from 'ag-ui-client-0.0.45'
import { HttpAgent as Agent59 } from 'ag-ui-client-0.0.59'
import { HttpAgent as Agent1 } from 'ag-ui-client-1'

/** An event as the client's own verification has let it through. */
export interface SeenEvent {
  readonly type: string
  readonly [field: string]: unknown
}

export interface AgentMessage {
  readonly id: string
  readonly role: string
  readonly content?: unknown
  readonly toolCallId?: string
  readonly toolCalls?: readonly { readonly id: string; readonly function: { name: string; arguments: string } }[]
}

/** What the clients of all versions have in common, as the tests use it. */
export interface AgentUnderTest {
  readonly messages: AgentMessage[]
  pendingInterrupts?: readonly { readonly id: string }[]
  addMessage(message: AgentMessage & { readonly error?: string }): void
  abortRun(): void
  runAgent(parameters?: object, subscriber?: object): Promise<{ readonly newMessages: readonly AgentMessage[] }>
}

type AgentClass = new (config: { url: string; threadId: string; initialMessages?: never[] }) => unknown

/** The official client, unmodified, in the versions that are about. */
export const agentVersions: readonly (readonly [
  version: string,
  make: (url: string, threadId: string) => AgentUnderTest,
])[] = Object.entries<AgentClass>({ '0.0.45': Agent45, '0.0.59': Agent59, '1.0.0': Agent1 }).map(([version, Agent]) => [
  version,
  // The three classes differ in the types of what the tests do not use.
  (url, threadId) => new Agent({ url, threadId }) as AgentUnderTest,
])

export interface AgentRun {
  readonly events: readonly SeenEvent[]
  readonly newMessages: readonly AgentMessage[]
}

/** Runs the agent and gives what it saw; `onEvent` hears of each event as it comes. Rejects when the client does. */
export async function runAgent(
  agent: AgentUnderTest,
  parameters: object = {},
  onEvent: (event: SeenEvent) => void = () => {},
): Promise<AgentRun> {
  const events: SeenEvent[] = []
  const { newMessages } = await agent.runAgent(parameters, {
    onEvent: ({ event }: { readonly event: SeenEvent }) => {
      events.push(event)
      onEvent(event)
    },
  })
  return { events, newMessages }
}

export function typesOf(events: readonly SeenEvent[]): readonly string[] {
  return events.map(({ type }) => type)
}
