import type { Clock } from '../../../clock.ts'
import { GeppettoError } from '../../../errors.ts'
import { followLog } from '../../../session/follow.ts'
import { readLog } from '../../../session/past.ts'
import { fromEntry } from '../../../store/entry.ts'
import type { Store } from '../../../store/store.ts'
import { applyTimeline, emptyTimeline, entitiesOf } from '../../../timeline/timeline.ts'
import type { ServerContext } from '../../context.ts'
import { publicError } from '../../problem.ts'
import { sseFrame } from '../../sse.ts'
import type { AgUiEvent } from './event.ts'
import { messagesOf } from './messages.ts'
import { reopen } from './projection.ts'
import { RunFold } from './run-fold.ts'
import { endOf, ourIds, pauseOf, runStarted, type Run } from './run.ts'

/**
 * How long nothing may have happened, in milliseconds, before a run that waits for its client ends: calls are asked about
 * all at once, but one after the other they come into the log.
 */
const pauseMs = 100

/** What the stream of a run shows. */
export interface RunStream {
  readonly run: Run
  /** The inference whose end is the run's; those that are answered before it are shown too. None: nobody ever asked. */
  readonly target?: { readonly id: string; readonly turnId: string }
  /** The inference that runs begins after this event. */
  readonly from: number
  /** The client knows what the events up to this one have said, or learns it from the messages that the stream begins with. */
  readonly after: number
  readonly beginsWithMessages: boolean
  /** Why what the client asked for was not done; told when the run has ended. */
  readonly refusal?: unknown
}

/** The stream as it goes over the wire. It always has an end that says so: clients take a stream that breaks off for success. */
export async function* runFrames(
  context: ServerContext,
  stream: RunStream,
  requestId: string,
  signal: AbortSignal,
): AsyncGenerator<string, void> {
  try {
    for await (const told of runEvents(context, stream, signal)) yield framesOf(told)
    if (stream.refusal !== undefined) yield framesOf({ events: [runError(stream.refusal, requestId)] })
  } catch (error) {
    yield framesOf({ events: [runError(error, requestId)] })
  }
}

/** The last frame has the ordinal: a client that has it all can go on from there. */
function framesOf({ events, ordinal }: Told): string {
  const last = events.length - 1
  return events
    .map((event, index) => {
      const id = index === last && ordinal !== undefined ? { id: ordinal } : {}
      return sseFrame({ ...id, data: JSON.stringify(event) })
    })
    .join('')
}

function runError(error: unknown, requestId: string): AgUiEvent {
  const { code, message } = publicError(error, requestId)
  return { type: 'RUN_ERROR', message, code }
}

interface Told {
  readonly events: readonly AgUiEvent[]
  /** Of the event of the log up to which the client knows all when it has these; absent while it does not. */
  readonly ordinal?: number
}

async function* runEvents(
  { conversations: { store }, clock, stopping }: ServerContext,
  { run, target, from, after, beginsWithMessages }: RunStream,
  signal: AbortSignal,
): AsyncGenerator<Told, void> {
  const { threadId } = run
  const messages = (ordinal: number) => messagesSnapshot(store, run, ordinal)
  const ids =
    target === undefined ? [] : [ourIds({ sessionId: threadId, inferenceId: target.id, turnId: target.turnId })]
  yield { events: [runStarted(run), ...ids] }

  const fold = new RunFold(target?.id)
  for await (const event of readLog(store, threadId, from, after)) fold.next(event)
  const begun = beginsWithMessages ? [await messages(after)] : []
  yield { events: [...begun, ...reopen(fold.projection, !beginsWithMessages)], ordinal: after }
  if (target === undefined || fold.end !== undefined) return yield { events: [endOf(run, fold.end)], ordinal: after }

  const left = new AbortController()
  const batches = followLog(store, threadId, clock, { after, signal: AbortSignal.any([signal, left.signal]) })
  let next: Promise<IteratorResult<Awaited<ReturnType<Store['read']>>, void>> | undefined
  let known = after
  try {
    for (;;) {
      next ??= batches.next()
      const pause = pauseOf(run, fold.projection)
      const step = pause === undefined ? await next : await unlessQuiet(next, pauseMs, clock)
      if (step === undefined && pause !== undefined) {
        const all = known > after || !beginsWithMessages ? [await messages(known)] : []
        return yield { events: [...all, pause], ordinal: known }
      }
      next = undefined
      if (step === undefined || step.done === true) break
      for (const entry of step.value) {
        known = entry.ordinal
        const { events, isVoid } = fold.next(fromEntry(threadId, entry))
        const all = isVoid === true ? [await messages(known)] : []
        if (events.length + all.length > 0) yield { events: [...events, ...all], ordinal: known }
        if (fold.end !== undefined) return yield { events: [endOf(run, fold.end)], ordinal: known }
      }
    }
  } finally {
    left.abort()
    next?.catch(() => {}) // nobody waits for it any more
    void batches.return().catch(() => {}) // it may stand where the abort does not reach it
  }
  throw stopping.aborted ? serverStopping() : lockedOut()
}

/** All messages of the thread as they are after the event. */
async function messagesSnapshot(store: Store, { threadId, isCurrent }: Run, ordinal: number): Promise<AgUiEvent> {
  const firstOrdinal = (await store.head(threadId))?.firstOrdinal ?? 1
  let timeline = emptyTimeline(firstOrdinal - 1)
  for await (const event of readLog(store, threadId, firstOrdinal - 1, ordinal)) {
    timeline = applyTimeline(timeline, event)
  }
  return { type: 'MESSAGES_SNAPSHOT', messages: messagesOf(entitiesOf(timeline), isCurrent) }
}

function serverStopping(): GeppettoError {
  return new GeppettoError(
    'SERVER_STOPPING',
    'The server is being stopped. The run goes on with the next one: send the same messages again to join in.',
  )
}

function lockedOut(): GeppettoError {
  return new GeppettoError('UNAUTHENTICATED', 'The caller is let in no longer. The run goes on without them.')
}

/** What `step` gives, or undefined when it takes longer than `ms` milliseconds. */
async function unlessQuiet<T>(step: Promise<T>, ms: number, clock: Clock): Promise<T | undefined> {
  let cancelTimer: () => void = () => {}
  const quiet = new Promise<undefined>((resolve) => {
    cancelTimer = clock.schedule(ms, () => resolve(undefined))
  })
  try {
    return await Promise.race([step, quiet])
  } finally {
    cancelTimer()
  }
}
