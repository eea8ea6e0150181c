import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as anthropic from '../../test/support/anthropic-replies.ts'
import { converse, recordAndReplay, recorder } from '../../test/support/cassettes.ts'
import * as chat from '../../test/support/chat-replies.ts'
import * as gemini from '../../test/support/gemini-replies.ts'
import { replying, sse } from '../../test/support/replies.ts'
import * as responses from '../../test/support/responses-replies.ts'
import { defineTool, jsonSchemaInput } from '../inference/tool.ts'
import { toolLoop } from '../inference/tool-loop.ts'
import { createEngine } from '../providers/factory.ts'
import type { Cassette } from './cassette.ts'
import { replayCassette } from './replay.ts'

const { item, events, streamOf } = responses
const ofGemini = (...chunks: readonly object[]) =>
  sse(
    chunks.map((chunk) => JSON.stringify(chunk)),
    'gemini',
  )
const chatCall = (index: number, name: string) =>
  chat.call({ index, id: `c${index}`, type: 'function', function: { name, arguments: '{}' } })

/** For each engine a reply that thinks, talks and calls three tools, and one that ends. */
const conversations = {
  openai: [
    chat.stream([
      chat.chunk({ reasoning_content: 'Hm.' }),
      chat.chunk({ content: 'I will look.' }),
      ...['first', 'second', 'first'].map((name, index) => chatCall(index, name)),
      chat.chunk({}, 'tool_calls'),
    ]),
    chat.stream([chat.chunk({ content: 'Done' }), chat.chunk({}, 'stop')]),
  ],
  'openai-responses': [
    streamOf(
      events([
        item.reasoning('rs_1', ['Hm.']),
        item.message('I will look.'),
        ...['first', 'second', 'first'].map((name, index) => item.call(`c${index}`, name, '{}')),
      ]),
    ),
    streamOf(events([item.message('Done')], { id: 'resp_2' })),
  ],
  anthropic: [
    anthropic.stream(
      anthropic.reply(
        [
          anthropic.thinkingBlock(0, 'Hm.', 'signed'),
          anthropic.textBlock(1, 'I will ', 'look.'),
          ...['first', 'second', 'first'].map((name, index) => anthropic.toolBlock(index + 2, `c${index}`, name, '{}')),
        ],
        'tool_use',
      ),
    ),
    anthropic.stream(anthropic.reply([anthropic.textBlock(0, 'Done')])),
  ],
  gemini: [
    ofGemini(
      gemini.chunk([{ text: 'Hm.', thought: true }]),
      gemini.chunk([{ text: 'I will look.' }]),
      gemini.chunk(
        ['first', 'second', 'first'].map((name) => gemini.call(name, {})),
        'STOP',
      ),
    ),
    ofGemini(gemini.chunk([{ text: 'Done' }], 'STOP')),
  ],
} as const
type Name = keyof typeof conversations
const names = Object.keys(conversations) as Name[] // its own keys

interface Timing {
  readonly chunkSize: number
  readonly rests: readonly number[]
  readonly maxParallel: number
}

/** An engine whose tools each rest for as often as `rests` says, and then report, succeed or fail. */
function withTools(name: Name, { rests, maxParallel }: Timing) {
  return (cassette: Cassette) => {
    let calls = 0
    const tools = ['first', 'second'].map((toolName) =>
      defineTool({
        name: toolName,
        description: 'd',
        input: jsonSchemaInput({ type: 'object', properties: {} }),
        execute: async (_input, { report }) => {
          const own = rests[calls % rests.length] ?? 0
          calls += 1
          for (let count = 0; count < own; count += 1) {
            await new Promise<void>((resolve) => setImmediate(resolve))
            report({ count })
          }
          if (own % 3 === 2) throw new RangeError('too far')
          return { own }
        },
      }),
    )
    const engine = createEngine(name, { apiKey: 'sk-canary-4711', fetch: cassette.fetch, model: 'm' })
    return toolLoop(
      engine,
      tools.map((tool) => cassette.tool(tool)),
      { maxParallel },
    )
  }
}

const timings = fc.record({
  chunkSize: fc.integer({ min: 5, max: 2000 }),
  rests: fc.array(fc.nat(4), { minLength: 1, maxLength: 3 }),
  maxParallel: fc.integer({ min: 1, max: 3 }),
})

describe.each(names)('%s', (name) => {
  const fetchIn = (chunkSize: number) =>
    replying(...conversations[name].map((body) => [body, { chunkSize }] as const)).fetch

  test('thinks, talks and calls tools in parallel: the replay is the same, whatever came when', async () => {
    await fc.assert(
      fc.asyncProperty(timings, async (timing) => {
        const options = { fetch: fetchIn(timing.chunkSize) }
        const { recorded, replayed } = await recordAndReplay(withTools(name, timing), options)
        expect(recorded.error).toBeUndefined()
        expect(recorded.turn).toContain('Done')
        expect(recorded.events).toContain('Hm.')
        expect(replayed).toEqual(recorded)
      }),
      { numRuns: 12 },
    )
  })

  test('is cancelled at any of its events: the replay is, too', async () => {
    const timing = { chunkSize: 60, rests: [2, 1], maxParallel: 2 }
    for (let at = 1; at < 40; at += 3) {
      const cancelAt = () => {
        let seen = 0
        return (_type: string, cancel: (reason: string) => void) => {
          seen += 1
          if (seen === at) cancel('enough')
        }
      }
      const recording = recorder({ fetch: fetchIn(timing.chunkSize) })
      const recorded = await converse(withTools(name, timing), recording, ['Go'], cancelAt())
      const player = replayCassette(recording.text())
      expect(await converse(withTools(name, timing), player, ['Go'], cancelAt())).toEqual(recorded)
      await player.finish()
    }
  })

  test('is cancelled by a command at any of its events', async () => {
    const timing = { chunkSize: 60, rests: [2, 1], maxParallel: 2 }
    for (let at = 1; at < 40; at += 3) {
      const recording = recorder({ fetch: fetchIn(timing.chunkSize) })
      let seen = 0
      const recorded = await converse(withTools(name, timing), recording, ['Go'], () => {
        seen += 1
        if (seen === at) recording.command({ kind: 'cancel', reason: 'enough', ordinal: at })
      })
      const player = replayCassette(recording.text())
      expect(await converse(withTools(name, timing), player)).toEqual(recorded)
      await player.finish()
    }
  })

  test('falls silent: the replay gives up at the same place, without waiting', async () => {
    const begun = conversations[name][0].slice(0, 150)
    const { fetch } = replying([begun, { chunkSize: 50, then: 'hang' }])
    const engine = (cassette: Cassette) =>
      createEngine(name, { fetch: cassette.fetch, model: 'm', timeouts: { idleMs: 5_000 }, retry: { maxAttempts: 1 } })
    const { recorded, replayed } = await recordAndReplay(engine, { fetch })
    expect(recorded.error).toMatchObject({ code: 'PROVIDER_STALLED' })
    expect(replayed).toEqual(recorded)
  })
})
