// Stores: where sessions are kept. store.ts says what one must do; read it first.
export { storeConformance, type ConformanceCase } from './conformance.ts'
export { MemoryStore } from './memory-store.ts'
export { newOwner } from './owner.ts'
export { SqliteStore } from './sqlite-store.ts'
export type {
  Claimed,
  Commit,
  Committed,
  Head,
  LogEntry,
  NewEntry,
  NewSnapshot,
  News,
  Snapshot,
  Store,
  StoredBlock,
  Submission,
} from './store.ts'
