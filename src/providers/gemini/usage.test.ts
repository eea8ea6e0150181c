import { expect, test } from 'vitest'
import type { JsonObject } from '../../json.ts'
import { toUsage } from './usage.ts'

test.each<[string, JsonObject, object | undefined]>([
  [
    'thoughts count as output, and what its tools brought as input',
    {
      promptTokenCount: 10,
      toolUsePromptTokenCount: 5,
      cachedContentTokenCount: 4,
      candidatesTokenCount: 3,
      thoughtsTokenCount: 7,
      totalTokenCount: 25,
    },
    { input_tokens: 15, output_tokens: 10, cached_tokens: 4, cache_read_input_tokens: 4, reasoning_tokens: 7 },
  ],
  [
    'thoughts that the sum shows to be in the answer count once',
    { promptTokenCount: 10, candidatesTokenCount: 12, thoughtsTokenCount: 7, totalTokenCount: 22 },
    { input_tokens: 10, output_tokens: 12, reasoning_tokens: 7 },
  ],
  [
    'a limit that was reached in the thoughts',
    { promptTokenCount: 10, thoughtsTokenCount: 7, totalTokenCount: 17 },
    { input_tokens: 10, output_tokens: 7, reasoning_tokens: 7 },
  ],
  ['a blocked prompt', { promptTokenCount: 10, totalTokenCount: 10 }, { input_tokens: 10, output_tokens: 0 }],
  ['no thoughts', { promptTokenCount: 10, candidatesTokenCount: 3 }, { input_tokens: 10, output_tokens: 3 }],
  [
    'a thought count of zero is a count',
    { promptTokenCount: 10, candidatesTokenCount: 3, thoughtsTokenCount: 0, totalTokenCount: 13 },
    { input_tokens: 10, output_tokens: 3, reasoning_tokens: 0 },
  ],
  [
    'counts that are none',
    { promptTokenCount: -1, candidatesTokenCount: '3', thoughtsTokenCount: 2 },
    { input_tokens: 0, output_tokens: 2, reasoning_tokens: 2 },
  ],
  ['the first chunk of Vertex', { trafficType: 'ON_DEMAND' }, undefined],
])('%s', (_name, raw, usage) => {
  expect(toUsage(raw)).toEqual(usage)
})
