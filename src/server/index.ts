// The server: sessions over HTTP and WebSocket, for our own clients and for those of others. Begin with server.ts.
export { staticKeys, type StaticKey } from './auth-keys.ts'
export { jwks, type TokenKeys, type TokenOptions } from './auth-tokens.ts'
export { createMetrics, type Metrics } from './metrics.ts'
export { listen, upgrader, type Listening, type ListenOptions } from './node.ts'
export {
  localUser,
  permissions,
  type Authenticate,
  type Credentials,
  type Permission,
  type Principal,
} from './principal.ts'
export { type Profile } from './profile.ts'
export { aiSdk, type AiSdkOptions } from './protocols/ai-sdk/routes.ts'
export { webchat, type WebchatOptions } from './protocols/webchat/webchat.ts'
export { defaultLimits, type Limits } from './rate-limit.ts'
export { GeppettoServer, type ServerOptions } from './server.ts'
export { webApp, type WebAppOptions } from './web.ts'
export { type Dialect, type Pages, type RouteEnv, type ServerContext, type WhileRunning } from './context.ts'
export { type Log } from './log.ts'
export { agUi } from './protocols/ag-ui/routes.ts'
export { openAi, type OpenAiOptions } from './protocols/openai/dialect.ts'
