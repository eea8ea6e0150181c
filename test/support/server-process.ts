import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import type { JsonObject } from '../../src/json.ts'

const program = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const compileCache = join(tmpdir(), 'geppetto-compile-cache')

/** How a process ended, and what it had said. */
export interface Ended {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** `geppetto serve` in a process of its own. */
export interface ServerProcess {
  readonly url: string
  readonly pid: number
  kill(signal: NodeJS.Signals): void
  readonly ended: Promise<Ended>
}

/** Starts a server on a port that is free, and waits until it listens. Rejects with what it said when it does not. */
export async function startServer(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ServerProcess & AsyncDisposable> {
  const child = spawn(process.execPath, [program, 'serve', '--port', '0', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: compileCache, ...env },
  })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = once(child, 'close').then((): Ended => ({
    exitCode: child.exitCode,
    signal: child.signalCode,
    stdout,
    stderr,
  }))
  await Promise.race([once(child.stdout, 'data'), ended])
  const url = /on (http\S+)\n/.exec(stdout)?.[1]
  if (url === undefined) throw new Error(`the server did not start: ${(await ended).stderr}`)
  const kill = (signal: NodeJS.Signals) => void child.kill(signal)
  return {
    url,
    pid: child.pid ?? 0,
    kill,
    ended,
    async [Symbol.asyncDispose]() {
      kill('SIGKILL')
      await ended
    },
  }
}

export async function post(url: string, body: object = {}, headers: Readonly<Record<string, string>> = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  return { status: response.status, body: (await response.json()) as JsonObject } // our own API's answers are objects
}

/** One message of an event stream. */
export interface StreamMessage {
  readonly id: number
  readonly event: string
  readonly data: JsonObject
}

/** What a viewer is shown; it ends when the connection does, however that comes about. */
export async function* streamOf(url: string, lastSeen = 0): AsyncGenerator<StreamMessage, void> {
  const headers: Record<string, string> = lastSeen === 0 ? {} : { 'last-event-id': String(lastSeen) }
  const response = await fetch(url, { headers }).catch((error: unknown) => {
    const { code } = (error as { readonly cause?: { readonly code?: unknown } }).cause ?? {} // as fetch tells it
    if (code !== 'ECONNRESET' && code !== 'UND_ERR_SOCKET') throw error
    return undefined // it was killed before it answered
  })
  if (response === undefined) return
  if (response.body === null || response.status !== 200) throw new Error(`${url} answered ${response.status}`)
  const messages = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())
  try {
    for await (const { id, event = 'message', data } of messages) {
      yield { id: Number(id ?? 0), event, data: JSON.parse(data) as JsonObject } // every message of ours is an object
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error // that is what fetch throws for a connection that breaks
  }
}
