// Real streams of all providers, cut in every way: one outcome. Set PROVIDER_RECORDINGS to a folder of recordings, one
// wire event a line, in the folders named below.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { encodeEvent } from '../src/events/codec.ts'
import { applyEvent } from '../src/events/apply.ts'
import type { Engine } from '../src/inference/engine.ts'
import { anthropic } from '../src/providers/anthropic/protocol.ts'
import type { Fetch } from '../src/providers/transport.ts'
import { gemini } from '../src/providers/gemini/protocol.ts'
import { openai } from '../src/providers/openai/protocol.ts'
import { openaiResponses } from '../src/providers/openai-responses/protocol.ts'
import { userText } from '../src/turns/block.ts'
import { turnFromText, turnToYaml } from '../src/turns/document.ts'
import { inferenceIdKey, sessionIdKey } from '../src/turns/keys.ts'
import { createTurn } from '../src/turns/turn.ts'
import { replying, runToEnd, sse, type Framing } from './support/replies.ts'

const root = process.env['PROVIDER_RECORDINGS']
const protocols: Readonly<Record<string, readonly [Framing, (fetch: Fetch) => Engine]>> = {
  'openai-chat': ['chat', (fetch) => openai({ model: 'gpt-4o', fetch })],
  'openai-responses': ['named', (fetch) => openaiResponses({ model: 'gpt-5', fetch })],
  anthropic: ['named', (fetch) => anthropic({ model: 'claude-sonnet-4-5', fetch })],
  gemini: ['gemini', (fetch) => gemini({ model: 'gemini-2.5-flash', fetch })],
}
const prompt = createTurn([userText('Hi')])
const cuts = [1, 2, 3, 5, 7, 11, 16, 31, 64, 127, 500, 1024, 4096, 65_536]

function recordingsOf(folder: string): readonly string[] {
  if (root === undefined) return []
  return readdirSync(join(root, folder)).filter((file) => file.endsWith('.jsonl'))
}

if (root === undefined) console.log('skipped: recorded provider streams, for PROVIDER_RECORDINGS names no folder')

describe.runIf(root !== undefined).each(Object.entries(protocols))('%s', (folder, [framing, engine]) => {
  test.each(recordingsOf(folder))('%s ends as one turn, however it is cut', async (file) => {
    const messages = readFileSync(join(root ?? '', folder, file), 'utf8')
      .trim()
      .split('\n')
    const bytes = new TextEncoder().encode(sse(messages, framing))
    const outcome = (chunkSize: number) => runToEnd(engine(replying([bytes, { chunkSize }]).fetch), prompt)
    const whole = await outcome(bytes.length)
    for (const chunkSize of cuts.filter((size) => size < bytes.length)) {
      expect(await outcome(chunkSize), `chunks of ${chunkSize} bytes`).toEqual(whole)
    }

    const start = inferenceIdKey.set(sessionIdKey.set({ ...prompt, id: 't' }, 's'), 'i')
    expect(whole.events.reduce(applyEvent, start), 'the fold of the events').toEqual(whole.turn)
    expect(turnFromText(turnToYaml(whole.turn)), 'the turn, written and read').toEqual(whole.turn)
    expect(() => JSON.stringify(whole.events.map(encodeEvent))).not.toThrow()
  })
})
