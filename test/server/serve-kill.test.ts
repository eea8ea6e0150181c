import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isJsonObject } from '../../src/json.ts'
import { checkFile, type Ack, type Seen } from '../kill/checker.ts'
import { post, startServer, streamOf, type ServerProcess, type StreamMessage } from '../support/server-process.ts'

// Kills servers with SIGKILL in the middle of answers, and holds the file that they leave behind to what their clients
// were told and saw. KILLS and KILL_SEED choose how often, and at which instants.

const kills = Number(process.env['SERVER_KILLS'] ?? 20)
const seed = Number(process.env['KILL_SEED'] ?? Math.floor(Math.random() * 1e9))

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'geppetto-serve-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const file = () => join(folder, 'chats.db')
// So slow that each word is an event of its own.
const start = () => startServer(['--db', file(), '--pace', '38', '--log-level', 'error'])

/** Evenly spread over 0 up to and without `below`. */
function spread(round: number, below: number): number {
  return (Math.imul(seed + round, 0x9e_37_79_b1) >>> 8) % below
}

function isEnd({ data }: StreamMessage): boolean {
  return ['inference-finished', 'inference-stopped', 'inference-failed', 'inference-interrupted'].includes(
    String(data['type']),
  )
}

/** Follows a session from where it stood, until `isEnough` or the connection breaks; it knows all that it was shown. */
class Viewer {
  readonly #session: string
  readonly #name: string
  readonly seen: Seen[] = []
  #hasSeenEnd = false

  constructor(session: string, name: string) {
    this.#session = session
    this.#name = name
  }

  async follow({ url }: ServerProcess, isEnough: (message: StreamMessage, count: number) => boolean): Promise<void> {
    if (this.#hasSeenEnd) return
    const lastSeen = Number(this.seen.at(-1)?.event['ordinal'] ?? 0)
    for await (const message of streamOf(`${url}/api/sessions/${this.#session}/events`, lastSeen)) {
      if (message.event !== 'message') continue
      this.seen.push({ session: this.#session, viewer: this.#name, after: 0, event: message.data })
      this.#hasSeenEnd ||= isEnd(message)
      if (isEnough(message, this.seen.length)) break
    }
  }
}

async function submit(server: ServerProcess, session: string): Promise<Ack> {
  const prompt = { prompt: 'What is 17 * 23?' }
  const url = `${server.url}/api/sessions/${session}/messages`
  const { status, body } = await post(url, prompt, { 'idempotency-key': `key-${session}` })
  expect(status).toBe(202)
  return { session, inferenceId: String(body['inference_id']), key: `key-${session}` }
}

test(`${kills} servers that are killed in mid-answer lose nothing (seed ${seed})`, { timeout: 300_000 }, async () => {
  const acks: Ack[] = []
  const seen: Seen[] = []
  let server = await start()
  for (let round = 0; round < kills; round += 1) {
    const session = `s${round}`
    await post(`${server.url}/api/sessions`, { session_id: session })
    const viewers = [new Viewer(session, 'first'), new Viewer(session, 'second')] as const
    // Below 0: while the prompt is on its way, and nobody knows whether it came.
    const point = spread(round, 60) - 6
    if (point < 0) {
      const asked = submit(server, session).then((ack) => acks.push(ack))
      server.kill('SIGKILL')
      await asked.catch(() => {}) // it may have been answered, or not
    } else {
      acks.push(await submit(server, session))
      const killAt = (message: StreamMessage, count: number) => {
        if (count >= point || isEnd(message)) server.kill('SIGKILL')
        return false
      }
      await Promise.all([viewers[0].follow(server, killAt), viewers[1].follow(server, () => false)])
    }
    expect((await server.ended).signal).toBe('SIGKILL')
    server = await start()
    acks.push(await submit(server, session)) // who got no answer asks again, and who got one may
    await Promise.all(viewers.map((viewer) => viewer.follow(server, isEnd)))
    expect(viewers[0].seen.map(({ event }) => event)).toEqual(viewers[1].seen.map(({ event }) => event))
    seen.push(...viewers.flatMap((viewer) => viewer.seen))
  }
  server.kill('SIGTERM')
  expect(await server.ended).toMatchObject({ exitCode: 0, stderr: '' })
  const report = checkFile(file(), { acks, effects: [], seen })
  expect(report.found).toEqual([])
  expect([report.sessions, report.ends.size, acks.length >= kills]).toEqual([kills, kills, true])
  expect(report.events.get('prompt-accepted')).toBe(kills)
  expect(seen.length).toBeGreaterThan(kills * 20)
})

test('a server takes over what another one on the same file left when it was killed', async () => {
  await using first = await start()
  await using second = await start()
  await post(`${first.url}/api/sessions`, { session_id: 's' })
  const { body } = await post(`${first.url}/api/sessions/s/messages`, { prompt: 'Tell me a long story.' })
  const events: string[] = []
  let bound: AbortSignal | undefined
  for await (const { data } of streamOf(`${second.url}/api/sessions/s/events`)) {
    if (!isJsonObject(data)) continue
    events.push(String(data['type']))
    if (events.at(-1) === 'text-delta' && bound === undefined) {
      first.kill('SIGKILL')
      bound = AbortSignal.timeout(5_000)
    }
    if (events.at(-1) === 'inference-resumed') {
      expect(data['inference_id']).toBe(body['inference_id'])
      break
    }
  }
  expect([events.at(-1), bound?.aborted]).toEqual(['inference-resumed', false])
})
