import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventsOf, hear } from '../../../test/support/anthropic-replies.ts'
import { compareWithSdk } from '../../../test/support/anthropic-sdk.ts'
import { sse } from '../../../test/support/replies.ts'
import { isJsonObject, type JsonObject } from '../../json.ts'
import { inferenceResultKey } from '../../turns/keys.ts'
import { blocksOf } from '../../turns/turn.ts'

// Replies as they were recorded, judged by what they say themselves: `PROVIDER_RECORDINGS=<folder>`.

const root = process.env['PROVIDER_RECORDINGS']
const folder = join(root ?? '', 'anthropic')
const names =
  root !== undefined && existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.jsonl')) : []
if (names.length === 0)
  console.log('skipped: recorded replies of Anthropic, for PROVIDER_RECORDINGS names no folder with them')

const ours = new Set(['text', 'thinking', 'redacted_thinking', 'tool_use'])

function read(name: string) {
  const lines = readFileSync(join(folder, name), 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
  const messages = lines.map((line) => JSON.parse(line) as JsonObject) // a line is a message
  const objects = (field: string) =>
    messages.flatMap((message) => (isJsonObject(message[field]) ? [message[field]] : []))
  const deltas = objects('delta')
  const written = (type: string, field: string) =>
    deltas
      .filter((delta) => delta['type'] === type)
      .map((delta) => String(delta[field]))
      .join('')
  return { lines, messages, opened: objects('content_block'), deltas, written }
}

describe.runIf(names.length > 0).each(names.length > 0 ? names : ['no recording'])('%s', (name) => {
  test('every block and every delta is there, in order', async () => {
    const { lines, opened, deltas, written } = read(name)
    const outcome = await hear(sse(lines, 'named'))
    const { turn } = outcome
    expect(outcome.error).toBeUndefined()
    expect(
      blocksOf(turn, 'llm_text')
        .map(({ payload }) => payload.text)
        .join(''),
    ).toBe(written('text_delta', 'text'))
    const thoughts = blocksOf(turn, 'reasoning').map(({ payload }) => payload)
    expect(thoughts.map(({ text = '' }) => text).join('')).toBe(written('thinking_delta', 'thinking'))
    expect(thoughts.map(({ signature = '' }) => signature).join('')).toBe(written('signature_delta', 'signature'))
    const calls = opened.filter(({ type }) => type === 'tool_use').map((block) => [block['id'], block['name']])
    expect(blocksOf(turn, 'tool_call').map(({ payload }) => [payload.id, payload.name])).toEqual(calls)
    const items = blocksOf(turn, 'other').map(({ payload }) => isJsonObject(payload['item']) && payload['item']['type'])
    expect(items).toEqual(opened.map(({ type }) => String(type)).filter((type) => !ours.has(type)))
    expect(eventsOf(outcome, 'citation')).toHaveLength(deltas.filter(({ type }) => type === 'citations_delta').length)
  })

  test('the result is what the last message says', async () => {
    const { lines, messages } = read(name)
    const result = inferenceResultKey.get((await hear(sse(lines, 'named'))).turn)
    const { delta, usage } = messages.findLast(({ type }) => type === 'message_delta') ?? {}
    expect(result?.stop_reason).toBe(isJsonObject(delta) ? delta['stop_reason'] : undefined)
    expect(result?.usage?.output_tokens).toBe(isJsonObject(usage) ? usage['output_tokens'] : undefined)
    expect(result?.extra?.['ignored_events']).toBeUndefined()
  })

  test('the official SDK reads the same', async () => {
    // It takes a beginning that is said twice for an error; all else must agree.
    const { lines } = read(name)
    const once = lines.filter((line, index) => line !== lines[index - 1] || !line.includes('"message_start"'))
    await compareWithSdk(sse(once, 'named'))
  })
})
