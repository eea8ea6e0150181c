import type { Clock, NewId } from '../clock.ts'
import { GeppettoError } from '../errors.ts'
import type { EventSink } from '../events/sink.ts'
import type { Engine } from '../inference/engine.ts'
import { createSession, forkSession, type ForkPoint } from '../session/fork.ts'
import { StoredSession } from '../session/stored-session.ts'
import { stateOf, unknownSession } from '../session/writer.ts'
import { MemoryStore } from '../store/memory-store.ts'
import type { Head, Store } from '../store/store.ts'
import type { Subject } from './context.ts'
import type { Principal } from './principal.ts'

/** Sessions that are held open though nothing happens in them: opening one again costs little. */
const idleLimit = 1_000
/** How often sessions are looked for whose process has died. */
const sweepMs = 2_000
/** How long a store may take, when a server stops, to take what is given up. */
const storeMs = 1_000

export interface ConversationsOptions {
  readonly store: Store
  readonly engine: Engine
  readonly clock: Clock
  readonly newId: NewId
  readonly sinks: readonly EventSink[]
  /** Hears of what goes wrong while no request waits, and where, when that is known. */
  readonly onError: (error: unknown, subject?: Subject) => void
}

/** A session as a caller may use it. */
export interface Conversation {
  readonly session: StoredSession
  readonly head: Head
}

/**
 * The sessions of a server, each for the tenant whose it is: every way to a session leads through here. What another
 * tenant has is not there for a caller, in the same words as what nobody has.
 */
export class Conversations {
  readonly store: Store
  readonly #options: ConversationsOptions
  /** By their incarnations: what is made under the id of one that was deleted is another. */
  readonly #open = new Map<string, Promise<StoredSession>>()
  readonly #inMemory: Conversations[] = []
  #cancelSweep: (() => void) | undefined
  #isStopping = false

  constructor(options: ConversationsOptions) {
    this.store = options.store
    this.#options = options
  }

  /** Takes up what dead processes have left, now and from time to time. */
  async start(): Promise<void> {
    await this.#sweep()
  }

  get isStopping(): boolean {
    return this.#isStopping
  }

  /** As these, for sessions that nobody wants kept: they are in the memory of this process alone. Stopped with these. */
  inMemory(): Conversations {
    const conversations = new Conversations({ ...this.#options, store: new MemoryStore() })
    this.#inMemory.push(conversations)
    return conversations
  }

  /** Where a session of the caller's stands. Throws SESSION_UNKNOWN. */
  async head({ tenant, onlySession }: Principal, sessionId: string): Promise<Head> {
    const mayBe = onlySession === undefined || onlySession === sessionId
    const head = mayBe ? await this.store.head(sessionId) : undefined
    if (head === undefined || head.tenant !== tenant) throw unknownSession(sessionId)
    return head
  }

  /** A session of the caller's, ready for commands. Throws SESSION_UNKNOWN, and SERVER_STOPPING when it is too late for any. */
  async find(principal: Principal, sessionId: string): Promise<Conversation> {
    this.#requireRunning()
    const head = await this.head(principal, sessionId)
    return { head, session: await this.#session(head) }
  }

  /** As `find`, but makes the session when it is not there. One that is another's is unknown. */
  async findOrCreate(principal: Principal, sessionId: string): Promise<Conversation> {
    if ((await this.store.head(sessionId)) === undefined) {
      await this.create(principal, sessionId).catch((error: unknown) => {
        if ((error as { readonly code?: unknown }).code !== 'SESSION_EXISTS') throw error // somebody was faster: it may be the caller
      })
    }
    return this.find(principal, sessionId)
  }

  /** Makes an empty session for the caller. Throws SESSION_EXISTS when the id is another's. */
  async create(principal: Principal, id?: string): Promise<string> {
    this.#requireRunning()
    requireAllSessions(principal)
    const { tenant } = principal
    const { clock, newId } = this.#options
    return createSession(this.store, { tenant, clock, newId, ...(id !== undefined && { id }) })
  }

  /** Begins a session that goes on from a turn of one of the caller's. Throws SESSION_UNKNOWN, TURN_UNKNOWN, SESSION_EXISTS. */
  async fork(
    principal: Principal,
    sessionId: string,
    { id, ...point }: ForkPoint & { readonly id?: string } = {},
  ): Promise<string> {
    this.#requireRunning()
    requireAllSessions(principal)
    await this.head(principal, sessionId)
    const { clock, newId } = this.#options
    const named = id === undefined ? point : { ...point, id }
    return forkSession(this.store, sessionId, { tenant: principal.tenant, clock, newId, ...named })
  }

  /** The caller's sessions, the one that changed last first. */
  async list(
    principal: Principal,
    options: Omit<NonNullable<Parameters<Store['list']>[0]>, 'tenant'> = {},
  ): Promise<readonly Head[]> {
    requireAllSessions(principal)
    const { tenant } = principal
    return this.store.list({ ...options, tenant })
  }

  /** How much there is to do in the store, and how much of it is done by this process. */
  async load(): Promise<{ readonly queued: number; readonly busySessions: number; readonly running: number }> {
    const heads = await this.store.list({ hasWork: true })
    const queued = heads.reduce((sum, head) => sum + stateOf(head).queue.length, 0)
    const open = await Promise.allSettled(this.#open.values())
    const running = open.filter((each) => each.status === 'fulfilled' && each.value.active !== undefined).length
    const inMemory = await Promise.all(this.#inMemory.map((conversations) => conversations.load()))
    return { queued, busySessions: heads.length, running: inMemory.reduce((sum, load) => sum + load.running, running) }
  }

  /** Cancels what runs and removes all of a session of the caller's. Throws SESSION_UNKNOWN. */
  async delete(principal: Principal, sessionId: string): Promise<void> {
    const { incarnation } = await this.head(principal, sessionId)
    const open = await this.#open.get(incarnation)
    open?.active?.cancel('the session was deleted')
    this.#open.delete(incarnation)
    await open?.close()
    await this.store.delete(sessionId)
  }

  /**
   * The session that an event or a log record names, for sinks and adapters: whose it is, and its handle. Undefined when
   * there is none. It asks nobody for permission, so it is not for requests.
   */
  async findConversationBySessionId(
    sessionId: string,
  ): Promise<(Conversation & { readonly tenant: string }) | undefined> {
    const head = await this.store.head(sessionId)
    return head && { head, tenant: head.tenant, session: await this.#session(head) }
  }

  /**
   * Stops within `withinMs` and a second: nothing more is accepted, and what runs is given up at the next boundary of a
   * step, for whoever opens the session next. A store that hangs is not waited for: what it does not take then is taken
   * up as after a crash.
   */
  async stop(withinMs: number): Promise<void> {
    this.#isStopping = true
    this.#cancelSweep?.()
    const handOver = async (opened: Promise<StoredSession>) => (await opened).handOver(withinMs)
    const alsoStopped = this.#inMemory.map((conversations) => conversations.stop(withinMs))
    const given = Promise.allSettled([...alsoStopped, ...[...this.#open.values()].map(handOver)])
    const { promise: late, resolve } = Promise.withResolvers<'late'>()
    const cancelTimer = this.#options.clock.schedule(withinMs + storeMs, () => resolve('late'))
    const ended = await Promise.race([given, late])
    cancelTimer()
    if (ended === 'late') return this.#options.onError(hangs())
    for (const each of ended) if (each.status === 'rejected') this.#options.onError(each.reason)
  }

  #session({ sessionId, incarnation }: Head): Promise<StoredSession> {
    const known = this.#open.get(incarnation)
    if (known !== undefined) {
      this.#open.delete(incarnation) // the one that was used last stands last
      this.#open.set(incarnation, known)
      return known
    }
    this.#requireRunning()
    const opened = this.#begin(sessionId, incarnation)
    this.#open.set(incarnation, opened)
    opened.catch(() => this.#open.delete(incarnation))
    if (this.#open.size > idleLimit) void this.#closeOldestIdle()
    return opened
  }

  async #begin(sessionId: string, incarnation: string): Promise<StoredSession> {
    const { engine, clock, newId, sinks } = this.#options
    const onError = (error: unknown) => void this.#tell(error, sessionId, incarnation)
    const session = await StoredSession.open(this.store, sessionId, { engine, clock, newId, sinks, onError })
    if (session.incarnation === incarnation) return session
    void session.close() // it was deleted just now; whose the one under its id is nobody has looked at
    throw unknownSession(sessionId)
  }

  async #closeOldestIdle(): Promise<void> {
    for (const [incarnation, opened] of this.#open) {
      const session = await opened.catch(() => undefined)
      if (session === undefined || session.isWorking || this.#open.get(incarnation) !== opened) continue
      this.#open.delete(incarnation)
      await session.close()
      return
    }
  }

  async #sweep(): Promise<void> {
    try {
      for (const head of await this.store.list({ hasWork: true })) {
        if (head.owner === undefined && !this.#isStopping) (await this.#session(head)).wake()
      }
    } catch (error) {
      this.#options.onError(error)
    }
    if (!this.#isStopping) this.#cancelSweep = this.#options.clock.schedule(sweepMs, () => void this.#sweep())
  }

  async #tell(error: unknown, sessionId: string, incarnation: string): Promise<void> {
    const session = await this.#open.get(incarnation)?.catch(() => undefined) // whoever opened it hears of that
    const { id: inferenceId, turn } = session?.active ?? {}
    this.#options.onError(error, {
      sessionId,
      ...(inferenceId !== undefined && { inferenceId }),
      ...(turn && { turnId: turn.id }),
    })
  }

  #requireRunning(): void {
    if (!this.#isStopping) return
    throw new GeppettoError('SERVER_STOPPING', 'The server is being stopped; try again in a moment.')
  }
}

function hangs(): GeppettoError {
  const message =
    'The store did not take in time what the sessions had to leave; they are taken up as after a crash. Look at what holds it.'
  return new GeppettoError('STORE_BUSY', message)
}

function requireAllSessions({ onlySession }: Principal): void {
  if (onlySession === undefined) return
  throw new GeppettoError('FORBIDDEN', `The ticket is for session ${onlySession} and no other; send a token.`)
}
