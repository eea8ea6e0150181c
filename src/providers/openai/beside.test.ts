import { describe, expect, test } from 'vitest'
import { call, chunk, ends, hear, made, said, stream } from '../../../test/support/chat-replies.ts'
import type { Outcome } from '../../../test/support/replies.ts'
import type { EventOf, InferenceEventType } from '../../events/event.ts'
import type { JsonObject } from '../../json.ts'
import { inferenceResultKey, sidecarKey } from '../../turns/keys.ts'

const ofType = <T extends InferenceEventType>({ events }: Outcome, type: T) =>
  events.filter((event): event is EventOf<T> => event.type === type)
const items = ({ turn }: Outcome) => turn.blocks.slice(1).map((block) => sidecarKey.get(block)?.item)
const parts = (...content: readonly JsonObject[]) => chunk({ content })
const thought = (text: string) => ({ type: 'thinking', thinking: [{ type: 'text', text }] })

describe('what stands beside a block', () => {
  const text = (value: string, index = 0) => ({
    type: 'reasoning.text',
    text: value,
    format: 'anthropic-claude-v1',
    index,
  })
  const signed = { type: 'reasoning.text', text: null, signature: 'c2ln', format: 'anthropic-claude-v1', index: 0 }
  const sealed = { type: 'reasoning.encrypted', data: 'ZGF0YQ==', id: 'r1', format: 'openai-responses-v1', index: 0 }
  const details = (...reasoning_details: readonly JsonObject[]) => chunk({ reasoning_details })

  test.each<[string, readonly JsonObject[], readonly unknown[]]>([
    ['which field reasoning came in', [chunk({ reasoning: 'A' }), ends()], [{ reasoning: 'A' }]],
    ['… under its other name', [chunk({ reasoning_content: 'A' }), ends()], [{ reasoning_content: 'A' }]],
    ['… or as parts', [parts(thought('A')), parts(thought('B')), ends()], [{ content: [thought('AB')] }]],
    [
      'details, put together again',
      [
        chunk({ reasoning: 'A', reasoning_details: [text('A')] }),
        chunk({ reasoning: 'B', reasoning_details: [text('B')] }),
        details(signed),
        chunk({ content: 'C' }),
        ends(),
      ],
      [{ reasoning: 'AB', reasoning_details: [{ ...text('AB'), signature: 'c2ln' }] }, undefined],
    ],
    [
      'details of two thoughts',
      [
        chunk({ reasoning: 'A', reasoning_details: [text('A')] }),
        chunk({ reasoning: 'B', reasoning_details: [text('B', 1)] }),
        ends(),
      ],
      [{ reasoning: 'AB', reasoning_details: [text('A'), text('B', 1)] }],
    ],
    [
      'sealed reasoning without a word',
      [details(sealed), chunk({ content: 'C' }), ends()],
      [undefined, { reasoning_details: [sealed] }],
    ],
    ['no plain detail without a word', [details(text('')), chunk({ content: 'C' }), ends()], [undefined]],
    [
      'references of the text, where they stand',
      [
        parts({ type: 'text', text: 'Paris' }, { type: 'reference', reference_ids: [1] }),
        chunk({ content: ' is big.' }),
        ends(),
      ],
      [
        {
          content: [
            { type: 'text', text: 'Paris' },
            { type: 'reference', reference_ids: [1] },
            { type: 'text', text: ' is big.' },
          ],
        },
      ],
    ],
    [
      'arguments that are spaced otherwise than ours',
      [call({ index: 0, id: 'a', ...made('f', '{"x": 1}') }), ends()],
      [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{"x": 1}' } }],
    ],
    [
      'nothing for a call that says no more than its block',
      [call({ index: 0, id: 'a', type: 'function', ...made('f', '{"x":1}') }), ends()],
      [undefined],
    ],
    [
      "a call's further fields (Gemini's signature)",
      [call({ index: 0, id: 'a', ...made('f', '{}'), extra_content: { google: { thought_signature: 's' } } }), ends()],
      [
        {
          id: 'a',
          type: 'function',
          function: { name: 'f', arguments: '{}' },
          extra_content: { google: { thought_signature: 's' } },
        },
      ],
    ],
  ])('%s', async (_name, chunks, expected) => {
    const heard = await hear(stream(chunks))
    expect(heard.error).toBeUndefined()
    expect(items(heard)).toEqual(expected)
  })

  test('sealed reasoning is told and kept for older readers too', async () => {
    const heard = await hear(stream([details(sealed), chunk({ content: 'C' }), ends()]))
    expect(heard.turn.blocks[2]?.payload).toEqual({ encrypted_content: 'ZGF0YQ==' })
    expect(ofType(heard, 'reasoning-segment-started')).toHaveLength(1)
    const other = await hear(stream([chunk({ reasoning: 'A' }), details(signed), chunk({ content: 'C' }), ends()]))
    expect(other.turn.blocks[1]?.payload).toEqual({ text: 'A', signature: 'c2ln' })
  })
})

describe('what is neither text, reasoning nor a call', () => {
  const item = (fields: JsonObject) => ['other', { provider: 'openai', item: fields }]
  test.each<[string, readonly JsonObject[], readonly (readonly unknown[])[]]>([
    [
      'images (OpenRouter)',
      [
        chunk({ content: 'Look' }),
        chunk({ images: [{ type: 'image_url', image_url: { url: 'data:,' } }] }),
        chunk({ content: 'Nice' }),
        ends(),
      ],
      [['text', 'Look'], item({ type: 'image_url', image_url: { url: 'data:,' } }), ['text', 'Nice']],
    ],
    [
      'server tools, whole (Groq)',
      [
        chunk({ executed_tools: [{ index: 0, type: 'search', arguments: '{}' }] }),
        chunk({ executed_tools: [{ index: 0, output: 'found' }] }),
        chunk({ content: 'So' }),
        ends(),
      ],
      [['text', 'So'], item({ index: 0, type: 'search', arguments: '{}', output: 'found' })],
    ],
    [
      'sound',
      [
        chunk({ audio: { id: 'a1', data: 'AAA=' } }),
        chunk({ audio: { data: 'BBB=', transcript: 'Hi' } }),
        chunk({ audio: { expires_at: 9 } }),
        ends(),
      ],
      [['text', 'Hi'], item({ type: 'audio', id: 'a1', expires_at: 9, data: ['AAA=', 'BBB='] })],
    ],
    [
      'parts of a kind that is not known',
      [parts({ type: 'hologram', x: 1 }, { type: 'text', text: 'Hi' }), ends()],
      [item({ type: 'hologram', x: 1 }), ['text', 'Hi']],
    ],
  ])('%s', async (_name, chunks, blocks) => {
    const heard = await hear(stream(chunks))
    expect(heard.error).toBeUndefined()
    expect(said(heard)).toEqual(blocks)
  })

  test('citations are told once, in either form', async () => {
    const annotations = [
      {
        type: 'url_citation',
        url_citation: { url: 'https://a.example/', title: 'A', start_index: 0, end_index: 4, content: 'Aha' },
      },
    ]
    const listed = {
      citations: ['https://b.example/', 'https://c.example/'],
      search_results: [{ url: 'https://b.example/', title: 'B' }],
    }
    const heard = await hear(
      stream([
        chunk({ content: 'See' }, null, listed),
        chunk({ annotations }, null, listed),
        chunk({ annotations: [{ type: 'file' }] }),
        ends(),
      ]),
    )
    expect(
      ofType(heard, 'citation').map(({ url, title, startIndex, endIndex, citedText }) => [
        url,
        title,
        startIndex,
        endIndex,
        citedText,
      ]),
    ).toEqual([
      ['https://b.example/', 'B', undefined, undefined, undefined],
      ['https://c.example/', undefined, undefined, undefined, undefined],
      ['https://a.example/', 'A', 0, 4, 'Aha'],
    ])
    expect(items(heard)).toEqual([{ content: 'See', annotations: [...annotations, { type: 'file' }] }])
  })

  test('chunks of a kind that is not known are counted', async () => {
    const heard = await hear(stream([{ type: 'ping' }, chunk({ content: 'Hi' }), { event: 'progress', at: 1 }, ends()]))
    expect(inferenceResultKey.get(heard.turn)?.extra).toEqual({ ignored_events: 2 })
    const plain = await hear(stream([chunk({ content: 'Hi' }), ends()]))
    expect(inferenceResultKey.get(plain.turn)).not.toHaveProperty('extra')
  })
})
