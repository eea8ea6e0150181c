import { describe, expect, test } from 'vitest'
import { converse, recordAndReplay, recorder } from '../../test/support/cassettes.ts'
import { startProviderServer } from '../../test/support/provider-server.ts'
import { replying } from '../../test/support/replies.ts'
import { chunk, call as chatCall, stream } from '../../test/support/chat-replies.ts'
import { eventToJsonLine } from '../events/codec.ts'
import type { Engine } from '../inference/engine.ts'
import { defineTool, jsonSchemaInput } from '../inference/tool.ts'
import { toolLoop } from '../inference/tool-loop.ts'
import { createEngine, engineNames } from '../providers/factory.ts'
import type { Fetch } from '../providers/transport.ts'
import { GeppettoError } from '../errors.ts'
import { Session } from '../session/session.ts'
import type { Cassette } from './cassette.ts'
import { replayCassette } from './replay.ts'

const network = { allowHttp: true, allowPrivate: true }
const apiKey = 'sk-canary-4711'
const providers = engineNames.filter((name) => name !== 'scripted')

const chat = ({ fetch }: Pick<Cassette, 'fetch'>) => createEngine('openai', { apiKey, fetch, model: 'm' })
const input = jsonSchemaInput({ type: 'object', properties: { n: { type: 'number' } } })
const ask = (index: number, name: string, n: number) =>
  chatCall({ index, id: `call-${index}`, type: 'function', function: { name, arguments: JSON.stringify({ n }) } })

describe('A replay shows the same bytes as the run that was recorded', () => {
  test.each(providers.flatMap((name) => ['ok', 'cut', 'portal', 'broken'].map((how) => [name, how] as const)))(
    'of %s over HTTP, when the server is %s',
    async (name, how) => {
      await using server = await startProviderServer()
      const engine = ({ fetch }: Cassette) =>
        createEngine(name, { apiKey, baseUrl: server.url(how), network, fetch, model: 'm' })
      const { recorded, replayed, text } = await recordAndReplay(engine, { network })
      expect(replayed).toEqual(recorded)
      expect(text).not.toContain(apiKey)
      expect(recorded.error === undefined).toBe(how === 'ok')
    },
  )

  test.each([
    ['Tell me a long story.', 20],
    ['What is 17 * 23?', 0],
  ])('of the scripted engine, asked: %s', async (prompt, pace) => {
    const { recorded, replayed } = await recordAndReplay(() => createEngine('scripted', { pace }), {}, [
      prompt,
      'And again?',
    ])
    expect(recorded.events.split('\n').length).toBeGreaterThan(8)
    expect(replayed).toEqual(recorded)
  })

  test('when nobody can be reached, with the code of the system', async () => {
    const fetch: Fetch = () => {
      throw new TypeError('fetch failed', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) })
    }
    const { recorded, replayed } = await recordAndReplay(chat, { fetch })
    expect(replayed).toEqual(recorded)
    expect(recorded.events).toContain('ECONNREFUSED')
  })

  test('when the connection breaks in the middle, and a 429 before it is tried again', async () => {
    const { fetch, sent } = replying(
      [
        '{"error":{"message":"slow down"}}',
        { status: 429, contentType: 'application/json', headers: { 'retry-after': '2' } },
      ],
      [stream([chunk({ content: 'Hel' }), chunk({ content: 'lo' })], false), { chunkSize: 17, then: 'break' }],
    )
    const { recorded, replayed, text } = await recordAndReplay(chat, { fetch })
    expect(replayed).toEqual(recorded)
    expect(sent).toHaveLength(2)
    expect(recorded.events).toContain('other side closed')
    expect(text).toContain('"retry-after":"2"')
  })

  test('when the bytes are cut inside of a character', async () => {
    const { fetch } = replying([stream([chunk({ content: 'Grüße, 🌍' }), chunk({}, 'stop')]), { chunkSize: 1 }])
    const { recorded, replayed, text } = await recordAndReplay(chat, { fetch })
    expect(replayed).toEqual(recorded)
    expect(text).toContain('"base64"')
    expect(recorded.turn).toContain('Grüße, 🌍')
  })

  test('with parallel tools that report, fail, and do not come back in time', async () => {
    let runs = 0
    const tools = [
      defineTool({
        name: 'late',
        description: 'd',
        input,
        execute: async (_input, { report }) => {
          runs += 1
          report({ done: 1 })
          for (let rests = 0; rests < 5; rests += 1) await new Promise<void>((resolve) => setImmediate(resolve))
          report({ done: 2 })
          return { late: true }
        },
      }),
      defineTool({ name: 'bad', description: 'd', input, execute: () => Promise.reject(new RangeError('no')) }),
      defineTool({ name: 'quick', description: 'd', input, execute: ({ n }) => ({ n: n ?? null }) }),
      defineTool({ name: 'never', description: 'd', input, timeoutMs: 50, execute: () => new Promise(() => {}) }),
    ]
    const names = ['late', 'bad', 'quick', 'never', 'quick']
    const asks = names.map((name, index) => ask(index, name, index))
    const { fetch } = replying(
      [stream([...asks, chunk({}, 'tool_calls')]), { chunkSize: 100 }],
      [stream([chunk({ content: 'Done' }), chunk({}, 'stop')])],
    )
    const engine = (cassette: Cassette): Engine =>
      toolLoop(
        chat(cassette),
        tools.map((tool) => cassette.tool(tool)),
        { maxParallel: 2 },
      )
    const { recorded, replayed } = await recordAndReplay(engine, { fetch })
    expect(replayed).toEqual(recorded)
    expect(runs).toBe(1)
    for (const shown of ['"done":2', 'did not finish within 50 ms', 'Done']) expect(recorded.events).toContain(shown)
  })

  test('when it is cancelled by a command in the middle of the stream', async () => {
    const { fetch } = replying([stream([chunk({ content: 'Hello' })], false), { then: 'hang' }])
    const recording = recorder({ fetch })
    let heard = ''
    const recorded = await converse(chat, recording, ['Go'], (type) => {
      heard = type === 'text-delta' ? type : heard
      if (type === 'text-delta') recording.command({ kind: 'cancel', reason: 'enough', ordinal: 3 })
    })
    expect(heard).toBe('text-delta')
    expect(recorded.events).toContain('enough')
    const player = replayCassette(recording.text())
    expect(await converse(chat, player)).toEqual(recorded)
    expect(player.commands).toEqual([{ kind: 'cancel', reason: 'enough', ordinal: 3 }])
    await player.finish()
  })
})

test('errors of this library keep their code', async () => {
  const fetch: Fetch = () => Promise.reject(new GeppettoError('PROVIDER_ADDRESS_REFUSED', 'private address'))
  const { recorded, replayed } = await recordAndReplay(chat, { fetch })
  expect(replayed).toEqual(recorded)
  expect(recorded.error).toMatchObject({ code: 'PROVIDER_ADDRESS_REFUSED' })
})

test('A driver that starts its runs from prompts is driven by the replay in the same way', async () => {
  const images = [{ content: 'aGk=', media_type: 'image/png' }]
  const { fetch } = replying([stream([chunk({ content: 'Hello' }), chunk({}, 'stop')])])
  const drive = async (cassette: Cassette, start: () => void) => {
    const { clock, newId } = cassette
    const session = new Session({ engine: chat(cassette), clock, newId })
    let shown = ''
    const ended = Promise.withResolvers<void>()
    const answer = async () => {
      for await (const event of session.startInference()) shown += eventToJsonLine(event)
      ended.resolve()
    }
    cassette.onCommand((command) => {
      if (command.kind !== 'prompt') return
      session.prompt(command.text, command.images)
      void answer()
    })
    start()
    await ended.promise
    return shown + JSON.stringify(session.turns)
  }
  const recording = recorder({ fetch, settings: { note: 'mine' } })
  const recorded = await drive(recording, () => recording.command({ kind: 'prompt', text: 'See', images }))
  const player = replayCassette(recording.text())
  expect(player.settings).toEqual({ note: 'mine' })
  expect(player.commands).toEqual([{ kind: 'prompt', text: 'See', images }])
  expect(await drive(player, () => {})).toBe(recorded)
  expect(recorded).toContain('aGk=')
  await player.finish()
})
