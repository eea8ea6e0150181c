import { describe, expect, test } from 'vitest'
import { begin, call, candidate, chunk, end, eventsOf, read } from '../../../test/support/gemini-replies.ts'
import { replying, runToEnd } from '../../../test/support/replies.ts'
import { userText } from '../../turns/block.ts'
import { partialKey } from '../../turns/keys.ts'
import { createTurn } from '../../turns/turn.ts'
import { gemini } from './protocol.ts'

const hi = { text: 'Hi' }
const blocked = (blockReason: string) => ({ promptFeedback: { blockReason, safetyRatings: [] }, responseId: 'r' })

describe('a reply that ends', () => {
  test.each<[string, readonly object[], string, string]>([
    ['STOP', [chunk([hi], 'STOP')], 'completed', 'STOP'],
    ['STOP behind the content', [chunk([hi]), candidate({ finishReason: 'STOP' })], 'completed', 'STOP'],
    ['STOP ahead of the content', [chunk([], 'STOP'), chunk([hi])], 'completed', 'STOP'],
    [
      'an unsaid reason behind a STOP',
      [chunk([hi], 'STOP'), candidate({ finishReason: 'FINISH_REASON_UNSPECIFIED' })],
      'completed',
      'STOP',
    ],
    ['a limit', [chunk([hi], 'MAX_TOKENS')], 'max_tokens', 'MAX_TOKENS'],
    ['a limit without parts', [candidate({ finishReason: 'MAX_TOKENS' })], 'max_tokens', 'MAX_TOKENS'],
    [
      'a limit that a STOP follows',
      [chunk([hi], 'MAX_TOKENS'), candidate({ finishReason: 'STOP' })],
      'max_tokens',
      'MAX_TOKENS',
    ],
    ['a STOP that a filter follows', [chunk([hi], 'STOP'), candidate({ finishReason: 'SAFETY' })], 'refusal', 'SAFETY'],
    ['the limit of a request', [chunk([hi], 'CONTINUATION')], 'max_tokens', 'CONTINUATION'],
    ['a call', [chunk([call('f', {})], 'STOP')], 'tool_calls_pending', 'STOP'],
    [
      'a call ahead of its end',
      [chunk([call('f', {})]), candidate({ finishReason: 'STOP' })],
      'tool_calls_pending',
      'STOP',
    ],
    ['safety beside a call', [chunk([call('f', {})], 'SAFETY')], 'refusal', 'SAFETY'],
    [
      'a bad call beside a good one',
      [chunk([call('f', {})], 'MALFORMED_FUNCTION_CALL')],
      'tool_calls_pending',
      'MALFORMED_FUNCTION_CALL',
    ],
    ['thoughts alone', [chunk([{ text: 'Hm', thought: true }], 'STOP')], 'incomplete', 'STOP'],
    [
      'thoughts and a signature',
      [
        chunk(
          [
            { text: 'Hm', thought: true },
            { text: '', thoughtSignature: 's' },
          ],
          'STOP',
        ),
      ],
      'incomplete',
      'STOP',
    ],
    ...[
      'SAFETY',
      'RECITATION',
      'BLOCKLIST',
      'PROHIBITED_CONTENT',
      'SPII',
      'IMAGE_SAFETY',
      'IMAGE_PROHIBITED_CONTENT',
      'IMAGE_RECITATION',
    ].map((reason): [string, readonly object[], string, string] => [
      reason,
      [candidate({ finishReason: reason })],
      'refusal',
      reason,
    ]),
    ...['LANGUAGE', 'NO_IMAGE'].map((reason): [string, readonly object[], string, string] => [
      reason,
      [candidate({ finishReason: reason })],
      'incomplete',
      reason,
    ]),
    ...['SAFETY', 'BLOCKLIST', 'PROHIBITED_CONTENT', 'IMAGE_SAFETY', 'MODEL_ARMOR', 'JAILBREAK'].map(
      (reason): [string, readonly object[], string, string] => [
        `a prompt blocked for ${reason}`,
        [blocked(reason)],
        'refusal',
        reason,
      ],
    ),
    ['a prompt blocked for another reason', [blocked('OTHER')], 'refusal', 'blocked'],
    ['a prompt blocked for a reason to come', [blocked('NEW_REASON')], 'refusal', 'blocked'],
    ['a blocked prompt beside an empty STOP', [{ ...chunk([], 'STOP'), ...blocked('SAFETY') }], 'refusal', 'SAFETY'],
    [
      'a prompt that was looked at and let through',
      [{ ...chunk([hi], 'STOP'), promptFeedback: { safetyRatings: [] } }],
      'completed',
      'STOP',
    ],
    ['a word that nobody knows', [chunk([hi], 'NEW_REASON')], 'unknown', 'NEW_REASON'],
    ['the word for all other reasons', [chunk([hi], 'OTHER')], 'unknown', 'OTHER'],
  ])('with %s', async (_name, messages, finish, reason) => {
    const { result, error } = await read(messages)
    expect(error).toBeUndefined()
    expect(result).toMatchObject({ finish_class: finish, stop_reason: reason })
  })

  test('keeps what was said of its end', async () => {
    expect(
      (await read([candidate({ finishReason: 'RECITATION', finishMessage: 'Too close.' })])).result?.extra,
    ).toEqual({
      finish_message: 'Too close.',
    })
    expect((await read([blocked('OTHER')])).result?.extra).toEqual({
      prompt_feedback: { blockReason: 'OTHER', safetyRatings: [] },
    })
  })

  test('is whole where the connection breaks behind the last word, and cut where it breaks before', async () => {
    const whole = await read([chunk([hi], 'STOP')], { then: 'break' })
    expect([whole.error, whole.said]).toEqual([undefined, [['llm_text', 'Hi']]])
    expect((await read([blocked('SAFETY')], { then: 'break' })).result?.finish_class).toBe('refusal')
    const early = await read([chunk([], 'STOP'), chunk([hi])], { then: 'break' })
    expect(early.error).toMatchObject({ code: 'PROVIDER_STREAM_TRUNCATED' })
  })
})

describe('a reply that fails', () => {
  test.each<[string, readonly object[], string, boolean]>([
    ['a cut', [chunk([hi])], 'PROVIDER_STREAM_TRUNCATED', true],
    ['a cut behind a whole call', [chunk([call('f', {})])], 'PROVIDER_STREAM_TRUNCATED', true],
    ['no chunk at all', [], 'PROVIDER_STREAM_TRUNCATED', true],
    ['an unsaid reason', [chunk([hi], 'FINISH_REASON_UNSPECIFIED')], 'PROVIDER_STREAM_TRUNCATED', true],
    ...['MALFORMED_FUNCTION_CALL', 'UNEXPECTED_TOOL_CALL', 'TOO_MANY_TOOL_CALLS', 'MISSING_THOUGHT_SIGNATURE'].map(
      (reason): [string, readonly object[], string, boolean] => [
        reason,
        [candidate({ finishReason: reason })],
        'PROVIDER_MALFORMED_TOOL_CALL',
        true,
      ],
    ),
    ['a reply that was malformed', [chunk([hi], 'MALFORMED_RESPONSE')], 'PROVIDER_STREAM_ERROR', true],
    ['not a word', [chunk([], 'STOP')], 'PROVIDER_EMPTY_RESPONSE', true],
    ['an empty text', [chunk([{ text: '' }], 'STOP')], 'PROVIDER_EMPTY_RESPONSE', true],
    ['a signature of nothing', [chunk([{ text: '', thoughtSignature: 's' }], 'STOP')], 'PROVIDER_EMPTY_RESPONSE', true],
    ['another reason without a word', [candidate({ finishReason: 'OTHER' })], 'PROVIDER_EMPTY_RESPONSE', true],
    [
      'an overload inside the stream',
      [chunk([hi]), { error: { code: 503, status: 'UNAVAILABLE', message: 'Overloaded' } }],
      'PROVIDER_OVERLOADED',
      true,
    ],
    [
      'a spent quota inside the stream',
      [{ error: { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'Quota' } }],
      'PROVIDER_RATE_LIMITED',
      true,
    ],
    ['an error in a word', [chunk([hi]), { error: 'oops' }], 'PROVIDER_STREAM_ERROR', false],
  ])('with %s', async (_name, messages, code, retryable) => {
    const { error } = await read(messages)
    expect(error).toMatchObject({ code, details: { retryable } })
  })

  test('has asked for no call that was not whole', async () => {
    for (const last of [chunk([]), chunk([], 'MALFORMED_FUNCTION_CALL')]) {
      const { said } = await read([chunk([hi, begin('f')]), last])
      expect(said).toEqual([['llm_text', 'Hi']])
    }
  })

  test('keeps its text as partial, and what it cost', async () => {
    const usageMetadata = { promptTokenCount: 9, candidatesTokenCount: 1 }
    const { blocks, result, events } = await read([
      chunk([hi, { text: '!', thoughtSignature: 's' }], undefined, { usageMetadata }),
    ])
    expect(blocks).toMatchObject([{ kind: 'llm_text', payload: { text: 'Hi!' } }])
    expect(blocks.map((block) => partialKey.get(block))).toEqual([true])
    expect(result).toMatchObject({ finish_class: 'error', usage: { input_tokens: 9, output_tokens: 1 } })
    expect(eventsOf(events, 'tool-call-requested')).toEqual([])
  })

  test.each<[number, unknown, string, RegExp]>([
    [
      400,
      [{ error: { code: 400, status: 'INVALID_ARGUMENT', message: 'Function call is missing a thought_signature' } }],
      'PROVIDER_HTTP',
      /thought_signature/,
    ],
    [
      400,
      { error: { code: 400, status: 'INVALID_ARGUMENT', message: 'API key not valid.' } },
      'PROVIDER_HTTP',
      /API key not valid/,
    ],
    [403, [{ error: { code: 403, status: 'PERMISSION_DENIED', message: 'No.' } }], 'PROVIDER_AUTH', /No\./],
    [
      404,
      { error: { code: 404, status: 'NOT_FOUND', message: 'models/x is not found' } },
      'PROVIDER_HTTP',
      /check the model's name/i,
    ],
    [429, [{ error: { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'Quota' } }], 'PROVIDER_RATE_LIMITED', /wait/i],
    [503, [{ error: { code: 503, status: 'UNAVAILABLE', message: 'Overloaded' } }], 'PROVIDER_OVERLOADED', /moment/],
  ])('with HTTP %d and its error as JSON', async (status, body, code, sentence) => {
    const { fetch } = replying([JSON.stringify(body), { status, contentType: 'application/json; charset=UTF-8' }])
    const { error } = await runToEnd(
      gemini({ model: 'x', fetch, retry: { maxAttempts: 1 } }),
      createTurn([userText('Hi')]),
    )
    expect(error).toMatchObject({ code })
    expect(String(error)).toMatch(sentence)
  })
})

test('a reply without a word is asked for again', async () => {
  const body = (message: object) => `data: ${JSON.stringify(message)}\r\n\r\n`
  const { fetch, sent } = replying(
    [body(candidate({ finishReason: 'MALFORMED_FUNCTION_CALL' }))],
    [body(chunk([{ text: '', thoughtSignature: 's' }], 'STOP'))],
    [body(chunk([begin('f'), end, hi], 'STOP'))],
  )
  const { turn, error } = await runToEnd(gemini({ model: 'x', fetch }), createTurn([userText('Hi')]))
  expect(error).toBeUndefined()
  expect(sent).toHaveLength(3)
  expect(turn.blocks.map(({ kind }) => kind)).toEqual(['user', 'tool_call', 'llm_text'])
})
