import { describe, expect, test } from 'vitest'
import * as wire from '../../../test/support/anthropic-replies.ts'
import {
  found,
  hear,
  messageDelta,
  messageStart,
  messageStop,
  reply,
  said,
  search,
  searchCall,
  stream,
  textBlock,
  toolBlock,
} from '../../../test/support/anthropic-replies.ts'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { replying, runToEnd } from '../../../test/support/replies.ts'
import type { JsonObject } from '../../json.ts'
import { assistantText, reasoning, userText, type Block } from '../../turns/block.ts'
import { inferenceResultKey, partialKey } from '../../turns/keys.ts'
import { answerText, createTurn } from '../../turns/turn.ts'
import type { ProviderError } from '../error.ts'
import type { Fetch } from '../transport.ts'
import { anthropic } from './protocol.ts'

const prompt = createTurn([userText('Hi')])
const opening = [
  messageStart(),
  wire.blockStart(0, { type: 'text', text: '' }),
  wire.blockDelta(0, { type: 'text_delta', text: 'Hel' }),
]
const half = [partialKey.set(assistantText('Hel'), true)]
const failure = (type: string, message: string): JsonObject => ({
  type: 'error',
  error: { type, message },
  request_id: 'req_1',
})
const halfCall = [
  wire.blockStart(1, { type: 'tool_use', id: 't', name: 'a', input: {} }),
  wire.blockDelta(1, { type: 'input_json_delta', partial_json: '{"x":1}' }),
]
const halfThought = [
  wire.blockStart(0, { type: 'thinking', thinking: '' }),
  wire.blockDelta(0, { type: 'thinking_delta', thinking: 'Hm' }),
]

describe('a reply that goes wrong', () => {
  test.each<[string, readonly JsonObject[], string, boolean, readonly Block[]]>([
    [
      'overload in the middle',
      [...opening, failure('overloaded_error', 'Overloaded')],
      'PROVIDER_OVERLOADED',
      true,
      half,
    ],
    ['overload before the first word', [failure('overloaded_error', 'Overloaded')], 'PROVIDER_OVERLOADED', true, []],
    [
      'a fault of the server',
      [...opening, failure('api_error', 'Internal server error')],
      'PROVIDER_STREAM_ERROR',
      true,
      half,
    ],
    [
      'an error that a gateway put in',
      [...opening, { error: { message: 'timed out' } }],
      'PROVIDER_STREAM_ERROR',
      false,
      half,
    ],
    ['an end without the end', opening, 'PROVIDER_STREAM_TRUNCATED', true, half],
    [
      'an end between two blocks',
      [messageStart(), ...textBlock(0, 'Hel')],
      'PROVIDER_STREAM_TRUNCATED',
      true,
      [assistantText('Hel')],
    ],
    [
      'an end in the middle of arguments',
      [messageStart(), ...textBlock(0, 'Hel'), ...halfCall],
      'PROVIDER_STREAM_TRUNCATED',
      true,
      [assistantText('Hel')],
    ],
    [
      'an end in the middle of thinking',
      [messageStart(), ...halfThought],
      'PROVIDER_STREAM_TRUNCATED',
      true,
      [partialKey.set(reasoning({ text: 'Hm' }), true)],
    ],
    ['a last mark with nothing before it', [messageStart(), messageStop], 'PROVIDER_STREAM_TRUNCATED', true, []],
    ['an answer without a word', reply([]), 'PROVIDER_EMPTY_RESPONSE', true, []],
    ['the beginning of another reply', [...opening, messageStart({ id: 'msg_2' })], 'PROVIDER_PROTOCOL', true, half],
  ])('%s is an error that keeps what had come', async (_name, messages, code, retryable, blocks) => {
    const body = stream(messages)
    const whole = await hear(body)
    expect(whole.error).toMatchObject({ code, details: { provider: 'anthropic', retryable } })
    expect((whole.error as ProviderError).message).not.toContain('[object Object]')
    expect(said(whole)).toEqual(blocks)
    for (const chunkSize of [1, 7, 64]) expect((await hear(body, { chunkSize })).events).toEqual(whole.events)
  })

  test.each(['end', 'break'] as const)(
    'a stream that is cut behind the stop reason has lost nothing (%s)',
    async (then) => {
      const body = stream([messageStart(), ...textBlock(0, 'Hi'), messageDelta('end_turn')])
      const outcome = await hear(`${body}event: message_stop\ndata: {"ty`, { then })
      expect(outcome.error).toBeUndefined()
      expect(answerText(outcome.turn)).toBe('Hi')
      expect(inferenceResultKey.get(outcome.turn)?.finish_class).toBe('completed')
    },
  )

  test('a stream that is cut anywhere before that is an error', async () => {
    const body = stream([messageStart(), ...textBlock(0, 'Hi'), ...toolBlock(1, 't', 'a', '{"x":1}')])
    for (let length = 0; length <= body.length; length += 3) {
      const outcome = await hear(body.slice(0, length), { then: length % 2 === 0 ? 'end' : 'break' })
      expect(outcome.error).toMatchObject({ code: 'PROVIDER_STREAM_TRUNCATED' })
    }
  })
})

describe('a reply that takes its time', () => {
  const begins = [messageStart(), wire.blockStart(0, { ...search, name: 'text_editor_code_execution', input: {} })]
  const ends = [wire.blockStop(0), ...textBlock(1, 'Done.'), messageDelta('end_turn'), messageStop]

  /** A fetch whose reply gives one message every 60 ms. */
  function slowly(messages: readonly JsonObject[], clock: FakeClock): Fetch {
    const pieces = messages.map((message) => new TextEncoder().encode(stream([message])))
    return (_url, { signal }) => {
      const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
          await clock.advance(60)
          if (signal.aborted) return controller.error(signal.reason)
          const piece = pieces.shift()
          return piece === undefined ? controller.close() : controller.enqueue(piece)
        },
      })
      return Promise.resolve({ status: 200, headers: new Headers({ 'content-type': 'text/event-stream' }), body })
    }
  }

  test.each<[string, JsonObject, string | undefined]>([
    [
      'is waited for while a server tool is being written',
      wire.blockDelta(0, { type: 'input_json_delta', partial_json: ' ' }),
      undefined,
    ],
    ['is given up when nothing comes but pings', wire.ping, 'PROVIDER_STALLED'],
  ])('%s', async (_name, message, code) => {
    const clock = new FakeClock()
    const fetch = slowly([...begins, ...Array.from({ length: 5 }, () => message), ...ends], clock)
    const engine = anthropic({ model: 'm', fetch, timeouts: { idleMs: 100 }, retry: { maxAttempts: 1 } })
    const { error } = await runToEnd(engine, prompt, clock)
    expect(error === undefined ? undefined : (error as ProviderError).code).toBe(code)
  })
})

describe('a reply that pauses', () => {
  test('is sent back as it is, with its container, and goes on', async () => {
    const container = { id: 'cont_1', expires_at: 'later' }
    const first = reply([textBlock(0, 'Let me look. '), searchCall(1)], 'pause_turn', { container })
    const second = reply([wire.wholeBlock(0, found), textBlock(1, 'Found.')])
    const { fetch, sent } = replying([stream(first)], [stream(second)])
    const outcome = await runToEnd(anthropic({ model: 'claude-test', fetch, promptCache: 'none' }), prompt)
    expect(outcome.error).toBeUndefined()
    expect(answerText(outcome.turn)).toBe('Let me look. \n\nFound.')
    expect(JSON.parse(sent[1]?.body ?? '')).toMatchObject({
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
        { role: 'assistant', content: [{ type: 'text', text: 'Let me look. ' }, search] },
      ],
      container: 'cont_1',
    })
    expect(inferenceResultKey.get(outcome.turn)).toMatchObject({
      finish_class: 'completed',
      usage: { input_tokens: 20, output_tokens: 40 },
    })
  })

  test('for ever is given up as incomplete', async () => {
    const { fetch, sent } = replying([stream(reply([textBlock(0, 'Wait.')], 'pause_turn'))])
    const outcome = await runToEnd(anthropic({ model: 'claude-test', fetch }), prompt)
    expect(sent).toHaveLength(6)
    expect(inferenceResultKey.get(outcome.turn)).toMatchObject({
      finish_class: 'incomplete',
      stop_reason: 'pause_turn',
    })
  })
})
