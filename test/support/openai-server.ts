import { listen } from '../../src/server/node.ts'
import type { Conversations } from '../../src/server/conversations.ts'
import type { Authenticate } from '../../src/server/principal.ts'
import type { Profile } from '../../src/server/profile.ts'
import { openAi, type OpenAiOptions } from '../../src/server/protocols/openai/dialect.ts'
import { GeppettoServer } from '../../src/server/server.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import type { Store } from '../../src/store/store.ts'
import { settle } from './fake-clock.ts'

export interface OpenAiServer {
  readonly url: string
  readonly store: Store
  readonly server: GeppettoServer
  /** Resolves when no session is left in memory. */
  untilNothingIsHeld(): Promise<void>
  close(): Promise<void>
}

/** A server with the OpenAI facade on a free port. */
export async function openAiServer(
  profiles: readonly [Profile, ...(readonly Profile[])],
  {
    authenticate,
    store = new MemoryStore(),
    allowedOrigins = [],
    ...options
  }: OpenAiOptions & {
    readonly authenticate?: Authenticate
    readonly store?: Store
    readonly allowedOrigins?: readonly string[]
  } = {},
): Promise<OpenAiServer> {
  const held: Conversations[] = []
  const server = await GeppettoServer.open({
    store,
    profiles,
    allowedOrigins,
    ...(authenticate && { authenticate }),
    dialects: [
      (context) => {
        const { conversations } = context
        const make = conversations.inMemory.bind(conversations)
        conversations.inMemory = () => {
          const made = make()
          held.push(made)
          return made
        }
        return openAi(options)(context)
      },
    ],
  })
  const { url, close } = await listen(server, { port: 0 })
  const isHolding = async () =>
    (await Promise.all(held.map((each) => each.store.list()))).some(({ length }) => length > 0)
  return {
    url,
    store,
    server,
    close,
    untilNothingIsHeld: async () => {
      while (await isHolding()) await settle()
    },
  }
}
