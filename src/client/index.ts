// The client: follows sessions of a server through drops, reloads and sleeps, and gives it commands. Browsers and Node.
export { type ApiRequest } from './api.ts'
export { createClient, type Client, type ClientOptions, type SessionPage, type SessionSummary } from './client.ts'
export {
  ClientSession,
  type Attachment,
  type ClientToolDefinition,
  type DecisionOptions,
  type SendOptions,
  type Sent,
} from './session.ts'
export { type PendingSend, type SessionStatus, type SessionView } from './view.ts'
