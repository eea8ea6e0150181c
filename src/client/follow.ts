import { sleep, type Clock } from '../clock.ts'
import { GeppettoError, isGeppettoError, messageOf } from '../errors.ts'
import type { Random } from './chance.ts'
import type { Link } from './link.ts'
import type { ServerMessage } from './message.ts'
import { advance, afterLoss, consequenceOf, type Place } from './place.ts'
import { retryDelayMs } from './retry.ts'

/** What a follower works with. */
export interface World {
  readonly link: Link
  readonly clock: Clock
  readonly random: Random
  /** Calls `listener` when there is reason to hope that a server can be reached again; the function returned ends that. */
  readonly onWake: (listener: () => void) => () => void
}

/** What a follower sees: each event once and in order, and snapshots where events are missing. */
export type Happening =
  | Extract<ServerMessage, { kind: 'event' | 'snapshot' | 'subscribed' }>
  /** The connection is gone, and another one will be tried by itself. */
  | { readonly kind: 'lost'; readonly error: GeppettoError }

/** A connection that stood this long was a good one, though nothing happened. */
const goodMs = 5_000

/**
 * What happens in a session from a place on, over as many connections as it takes. Ends when the signal aborts; throws
 * when there is no way back: the session is not there, or the caller is not let in.
 */
export async function* followSession(
  { link, clock, random, onWake }: World,
  sessionId: string,
  start: Place,
  signal: AbortSignal,
): AsyncGenerator<Happening, void> {
  let place = start
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    const openedAt = clock.monotonic()
    let error: GeppettoError
    try {
      for await (const message of link.follow(sessionId, place.needsSnapshot ? 'snapshot' : place.ordinal, signal)) {
        const next = advance(place, sessionId, message)
        if (message.kind === 'event' && next.ordinal > place.ordinal) attempt = 0
        const isNew = next !== place || message.kind === 'subscribed'
        place = next
        if (isNew && isHappening(message)) yield message
      }
      error = new GeppettoError('SERVER_UNREACHABLE', `The connection to session ${sessionId} has ended.`)
    } catch (thrown) {
      error = asOurs(thrown)
    }
    if (signal.aborted) return
    if (consequenceOf(error) === 'give-up') throw error
    place = afterLoss(place, error)
    if (clock.monotonic() - openedAt >= goodMs) attempt = 0
    yield { kind: 'lost', error }
    await pause(clock, retryDelayMs(error, attempt, random), signal, onWake)
  }
}

function isHappening(message: ServerMessage): message is Extract<Happening, ServerMessage> {
  return message.kind === 'event' || message.kind === 'snapshot' || message.kind === 'subscribed'
}

/** Any error as one of ours. */
export function asOurs(thrown: unknown): GeppettoError {
  return isGeppettoError(thrown) ? thrown : new GeppettoError('INTERNAL', messageOf(thrown), { cause: thrown })
}

/** Waits `ms`, or less when there is reason for hope, or nobody waits any more. */
async function pause(clock: Clock, ms: number, signal: AbortSignal, onWake: World['onWake']): Promise<void> {
  const woken = new AbortController()
  const stopListening = onWake(() => woken.abort())
  await sleep(clock, ms, AbortSignal.any([signal, woken.signal])).catch(() => {})
  stopListening()
}
