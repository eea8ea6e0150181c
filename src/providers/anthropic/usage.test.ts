import { expect, test } from 'vitest'
import {
  hear,
  messageDelta,
  messageStart,
  messageStop,
  reply,
  stream,
  textBlock,
} from '../../../test/support/anthropic-replies.ts'
import type { JsonObject } from '../../json.ts'
import { inferenceResultKey } from '../../turns/keys.ts'

const compaction = { type: 'compaction', input_tokens: 1000, cache_read_input_tokens: 100, output_tokens: 300 }
const sampling = { type: 'message', input_tokens: 10, output_tokens: 20 }

test.each<[string, JsonObject, JsonObject, JsonObject]>([
  [
    'counts what was cached into the total',
    { input_tokens: 3, cache_creation_input_tokens: 20, cache_read_input_tokens: 100, output_tokens: 1 },
    { output_tokens: 7 },
    {
      input_tokens: 123,
      output_tokens: 7,
      cached_tokens: 100,
      cache_read_input_tokens: 100,
      cache_creation_input_tokens: 20,
    },
  ],
  [
    'takes the later total',
    { input_tokens: 43, output_tokens: 1 },
    { input_tokens: 61, output_tokens: 2 },
    { input_tokens: 61, output_tokens: 2 },
  ],
  [
    'keeps what the end leaves out',
    { input_tokens: 17, output_tokens: 1 },
    { output_tokens: 227, input_tokens: null },
    { input_tokens: 17, output_tokens: 227 },
  ],
  [
    'does not believe that nothing was read',
    { input_tokens: 17, output_tokens: 1 },
    { input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 5 },
    { input_tokens: 17, output_tokens: 5 },
  ],
  [
    'believes that all was cached',
    { input_tokens: 17, output_tokens: 1 },
    { input_tokens: 0, cache_read_input_tokens: 17, output_tokens: 5 },
    { input_tokens: 17, output_tokens: 5, cache_read_input_tokens: 17 },
  ],
  [
    'gives reasoning as a part',
    { input_tokens: 1, output_tokens: 1 },
    { output_tokens: 50, output_tokens_details: { thinking_tokens: 40 } },
    { output_tokens: 50, reasoning_tokens: 40 },
  ],
  [
    'adds what compaction cost, which the totals leave out',
    { input_tokens: 10, cache_read_input_tokens: 5, output_tokens: 1 },
    { output_tokens: 20, iterations: [compaction, sampling] },
    { input_tokens: 1115, output_tokens: 320, cache_read_input_tokens: 105, cached_tokens: 105 },
  ],
])('usage %s', async (_name, start, end, expected) => {
  const { turn } = await hear(
    stream([messageStart({ usage: start }), ...textBlock(0, 'Hi'), messageDelta('end_turn', end), messageStop]),
  )
  const result = inferenceResultKey.get(turn)
  expect(result?.usage).toMatchObject(expected)
  expect(result?.extra?.['usage']).toMatchObject({ output_tokens: end['output_tokens'] })
})

test('parts that were not told are not given', async () => {
  const { turn } = await hear(stream(reply([textBlock(0, 'Hi')])))
  expect(Object.keys(inferenceResultKey.get(turn)?.usage ?? {})).toEqual(['input_tokens', 'output_tokens'])
})

test('a call that was cut has the usage that had come', async () => {
  const { turn } = await hear(stream([messageStart(), ...textBlock(0, 'Hi')]))
  expect(inferenceResultKey.get(turn)).toMatchObject({
    finish_class: 'error',
    usage: { input_tokens: 10, output_tokens: 1 },
  })
})
