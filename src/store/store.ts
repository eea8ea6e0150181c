import type { Phase } from '../events/event.ts'

// What a store must do. It keeps logs, and knows nothing of what an event means: every rule about sessions is a pure
// function over what is read here (session/state.ts), so that all stores obey the same ones. A store has one way to
// change a session, `commit`, and it is one transaction.

/** An event on its way into the log. */
export interface NewEntry {
  readonly type: string
  /** The event's other fields as the text of a JSON object, without `type`, `ordinal` and `session_id`. */
  readonly body: string
  /** Ids by which `find` leads to this entry. */
  readonly names?: readonly string[]
}

/** An event in the log. */
export interface LogEntry {
  readonly ordinal: number
  readonly type: string
  readonly body: string
}

/** A piece of content in a session's block log: a block, or a bag of data. It is never changed. */
export interface StoredBlock {
  /** SHA-256 (hex) of the block before it in the log and of its own content: it vouches for all that came before. */
  readonly hash: string
  readonly body: string
}

/** A turn as it stood at a phase of its inference, by reference to the block log. It is never changed. */
export interface Snapshot {
  readonly turnId: string
  readonly inferenceId?: string
  readonly phase: Phase
  /** The last event that the turn is the fold of. */
  readonly ordinal: number
  /** When it was taken, ISO 8601 in UTC. */
  readonly at: string
  /** The turn's blocks, in order: places in the block log, from the first up to and without the second. */
  readonly ranges: readonly (readonly [from: number, to: number])[]
  /** The turn's metadata as JSON: it is another in each snapshot. */
  readonly metadata: string
  /** The place of the turn's data in the block log. */
  readonly data: number
  /** SHA-256 (hex) of the fields above, `ordinal` and `at` left out, and of the hashes of its last block and its data. */
  readonly hash: string
}
/** A snapshot on its way into the store: `ordinal` is that of the commit's entry number `entry`, from 0. */
export interface NewSnapshot extends Omit<Snapshot, 'ordinal'> {
  readonly entry: number
}

/** Where a session stands. */
export interface Head {
  readonly sessionId: string
  /** Made anew for each creation, so that what belongs to a deleted session of the same id can be told. */
  readonly incarnation: string
  /** Whose it is, as who made it says; empty when it is nobody's in particular. */
  readonly tenant: string
  /** ISO 8601 in UTC. */
  readonly createdAt: string
  /** When something was committed to it last; events alone move it once a second (updated-at.ts). */
  readonly updatedAt: string
  /** Of the last event; 0 when there is none. */
  readonly ordinal: number
  /** Of the oldest event that is kept: 1, unless the log was trimmed. */
  readonly firstOrdinal: number
  /** How often `state` has changed. */
  readonly version: number
  /** What the session layer must know at once, as JSON: a fold of the log, stored with it. */
  readonly state: string
  /** Whether an inference runs or waits: such sessions are what a restart looks for. */
  readonly hasWork: boolean
  /** How many pieces the block log has. */
  readonly blocks: number
  /** How many snapshots there are. */
  readonly snapshots: number
  /** Raised by each claim. A session made anew begins above what the deleted one had reached: old claims stay old. */
  readonly epoch: number
  /** Who runs it; absent when nobody does, or who did has died or has not renewed in time. */
  readonly owner?: string
}

/** One transaction on one session: all of it, or nothing. */
export interface Commit {
  readonly sessionId: string
  /** Makes the session. Ordinals then begin at `firstOrdinal`, or at 1. */
  readonly create?: {
    readonly incarnation: string
    readonly createdAt: string
    readonly firstOrdinal?: number
    /** Default: empty. It never changes. */
    readonly tenant?: string
  }
  /** Only while the session is this one, and not another that was made under its id. */
  readonly incarnation?: string
  /** Only while this claim is the last one. */
  readonly epoch?: number
  /** The next state; only when the one before it is still `after`, which is 0 for a session that this commit makes. */
  readonly state?: { readonly after: number; readonly value: string; readonly hasWork: boolean }
  readonly entries: readonly NewEntry[]
  /** Pieces for the block log; only when it has `from` pieces now. */
  readonly blocks?: { readonly from: number; readonly rows: readonly StoredBlock[] }
  readonly snapshots?: readonly NewSnapshot[]
  readonly submission?: Submission
  /** It ends an inference, or asks for that: a store that is full takes the space for it from what it keeps in reserve. */
  readonly endsWork?: true
}

/** An idempotency key, what it came with, and what was answered. Kept as long as the session. */
export interface Submission {
  readonly key: string
  /** SHA-256 (hex) of what was submitted. */
  readonly hash: string
  /** JSON. */
  readonly answer: string
}

/** What became of a commit. Only the first has changed anything. */
export type Committed =
  /** `ordinal` is that of the last event in the log now. */
  | { readonly status: 'committed'; readonly ordinal: number; readonly version: number }
  /** The key was used before; `ordinal` is that of the last event of that commit. */
  | { readonly status: 'duplicate'; readonly submission: Submission; readonly ordinal: number }
  /** The state or the block log is not the one that was expected, or the session to be made is there. */
  | { readonly status: 'conflict'; readonly head: Head }
  /** Somebody else has claimed the session since. */
  | { readonly status: 'fenced'; readonly epoch: number }
  /** There is no such session, or only one of another incarnation. */
  | { readonly status: 'missing' }

/** What a commit has added to the log of a session. */
export interface News {
  readonly incarnation: string
  readonly entries: readonly LogEntry[]
}

export type Claimed =
  | { readonly status: 'claimed'; readonly head: Head }
  /** Somebody else has it, at most for `forMs` more unless they renew. */
  | { readonly status: 'held'; readonly owner: string; readonly forMs: number }
  | { readonly status: 'missing' }

/**
 * Keeps sessions. What is committed is durable when the promise resolves, to the degree that the store says. Methods
 * throw GeppettoError with a STORE_ code for what the medium does (full, locked, damaged, closed); everything that two
 * users of a session can do to each other is a result.
 */
export interface Store {
  commit(commit: Commit): Promise<Committed>
  head(sessionId: string): Promise<Head | undefined>
  /** Heads by the time of their last commit, the newest first; `before` is the last one of the page before. */
  list(options?: {
    readonly limit?: number
    readonly before?: Pick<Head, 'sessionId' | 'updatedAt'>
    readonly hasWork?: true
    /** Only those of this tenant; default: all. */
    readonly tenant?: string
  }): Promise<readonly Head[]>
  /**
   * Up to `limit` events after the ordinal `after`, and fewer when `maxChars` of bodies are reached (at least one, when
   * there is one). Default 256 and 1 000 000.
   */
  read(
    sessionId: string,
    options: { readonly after: number; readonly limit?: number; readonly maxChars?: number },
  ): Promise<readonly LogEntry[]>
  /** The pieces of the block log in these ranges, in their order. */
  blocks(sessionId: string, ranges: Snapshot['ranges']): Promise<readonly StoredBlock[]>
  /** Snapshots in the order in which they were taken: those of one turn, or all, from number `from` (0) on. */
  snapshots(
    sessionId: string,
    options?: { readonly turnId?: string; readonly from?: number; readonly limit?: number },
  ): Promise<readonly Snapshot[]>
  /** Where entries that were named `name` are; a session's own id is at 0. */
  find(name: string): Promise<readonly { readonly sessionId: string; readonly ordinal: number }[]>
  /**
   * Makes `owner` the one who runs the session, for `ttlMs` by the store's own clock, and raises the epoch. Refused
   * while another has it, unless the store knows that one to be dead.
   */
  claim(sessionId: string, owner: string, ttlMs: number): Promise<Claimed>
  /** Keeps the claim for `ttlMs` more, and gives the head; undefined when somebody else has claimed since. */
  renew(sessionId: string, epoch: number, ttlMs: number): Promise<Head | undefined>
  /** Gives the claim up, if it is still the last one. */
  release(sessionId: string, epoch: number): Promise<void>
  /**
   * Forgets the events before `before`; what they said is lost, their ordinals are not given again. The store does not
   * know which of them are still needed: `trimSession` does. On a full disk it may happen in steps, the oldest first.
   */
  trim(sessionId: string, before: number): Promise<void>
  /** Removes all of a session; whether there was one. On a full disk its events may go first. */
  delete(sessionId: string): Promise<boolean>
  /**
   * Calls `wake` soon after a commit to the session. A hint: it may come twice, late, or not at all. A store that has them
   * at hand gives the entries of the commit, so that who has all before them need not read.
   */
  watch(sessionId: string, wake: (news?: News) => void): () => void
  /** What is wrong with the medium itself, in a sentence each. */
  integrity(): Promise<readonly string[]>
  close(): Promise<void>
}
