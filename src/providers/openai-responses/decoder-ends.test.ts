import { describe, expect, test } from 'vitest'
import { events, item, usage } from '../../../test/support/responses-replies.ts'
import { blocksOf, hear, payloads, resultOf, shown, typesOf, without } from '../../../test/support/responses-runs.ts'
import type { JsonObject } from '../../json.ts'
import { partialKey } from '../../turns/keys.ts'

describe('how a reply ends', () => {
  const hello = item.message('Hello')
  const cutCall = item.call('call_a', 'f', '{"path": "/', { status: 'incomplete' })
  const incomplete = (reason: string) => ({ status: 'incomplete', end: { incomplete_details: { reason } } })

  test.each<[string, readonly JsonObject[], string, string, boolean]>([
    ['completed', events([hello]), 'completed', 'completed', false],
    ['at the token limit', events([hello], incomplete('max_output_tokens')), 'max_output_tokens', 'max_tokens', true],
    ['at the filter', events([hello], incomplete('content_filter')), 'content_filter', 'refusal', false],
    [
      'at the filter, before the first word',
      events([], incomplete('content_filter')),
      'content_filter',
      'refusal',
      false,
    ],
    ['incomplete for a reason of another day', events([hello], incomplete('steered')), 'steered', 'incomplete', false],
    ['incomplete for no reason', events([hello], { status: 'incomplete' }), 'incomplete', 'incomplete', false],
    ['with a refusal', events([item.refusal('I will not.')]), 'refusal', 'refusal', false],
    ['with reasoning alone', events([item.reasoning('rs_1', ['Hm'])]), 'completed', 'incomplete', false],
    [
      'incomplete, by a gateway that says it is completed',
      events([hello], { end: { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } } }),
      'max_output_tokens',
      'max_tokens',
      true,
    ],
    [
      'with a refusal that only the item has',
      without(events([item.refusal('I will not.')]), 'refusal.delta', 'refusal.done'),
      'refusal',
      'refusal',
      false,
    ],
    [
      'with a refusal that only its words have',
      [
        ...without(events([item.refusal('I will not.')]), 'item.done').slice(0, -1),
        { type: 'response.completed', response: { usage } },
      ],
      'refusal',
      'refusal',
      false,
    ],
    [
      'in the middle of a call',
      events([hello, cutCall], incomplete('max_output_tokens')),
      'max_output_tokens',
      'max_tokens',
      true,
    ],
    [
      'in the middle of a call, of which no more comes',
      [
        ...without(events([hello, cutCall]), 'item.done', 'arguments.done').slice(0, -1),
        { type: 'response.incomplete', response: { usage, incomplete_details: { reason: 'max_output_tokens' } } },
      ],
      'max_output_tokens',
      'max_tokens',
      true,
    ],
  ])('%s', async (_name, messages, stopReason, finishClass, truncated) => {
    const heard = await hear(messages)
    expect(heard.error).toBeUndefined()
    expect(resultOf(heard)).toMatchObject({
      stop_reason: stopReason,
      finish_class: finishClass,
      truncated,
      usage: { input_tokens: 100 },
    })
    expect(typesOf(heard.events)).not.toContain('tool-call-requested')
  })

  test('a refusal is text that can be read', async () => {
    const heard = await hear(events([item.refusal('I will not.')]))
    expect(payloads(heard)).toEqual([['llm_text', { text: 'I will not.', item_id: 'msg_refusal' }]])
    expect(shown(heard, 'text-delta')).toBe('I will not.')
  })

  const begun = events([hello]).slice(0, -3)
  const failed = (error: JsonObject | null, more: JsonObject = {}) => ({
    type: 'response.failed',
    response: { id: 'resp_1', status: 'failed', error, usage, ...more },
  })
  test.each<[string, JsonObject, string, boolean, RegExp]>([
    [
      'an error event',
      { type: 'error', code: 'server_error', message: 'Oops', param: null },
      'PROVIDER_STREAM_ERROR',
      true,
      /server_error\): Oops/,
    ],
    [
      'an error event with an object',
      { type: 'error', error: { type: 'server_error', code: 'server_is_overloaded', message: 'Busy' } },
      'PROVIDER_OVERLOADED',
      true,
      /Busy/,
    ],
    [
      'an error without a type',
      { error: { message: 'Bad gateway', code: 'overloaded_error' } },
      'PROVIDER_OVERLOADED',
      true,
      /Bad gateway/,
    ],
    ['a failure', failed({ code: 'server_is_overloaded', message: 'Busy' }), 'PROVIDER_OVERLOADED', true, /Busy/],
    ['a rate limit', failed({ code: 'rate_limit_exceeded', message: 'Slow' }), 'PROVIDER_RATE_LIMITED', true, /Slow/],
    [
      'a quota',
      { type: 'error', error: { type: 'insufficient_quota', code: 'insufficient_quota', message: 'No more' } },
      'PROVIDER_RATE_LIMITED',
      false,
      /billing/,
    ],
    [
      'a prompt that is refused',
      failed({ code: 'invalid_prompt', message: 'No' }),
      'PROVIDER_STREAM_ERROR',
      false,
      /invalid_prompt\): No/,
    ],
    ['a failure without words', failed(null), 'PROVIDER_STREAM_ERROR', false, /failed/],
    [
      'a cancel',
      { type: 'response.cancelled', response: { id: 'resp_1', status: 'cancelled' } },
      'PROVIDER_STREAM_ERROR',
      false,
      /cancelled/,
    ],
    [
      'a failure under another name',
      { type: 'response.done', response: { status: 'failed', error: { code: 'server_error', message: 'Oops' } } },
      'PROVIDER_STREAM_ERROR',
      true,
      /Oops/,
    ],
  ])('%s is an error, never text', async (_name, last, code, retryable, sentence) => {
    const heard = await hear([...begun, last])
    expect(heard.error).toMatchObject({ code, details: { retryable, provider: 'openai-responses' } })
    expect((heard.error as Error).message).toMatch(sentence)
    expect(heard.events.at(-1)).toMatchObject({ type: 'inference-failed', error: { code } })
    expect(payloads(heard)).toEqual([['llm_text', { text: 'Hello' }]])
    expect(partialKey.get(blocksOf(heard)[0]!)).toBe(true)
  })

  test('what a failure cost is not lost', async () => {
    expect(resultOf(await hear([...begun, failed({ code: 'server_error', message: 'Oops' })]))?.usage).toMatchObject({
      input_tokens: 100,
      output_tokens: 20,
    })
  })

  test.each([
    ['in the middle of a text', events([hello]).slice(0, 5), [['llm_text', { text: 'Hell' }]]],
    [
      'in the middle of a call',
      events([hello, item.call('call_a', 'f', '{"long":true}')]).slice(0, -3),
      [['llm_text', { text: 'Hello', item_id: 'msg_5' }]],
    ],
    [
      'behind a whole call, before the end',
      events([item.call('call_a', 'f', '{}')]).slice(0, -1),
      [['tool_call', { id: 'call_a', name: 'f', args: {}, item_id: 'fc_call_a' }]],
    ],
  ])('cut off %s, it is no success', async (_name, messages, expected) => {
    const heard = await hear(messages)
    expect(heard.error).toMatchObject({ code: 'PROVIDER_STREAM_TRUNCATED' })
    expect(payloads(heard)).toEqual(expected)
  })

  test('another reply in the middle of one is two streams in one', async () => {
    const splice = { type: 'response.created', response: { id: 'resp_2' } }
    expect((await hear([...begun, splice])).error).toMatchObject({
      code: 'PROVIDER_PROTOCOL',
      details: { retryable: false },
    })
    expect((await hear([...begun.slice(0, 2), splice])).error).toMatchObject({
      code: 'PROVIDER_PROTOCOL',
      details: { retryable: true },
    })
  })
})
