// Everything that a program needs to hold a conversation with a model. Each folder is also importable by its own name,
// as `geppetto/turns`.
export { systemClock, type Clock, type NewId } from './clock.ts'
export { GeppettoError, isGeppettoError, type ErrorCode } from './errors.ts'
export type { Json, JsonObject } from './json.ts'
export * from './cassette/index.ts'
export * from './events/index.ts'
export * from './inference/index.ts'
export * from './middleware/index.ts'
export * from './providers/index.ts'
export * from './session/index.ts'
export { MemoryStore, newOwner, SqliteStore, type Store } from './store/index.ts'
export * from './timeline/index.ts'
export * from './turns/index.ts'
