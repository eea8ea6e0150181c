// Sessions: one conversation with its turns and at most one active inference.
export { Session, SessionBusyError, SessionEmptyTurnError, type SessionOptions } from './session.ts'
