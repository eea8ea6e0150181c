import { describe, expect, test } from 'vitest'
import { converse, recorder } from '../../test/support/cassettes.ts'
import { call, chunk, stream } from '../../test/support/chat-replies.ts'
import { replying } from '../../test/support/replies.ts'
import type { Json } from '../json.ts'
import { stack, type Engine } from '../inference/engine.ts'
import { defineTool, jsonSchemaInput } from '../inference/tool.ts'
import { toolLoop } from '../inference/tool-loop.ts'
import { systemPrompt } from '../middleware/system-prompt.ts'
import { createEngine } from '../providers/factory.ts'
import type { Cassette } from './cassette.ts'
import { replayCassette } from './replay.ts'

const input = jsonSchemaInput({ type: 'object' })
const asks = (args: string) =>
  stream([
    call({ index: 0, id: 'call-1', type: 'function', function: { name: 'look', arguments: args } }),
    chunk({}, 'tool_calls'),
  ])
const says = stream([chunk({ content: 'Done' }), chunk({}, 'stop')])

interface Setup {
  readonly system?: string
  readonly mask?: (input: unknown) => Json
  readonly noTools?: boolean
}

function engineOf({ system = 'Be kind.', mask, noTools }: Setup = {}): (cassette: Cassette) => Engine {
  const look = defineTool({ name: 'look', description: 'd', input, ...(mask && { mask }), execute: () => 'seen' })
  return (cassette) => {
    const model = createEngine('openai', { apiKey: 'sk-canary-4711', fetch: cassette.fetch, model: 'm' })
    const engine = stack(model, systemPrompt(system))
    return noTools ? engine : toolLoop(engine, [cassette.tool(look)])
  }
}

async function record(setup: Setup = {}, prompts?: readonly string[]) {
  const recording = recorder({ fetch: replying([asks('{"at":"x"}')], [says]).fetch })
  const shown = await converse(engineOf(setup), recording, prompts)
  return { shown, text: recording.text() }
}

describe('A replay fails with the first thing that went another way', () => {
  test.each<[string, Setup, readonly string[], string]>([
    ['another prompt', {}, ['Stay'], 'message 2 differs. At $.messages[1].content, "Go" was recorded and "Stay" came'],
    ['another system prompt', { system: 'Be rude.' }, ['Go'], 'the system prompt changed.'],
    ['a tool that is gone', { noTools: true }, ['Go'], 'the tool look is not offered any more.'],
    [
      'another input',
      { mask: () => 'hidden' },
      ['Go'],
      'the call call-1 of the tool look has another input. At $, {"at":"x"} was recorded and "hidden" came.',
    ],
    [
      'one request more',
      {},
      ['Go', 'Go on'],
      'request 3 (POST https://api.openai.com/v1/chat/completions) was not made then.',
    ],
  ])('%s', async (_what, setup, prompts, sentence) => {
    const player = replayCassette((await record()).text)
    const { error } = await converse(engineOf(setup), player, prompts)
    if (setup.mask === undefined) expect(error).toMatchObject({ code: 'CASSETTE_DIVERGED' })
    await expect(player.finish()).rejects.toMatchObject({
      code: 'CASSETTE_DIVERGED',
      message: expect.stringContaining(sentence) as string, // what a matcher is
    })
  })

  test('what was recorded and not asked for is left at the end', async () => {
    const { text } = await record()
    const none = replayCassette(text)
    await expect(none.finish()).rejects.toThrow(
      'The replay differs from the recording: request 1 (POST https://api.openai.com/v1/chat/completions) was not made now.',
    )
    const two = recorder({ fetch: replying([says]).fetch })
    await converse(engineOf(), two, ['Go', 'Go on'])
    const player = replayCassette(two.text())
    await converse(engineOf(), player, ['Go'])
    await expect(player.finish()).rejects.toThrow('request 2')
  })

  test('a call that asks longer than the recording goes on ends, and so does a script', async () => {
    const { text } = await record()
    const lines = text.trimEnd().split('\n')
    const cut = lines.slice(
      0,
      lines.findIndex((line) => line.includes('"type":"chunk"')),
    )
    const player = replayCassette([...cut, JSON.stringify({ type: 'end', lines: cut.length - 1 })].join('\n'))
    const { error } = await converse(engineOf(), player)
    expect(error).toMatchObject({ code: expect.stringMatching(/CASSETTE_DIVERGED|PROVIDER/) as string })
    await expect(player.finish()).rejects.toMatchObject({ code: 'CASSETTE_DIVERGED' })

    const scripted = () => createEngine('scripted', { pace: 20 })
    const short = recorder()
    await converse(scripted, short, ['Hello'])
    const longer = replayCassette(short.text())
    const ended = await converse(scripted, longer, ['Tell me a long story.'])
    expect(ended.events).toContain('inference-finished')
    await expect(longer.finish()).rejects.toThrow('the run goes on after the recording has ended')
  })

  test('when it is not strict, another request is given the recorded reply', async () => {
    const { text, shown } = await record()
    const player = replayCassette(text, { strict: false })
    const replayed = await converse(engineOf({ system: 'Be rude.' }), player)
    expect(replayed.error).toBeUndefined()
    expect(replayed.turn).toContain('Done')
    expect(replayed.turn).not.toBe(shown.turn)
    await player.finish()
  })
})

test('A tool with a mask is recorded with the masked input', async () => {
  const mask = () => ({ at: 'masked-away' })
  const { text, shown } = await record({ mask })
  expect(text).toContain('"tool-call","call":1,"tool":"look","tool_call_id":"call-1","input":{"at":"masked-away"}')
  const player = replayCassette(text)
  expect(await converse(engineOf({ mask }), player)).toEqual(shown)
  await player.finish()
})
