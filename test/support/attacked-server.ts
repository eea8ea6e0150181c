import { readdirSync } from 'node:fs'
import WebSocket from 'ws'
import { systemClock, type Clock } from '../../src/clock.ts'
import type { InferenceEvent } from '../../src/events/event.ts'
import type { Tool } from '../../src/inference/tool.ts'
import type { JsonObject } from '../../src/json.ts'
import { scripted } from '../../src/providers/scripted/engine.ts'
import * as exported from '../../src/server/index.ts'
import { listen, type ListenOptions, type Listening } from '../../src/server/node.ts'
import { GeppettoServer, type ServerOptions } from '../../src/server/server.ts'
import { follow } from '../../src/session/follow.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { echo, testTool } from './runs.ts'

/** Who can call the servers of these tests. Ada and Ray share a tenant, in which Ray may only read; Bob has his own. */
export const people = {
  ada: { key: 'ada-0123456789abcdef', tenant: 'north', name: 'ada', permissions: ['read', 'write', 'inspect'] },
  ray: { key: 'ray-0123456789abcdef', tenant: 'north', name: 'ray', permissions: ['read'] },
  bob: { key: 'bob-0123456789abcdef', tenant: 'south', name: 'bob', permissions: ['read', 'write', 'inspect'] },
} as const
export type Person = keyof typeof people

type MakeDialect = NonNullable<ServerOptions['dialects']>[number]

/** The dialects of the tree by folder; undefined where the server exports nothing of the folder's name. */
export const dialects: ReadonlyMap<string, MakeDialect | undefined> = new Map(
  readdirSync(new URL('../../src/server/protocols', import.meta.url), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => {
      const isIts = ([exportedAs]: readonly [string, unknown]) => exportedAs.toLowerCase() === name.replaceAll('-', '')
      const factory: unknown = Object.entries(exported).find(isIts)?.[1]
      return [
        name,
        typeof factory === 'function' ? (factory as (options: object) => MakeDialect)({ debugApi: true }) : undefined,
      ] // as dialects are made
    }),
)

/** A tool that waits until somebody lets it pay. */
export const pay: Tool = testTool('pay', () => 'paid', { needsApproval: () => true })

export interface Asked {
  readonly as?: Person
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly json?: unknown
  readonly body?: RequestInit['body']
  readonly signal?: AbortSignal
}

export interface AttackedServer extends AsyncDisposable {
  readonly server: GeppettoServer
  readonly store: MemoryStore
  /** What the server has told its log. */
  readonly told: readonly JsonObject[]
  /** Asks without a network. */
  ask(path: string, asked?: Asked): Promise<Response>
  listen(options?: ListenOptions): Promise<Listening>
  /** The first event of the session that is of this type; waits for it. */
  event<Type extends InferenceEvent['type']>(
    sessionId: string,
    type: Type,
  ): Promise<Extract<InferenceEvent, { type: Type }>>
}

/** A server that knows `people`, speaks every dialect, and writes down what it logs. */
export async function attackedServer(
  options: Partial<ServerOptions> = {},
  { isOpenToAll = false } = {},
): Promise<AttackedServer> {
  const clock: Clock = options.clock ?? systemClock
  const store = new MemoryStore({ clock })
  const told: JsonObject[] = []
  const tell = (fields: JsonObject, message: string) => void told.push({ ...fields, message })
  const model = scripted({ pace: 0 })
  const server = await GeppettoServer.open({
    store,
    clock,
    profiles: [{ slug: 'default', model, tools: [echo, pay] }],
    ...(!isOpenToAll && { authenticate: exported.staticKeys(Object.values(people)) }),
    log: { debug: tell, info: tell, warn: tell, error: tell },
    dialects: [...dialects.values()].filter((dialect) => dialect !== undefined),
    ...options,
  })
  const listening: Listening[] = []
  return {
    server,
    store,
    told,
    ask: (path, asked = {}) => server.fetch(request(`http://localhost${path}`, asked)),
    async listen(how = {}) {
      const one = await listen(server, { port: 0, ...how })
      listening.push(one)
      return one
    },
    async event(sessionId, type) {
      for await (const event of follow(store, sessionId, clock)) {
        if (event.type === type) return event as Extract<InferenceEvent, { type: typeof type }> // of that type
      }
      throw new Error(`session ${sessionId} ended without ${type}`)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(listening.map((one) => one.close()))
      if (listening.length === 0) await server.stop()
      await store.close()
    },
  }
}

export function request(url: string, { as, method, headers = {}, json, body, signal }: Asked): Request {
  const content = json === undefined ? body : JSON.stringify(json)
  return new Request(url, {
    method: method ?? (content === undefined ? 'GET' : 'POST'),
    headers: {
      host: new URL(url).host,
      ...(as && { authorization: `Bearer ${people[as].key}` }),
      ...(json !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(content !== undefined && { body: content, duplex: 'half' }),
    ...(signal && { signal }),
  })
}

/** A socket as a program opens it, which keeps what it hears. */
export class TestSocket {
  readonly heard: JsonObject[] = []
  /** The code with which it was closed. */
  readonly closed: Promise<number>
  readonly raw: WebSocket
  #wake: () => void = () => {}

  private constructor(raw: WebSocket) {
    this.raw = raw
    raw.on('message', (data: Buffer) => {
      this.heard.push(JSON.parse(data.toString('utf8')) as JsonObject) // our server sends nothing else
      this.#wake()
    })
    this.closed = new Promise((resolve) => raw.on('close', resolve))
  }

  /** Rejects with the status when the handshake is refused. */
  static async open(
    url: string,
    { as, headers = {} }: Pick<Asked, 'as' | 'headers'> = {},
    protocols: readonly string[] = [],
  ): Promise<TestSocket> {
    const raw = new WebSocket(url.replace(/^http/, 'ws'), [...protocols], {
      headers: { ...(as && { authorization: `Bearer ${people[as].key}` }), ...headers },
    })
    const socket = new TestSocket(raw)
    await new Promise<void>((resolve, reject) => {
      raw.on('open', resolve)
      raw.on('error', reject)
      raw.on('unexpected-response', (_request, response) => reject(new Error(`refused: ${response.statusCode}`)))
    })
    return socket
  }

  send(message: unknown): void {
    this.raw.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  /** The first message that fits, now or later. */
  async find(fits: (message: JsonObject) => boolean): Promise<JsonObject> {
    for (;;) {
      const found = this.heard.find(fits)
      if (found !== undefined) return found
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Sends a message, and gives its answer. */
  async call(message: JsonObject & { readonly id: string }): Promise<JsonObject> {
    this.send(message)
    return this.find(({ id }) => id === message.id)
  }
}
