// Sessions: one conversation with its turns and at most one active inference, in memory or in a store.
export { cursorOf, readCursor } from './cursor.ts'
export { follow, type FollowOptions } from './follow.ts'
export { beginSession, forkSession, type NewSessionOptions } from './fork.ts'
export { Session, SessionBusyError, SessionEmptyTurnError, type SessionOptions } from './session.ts'
export { type PendingApproval, type SessionState } from './state.ts'
export { StoredInference } from './stored-inference.ts'
export { StoredSession, type ApprovalAnswer, type StoredSessionOptions, type SubmitOptions } from './stored-session.ts'
export { SessionFencedError } from './writer.ts'
