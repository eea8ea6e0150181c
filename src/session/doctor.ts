import { isTerminal, type InferenceEvent, type UnknownEvent } from '../events/event.ts'
import { messageOf } from '../errors.ts'
import { jsonEqual, tryParseJson } from '../json.ts'
import { chainHash, readTurn, snapshotHash } from '../store/block-log.ts'
import { fromEntry } from '../store/entry.ts'
import type { Head, Snapshot, Store, StoredBlock } from '../store/store.ts'
import { encodeTurn } from '../turns/encode.ts'
import { createTurn, type Turn } from '../turns/turn.ts'
import { applyToTurn } from './past.ts'
import { applyToState, emptyState, hasWork, type SessionState } from './state.ts'
import { unknownSession } from './writer.ts'

/** Something that is not as it should be. */
export interface SessionFinding {
  /** A `note` is no damage. */
  readonly severity: 'error' | 'note'
  readonly code:
    | 'medium'
    | 'ordinals'
    | 'event'
    | 'lifecycle'
    | 'state'
    | 'block-hash'
    | 'snapshot-hash'
    | 'snapshot'
    | 'waiting'
  readonly sessionId?: string
  readonly message: string
  /** What a repair would do; absent when nothing can be mended without a loss. */
  readonly repair?: string
}

/** Checks the medium and every session of a store. */
export async function* checkStore(store: Store): AsyncGenerator<SessionFinding, void> {
  for (const message of await store.integrity()) yield { severity: 'error', code: 'medium', message }
  for (const { sessionId } of await store.list()) yield* checkSession(store, sessionId)
}

/**
 * Checks one session: that its ordinals are dense, its events can be read and each inference has one end, that its state
 * and its snapshots are what the events make, and that no stored piece was changed. Throws SESSION_UNKNOWN.
 */
export async function* checkSession(store: Store, sessionId: string): AsyncGenerator<SessionFinding, void> {
  const head = await store.head(sessionId)
  if (head === undefined) throw unknownSession(sessionId)
  const findings: SessionFinding[] = []
  const report = (code: SessionFinding['code'], message: string, repair?: string) =>
    void findings.push({ severity: 'error', code, sessionId, message, ...(repair !== undefined && { repair }) })
  const snapshots = (await store.snapshots(sessionId)).slice(0, head.snapshots) // others came meanwhile
  await checkBlocks(store, head, snapshots, report)
  const state = await checkLog(store, head, snapshots, report)
  if (state !== undefined && !jsonEqual(tryParseJson(head.state) ?? null, state)) {
    report('state', 'its state is not what its events make of it', 'the state is written anew from the events')
  }
  yield* findings
  if (head.hasWork && head.owner === undefined) {
    const message = 'an inference waits or was left behind, and no process runs it; opening the session takes it up'
    yield { severity: 'note', code: 'waiting', sessionId, message }
  }
}

/**
 * Mends what can be mended without a loss: the state of a session, which is a fold of its events. Gives what was done.
 * Nothing else is ever changed: events, blocks and snapshots are what they are.
 */
export async function repairSession(store: Store, sessionId: string): Promise<readonly string[]> {
  const head = await store.head(sessionId)
  if (head === undefined) throw unknownSession(sessionId)
  if (head.firstOrdinal !== 1) return []
  const state = await checkLog(store, head, [], () => {})
  if (state === undefined || jsonEqual(tryParseJson(head.state) ?? null, state)) return []
  const value = { after: head.version, value: JSON.stringify(state), hasWork: hasWork(state) }
  const result = await store.commit({ sessionId, entries: [], state: value })
  return result.status === 'committed' ? ['the state was written anew from the events'] : []
}

type Report = (code: SessionFinding['code'], message: string, repair?: string) => void

async function checkBlocks(store: Store, head: Head, snapshots: readonly Snapshot[], report: Report): Promise<void> {
  const blocks: StoredBlock[] = []
  for (let from = 0; from < head.blocks; from += 500) {
    blocks.push(...(await store.blocks(head.sessionId, [[from, Math.min(from + 500, head.blocks)]])))
  }
  if (blocks.length !== head.blocks) {
    report('block-hash', `pieces of its block log are missing: ${head.blocks - blocks.length}`)
  }
  checkPieces(blocks, snapshots, report)
}

/** Checks that no piece of a block log and no snapshot was changed, and that each snapshot names what is there. */
export function checkPieces(
  blocks: readonly StoredBlock[],
  snapshots: readonly Snapshot[],
  report: (code: SessionFinding['code'], message: string) => void,
): void {
  let before = ''
  for (const [at, { hash, body }] of blocks.entries()) {
    if (hash !== chainHash(before, body)) report('block-hash', `piece ${at} of its block log was changed`)
    before = hash
  }
  for (const snapshot of snapshots) {
    const { turnId, phase, ordinal, ranges, data } = snapshot
    const where = `the snapshot ${phase} of turn ${turnId} at ${ordinal}`
    const isInside = ranges.every(([from, to]) => from >= 0 && from < to && to <= blocks.length)
    if (!isInside || blocks[data] === undefined) report('snapshot', `${where} names pieces that are not there`)
    const last = ranges.at(-1)
    const lastHash = last === undefined ? '' : (blocks[last[1] - 1]?.hash ?? '')
    if (snapshot.hash === snapshotHash(snapshot, lastHash, blocks[data]?.hash ?? '')) continue
    report('snapshot-hash', `${where} was changed`)
  }
}

/** Checks the events against themselves and against the snapshots. Gives the state that they make, when all are there. */
async function checkLog(
  store: Store,
  head: Head,
  snapshots: readonly Snapshot[],
  report: Report,
): Promise<SessionState | undefined> {
  const { sessionId, firstOrdinal } = head
  const lives = new Lifecycles(report)
  let state = emptyState
  let turn: Turn = createTurn()
  let expected = firstOrdinal
  let next = 0
  let isReadable = true
  for (let after = firstOrdinal - 1; after < head.ordinal;) {
    const entries = await store.read(sessionId, { after, limit: Math.min(256, head.ordinal - after) })
    if (entries.length === 0) break
    for (const entry of entries) {
      after = entry.ordinal
      if (entry.ordinal !== expected) report('ordinals', `after ${expected - 1} comes ${entry.ordinal}`)
      expected = entry.ordinal + 1
      let event: InferenceEvent | UnknownEvent
      try {
        event = fromEntry(sessionId, entry)
      } catch (error) {
        isReadable = false
        report('event', `the event ${entry.ordinal} cannot be read: ${messageOf(error)}`)
        continue
      }
      state = applyToState(state, event)
      if (event.type !== 'unknown') {
        lives.add(event)
        turn = applyToTurn(turn, event)
      }
      for (; snapshots[next]?.ordinal === entry.ordinal; next += 1) {
        const snapshot = snapshots[next]
        if (snapshot !== undefined && isReadable && firstOrdinal === 1)
          await compare(store, sessionId, snapshot, turn, report)
      }
    }
  }
  if (expected - 1 !== head.ordinal)
    report('ordinals', `its last event is ${expected - 1}, and should be ${head.ordinal}`)
  if (firstOrdinal === 1) lives.end(state)
  return firstOrdinal === 1 && isReadable ? state : undefined
}

async function compare(store: Store, sessionId: string, snapshot: Snapshot, turn: Turn, report: Report): Promise<void> {
  const where = `the snapshot ${snapshot.phase} of turn ${snapshot.turnId} at ${snapshot.ordinal}`
  try {
    const stored = await readTurn(store, sessionId, snapshot)
    if (!jsonEqual(encodeTurn(stored), encodeTurn(turn))) report('snapshot', `${where} is not what the events make`)
  } catch (error) {
    report('snapshot', `${where} cannot be read: ${messageOf(error)}`)
  }
}

/** Follows each inference from its prompt to its end. */
class Lifecycles {
  readonly #open = new Set<string>()
  readonly #ended = new Set<string>()
  readonly #report: Report

  constructor(report: Report) {
    this.#report = report
  }

  add(event: InferenceEvent): void {
    const { inferenceId, type, ordinal } = event
    if (inferenceId === undefined) return
    if (this.#ended.has(inferenceId)) {
      this.#report('lifecycle', `${type} at ${ordinal} comes after the end of inference ${inferenceId}`)
      return
    }
    this.#open.add(inferenceId)
    if (!isTerminal(event)) return
    this.#open.delete(inferenceId)
    this.#ended.add(inferenceId)
  }

  end({ active, queue }: SessionState): void {
    const known = new Set([active?.inferenceId, ...queue.map(({ inferenceId }) => inferenceId)])
    for (const inferenceId of this.#open) {
      if (!known.has(inferenceId))
        this.#report('lifecycle', `inference ${inferenceId} neither runs, nor waits, nor has an end`)
    }
  }
}
