import assert from 'node:assert/strict'
import type { Clock } from '../clock.ts'
import type { Commit, Committed, NewSnapshot, Snapshot, Store } from './store.ts'

export type ConformanceCases = Readonly<Record<string, (store: Store, clock: HandClock) => Promise<void>>>

/** A clock that the cases move by hand. */
export class HandClock implements Clock {
  #ms = 0
  now = () => Date.UTC(2026, 0, 1) + this.#ms
  monotonic = () => this.#ms
  schedule = () => () => undefined
  advance(ms: number): void {
    this.#ms += ms
  }
}

export const createdAt = '2026-01-01T00:00:00.000Z'

export function make(store: Store, sessionId: string, commit: Partial<Commit> = {}): Promise<Committed> {
  return store.commit({ entries: [], ...commit, sessionId, create: { incarnation: 'first', createdAt } })
}

export function event(value: unknown, ...names: string[]) {
  return { type: 'custom', body: JSON.stringify({ value: String(value).padStart(8) }), names }
}

export function piece(value: string) {
  return { hash: `hash of ${value}`, body: JSON.stringify(value) }
}

export function submission(key: string) {
  return { key, hash: `hash of ${key}`, answer: '{"accepted":true}' }
}

export function snapshot(entry: number): NewSnapshot {
  const content = { ranges: [[0, 1] as const], metadata: '{}', data: 1, hash: 'h' }
  return { turnId: 't1', inferenceId: 'i1', phase: 'pre_inference', entry, at: createdAt, ...content }
}

export function taken({ entry: _entry, ...rest }: NewSnapshot, ordinal: number): Snapshot {
  return { ...rest, ordinal }
}

/** One of each thing that a commit can have. */
export function everything() {
  return {
    state: { after: 0, value: '{"step":1}', hasWork: true },
    blocks: { from: 0, rows: [piece('a'), piece('b')] },
    snapshots: [snapshot(0)],
    submission: submission('key'),
  }
}

export function committed(result: Committed): Extract<Committed, { status: 'committed' }> {
  if (result.status !== 'committed') assert.fail(`expected a commit, got ${JSON.stringify(result)}`)
  return result
}

export async function headOf(store: Store, sessionId: string) {
  return (await store.head(sessionId)) ?? assert.fail(`there is no session ${sessionId}`)
}

export async function ordinals(store: Store, sessionId: string, options: Parameters<Store['read']>[1] = { after: 0 }) {
  return (await store.read(sessionId, options)).map(({ ordinal }) => ordinal)
}

export async function all(store: Store, sessionId: string) {
  const [head, log] = [await store.head(sessionId), await store.read(sessionId, { after: 0 })]
  return { head, log, blocks: await store.blocks(sessionId, [[0, 99]]), snapshots: await store.snapshots(sessionId) }
}

export function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}
