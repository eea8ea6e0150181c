import type { Engine } from '../../src/inference/engine.ts'
import { scripted } from '../../src/providers/scripted/engine.ts'
import { listen, type Listening } from '../../src/server/node.ts'
import type { Profile } from '../../src/server/profile.ts'
import { webchat, type WebchatOptions } from '../../src/server/protocols/webchat/webchat.ts'
import { GeppettoServer, type ServerOptions } from '../../src/server/server.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import type { Turn } from '../../src/turns/turn.ts'
import type { Json, JsonObject } from '../../src/json.ts'

export interface WebchatServer extends Listening {
  readonly geppetto: GeppettoServer
  post(path: string, body: Json | string, headers?: Readonly<Record<string, string>>): Promise<Response>
  /** Posts a prompt and gives the answer. */
  chat(body: JsonObject, path?: string): Promise<ChatAnswer>
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Response>
}

export interface ChatAnswer {
  readonly status: string
  readonly conv_id: string
  readonly turn_id: string
  readonly inference_id: string
  readonly idempotency_key: string
  readonly queue_position?: number
  readonly queue_depth?: number
}

export const scriptedProfile: Profile = { slug: 'default', model: scripted({ pace: 0 }) }

/** A server of this dialect on a free port, by default one that answers by script and keeps nothing. */
export async function startWebchat({
  debugApi = false,
  basePrefix = '',
  ...options
}: Partial<ServerOptions> & WebchatOptions = {}): Promise<WebchatServer> {
  const geppetto = await GeppettoServer.open({
    store: new MemoryStore(),
    profiles: [scriptedProfile],
    dialects: [webchat({ debugApi, basePrefix })],
    ...options,
  })
  const listening = await listen(geppetto, { port: 0 })
  const get = (path: string, headers: Readonly<Record<string, string>> = {}) =>
    fetch(`${listening.url}${path}`, { headers })
  const post = (path: string, body: Json | string, headers: Readonly<Record<string, string>> = {}) =>
    fetch(`${listening.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  const chat = async (body: JsonObject, path = '/chat') => {
    const response = await post(path, body)
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
    return (await response.json()) as ChatAnswer
  }
  return { ...listening, geppetto, get, post, chat }
}

/** A model that waits until it is let go, and then answers as another does. It keeps what it was asked. */
export function heldModel(model: Engine = scripted({ pace: 0 })) {
  const calls: PromiseWithResolvers<{ readonly turn: Turn; release(): void }>[] = []
  const call = (index: number) => (calls[index] ??= Promise.withResolvers())
  const turns: Turn[] = []
  const engine: Engine = async function* (turn, context) {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    turns.push(turn)
    call(turns.length - 1).resolve({ turn, release: resolve })
    context.signal.addEventListener('abort', () => reject(context.signal.reason as Error), { once: true }) // whatever it was
    await promise
    yield* model(turn, context)
  }
  return {
    engine,
    turns,
    /** Resolves when the model is called for this time (from 1), with what it was asked and a way to let it go. */
    called: (time: number) => call(time - 1).promise,
  }
}
