// Recorded replies, read by this provider and by the few lines below, which know nothing of it. Set PROVIDER_RECORDINGS
// to a folder that has `openai-responses/*.jsonl`, one wire event a line.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { replying, runToEnd } from '../../../test/support/replies.ts'
import { streamOf } from '../../../test/support/responses-replies.ts'
import { validateResponsesRequest } from '../../../test/support/validate-responses.ts'
import { callSettings } from '../../inference/settings.ts'
import { isJsonObject, type JsonObject } from '../../json.ts'
import { userText, type Block } from '../../turns/block.ts'
import { inferenceResultKey, sidecarKey } from '../../turns/keys.ts'
import { createTurn } from '../../turns/turn.ts'
import { list, object, text } from '../wire.ts'
import { openaiResponses } from './protocol.ts'
import { toRequest } from './request.ts'

const root = process.env['PROVIDER_RECORDINGS']
const folder = join(root ?? '', 'openai-responses')
if (root === undefined)
  console.log('skipped: recorded replies of the Responses API, for PROVIDER_RECORDINGS names no folder')

interface Recording {
  readonly name: string
  readonly messages: readonly JsonObject[]
}

/** A file may hold the replies of a whole conversation, one after another. */
function replies(): readonly Recording[] {
  if (root === undefined) return []
  return readdirSync(folder)
    .filter((file) => file.endsWith('.jsonl'))
    .flatMap((file) => {
      const all = messagesOf(file)
      const starts = all.flatMap((message, index) => (message['type'] === 'response.created' ? [index] : []))
      return starts.map((start, count) => ({
        name: `${file} #${count + 1}`,
        messages: all.slice(start, starts[count + 1]),
      }))
    })
}

function messagesOf(file: string): readonly JsonObject[] {
  const lines = readFileSync(join(folder, file), 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line) as JsonObject) // a recording is of JSON objects
}

function hear(messages: readonly JsonObject[]) {
  const { fetch } = replying([streamOf(messages)])
  return runToEnd(openaiResponses({ model: 'gpt-5', fetch, retry: { maxAttempts: 1 } }), createTurn([userText('Hi')]))
}

const wholeItems = (messages: readonly JsonObject[]) =>
  messages.filter(({ type }) => type === 'response.output_item.done').map((message) => object(message, 'item') ?? {})
const isBare = (whole: JsonObject) =>
  whole['type'] === 'reasoning' &&
  text(whole, 'encrypted_content') === undefined &&
  list(whole, 'summary').length + list(whole, 'content').length === 0
const sum = (messages: readonly JsonObject[], type: string) =>
  messages
    .filter((message) => message['type'] === type)
    .map((message) => text(message, 'delta') ?? '')
    .join('')

function said({ kind, payload }: Block): readonly unknown[] {
  switch (kind) {
    case 'llm_text':
      return [kind, payload.text]
    case 'reasoning':
      return [kind, payload.text ?? '', payload.encrypted_content]
    case 'tool_call':
      return [kind, payload.id, payload.name, payload.args]
    default:
      return [kind]
  }
}

function saidByItem(whole: JsonObject): readonly unknown[] {
  const texts = (name: string) =>
    list(whole, name)
      .filter(isJsonObject)
      .map((part) => part['text'] ?? part['refusal'])
  switch (whole['type']) {
    case 'message':
      return ['llm_text', texts('content').join('')]
    case 'reasoning':
      return ['reasoning', [...texts('summary'), ...texts('content')].join('\n\n'), whole['encrypted_content']]
    case 'function_call':
      return ['tool_call', whole['call_id'], whole['name'], JSON.parse(text(whole, 'arguments') ?? '')]
    case 'custom_tool_call':
      return ['tool_call', whole['call_id'], whole['name'], whole['input']]
    default:
      return ['other']
  }
}

describe.runIf(root !== undefined)('a recorded reply', () => {
  test.each(replies().map(({ name, messages }) => [name, messages] as const))('%s', async (_name, messages) => {
    const heard = await hear(messages)
    const last = messages.at(-1) ?? {}
    const response = object(last, 'response') ?? {}
    if (last['type'] === 'response.failed') {
      expect(heard.error).toMatchObject({ details: { type: text(object(response, 'error') ?? {}, 'code') } })
      return
    }
    expect(heard.error).toBeUndefined()
    const blocks = heard.turn.blocks.slice(1)
    const items = wholeItems(messages).filter((whole) => !isBare(whole))
    expect(blocks.map((block) => sidecarKey.get(block)?.item ?? object(block.payload as JsonObject, 'item'))).toEqual(
      items,
    ) // either holds it
    expect(blocks.map(said)).toEqual(items.map(saidByItem))

    const told = (type: string) =>
      heard.events.flatMap((event) => (event.type === type && 'delta' in event ? [event.delta] : [])).join('')
    const words = items.filter(({ type }) => type === 'message').map((whole) => saidByItem(whole)[1])
    expect(told('text-delta')).toBe(words.join('')) // whether or not the recording has every delta
    expect(told('tool-call-arguments-delta')).toBe(
      sum(messages, 'response.function_call_arguments.delta') + sum(messages, 'response.custom_tool_call_input.delta'),
    )
    const citations = messages.filter(({ type }) => type === 'response.output_text.annotation.added')
    expect(heard.events.filter(({ type }) => type === 'citation')).toHaveLength(citations.length)

    const usage = object(response, 'usage') ?? {}
    expect(inferenceResultKey.get(heard.turn)).toMatchObject({
      response_id: response['id'],
      model: response['model'],
      usage: {
        input_tokens: usage['input_tokens'],
        output_tokens: usage['output_tokens'],
        cached_tokens: object(usage, 'input_tokens_details')?.['cached_tokens'],
        reasoning_tokens: object(usage, 'output_tokens_details')?.['reasoning_tokens'],
      },
    })

    for (const store of [true, false]) {
      const turn = createTurn([...heard.turn.blocks, userText('More')])
      const { body } = toRequest(turn, callSettings(turn, { model: 'gpt-5', openai: { store } }), [])
      expect(validateResponsesRequest(body)).toEqual([])
      const sent = list(body, 'input')
        .filter(isJsonObject)
        .filter(({ role, type }) => role !== 'user' && !/call_output$/.test(String(type)))
      if (store) expect(JSON.stringify(sent)).toBe(JSON.stringify(wholeItems(messages)))
      else expect(sent).toHaveLength(items.length)
    }
  })

  test('is over with its last event, though another follows in the file', async () => {
    for (const file of readdirSync(folder)) {
      const all = messagesOf(file)
      const [first] = replies().filter(({ name }) => name.startsWith(file))
      expect((await hear(all)).events, file).toEqual((await hear(first?.messages ?? [])).events)
    }
  })
})
