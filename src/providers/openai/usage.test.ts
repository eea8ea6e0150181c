import { describe, expect, test } from 'vitest'
import { chunk, ends, hear, spent, stream } from '../../../test/support/chat-replies.ts'
import type { JsonObject } from '../../json.ts'
import { inferenceResultKey } from '../../turns/keys.ts'
import { toUsage } from './usage.ts'

describe('usage is inclusive, with its parts beside', () => {
  const details = (reasoning_tokens: number) => ({ completion_tokens_details: { reasoning_tokens } })
  test.each<[string, JsonObject, object | undefined]>([
    [
      'OpenAI counts reasoning in both',
      { prompt_tokens: 15, completion_tokens: 78, total_tokens: 93, ...details(64) },
      { input_tokens: 15, output_tokens: 78, reasoning_tokens: 64 },
    ],
    [
      'xAI counts it in the total alone',
      { prompt_tokens: 291, completion_tokens: 26, total_tokens: 513, ...details(196) },
      { input_tokens: 291, output_tokens: 222, reasoning_tokens: 196 },
    ],
    [
      'thoughts that only the total knows',
      { prompt_tokens: 10, completion_tokens: 5, total_tokens: 40 },
      { input_tokens: 10, output_tokens: 30 },
    ],
    [
      'more reasoning than completion, without a total',
      { prompt_tokens: 10, completion_tokens: 5, ...details(20) },
      { input_tokens: 10, output_tokens: 25, reasoning_tokens: 20 },
    ],
    [
      'a total that is too small',
      { prompt_tokens: 10, completion_tokens: 5, total_tokens: 5 },
      { input_tokens: 10, output_tokens: 5 },
    ],
    [
      'reasoning beside the details',
      { prompt_tokens: 1, completion_tokens: 9, reasoning_tokens: 4 },
      { input_tokens: 1, output_tokens: 9, reasoning_tokens: 4 },
    ],
    [
      'cached tokens of OpenAI',
      { prompt_tokens: 9, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 4 } },
      { input_tokens: 9, output_tokens: 1, cached_tokens: 4, cache_read_input_tokens: 4 },
    ],
    [
      '… of DeepSeek',
      { prompt_tokens: 9, completion_tokens: 1, prompt_cache_hit_tokens: 8, prompt_cache_miss_tokens: 1 },
      { input_tokens: 9, output_tokens: 1, cached_tokens: 8, cache_read_input_tokens: 8 },
    ],
    [
      '… of Moonshot',
      { prompt_tokens: 9, completion_tokens: 1, cached_tokens: 7 },
      { input_tokens: 9, output_tokens: 1, cached_tokens: 7, cache_read_input_tokens: 7 },
    ],
    [
      'written tokens (OpenRouter)',
      { prompt_tokens: 9, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 6 } },
      {
        input_tokens: 9,
        output_tokens: 1,
        cached_tokens: 0,
        cache_read_input_tokens: 0,
        cache_creation_input_tokens: 6,
      },
    ],
    ['names of the Responses API', { input_tokens: 3, output_tokens: 2 }, { input_tokens: 3, output_tokens: 2 }],
    ['a prompt alone', { prompt_tokens: 3 }, { input_tokens: 3, output_tokens: 0 }],
    ['nothing that can be counted', { prompt_tokens: 'many', total_tokens: 5 }, undefined],
  ])('%s', (_name, raw, expected) => {
    expect(toUsage(raw)).toEqual(expected)
  })
})

describe('usage is found', () => {
  const raw = { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 }
  const word = chunk({ content: 'x' })
  test.each<[string, readonly JsonObject[]]>([
    ['behind the answer (OpenAI)', [word, ends(), spent(raw)]],
    ['beside the finish reason (DeepSeek, Mistral)', [word, chunk({}, 'stop', { usage: raw })]],
    ['under x_groq', [word, chunk({}, 'stop', { x_groq: { id: 'r', usage: raw } })]],
    ['in the choice (Moonshot)', [word, { choices: [{ index: 0, delta: {}, finish_reason: 'stop', usage: raw }] }]],
    [
      'in every chunk, more each time',
      [
        chunk({ content: 'x' }, null, { usage: { ...raw, completion_tokens: 1, total_tokens: 8 } }),
        chunk({ content: 'y' }, 'stop', { usage: raw }),
      ],
    ],
    [
      'with null before it',
      [chunk({ content: 'x' }, 'stop', { usage: null }), spent(raw), chunk({}, null, { usage: null })],
    ],
  ])('%s', async (_name, chunks) => {
    const { turn } = await hear(stream(chunks))
    expect(inferenceResultKey.get(turn)).toMatchObject({
      usage: { input_tokens: 7, output_tokens: 2 },
      extra: { usage: raw },
    })
  })

  test('and told when it changes, so that a call which is cut has it', async () => {
    const counted = [1, 2, 2].map((completion_tokens) =>
      chunk({ content: 'x' }, null, { usage: { prompt_tokens: 7, completion_tokens } }),
    )
    const { turn, events } = await hear(stream(counted, false))
    const told = events.flatMap((event) =>
      event.type === 'provider-call-metadata-updated'
        ? [[event.responseId, event.model, event.usage?.output_tokens]]
        : [],
    )
    expect(told).toEqual([
      ['chatcmpl-1', 'gpt-test', 1],
      ['chatcmpl-1', 'gpt-test', 2],
    ])
    expect(inferenceResultKey.get(turn)).toMatchObject({
      finish_class: 'error',
      usage: { input_tokens: 7, output_tokens: 2 },
    })
  })
})
