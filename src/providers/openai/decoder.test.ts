import { describe, expect, test } from 'vitest'
import { chunk, ends, hear, said, shown, stream } from '../../../test/support/chat-replies.ts'
import type { JsonObject } from '../../json.ts'
import { ChatDecoder } from './decoder.ts'

const parts = (...content: readonly JsonObject[]) => chunk({ content })
const thought = (text: string) => ({ type: 'thinking', thinking: [{ type: 'text', text }] })

describe('text and reasoning', () => {
  test.each<[string, readonly JsonObject[], readonly (readonly unknown[])[]]>([
    [
      'OpenAI',
      [
        chunk({ role: 'assistant', content: '', refusal: null }),
        chunk({ content: 'Hel' }),
        chunk({ content: 'lo' }),
        ends(),
      ],
      [['text', 'Hello']],
    ],
    [
      'Azure: filters first, then no name, a delta that is missing',
      [
        { choices: [], id: '', model: '', prompt_filter_results: [{}] },
        chunk({ content: 'Hi' }),
        { choices: [{ index: 0, finish_reason: 'stop' }] },
      ],
      [['text', 'Hi']],
    ],
    [
      'DeepSeek: reasoning_content beside null',
      [
        chunk({ content: null, reasoning_content: '' }),
        chunk({ content: null, reasoning_content: 'Hm.' }),
        chunk({ content: 'Yes', reasoning_content: null }),
        ends(),
      ],
      [
        ['reasoning', 'Hm.'],
        ['text', 'Yes'],
      ],
    ],
    [
      'Together, Groq, Ollama, newer vLLM: reasoning',
      [
        chunk({ content: '', reasoning: 'Hm' }),
        chunk({ content: '', reasoning: '.' }),
        chunk({ content: 'Yes' }),
        ends(),
      ],
      [
        ['reasoning', 'Hm.'],
        ['text', 'Yes'],
      ],
    ],
    [
      'both names for one thought',
      [chunk({ reasoning: 'Hm.', reasoning_content: 'Hm.' }), chunk({ content: 'Yes' }), ends()],
      [
        ['reasoning', 'Hm.'],
        ['text', 'Yes'],
      ],
    ],
    [
      'the last thought and the first word in one delta',
      [chunk({ reasoning: 'Hm.' }), chunk({ reasoning: '!', content: 'Yes' }), ends()],
      [
        ['reasoning', 'Hm.!'],
        ['text', 'Yes'],
      ],
    ],
    [
      'thoughts between words',
      [chunk({ reasoning: 'A' }), chunk({ content: 'B' }), chunk({ reasoning: 'C' }), chunk({ content: 'D' }), ends()],
      [
        ['reasoning', 'A'],
        ['text', 'B'],
        ['reasoning', 'C'],
        ['text', 'D'],
      ],
    ],
    [
      'Mistral: parts',
      [
        chunk({ role: 'assistant', content: '' }),
        parts(thought('Hm')),
        parts(thought('.')),
        parts({ type: 'text', text: 'Yes' }),
        chunk({ content: '!' }),
        ends(),
      ],
      [
        ['reasoning', 'Hm.'],
        ['text', 'Yes!'],
      ],
    ],
    [
      'a thought of several texts',
      [
        parts({
          type: 'thinking',
          thinking: [
            { type: 'text', text: 'H' },
            { type: 'text', text: 'm.' },
          ],
        }),
        chunk({ content: 'Yes' }),
        ends(),
      ],
      [
        ['reasoning', 'Hm.'],
        ['text', 'Yes'],
      ],
    ],
    [
      'a thought that is one text',
      [parts({ type: 'thinking', thinking: 'Hm.' }, { type: 'text', text: 'Yes' }), ends()],
      [
        ['reasoning', 'Hm.'],
        ['text', 'Yes'],
      ],
    ],
    [
      'OpenRouter: details alone',
      [
        chunk({ reasoning_details: [{ type: 'reasoning.summary', summary: 'Hm.', index: 0 }] }),
        chunk({ content: 'Yes' }),
        ends(),
      ],
      [
        ['reasoning', 'Hm.'],
        ['text', 'Yes'],
      ],
    ],
    [
      'tags in the text stay text',
      [chunk({ content: '<think>Hm.' }), chunk({ content: '</think>Yes' }), ends()],
      [['text', '<think>Hm.</think>Yes']],
    ],
    [
      'a refusal',
      [chunk({ role: 'assistant', content: null, refusal: 'I can' }), chunk({ refusal: 'not.' }), ends()],
      [['text', 'I cannot.']],
    ],
    [
      'the words of spoken audio',
      [chunk({ audio: { id: 'a1', transcript: 'Hel' } }), chunk({ audio: { transcript: 'lo' } }), ends()],
      [['text', 'Hello']],
    ],
    [
      'a whole message in one chunk',
      [{ id: 'x', choices: [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }] }],
      [['text', 'Hi']],
    ],
    [
      'a whole message after its deltas',
      [chunk({ content: 'Hi' }), { choices: [{ index: 0, message: { content: 'Hi' }, finish_reason: 'stop' }] }],
      [['text', 'Hi']],
    ],
    [
      'choices that were not asked for',
      [
        {
          choices: [
            { index: 1, delta: { content: 'No' } },
            { index: 0, delta: { content: 'Yes' } },
          ],
        },
        { choices: [{ index: 1, delta: {}, finish_reason: 'length' }] },
        ends(),
      ],
      [['text', 'Yes']],
    ],
    ['a choice without an index', [{ choices: [{ delta: { content: 'Hi' } }] }, ends()], [['text', 'Hi']]],
    [
      'fields of other types',
      [
        chunk({ content: 5, reasoning: {}, tool_calls: 'x', refusal: [], audio: 'a', annotations: {} }),
        chunk({
          content: [null, { type: 'thinking', thinking: [null, { type: 'text' }] }],
          reasoning_details: [null, 3],
        }),
        chunk({ tool_calls: [null], images: [3], annotations: [null], executed_tools: ['x'], audio: { data: 5 } }),
        { choices: 'none', citations: [3], search_results: [null, {}] },
        { choices: [null, 3] },
        chunk({ content: 'Hi' }),
        ends(),
      ],
      [['text', 'Hi']],
    ],
    [
      'text beyond ASCII',
      [chunk({ content: 'Grüße, 世' }), chunk({ content: '界 👋' }), ends()],
      [['text', 'Grüße, 世界 👋']],
    ],
  ])('%s', async (_name, chunks, blocks) => {
    const heard = await hear(stream(chunks))
    expect(heard.error).toBeUndefined()
    expect(said(heard)).toEqual(blocks)
    const written = (kind: string) =>
      blocks
        .filter(([each]) => each === kind)
        .map(([, words]) => words)
        .join('')
    expect(shown(heard, 'text-delta')).toBe(written('text'))
    expect(shown(heard, 'reasoning-delta')).toBe(written('reasoning'))
  })

  test('are told segment by segment', async () => {
    const { events } = await hear(
      stream([chunk({ reasoning_content: 'Hm.' }), chunk({ content: 'Hel' }), chunk({ content: 'lo' }), ends()]),
    )
    expect(events.map((event) => ('segmentId' in event ? `${event.type} ${event.segmentId}` : event.type))).toEqual([
      'inference-started',
      'provider-call-started',
      expect.stringMatching(/^reasoning-segment-started .*reasoning-0$/),
      expect.stringMatching(/^reasoning-delta .*reasoning-0$/),
      'provider-call-metadata-updated',
      expect.stringMatching(/^reasoning-segment-finished .*reasoning-0$/),
      expect.stringMatching(/^text-segment-started .*text-1$/),
      expect.stringMatching(/^text-delta .*text-1$/),
      expect.stringMatching(/^text-delta .*text-1$/),
      'provider-call-metadata-updated',
      expect.stringMatching(/^text-segment-finished .*text-1$/),
      'provider-call-finished',
      'inference-finished',
    ])
  })
})

test('the model is at work while something comes, whether or not it makes an event', () => {
  const decoder = new ChatDecoder()
  const isAtWork = (delta: JsonObject) => decoder.push(chunk(delta), () => {})
  for (const delta of [
    { content: 'x' },
    { audio: { data: 'AAA=' } },
    { reasoning_details: [{ type: 'reasoning.encrypted', data: 'x' }] },
  ]) {
    expect(isAtWork(delta)).toBe(true)
  }
  for (const delta of [
    {},
    { role: 'assistant' },
    { role: 'assistant', content: '' },
    { content: null, tool_calls: [] },
  ]) {
    expect(isAtWork(delta)).toBe(false)
  }
})
