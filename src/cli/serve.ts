import { isIP } from 'node:net'
import { collectDefaultMetrics } from 'prom-client'
import { messageOf } from '../errors.ts'
import { staticKeys } from '../server/auth-keys.ts'
import { jwks } from '../server/auth-tokens.ts'
import { isLoopback, listen, type Listening } from '../server/node.ts'
import type { Authenticate } from '../server/principal.ts'
import { agUi } from '../server/protocols/ag-ui/routes.ts'
import { aiSdk } from '../server/protocols/ai-sdk/routes.ts'
import { openAi } from '../server/protocols/openai/dialect.ts'
import { webchat } from '../server/protocols/webchat/webchat.ts'
import { loopbackNames } from '../server/security.ts'
import { GeppettoServer, type ServerOptions } from '../server/server.ts'
import { webApp } from '../server/web.ts'
import type { WhileRunning } from '../server/context.ts'
import { requireTool, toolNames } from './conversation.ts'
import { chooseEngine, type EngineOptions } from './engine-options.ts'
import { UsageError, type ExitCode } from './exit.ts'
import type { LogLevel } from './formats.ts'
import type { Io } from './io.ts'
import { openLog } from './log.ts'
import { startTelemetry } from './otel.ts'
import { readProfiles, type Profiles } from './profiles-file.ts'
import { untilTold } from './signals.ts'
import { openStore, storeFile, type StoreOptions } from './store-options.ts'

export interface ServeCommandOptions extends EngineOptions, StoreOptions {
  readonly port: number
  readonly host: string
  readonly system?: string
  /** Default: all that are built in for the scripted engine, none for others. */
  readonly tool?: readonly string[]
  readonly profiles?: string
  readonly apiKeys?: string
  readonly jwksUrl?: string
  readonly issuer?: string
  readonly audience?: string
  readonly proxies: number
  readonly allowOrigin?: readonly string[]
  readonly allowHost?: readonly string[]
  readonly whileRunning: WhileRunning
  readonly debugApi?: boolean
  readonly otel?: boolean
  readonly root?: string
  readonly logLevel: LogLevel
}

/** How long a process that was told to end may live, whatever does not come to an end. */
const stopLimitMs = 9_500

/**
 * `geppetto serve`: the chat server, until the process is told to end. Then what runs is handed over to the next server
 * on the same store, within 10 s; told a second time, the process ends at once.
 */
export async function serveCommand(options: ServeCommandOptions, io: Io): Promise<ExitCode> {
  requireFile(options, io)
  const log = openLog(options.logLevel, io)
  const note = (sentence: string) => log.info({}, sentence)
  const profiles = await profilesOf(options, io, note)
  const security = securityOf(options)
  const root = rootOf(options)
  const telemetry = options.otel === true ? await startTelemetry() : undefined
  const store = await openStore(options, io)
  try {
    const server = await GeppettoServer.open({
      store,
      profiles,
      ...security,
      whileRunning: options.whileRunning,
      root,
      log,
      sinks: telemetry === undefined ? [] : [telemetry.sink],
      pages: webApp({ root }),
      dialects: [webchat({ debugApi: options.debugApi === true, basePrefix: root }), aiSdk(), agUi(), openAi()],
    })
    collectDefaultMetrics({ register: server.context.metrics.registry })
    const told = untilTold()
    const listening = await listenOn(options, server)
    io.stdout.write(`Geppetto listens on ${listening.url}${root}\n`)
    log.info({ url: listening.url, profiles: profiles.map(({ slug }) => slug) }, 'it listens')
    log.info({ signal: await told }, 'it ends')
    setTimeout(() => process.exit(1), stopLimitMs).unref()
    await listening.close()
  } finally {
    await store.close()
    await telemetry?.stop().catch((error: unknown) => log.error({ error: messageOf(error) }, 'telemetry was not sent'))
  }
  return 0
}

function requireFile(options: StoreOptions, io: Io): void {
  if (/^postgres(?:ql)?:/i.test(storeFile(options, io)))
    throw new UsageError('A store in PostgreSQL comes with a later version: give the path of a file as --db.')
}

async function profilesOf(options: ServeCommandOptions, io: Io, note: (sentence: string) => void): Promise<Profiles> {
  if (options.profiles !== undefined) return readProfiles(options.profiles, io, note)
  const { engine, name } = await chooseEngine(options, io, note)
  const tools = options.tool ?? (name === 'scripted' ? toolNames : [])
  const profile = { slug: 'default', model: engine, tools: [...new Set(tools)].map(requireTool) }
  return [options.system === undefined ? profile : { ...profile, systemPrompt: options.system }]
}

function securityOf(options: ServeCommandOptions): Partial<ServerOptions> {
  const { host, allowOrigin = [], allowHost = [] } = options
  const authenticate = authenticationOf(options)
  if (authenticate === undefined && !isLoopback(host))
    throw new UsageError(
      `Others can reach ${host}, and nobody would have to say who they are: name who may with --api-keys or --jwks-url, or leave --host out.`,
    )
  for (const origin of allowOrigin) {
    if (URL.parse(origin)?.origin !== origin)
      throw new UsageError(
        `--allow-origin takes an origin such as https://chat.example.com, not ${JSON.stringify(origin)}.`,
      )
  }
  const allowedHosts = [...loopbackNames, isIP(host) === 6 ? `[${host}]` : host, ...allowHost]
  return { allowedOrigins: allowOrigin, allowedHosts, ...(authenticate && { authenticate }) }
}

/** Keys, tokens or both; nobody is asked when there are neither. */
function authenticationOf(options: ServeCommandOptions): Authenticate | undefined {
  const { apiKeys, jwksUrl: url, issuer, audience } = options
  const byKey = apiKeys === undefined ? undefined : staticKeys({ file: apiKeys })
  if (url === undefined && issuer === undefined && audience === undefined) return byKey
  if (url === undefined || issuer === undefined || audience === undefined)
    throw new UsageError('Tokens need all three of --jwks-url, --issuer and --audience.')
  const byToken = jwks({ url, issuer, audience })
  if (byKey === undefined) return byToken
  return async (credentials) => (await byKey(credentials)) ?? byToken(credentials)
}

function rootOf({ root = '' }: ServeCommandOptions): string {
  const path = root.replace(/\/+$/, '')
  if (path === '' || /^(?:\/[\w.~-]+)+$/.test(path)) return path
  throw new UsageError(`--root takes a path such as /chat, not ${JSON.stringify(root)}.`)
}

const listenProblems: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there; stop it, or choose another port with --port',
  EACCES: 'this user may not; choose a port above 1023 with --port',
  EADDRNOTAVAIL: 'this machine has no such address; choose another with --host',
  ENOTFOUND: 'there is no such address; choose another with --host',
}

async function listenOn({ port, host, proxies }: ServeCommandOptions, server: GeppettoServer): Promise<Listening> {
  try {
    return await listen(server, { port, host, proxies })
  } catch (error) {
    await server.stop()
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    throw new UsageError(`It cannot listen on port ${port} of ${host}: ${listenProblems[code] ?? messageOf(error)}.`)
  }
}
