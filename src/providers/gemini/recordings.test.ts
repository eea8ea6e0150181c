// Recorded replies, read here and by a few independent lines. Set PROVIDER_RECORDINGS to a folder that has `gemini/`.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventsOf } from '../../../test/support/gemini-replies.ts'
import { replying, runToEnd, sse } from '../../../test/support/replies.ts'
import { validateGeminiRequest } from '../../../test/support/validate-gemini.ts'
import { callSettings } from '../../inference/settings.ts'
import { isJsonObject, type JsonObject } from '../../json.ts'
import { toolResult, userText } from '../../turns/block.ts'
import { inferenceResultKey } from '../../turns/keys.ts'
import { append, blocksOf, createTurn } from '../../turns/turn.ts'
import { list, number, object, objects, text } from '../wire.ts'
import { gemini } from './protocol.ts'
import { toRequest } from './request.ts'

const folder = join(process.env['PROVIDER_RECORDINGS'] ?? '', 'gemini')
const hasRecordings = process.env['PROVIDER_RECORDINGS'] !== undefined && existsSync(folder)
const files = hasRecordings ? readdirSync(folder).filter((file) => file.endsWith('.jsonl')) : []
if (!hasRecordings) console.log('skipped: recorded replies of Gemini, for PROVIDER_RECORDINGS names no folder of them')

const prompt = createTurn([userText('Hi')])

/** What the chunks say, without the decoder. */
function reading(file: string) {
  const lines = readFileSync(join(folder, file), 'utf8').trim().split('\n')
  const chunks = lines.map((line) => JSON.parse(line) as JsonObject) // one message a line
  const candidates = chunks
    .flatMap((chunk) => objects(chunk, 'candidates'))
    .filter((each) => (number(each, 'index') ?? 0) === 0)
  const parts = candidates.flatMap((each) => objects(object(each, 'content') ?? {}, 'parts'))
  return {
    lines,
    parts,
    texts: (thought: boolean) =>
      parts
        .filter((part) => (part['thought'] === true) === thought)
        .map((part) => text(part, 'text') ?? '')
        .join(''),
    names: parts.flatMap((part) => text(object(part, 'functionCall') ?? {}, 'name') ?? []),
    signatures: parts.flatMap((part) => text(part, 'thoughtSignature') ?? []),
    finish: candidates.map((each) => text(each, 'finishReason')).findLast((reason) => reason !== undefined),
    usage: chunks.map((chunk) => object(chunk, 'usageMetadata')).findLast((each) => each !== undefined) ?? {},
  }
}

describe.runIf(hasRecordings)('recorded replies', () => {
  test.each(files)('%s says what its chunks say', async (file) => {
    const expected = reading(file)
    const stream = sse(expected.lines, 'gemini')
    const { turn, events, error } = await runToEnd(
      gemini({ model: 'gemini-x', fetch: replying([stream]).fetch }),
      prompt,
    )
    if (expected.finish === undefined) return expect(error).toMatchObject({ code: 'PROVIDER_STREAM_TRUNCATED' })
    const said = (kind: 'llm_text' | 'reasoning') =>
      blocksOf(turn, kind)
        .map((block) => block.payload.text ?? '')
        .join('')
    expect([said('llm_text'), said('reasoning')]).toEqual([expected.texts(false), expected.texts(true)])
    const calls = blocksOf(turn, 'tool_call')
    expect(calls.map(({ payload }) => payload.name)).toEqual(expected.names)
    expect(new Set(calls.map(({ payload }) => payload.id)).size).toBe(calls.length)
    for (const { payload } of calls) {
      const deltas = eventsOf(events, 'tool-call-arguments-delta').filter(({ toolCallId }) => toolCallId === payload.id)
      expect(JSON.parse(deltas.map(({ delta }) => delta).join(''))).toEqual(payload.args)
    }
    const result = inferenceResultKey.get(turn)
    expect(result?.stop_reason).toBe(expected.finish)
    const count = (name: string) => number(expected.usage, name) ?? 0
    expect(result?.usage).toMatchObject({
      input_tokens: count('promptTokenCount') + count('toolUsePromptTokenCount'),
      output_tokens: count('candidatesTokenCount') + count('thoughtsTokenCount'),
    })
  })

  test.each(files)('%s goes back part by part, each signature on its own part', async (file) => {
    const expected = reading(file)
    if (expected.finish === undefined) return
    const stream = sse(expected.lines, 'gemini')
    const { turn } = await runToEnd(gemini({ model: 'gemini-x', fetch: replying([stream]).fetch }), prompt)
    const results = blocksOf(turn, 'tool_call').map(({ payload }) => toolResult(payload.id, 1))
    const next = append(turn, ...results, ...(results.length === 0 ? [userText('And?')] : []))
    const { body, repairs } = toRequest(next, callSettings(next, { model: 'gemini-3-pro' }), [])
    expect(repairs).toEqual([])
    expect(validateGeminiRequest(body)).toEqual([])
    const sent = list(objects(body, 'contents').find(({ role }) => role === 'model') ?? {}, 'parts').filter(
      isJsonObject,
    )
    const signed = (parts: readonly JsonObject[]) =>
      parts.filter((part) => 'thoughtSignature' in part).map((part) => [part['thoughtSignature'], part['text']])
    expect(signed(sent)).toEqual(signed(expected.parts))
    expect(
      sent
        .filter((part) => part['thought'] !== true)
        .map((part) => text(part, 'text') ?? '')
        .join(''),
    ).toBe(expected.texts(false))
    expect(sent.flatMap((part) => text(object(part, 'functionCall') ?? {}, 'name') ?? [])).toEqual(expected.names)
  })
})
