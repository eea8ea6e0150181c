import { afterEach, beforeEach } from 'vitest'
import { createClient, type Client, type ClientOptions } from '../../src/client/client.ts'
import type { ClientSession } from '../../src/client/session.ts'
import type { SessionView } from '../../src/client/view.ts'
import { scripted } from '../../src/providers/scripted/engine.ts'
import { listen, type Listening } from '../../src/server/node.ts'
import { localUser, type Principal } from '../../src/server/principal.ts'
import { GeppettoServer, type ServerOptions } from '../../src/server/server.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { timelineToJson } from '../../src/timeline/json.ts'
import { isOpenInference } from '../../src/timeline/entity.ts'
import { entitiesOf } from '../../src/timeline/timeline.ts'

export interface NativeServer extends Listening {
  readonly geppetto: GeppettoServer
}

/** A server of our own API on a free port, by default one that answers by script and keeps nothing. */
export async function startNativeServer(options: Partial<ServerOptions> = {}): Promise<NativeServer> {
  const geppetto = await GeppettoServer.open({
    store: new MemoryStore(),
    profiles: [{ slug: 'default', model: scripted({ pace: 1_000 }) }],
    ...options,
  })
  return Object.assign(await listen(geppetto, { port: 0 }), { geppetto })
}

/** A client that waits for nothing before it comes back. */
export function eagerClient(baseUrl: string, options: Partial<ClientOptions> = {}): Client {
  return createClient({ baseUrl, random: () => 0, ...options })
}

/** Follows the session until its view is as wanted. Rejects when it is closed before. */
export function untilView(session: ClientSession, isWanted: (view: SessionView) => boolean): Promise<SessionView> {
  return new Promise((resolve, reject) => {
    const look = (isFirst = false) => {
      const view = session.getSnapshot()
      if (isWanted(view)) resolve(view)
      else if (view.status === 'closed' && !isFirst) reject(view.error)
      else return
      queueMicrotask(stop)
    }
    const stop = session.subscribe(look)
    look(true)
  })
}

/** Whether so many inferences are there, and all have ended. */
export function hasEnded(count = 1): (view: SessionView) => boolean {
  return ({ timeline }) => {
    const inferences = entitiesOf(timeline).filter(({ kind }) => kind === 'inference')
    return inferences.length >= count && !inferences.some(isOpenInference)
  }
}

/** The view's timeline as it can be compared. */
export function shown({ timeline }: SessionView): unknown {
  return timelineToJson(timeline)
}

/** What the model has said. */
export function answerIn({ timeline }: SessionView): string {
  const said = entitiesOf(timeline).flatMap((entity) =>
    entity.kind === 'message' && entity.role === 'assistant' ? [entity.text] : [],
  )
  return said.join('')
}

/** What a test of a client has: a server of its own, on a store of its own, that lets `caller` in. */
export class Bench {
  readonly #profiles: ServerOptions['profiles']
  readonly #clients: Client[] = []
  store = new MemoryStore()
  caller: Principal | undefined = localUser
  #server: NativeServer | undefined

  private constructor(profiles: ServerOptions['profiles']) {
    this.#profiles = profiles
  }

  /** A new one for each test of the file. */
  static forEachTest(...profiles: ServerOptions['profiles']): Bench {
    const bench = new Bench(profiles)
    beforeEach(async () => {
      bench.store = new MemoryStore()
      bench.caller = localUser
      await bench.start()
    })
    afterEach(async () => {
      for (const made of bench.#clients.splice(0)) made.close()
      await bench.stop()
    })
    return bench
  }

  get url(): string {
    if (this.#server === undefined) throw new Error('no server was started')
    return this.#server.url
  }

  /** Starts a server on the same store; one that was there is stopped before. */
  async start(options: Partial<ServerOptions> = {}): Promise<void> {
    await this.stop()
    const authenticate = async () => this.caller
    this.#server = await startNativeServer({ store: this.store, profiles: this.#profiles, authenticate, ...options })
  }

  async stop(): Promise<void> {
    await this.#server?.close()
    this.#server = undefined
  }

  readonly client = (options: Partial<ClientOptions> = {}): Client => {
    const made = eagerClient(this.url, options)
    this.#clients.push(made)
    return made
  }
}
