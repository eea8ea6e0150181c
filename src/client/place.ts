import { GeppettoError } from '../errors.ts'
import type { ServerMessage } from './message.ts'

/** Where a reader of a session's log stands, whatever has become of the connections that brought it there. */
export interface Place {
  /** The last event that is known. */
  readonly ordinal: number
  /** Whether a snapshot has to come before anything else. */
  readonly needsSnapshot: boolean
  /** Which session of this id it was; absent until the server has said so. */
  readonly incarnation?: string
  /** Connections that ended over what they brought, since the last event that was new. */
  readonly faults: number
}

/** A place that a reader begins at. */
export function placeAt(after: number | 'snapshot', incarnation?: string): Place {
  const start = { ordinal: after === 'snapshot' ? 0 : after, needsSnapshot: after === 'snapshot', faults: 0 }
  return incarnation === undefined ? start : { ...start, incarnation }
}

/**
 * The place after a message. One that tells nothing new leaves it as it is, the same object; what does not fit what is
 * known throws, and the connection that brought it is of no more use.
 */
export function advance(place: Place, sessionId: string, message: ServerMessage): Place {
  if (message.kind === 'other') return place
  if (message.sessionId !== undefined && message.sessionId !== sessionId) throw foreign(sessionId, message.sessionId)
  switch (message.kind) {
    case 'snapshot':
      return { ...place, ordinal: message.snapshot.timeline.ordinal, needsSnapshot: false }
    case 'subscribed':
      if (place.incarnation === message.incarnation) return place
      if (place.incarnation !== undefined) throw anotherOne(sessionId)
      return { ...place, incarnation: message.incarnation }
    case 'event': {
      const { ordinal } = message.event
      // Before the snapshot it is what an earlier subscription on the same socket has left behind.
      if (place.needsSnapshot || ordinal <= place.ordinal) return place
      if (ordinal > place.ordinal + 1) throw gap(sessionId, place.ordinal, ordinal)
      return { ...place, ordinal, faults: 0 }
    }
    case 'closed':
    case 'error':
      throw message.error
  }
}

/** What a connection that ended with this error asks of the reader. */
export type Consequence = 'come-back' | 'begin-anew' | 'give-up'

const consequences: Readonly<Record<string, Consequence>> = {
  CURSOR_INVALID: 'begin-anew',
  CURSOR_FOREIGN: 'begin-anew',
  CURSOR_FUTURE: 'begin-anew',
  CURSOR_EXPIRED: 'begin-anew',
  SESSION_UNKNOWN: 'give-up',
  SESSION_ID_EMPTY: 'give-up',
  REQUEST_INVALID: 'give-up',
  ROUTE_UNKNOWN: 'give-up',
  UNAUTHENTICATED: 'give-up',
  FORBIDDEN: 'give-up',
  ORIGIN_REFUSED: 'give-up',
  HOST_REFUSED: 'give-up',
}

/** Everything else passes: a server that stops, a proxy that fails, a frame that was damaged on its way. */
export function consequenceOf({ code }: GeppettoError): Consequence {
  return consequences[code] ?? 'come-back'
}

/** Where the next connection goes on. What is damaged at the same place twice is damaged in the log: a snapshot leads past it. */
export function afterLoss(place: Place, error: GeppettoError): Place {
  if (consequenceOf(error) === 'begin-anew') return placeAt('snapshot')
  if (error.code !== 'EVENT_GAP' && error.code !== 'EVENT_INVALID') return place
  const faults = place.faults + 1
  return { ...place, faults, needsSnapshot: place.needsSnapshot || faults % 2 === 0 }
}

function gap(sessionId: string, known: number, given: number): GeppettoError {
  return new GeppettoError('EVENT_GAP', `Session ${sessionId} is known up to ${known}, and event ${given} came.`, {
    details: { sessionId, known, given },
  })
}

function foreign(sessionId: string, given: string): GeppettoError {
  return new GeppettoError('EVENT_INVALID', `Session ${sessionId} is followed, and something of ${given} came.`, {
    details: { sessionId, given },
  })
}

function anotherOne(sessionId: string): GeppettoError {
  return new GeppettoError('CURSOR_FOREIGN', `Session ${sessionId} was deleted, and another one has its id now.`, {
    details: { sessionId },
  })
}
