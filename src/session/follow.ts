import type { Clock } from '../clock.ts'
import { GeppettoError } from '../errors.ts'
import type { InferenceEvent, UnknownEvent } from '../events/event.ts'
import { fromEntry } from '../store/entry.ts'
import type { Head, LogEntry, News, Store } from '../store/store.ts'
import { unknownSession } from './writer.ts'

export interface FollowOptions {
  /** The last event that is known; 0 for none. */
  readonly after?: number
  /** Which of the sessions of this id is meant (`Head.incarnation`), when it was looked at before. Default: the one that is there. */
  readonly incarnation?: string
  /** Aborting it ends the iteration. */
  readonly signal?: AbortSignal
}

/** How long a commit of another process may stay unseen. */
const pollMs = 250

/**
 * Every event of a session after `after`, in order, without a gap and without a repetition, and then those to come. It
 * reads from the store at the pace of whoever iterates, at most 1 MB ahead, so a slow reader costs nobody anything.
 * Ends when aborted. Throws SESSION_UNKNOWN when the session is not there, or goes, whatever is made under its id then;
 * CURSOR_FUTURE and CURSOR_EXPIRED for an ordinal that the log has not reached, or no longer has, as when it is trimmed
 * ahead of a slow reader.
 */
export async function* follow(
  store: Store,
  sessionId: string,
  clock: Clock,
  options: FollowOptions = {},
): AsyncGenerator<InferenceEvent | UnknownEvent, void> {
  for await (const entries of followLog(store, sessionId, clock, options)) {
    for (const entry of entries) {
      if (options.signal?.aborted === true) return
      yield fromEntry(sessionId, entry)
    }
  }
}

/** As `follow`, but entries as the store has them, as many at a time as there are: whoever passes them on need not read them. */
export async function* followLog(
  store: Store,
  sessionId: string,
  clock: Clock,
  { after = 0, incarnation: meant, signal }: FollowOptions = {},
): AsyncGenerator<readonly LogEntry[], void> {
  const bell = new Bell(clock)
  const unwatch = store.watch(sessionId, (news) => bell.ring(news))
  let isStopped = signal?.aborted === true // a field of its own: asking a signal that is made of others costs more than an event
  const stop = () => {
    isStopped = true
    bell.ring()
  }
  signal?.addEventListener('abort', stop, { once: true })
  try {
    const head = await store.head(sessionId)
    if (head !== undefined && head.incarnation !== (meant ?? head.incarnation)) throw unknownSession(sessionId)
    const { incarnation } = requireCursor(head, sessionId, after)
    let cursor = after
    while (!isStopped) {
      const quiet = bell.quiet()
      const entries = bell.newsAfter(cursor, incarnation) ?? (await readAfter(cursor, store, sessionId, incarnation))
      const last = entries.at(-1)
      if (last !== undefined) {
        if (isStopped) return
        cursor = last.ordinal
        yield entries
        if (isShort(entries)) await quiet
        continue
      }
      await quiet
    }
  } finally {
    unwatch()
    bell.close()
    signal?.removeEventListener('abort', stop)
  }
}

/** The entries behind `cursor` of this session and of no other that was made under its id, the next one first. */
async function readAfter(
  cursor: number,
  store: Store,
  sessionId: string,
  incarnation: string,
): Promise<readonly LogEntry[]> {
  const entries = await store.read(sessionId, { after: cursor })
  // Asked after it was read: a session that has gone does not come back.
  const head = await store.head(sessionId)
  if (head?.incarnation !== incarnation) throw unknownSession(sessionId)
  if (entries[0]?.ordinal !== cursor + 1) requireCursor(head, sessionId, cursor)
  return entries
}

/** Whether these are most likely all that there are: asking again at once would double what following costs. */
function isShort(entries: readonly LogEntry[]): boolean {
  return entries.length < 20 && entries.every(({ body }) => body.length < 10_000)
}

/** Throws unless a reader who knows the events up to `after` can be given the ones that follow. */
export function requireCursor(head: Head | undefined, sessionId: string, after: number): Head {
  if (head === undefined) throw unknownSession(sessionId)
  const details = { sessionId, after, ordinal: head.ordinal, firstOrdinal: head.firstOrdinal }
  if (after > head.ordinal) {
    throw new GeppettoError(
      'CURSOR_FUTURE',
      `Session ${sessionId} has ${head.ordinal} events; there is none ${after} yet. Read it from the start.`,
      { details },
    )
  }
  if (after < head.firstOrdinal - 1) {
    throw new GeppettoError(
      'CURSOR_EXPIRED',
      `The events of session ${sessionId} before ${head.firstOrdinal} are no longer kept; begin with a snapshot and go on from there.`,
      { details },
    )
  }
  return head
}

/** What a bell keeps of what it is told; who is further behind than that reads. */
const mostNews = 256
const mostNewsChars = 1_000_000

/** Lets one reader wait until something may have happened, and keeps what it is told of that. */
class Bell {
  readonly #clock: Clock
  #wake: (() => void) | undefined
  /** When the wait began. */
  #quietSince = 0
  #cancelTimer: (() => void) | undefined
  #news: News[] = []
  #count = 0
  #chars = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves with the next ring after this call, and after a while in any case. */
  quiet(): Promise<void> {
    this.#wake?.()
    this.#quietSince = this.#clock.monotonic()
    this.#cancelTimer ??= this.#clock.schedule(pollMs, () => this.#look())
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  /** Lets go whoever waits; it does not ring any more. */
  close(): void {
    this.#cancelTimer?.()
    this.ring()
  }

  // One timer that sets itself again while somebody waits: one for each wait would cost more than what is waited for.
  #look(): void {
    const leftMs = this.#quietSince + pollMs - this.#clock.monotonic()
    if (leftMs <= 0) this.ring()
    this.#cancelTimer = this.#wake && this.#clock.schedule(leftMs, () => this.#look())
  }

  /** The entries behind `cursor` that it was told of, when none is missing between. They are told once. */
  newsAfter(cursor: number, incarnation: string): readonly LogEntry[] | undefined {
    const news = this.#news
    if (news.length === 0) return undefined
    this.#news = []
    this.#count = 0
    this.#chars = 0
    if (news.some((one) => one.incarnation !== incarnation)) return undefined
    const told = news.length === 1 ? (news[0]?.entries ?? []) : news.flatMap((one) => one.entries)
    const entries = told[0]?.ordinal === cursor + 1 ? told : told.filter(({ ordinal }) => ordinal > cursor)
    const isWhole = entries.length > 0 && entries.every(({ ordinal }, index) => ordinal === cursor + index + 1)
    return isWhole ? entries : undefined
  }

  ring(news?: News): void {
    if (news !== undefined) this.#keep(news)
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  #keep(news: News): void {
    this.#count += news.entries.length
    for (const { body } of news.entries) this.#chars += body.length
    if (this.#count <= mostNews && this.#chars <= mostNewsChars) this.#news.push(news)
    else this.#news = [] // until it is asked for: whoever asks reads
  }
}
