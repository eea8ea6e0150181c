// What it costs to keep a conversation, as it grows, beside what others keep it in; and how many events a second can be
// kept. `npm run bench:store`. The others are measured when they are there: see docs/performance.md.
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { EngineEvent, InferenceEvent } from '../src/events/event.ts'
import { isTerminal } from '../src/events/event.ts'
import type { Engine } from '../src/inference/engine.ts'
import { run } from '../src/inference/run.ts'
import { openai } from '../src/providers/openai/protocol.ts'
import { StoredSession } from '../src/session/stored-session.ts'
import { SqliteStore } from '../src/store/sqlite-store.ts'
import type { NewEntry, Store } from '../src/store/store.ts'
import { assistantText, toolCall, toolResult, userText } from '../src/turns/block.ts'
import { createTurn } from '../src/turns/turn.ts'
import { measure, spread } from './measure.ts'

const folder = mkdtempSync(join(tmpdir(), 'geppetto-bench-'))
const points = [10, 100, 1_000, 5_000]
const window = 40
const answer = 'This is an answer of about four hundred characters. '.repeat(8)

interface Keeper {
  readonly name: string
  /** Keeps the next turn of the one conversation. */
  readonly keep: (turn: number) => Promise<void>
  /** Bytes on the disk; none when nothing is on it. */
  readonly bytes: () => number
}

/** The answer to a prompt, with a tool every third time. */
function reply(turn: number): readonly EngineEvent[] {
  const tool: readonly EngineEvent[] =
    turn % 3 === 0
      ? [
          { type: 'tool-call-requested', toolCallId: `c${turn}`, block: toolCall(`c${turn}`, 'look_up', { turn }) },
          {
            type: 'tool-result-ready',
            toolCallId: `c${turn}`,
            toolName: 'look_up',
            status: 'success',
            block: toolResult(`c${turn}`, answer),
          },
        ]
      : []
  const text = assistantText(answer)
  return [
    { type: 'provider-call-started', provider: 'bench', model: 'bench' },
    ...tool,
    { type: 'text-segment-finished', segmentId: '0', block: text },
    {
      type: 'provider-call-finished',
      finishClass: 'completed',
      result: { finish_class: 'completed' },
      blocks: tool.length + 1,
    },
  ]
}

async function geppetto(): Promise<Keeper> {
  const file = join(folder, 'geppetto.db')
  const store = await SqliteStore.open(file)
  let turn = 0
  const engine: Engine = async function* () {
    yield* reply(turn)
  }
  // A first conversation, so that the tenth turn is not measured while the machine still learns the code.
  const warm = await StoredSession.open(store, 'warm', { engine })
  for (turn = 1; turn <= 300; turn += 1) for await (const event of await warm.submit('Hi')) if (isTerminal(event)) break
  const session = await StoredSession.open(store, 'bench', { engine })
  return {
    name: 'Geppetto, SQLite, synchronous=FULL',
    async keep(next) {
      turn = next
      for await (const event of await session.submit(`Prompt number ${next}`)) if (isTerminal(event)) break
    },
    bytes: () => databaseSize(file),
  }
}

/** The AI SDK's recipe for message persistence: load the chat, add to it, save all of it as JSON. */
function aiSdkRecipe(): Keeper {
  const file = join(folder, 'chat.json')
  let written = 0
  return {
    name: 'AI SDK recipe: the array as a file, not synced',
    async keep(turn) {
      const messages = turn === 1 ? [] : (JSON.parse(await readFile(file, 'utf8')) as object[])
      messages.push({ id: `u${turn}`, role: 'user', parts: [{ type: 'text', text: `Prompt number ${turn}` }] })
      messages.push({ id: `a${turn}`, role: 'assistant', parts: [{ type: 'text', text: answer }] })
      const text = JSON.stringify(messages, undefined, 2)
      await writeFile(file, text)
      written += text.length
    },
    bytes: () => written,
  }
}

type Checkpointer = { put(config: object, checkpoint: object, metadata: object, versions: object): Promise<unknown> }
type AgentSession = { getItems(): Promise<unknown[]>; addItems(items: object[]): Promise<void> }

/** Loads a package that is not ours to bring: BENCH_PEERS names the folder that it is installed in. */
async function peer<T>(name: string): Promise<T | undefined> {
  const peers = process.env['BENCH_PEERS']
  if (peers === undefined) return undefined
  const path = createRequire(join(peers, 'package.json')).resolve(name)
  return (await import(pathToFileURL(path).href)) as T // as its documentation says
}

async function langGraph(): Promise<Keeper | undefined> {
  interface Peer {
    readonly SqliteSaver: { fromConnString(file: string): Checkpointer }
  }
  const loaded = await peer<Peer>('@langchain/langgraph-checkpoint-sqlite')
  if (loaded === undefined) return undefined
  const file = join(folder, 'langgraph.db')
  const saver = loaded.SqliteSaver.fromConnString(file)
  const messages: object[] = []
  return {
    name: 'LangGraph SqliteSaver, one put a turn',
    async keep(turn) {
      messages.push({ role: 'user', content: `Prompt number ${turn}` }, { role: 'assistant', content: answer })
      const id = `${String(turn).padStart(12, '0')}-0000-6000-8000-000000000000`
      const checkpoint = {
        v: 4,
        id,
        ts: new Date().toISOString(),
        channel_values: { messages: [...messages] },
        channel_versions: { messages: turn },
        versions_seen: {},
      }
      const config = { configurable: { thread_id: 'bench', checkpoint_ns: '' } }
      await saver.put(config, checkpoint, { source: 'loop', step: turn, parents: {} }, { messages: turn })
    },
    bytes: () => databaseSize(file),
  }
}

async function openAiAgents(): Promise<Keeper | undefined> {
  interface Peer {
    readonly MemorySession: new (options: object) => AgentSession
  }
  const loaded = await peer<Peer>('@openai/agents-core')
  if (loaded === undefined) return undefined
  const session = new loaded.MemorySession({ sessionId: 'bench' })
  return {
    name: 'OpenAI Agents MemorySession, in memory',
    async keep(turn) {
      await session.getItems()
      await session.addItems([
        { type: 'message', role: 'user', content: `Prompt number ${turn}` },
        { type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: answer }] },
      ])
    },
    bytes: () => 0,
  }
}

/** The size of a database when all of it is in its file. */
function databaseSize(file: string): number {
  const database = new DatabaseSync(file)
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  database.close()
  return statSync(file).size
}

interface Cost {
  readonly ms: number
  readonly cpuMs: number
  readonly bytes: number
}

/** What a turn costs around each point: medians of time and CPU, and the mean of the bytes. */
async function growth(keeper: Keeper): Promise<readonly Cost[]> {
  const costs: Cost[] = []
  let turn = 0
  for (const point of points) {
    while (turn < point - window / 2) await keeper.keep((turn += 1))
    const times: number[] = []
    const cpus: number[] = []
    const bytes = keeper.bytes()
    const first = turn
    while (turn < point + window / 2) {
      const cpu = process.cpuUsage()
      const start = performance.now()
      await keeper.keep((turn += 1))
      times.push(performance.now() - start)
      const { user, system } = process.cpuUsage(cpu)
      cpus.push((user + system) / 1_000)
    }
    costs.push({
      ms: spread(times).median,
      cpuMs: spread(cpus).median,
      bytes: (keeper.bytes() - bytes) / (turn - first),
    })
  }
  return costs
}

function row(name: string, cells: readonly string[]): void {
  console.log(`${name.padEnd(48)}${cells.map((cell) => cell.padStart(12)).join('')}`)
}

const delta = JSON.stringify({
  at: '2026-01-01T00:00:00.000Z',
  inference_id: '01a2082d-dd33-7443-a50d-8f6b33962567',
  turn_id: '01a2082d-dd33-7443-a50d-8f6c89c109c2',
  provider_call_id: '01a2082d-dd48-7133-9aff-e41255432d24',
  attempt: 1,
  segment_id: '01a2082d-dd48-7133-9aff-e41255432d24:text-0',
  offset: 12,
  delta: ' world',
})
const entries: readonly NewEntry[] = Array.from({ length: 20 }, () => ({ type: 'text-delta', body: delta }))

/** Events a second that `sessions` sessions commit side by side, 20 at a time. */
async function throughput(store: Store, sessions: number, commits: number): Promise<number> {
  const start = performance.now()
  const session = async (sessionId: string) => {
    const create = { incarnation: 'bench', createdAt: new Date().toISOString() }
    for (let commit = 0; commit < commits; commit += 1)
      await store.commit({ sessionId, entries, ...(commit === 0 && { create }) })
  }
  await Promise.all(Array.from({ length: sessions }, (_, at) => session(`${sessions}-${at}`)))
  return (sessions * commits * entries.length) / ((performance.now() - start) / 1_000)
}

console.log(`\nKeeping turn 10, 100, 1,000 and 5,000 of one conversation: median of ${window} turns around each`)
row('', [...points.map((point) => `turn ${point}`), '5000 : 10'])
for (const open of [geppetto, openAiAgents, langGraph, async () => aiSdkRecipe()]) {
  const keeper = await open()
  if (keeper === undefined) {
    console.log(`${open.name}: not there; see docs/performance.md`)
    continue
  }
  const costs = await growth(keeper)
  const ratio = (of: (cost: Cost) => number) => {
    const [first, last] = [costs[0], costs.at(-1)]
    return first === undefined || last === undefined || of(first) === 0 ? '' : `× ${(of(last) / of(first)).toFixed(2)}`
  }
  console.log(keeper.name)
  row('  ms', [...costs.map(({ ms }) => ms.toFixed(2)), ratio(({ ms }) => ms)])
  row('  ms of CPU', [...costs.map(({ cpuMs }) => cpuMs.toFixed(2)), ratio(({ cpuMs }) => cpuMs)])
  row('  bytes written', [...costs.map(({ bytes }) => bytes.toFixed(0)), ratio(({ bytes }) => bytes)])
}

const store = await SqliteStore.open(join(folder, 'throughput.db'))
console.log('\nEvents committed a second, 20 at a time')
row('  one session', [(await throughput(store, 1, 1_000)).toFixed(0)])
row('  50 sessions', [(await throughput(store, 50, 100)).toFixed(0)])

const count = 20_000
const ids = { sessionId: 'bench', inferenceId: 'bench', turnId: 'bench' }
const server = fork(new URL('./delta-server.ts', import.meta.url))
const port = await new Promise<number>((resolve) => server.once('message', (message) => resolve(Number(message))))
const baseUrl = `http://127.0.0.1:${port}/${count}`
const engine = openai({ model: 'bench-1', baseUrl, network: { allowHttp: true, allowPrivate: true } })
let streams = 0
const inMemory = async (): Promise<number> => {
  await run(engine, createTurn([userText('Hi')]), { ids, sinks: [() => {}] }).result
  return count
}
const recorded = async (): Promise<number> => {
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  const sinks = [(event: InferenceEvent) => (isTerminal(event) ? resolve() : undefined)]
  const session = await StoredSession.open(store, `stream-${(streams += 1)}`, { engine, sinks })
  await session.submit('Hi')
  await ended
  await session.close()
  return count
}
const measured = await measure(
  [
    { name: 'in memory', work: inMemory },
    { name: 'recorded', work: recorded },
  ],
  15,
)
server.kill()
console.log(
  '\nMicroseconds of CPU for a delta, from the bytes of a provider to one sink: median (least–most) of 15 rounds',
)
for (const { name, median, least, most } of measured) {
  row(`  ${name}`, [
    median.toFixed(2),
    `${least.toFixed(2)}–${most.toFixed(2)}`,
    `× ${(median / (measured[0]?.median ?? median)).toFixed(2)}`,
  ])
}
await store.close()
rmSync(folder, { recursive: true })
