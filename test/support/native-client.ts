import { createClient, type Client, type ClientOptions } from '../../src/client/client.ts'
import type { ClientSession } from '../../src/client/session.ts'
import type { SessionView } from '../../src/client/view.ts'
import { scripted } from '../../src/providers/scripted/engine.ts'
import { listen, type Listening } from '../../src/server/node.ts'
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
