import type { EngineEvent } from '../../src/events/event.ts'
import type { Tool } from '../../src/inference/tool.ts'
import { listen } from '../../src/server/node.ts'
import { aiSdk, type AiSdkOptions } from '../../src/server/protocols/ai-sdk/routes.ts'
import { GeppettoServer, type ServerOptions } from '../../src/server/server.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { assistantText } from '../../src/turns/block.ts'
import type { ChatMessage } from './ai-sdk-chat.ts'
import { eventEngine, type EngineStep } from './event-engine.ts'

export interface ChatServer {
  readonly url: string
  readonly server: GeppettoServer
  close(): Promise<void>
}

const open = new Set<() => Promise<void>>()

/** Serves chats on a port; each of `calls` answers one call of the model. */
export async function serveChats(
  calls: readonly (readonly EngineStep[])[],
  {
    tools = [],
    ui,
    ...options
  }: Partial<ServerOptions> & { readonly tools?: readonly Tool[]; readonly ui?: AiSdkOptions['ui'] } = {},
): Promise<ChatServer> {
  const profiles = [{ slug: 'default', model: eventEngine(...calls), tools }] as const
  const dialects = [aiSdk(ui === undefined ? {} : { ui })]
  const server = await GeppettoServer.open({ store: new MemoryStore(), profiles, dialects, ...options })
  const listening = await listen(server, { port: 0 })
  let closed: Promise<void> | undefined
  const close = () => (closed ??= listening.close())
  open.add(close)
  return { url: listening.url, server, close }
}

/** For `afterEach`. */
export async function closeChatServers(): Promise<void> {
  await Promise.all([...open].map((close) => close()))
  open.clear()
}

export const started: EngineEvent = { type: 'provider-call-started', provider: 'test', model: 'test-1' }

export function delta(text: string, offset = 0): EngineEvent {
  return { type: 'text-delta', segmentId: '0', offset, delta: text }
}

export function textEnd(text: string): EngineEvent {
  return { type: 'text-segment-finished', segmentId: '0', block: assistantText(text) }
}

export interface Gate {
  wait(): Promise<void>
  open(): void
}

/** Lets an engine wait until a test goes on. */
export function gate(): Gate {
  let resolveOpened = () => {}
  const opened = new Promise<void>((resolve) => {
    resolveOpened = resolve
  })
  return { wait: () => opened, open: () => resolveOpened() }
}

export interface Watch {
  readonly onChange: (messages: readonly ChatMessage[]) => void
  /** Resolves when the chat shows what is looked for. */
  until(isThere: (messages: readonly ChatMessage[]) => boolean): Promise<void>
}

export function watching(): Watch {
  let known: readonly ChatMessage[] = []
  const waiting = new Set<() => void>()
  return {
    onChange(messages) {
      known = messages
      for (const look of waiting) look()
    },
    until: (isThere) =>
      new Promise((resolve) => {
        const look = () => {
          if (!isThere(known)) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      }),
  }
}
