import { createServer, ServerResponse, type IncomingMessage, type Server } from 'node:http'
import { isIP, type AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener, type Http2Bindings, type HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { WebSocketServer } from 'ws'
import { GeppettoError } from '../errors.ts'
import type { Client, SocketHandler } from './context.ts'
import type { GeppettoServer } from './server.ts'
import { Socket, type RawSocket } from './socket.ts'
import { framesOf } from './sse.ts'

/** Bytes of one message to a socket, and how many sockets are pinged how often. */
const messageLimit = 1_048_576
const pingMs = 30_000
/** What a client may take for its headers, and how often it is looked whether one took longer. */
const headersTimeoutMs = 10_000
const timeoutCheckMs = 1_000

export interface ListenOptions {
  /** Default 8080; 0 for any that is free. */
  readonly port?: number
  /** Default `127.0.0.1`: who else is to reach the server needs tokens, and its name in `allowedHosts`. */
  readonly host?: string
  /**
   * How many proxies stand before the server, each of which adds the address that it was called from to
   * `x-forwarded-for`. Default 0: that header is not believed.
   */
  readonly proxies?: number
  /** What a client may take to send a request, in milliseconds; an answer may take as long as it likes. Default 60 000. */
  readonly requestTimeoutMs?: number
}

/** A server that listens. */
export interface Listening {
  /** As `http://127.0.0.1:8080`. */
  readonly url: string
  /** Stops within 10 s: nothing new is let in, streams end, runs are handed over, connections are closed. */
  close(): Promise<void>
}

/** Lets the sockets of a Node server in: `server.on('upgrade', upgrader(geppetto))`. */
export function upgrader(
  geppetto: GeppettoServer,
  { proxies = 0 }: Pick<ListenOptions, 'proxies'> = {},
): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: messageLimit,
    // A small message could unpack to a huge one.
    perMessageDeflate: false,
    // The token that came as a subprotocol is not said again.
    handleProtocols: (protocols) => [...protocols].find((name) => !name.startsWith('bearer.')) ?? false,
  })
  return (incoming, connection, head) => {
    connection.on('error', () => connection.destroy())
    void geppetto.socket(requestOf(incoming), clientOf(incoming, proxies)).then(async (handler) => {
      if (handler instanceof Response) {
        connection.end(await refusal(handler))
        return
      }
      sockets.handleUpgrade(incoming, connection, head, (socket) => {
        keepAlive(geppetto, socket)
        open(handler, new Socket(socket))
      })
    })
  }
}

/** Serves on a port. */
export async function listen(
  geppetto: GeppettoServer,
  { port = 8080, host = '127.0.0.1', proxies = 0, requestTimeoutMs = 60_000 }: ListenOptions = {},
): Promise<Listening> {
  if (geppetto.isOpenToAll && !isLoopback(host)) {
    throw new GeppettoError(
      'SETTINGS_INVALID',
      `The server lets everybody in, so it must not listen on ${host}: give it \`authenticate\`, or listen on 127.0.0.1.`,
    )
  }
  const server = createServer(
    {
      headersTimeout: Math.min(headersTimeoutMs, requestTimeoutMs),
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(timeoutCheckMs, requestTimeoutMs),
      keepAliveTimeout: 5_000,
      maxHeaderSize: 16_384,
    },
    // The listener answers errors itself; what it returns is for nobody.
    (request, response) => void listener(request, response),
  )
  const answer = async (request: Request, { incoming, outgoing }: HttpBindings | Http2Bindings) => {
    const response = await geppetto.fetch(request, clientOf(incoming, proxies))
    const frames = framesOf(response)
    // On HTTP/1, as this server speaks, it is one; only that is known to take text as it is.
    if (frames === undefined || !(outgoing instanceof ServerResponse)) return response
    void sendFrames(frames, response, outgoing)
    return RESPONSE_ALREADY_SENT
  }
  const listener = getRequestListener(answer, { overrideGlobalObjects: false })
  server.on('upgrade', upgrader(geppetto, { proxies }))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => resolve())
  })
  const address = server.address() as AddressInfo // it listens on a port
  const name = host.includes(':') ? `[${host}]` : host
  return { url: `http://${name}:${address.port}`, close: () => close(server, geppetto) }
}

/** Whether only this machine can reach what listens there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

// Only what our own proxies have added is to be believed: it stands last.
function clientOf({ headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>, proxies: number): Client {
  const forwarded = proxies === 0 ? undefined : [headers['x-forwarded-for'] ?? []].flat().join(',').split(',')
  const address = forwarded?.at(-proxies)?.trim() || socket.remoteAddress
  return address === undefined ? {} : { address }
}

/** Writes what an event stream says, no faster than the client reads it. */
async function sendFrames(
  frames: NonNullable<ReturnType<typeof framesOf>>,
  { status, headers }: Response,
  outgoing: ServerResponse,
): Promise<void> {
  if (outgoing.closed) return frames.cancel()
  let wake: (() => void) | undefined
  const goOn = () => wake?.()
  outgoing.on('drain', goOn)
  outgoing.on('close', () => {
    goOn()
    void frames.cancel()
  })
  outgoing.writeHead(status, [...headers].flat())
  outgoing.flushHeaders()
  try {
    for (let frame = await frames.read(); frame !== undefined; frame = await frames.read()) {
      if (outgoing.write(frame) || outgoing.closed) continue
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    outgoing.end()
  } catch {
    outgoing.destroy() // it breaks off: the client comes back
  }
}

/** What a handler throws when it is given its socket is that there is no room for one more. */
function open(handler: SocketHandler, socket: Socket): void {
  try {
    handler(socket)
  } catch {
    socket.close(1013, 'try again later')
  }
}

async function close(server: Server, geppetto: GeppettoServer): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  await geppetto.stop()
  server.closeAllConnections()
  await closed
}

function requestOf(incoming: IncomingMessage): Request {
  const headers = new Headers()
  for (const [name, value] of Object.entries(incoming.headersDistinct)) {
    for (const one of value ?? []) headers.append(name, one)
  }
  const { host = 'localhost' } = incoming.headers
  const url = URL.parse(incoming.url ?? '/', `http://${host}`) ?? new URL('http://localhost/')
  return new Request(url, { headers })
}

async function refusal(response: Response): Promise<string> {
  const body = await response.text()
  const head = [
    `HTTP/1.1 ${response.status} Refused`,
    'connection: close',
    `content-length: ${Buffer.byteLength(body)}`,
  ]
  const fields = [...response.headers].map(([name, value]) => `${name}: ${value}`)
  return `${[...head, ...fields].join('\r\n')}\r\n\r\n${body}`
}

/** A client that does not answer is gone, though its connection does not say so. */
function keepAlive({ context }: GeppettoServer, socket: RawSocket): void {
  let isThere = true
  let cancel: () => void
  const ask = () => {
    if (!isThere) return socket.terminate()
    isThere = false
    socket.ping()
    cancel = context.clock.schedule(pingMs, ask)
  }
  cancel = context.clock.schedule(pingMs, ask)
  socket.on('pong', () => {
    isThere = true
  })
  socket.on('close', () => cancel())
}
