// How many answers one core can stream at 50 tokens a second each: `npm run bench:streams`. The server that is measured
// has a core to itself; the provider and the clients share the other one. Each token says when the provider sent it.
// NODE_FLAGS are flags of Node for every server, such as `--single-threaded-gc`; LEVELS how many streams to try.
import { execFileSync, fork, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, get, request, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const goalMs = 50
const levels = (process.env['LEVELS'] ?? '25,50,75,100,150,200,250,300,350,400,500').split(',').map(Number)
const settleMs = 3_000
const measureMs = 10_000
const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY })
const now = () => (performance.timeOrigin + performance.now()) * 1000

const folder = mkdtempSync(join(tmpdir(), 'geppetto-streams-'))
const provider = start('./paced-provider.ts', [], 1)
execFileSync('taskset', ['-cp', '1', String(process.pid)])
const providerPort = await portOf(provider)

interface Usage {
  /** What is in use after a collection, in bytes. */
  readonly memory: number
  /** Microseconds. */
  readonly cpu: number
}
type Connect = (port: number, index: number) => Promise<IncomingMessage>
const contenders: readonly (readonly [kind: string, connect: Connect])[] = [
  ['relay', (port) => open(port, '/')],
  ['AI SDK', (port) => open(port, '/')],
  ['ours', follow],
]
const wanted = process.argv.slice(2)

try {
  for (const [kind, connect] of contenders) {
    if (wanted.length > 0 && !wanted.includes(kind)) continue
    for (const level of levels) if (!(await measureLevel(kind, connect, level))) break
  }
} finally {
  provider.kill()
  rmSync(folder, { recursive: true, force: true })
}

/** Whether the server kept up with so many streams. */
async function measureLevel(kind: string, connect: Connect, streams: number): Promise<boolean> {
  const server = start('./stream-server.ts', [kind, String(providerPort), mkdtempSync(join(folder, 'db-'))], 0)
  const port = await portOf(server)
  const first = await connect(port, 0) // what a server loads and makes once is not what a stream costs
  first.resume().on('error', () => {})
  await sleep(1_000)
  const before = await usage(server)
  const latencies: number[] = []
  let isMeasuring = false
  const hear = (text: string) => {
    const at = now()
    for (const [, sent] of text.matchAll(/ (\d{16})/g)) if (isMeasuring) latencies.push((at - Number(sent)) / 1000)
  }
  const replies: IncomingMessage[] = [first]
  for (let index = 1; index < streams; index += 1) {
    const reply = await connect(port, index)
    reply
      .setEncoding('utf8')
      .on('data', hear)
      .on('error', () => {})
    replies.push(reply)
  }
  await sleep(settleMs)
  const begun = await usage(server)
  await sleep(500) // the collection that it asked for held the server up
  isMeasuring = true
  await sleep(measureMs)
  isMeasuring = false
  const last = await usage(server)
  for (const reply of replies) reply.destroy()
  server.kill('SIGKILL')
  const sorted = latencies.toSorted((left, right) => left - right)
  const at = (share: number) => sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? Number.NaN
  const share = sorted.length / ((streams * 50 * measureMs) / 1000)
  const busy = (last.cpu - begun.cpu) / ((measureMs + 500) * 10)
  const kilobytes = (begun.memory - before.memory) / 1024 / (streams - 1)
  const isGood = at(0.99) <= goalMs && share > 0.97
  console.log(
    `${kind.padEnd(7)} ${String(streams).padStart(4)} streams: p50 ${at(0.5).toFixed(1)} ms, p99 ${at(0.99).toFixed(1)} ms, ${(share * 100).toFixed(0)} % of the tokens, ${busy.toFixed(0)} % of the core, ${kilobytes.toFixed(0)} KB a stream${isGood ? '' : '  – too many'}`,
  )
  return isGood
}

function start(file: string, args: readonly string[], core: number): ChildProcess {
  const flags = (process.env['NODE_FLAGS'] ?? '').split(' ').filter((flag) => flag !== '')
  const child = fork(new URL(file, import.meta.url), args, { execArgv: ['--expose-gc', ...flags] })
  execFileSync('taskset', ['-cp', String(core), String(child.pid)])
  return child
}

async function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(Number(message)))
    child.once('exit', () => reject(new Error(`${child.spawnfile} ended before it listened`)))
  })
}

async function usage(child: ChildProcess): Promise<Usage> {
  child.send('usage')
  return new Promise((resolve) => child.once('message', (message) => resolve(message as Usage))) // stream-server.ts says so
}

function open(port: number, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => get({ port, path, agent }, resolve).on('error', reject))
}

/** A session, a prompt, and its events from the beginning. */
async function follow(port: number, index: number): Promise<IncomingMessage> {
  await post(port, '/api/sessions', { session_id: `bench-${index}` })
  await post(port, `/api/sessions/bench-${index}/messages`, { prompt: 'Hi' })
  return open(port, `/api/sessions/bench-${index}/events`)
}

function post(port: number, path: string, body: object): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' }
    const sent = request({ port, path, agent, method: 'POST', headers }, (reply) => {
      reply.resume().on('end', resolve)
      if ((reply.statusCode ?? 500) >= 300) reject(new Error(`${path} answered ${reply.statusCode}`))
    })
    sent.on('error', reject).end(JSON.stringify(body))
  })
}
