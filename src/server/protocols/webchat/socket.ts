import { sleep } from '../../../clock.ts'
import { isGeppettoError, messageOf } from '../../../errors.ts'
import { isJsonObject, tryParseJson, type JsonObject } from '../../../json.ts'
import { latestTurn } from '../../../session/past.ts'
import { requireCursor } from '../../../session/follow.ts'
import type { Head } from '../../../store/store.ts'
import { runtimeKey } from '../../../turns/keys.ts'
import { createTurn } from '../../../turns/turn.ts'
import type { ServerContext, SocketHandler, SocketRequest } from '../../context.ts'
import type { Socket } from '../../socket.ts'
import { followFrames } from './frames.ts'
import { badRequest, chosenProfile, convIdOf } from './request.ts'
import { frameJson, lastSeqOf, ordinalOf, socketFrame } from './sem.ts'

/** How long nothing is heard from a caller who has sent too much. */
const restMs = 1_000

/** How many sockets follow each conversation in this process, for those who look into it. */
export class OpenSockets {
  readonly #counts = new Map<string, number>()

  add(convId: string, change: 1 | -1): void {
    const count = this.of(convId) + change
    if (count === 0) this.#counts.delete(convId)
    else this.#counts.set(convId, count)
  }

  of(convId: string): number {
    return this.#counts.get(convId) ?? 0
  }
}

/** What `GET /ws` asks for. */
interface Attachment {
  readonly head: Head
  /** Frames after this number are sent. */
  readonly after: number
  /** Which profile answered last; before anything was said, the one that would. */
  readonly runtime: string
}

/**
 * Finds the conversation that a socket is to follow; one that is not there yet begins empty, for clients attach before
 * they say anything. Whatever the request names, nothing of the conversation changes.
 */
export async function attach(context: ServerContext, { url, headers, access }: SocketRequest): Promise<Attachment> {
  const { conversations, profiles } = context
  const convId = convIdOf(url.searchParams.get('conv_id') ?? '')
  const { slug } = chosenProfile(profiles, { url, headers })
  const { principal } = access
  const head = await conversations.head(principal, convId).catch(async (error: unknown) => {
    if (!isGeppettoError(error, 'SESSION_UNKNOWN') || !principal.permissions.has('write')) throw error
    await conversations.create(principal, convId).catch(unlessTaken)
    return conversations.head(principal, convId)
  })
  const since = url.searchParams.get('since')
  if (since !== null && !/^\d{1,16}$/.test(since))
    throw badRequest('bad since: it is the seq of the last frame that is known')
  const after = since === null ? lastSeqOf(head.ordinal) : Number(since)
  requireCursor(head, convId, ordinalOf(after))
  return { head, after, runtime: (await answeringProfile(context, head)) ?? slug }
}

/** The profile that answered last; undefined when nobody has been asked yet. */
export async function answeringProfile(
  { conversations: { store }, profiles }: ServerContext,
  head: Head,
): Promise<string | undefined> {
  const [last] =
    head.snapshots === 0 ? [] : await store.snapshots(head.sessionId, { from: head.snapshots - 1, limit: 1 })
  // A snapshot says it without its blocks; before the first one there is a turn with a prompt at most.
  const metadata = last === undefined ? undefined : tryParseJson(last.metadata)
  const turn = isJsonObject(metadata) ? { ...createTurn(), metadata } : await latestTurn(store, head)
  return turn && profiles.runtimeOf(runtimeKey.get(turn)).profile
}

// Somebody else's, or of this moment: looking for it tells which.
function unlessTaken(error: unknown): undefined {
  if (!isGeppettoError(error, 'SESSION_EXISTS')) throw error
  return undefined
}

/** Sends the frames of a conversation: `ws.hello`, then what follows, at the pace of whoever reads. */
export function webchatSocket(
  context: ServerContext,
  request: SocketRequest,
  { head, after, runtime }: Attachment,
  open: OpenSockets,
): SocketHandler {
  const { conversations, clock, metrics, stopping, log } = context
  const convId = head.sessionId
  return (socket) => {
    const watch = request.access.watch()
    const end = () => socket.close(1001, 'the server is being stopped')
    const lockOut = () => socket.close(4401, 'not let in any longer')
    stopping.addEventListener('abort', end)
    watch.signal.addEventListener('abort', lockOut)
    open.add(convId, 1)
    metrics.streams.inc({ transport: 'websocket' })
    socket.closed.addEventListener('abort', () => {
      stopping.removeEventListener('abort', end)
      watch.signal.removeEventListener('abort', lockOut)
      watch.stop()
      open.add(convId, -1)
      metrics.streams.dec({ transport: 'websocket' })
    })
    socket.onMessage(async (text) => {
      try {
        request.access.countMessage()
        if (isPing(text)) await say(socket, socketFrame('ws.pong', convId, clock.now()))
      } catch {
        await sleep(clock, restMs, socket.closed).catch(() => {})
      }
    })
    void say(socket, socketFrame('ws.hello', convId, clock.now(), { runtimeKey: runtime }))
    const follow = async () => {
      const frames = followFrames(conversations.store, head, clock, { after, signal: socket.closed })
      for await (const some of frames) for (const frame of some) await say(socket, frameJson(frame))
    }
    follow().catch(async (error: unknown) => {
      log.warn({ request_id: request.requestId, session_id: convId, error: messageOf(error) }, 'a socket was cut off')
      await say(socket, { error: 'failed to attach websocket' })
      socket.close(1011, 'the conversation cannot be followed')
    })
  }
}

function say(socket: Socket, frame: JsonObject): Promise<void> {
  return socket.send(JSON.stringify(frame))
}

/** `ping`, `{"type": "ws.ping"}`, or the same in an envelope. */
function isPing(text: string): boolean {
  if (text.trim().toLowerCase() === 'ping') return true
  const message = tryParseJson(text)
  if (!isJsonObject(message)) return false
  const event = message['sem'] === true ? message['event'] : message
  return isJsonObject(event) && event['type'] === 'ws.ping'
}
