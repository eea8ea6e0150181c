import { describe, expect, test } from 'vitest'
import { begin, call, candidate, chunk, end, eventsOf, pieces, read } from '../../../test/support/gemini-replies.ts'
import { thoughtKey, thoughtSignatureKey } from '../../turns/keys.ts'

const code = { executableCode: { language: 'PYTHON', code: 'print(1)' } }
const output = { codeExecutionResult: { outcome: 'OUTCOME_OK', output: '1\n' } }
const image = { inlineData: { mimeType: 'image/png', data: 'aGk=' } }
const signature = { text: '', thoughtSignature: 'sig' }

describe('what is streamed', () => {
  test.each<[string, readonly object[], readonly unknown[]]>([
    ['text in pieces', [chunk([{ text: 'Hel' }]), chunk([{ text: 'lo' }], 'STOP')], [['llm_text', 'Hello']]],
    [
      'half of a character in each of two chunks',
      [chunk([{ text: '\ud83d' }]), chunk([{ text: '\ude00' }], 'STOP')],
      [['llm_text', '😀']],
    ],
    [
      'thoughts, then text',
      [chunk([{ text: 'H', thought: true }]), chunk([{ text: 'm.', thought: true }, { text: 'Yes.' }], 'STOP')],
      [
        ['reasoning', 'Hm.'],
        ['llm_text', 'Yes.'],
      ],
    ],
    [
      'text between thoughts',
      [chunk([{ text: 'A', thought: true }, { text: 'B' }, { text: 'C', thought: true }, { text: 'D' }], 'STOP')],
      [
        ['reasoning', 'A'],
        ['llm_text', 'B'],
        ['reasoning', 'C'],
        ['llm_text', 'D'],
      ],
    ],
    [
      'empty pieces between others',
      [chunk([{ text: '' }, { text: 'A' }]), chunk([{ text: '', thought: true }, { text: 'B' }], 'STOP')],
      [['llm_text', 'AB']],
    ],
    ['an empty last chunk', [chunk([{ text: 'Hi' }]), chunk([{ text: '' }], 'STOP')], [['llm_text', 'Hi']]],
    ['an end without content', [chunk([{ text: 'Hi' }]), candidate({ finishReason: 'STOP' })], [['llm_text', 'Hi']]],
    ['an early STOP on an empty chunk', [chunk([], 'STOP'), chunk([{ text: 'Late.' }])], [['llm_text', 'Late.']]],
    [
      'code that ran there',
      [chunk([{ text: 'Run.' }, code]), chunk([output, { text: 'One.' }], 'STOP')],
      [
        ['llm_text', 'Run.'],
        ['provider_item', code],
        ['provider_item', output],
        ['llm_text', 'One.'],
      ],
    ],
    [
      'an image, a file and a part that nobody knows',
      [chunk([image, { fileData: { fileUri: 'files/1' } }, { hologram: { x: 1 }, thoughtSignature: 's' }], 'STOP')],
      [
        ['provider_item', image],
        ['provider_item', { fileData: { fileUri: 'files/1' } }],
        ['provider_item', { hologram: { x: 1 }, thoughtSignature: 's' }],
      ],
    ],
    [
      'another candidate',
      [{ candidates: [{ index: 1, content: { parts: [{ text: 'No' }] } }] }, chunk([{ text: 'Yes' }], 'STOP')],
      [['llm_text', 'Yes']],
    ],
    [
      'two candidates in one chunk',
      [
        {
          candidates: [
            { index: 1, content: { parts: [{ text: 'No' }] }, finishReason: 'SAFETY' },
            { content: { parts: [{ text: 'Yes' }] }, finishReason: 'STOP' },
          ],
        },
      ],
      [['llm_text', 'Yes']],
    ],
    [
      'fields of other types than they should have',
      [
        chunk([{ text: 7 }, { functionCall: 'f' }, {}, { thought: true }], undefined, { usageMetadata: 'much' }),
        { candidates: [{ content: 'Hi' }, 'no', null] },
        chunk([{ text: 'Hi' }], 'STOP', { responseId: 5 }),
      ],
      [
        ['provider_item', { text: 7 }],
        ['provider_item', { functionCall: 'f' }],
        ['llm_text', 'Hi'],
      ],
    ],
  ])('%s', async (_name, messages, blocks) => {
    const { said, error } = await read(messages)
    expect(error).toBeUndefined()
    expect(said).toEqual(blocks)
  })

  test('each delta says where it begins, and a segment is told from its start to its block', async () => {
    const { events } = await read([
      chunk([{ text: 'Hm', thought: true }, { text: '😀' }]),
      chunk([{ text: '!' }], 'STOP'),
    ])
    const told = events.filter(({ type }) => /segment|delta/.test(type))
    expect(told).toMatchObject([
      { type: 'reasoning-segment-started', source: 'thinking' },
      { type: 'reasoning-delta', offset: 0, delta: 'Hm' },
      { type: 'reasoning-segment-finished' },
      { type: 'text-segment-started' },
      { type: 'text-delta', offset: 0, delta: '😀' },
      { type: 'text-delta', offset: 2, delta: '!' },
      { type: 'text-segment-finished', block: { payload: { text: '😀!' } } },
    ])
  })

  test('what its own tools do is told as it happens', async () => {
    const search = { toolCall: { id: 't', toolType: 'GOOGLE_SEARCH_WEB', args: { queries: ['a', 'b'] } } }
    const found = { toolResponse: { id: 't', toolType: 'GOOGLE_SEARCH_WEB', response: { results: [] } } }
    const links = { toolCall: { id: 'u', toolType: 'URL_CONTEXT', args: { urls: ['https://a.example/'] } } }
    const files = { toolCall: { id: 'f', toolType: 'FILE_SEARCH' } }
    const filed = { toolResponse: { id: 'f', toolType: 'FILE_SEARCH' } }
    const maps = { toolCall: { id: 'm', toolType: 'GOOGLE_MAPS' } }
    const coded = { executableCode: { id: 'c', language: 'PYTHON', code: '1' } }
    const { events, said } = await read([
      chunk([search, found, links, files, filed, maps, coded, output, image, { ...image, thought: true }], 'STOP'),
    ])
    expect(events.filter(({ type }) => /search|code|image/.test(type))).toMatchObject([
      { type: 'web-search-started', itemId: 't', query: 'a; b' },
      { type: 'web-search-done', itemId: 't' },
      { type: 'web-search-open-page', itemId: 'u', url: 'https://a.example/' },
      { type: 'file-search-started', itemId: 'f' },
      { type: 'file-search-done', itemId: 'f' },
      { type: 'code-interpreter-started', itemId: 'c' },
      { type: 'code-interpreter-code-done', itemId: 'c', code: '1' },
      { type: 'code-interpreter-interpreting', itemId: 'c' },
      { type: 'code-interpreter-done' },
      { type: 'image-generation-completed' },
    ])
    expect(said).toHaveLength(10)
  })
})

describe('signatures', () => {
  test.each<[string, readonly object[], readonly unknown[], readonly unknown[]]>([
    [
      'one on the last, empty part stays on a part of its own',
      [chunk([{ text: 'Hel' }]), chunk([{ text: 'lo' }]), chunk([signature], 'STOP')],
      [['llm_text', 'Hello']],
      [[{ text: 'Hello' }, signature]],
    ],
    [
      'a signed part is joined with nothing, and the text stays one',
      [
        chunk([{ text: 'A' }, { text: 'B' }]),
        chunk([{ text: 'C', thoughtSignature: 's' }, { text: 'D' }]),
        chunk([{ text: 'E' }, { text: 'F', thoughtSignature: 't' }], 'STOP'),
      ],
      [['llm_text', 'ABCDEF']],
      [[{ text: 'AB' }, { text: 'C', thoughtSignature: 's' }, { text: 'DE' }, { text: 'F', thoughtSignature: 't' }]],
    ],
    [
      'one on a thought',
      [
        chunk(
          [{ text: 'Hm', thought: true }, { text: '.', thought: true, thoughtSignature: 's' }, { text: 'Yes' }],
          'STOP',
        ),
      ],
      [
        ['reasoning', 'Hm.'],
        ['llm_text', 'Yes'],
      ],
      [
        [
          { text: 'Hm', thought: true },
          { text: '.', thought: true, thoughtSignature: 's' },
        ],
        undefined,
      ],
    ],
    [
      'one that comes before the text is an item of its own',
      [chunk([signature, { text: 'Hi' }], 'STOP')],
      [
        ['provider_item', signature],
        ['llm_text', 'Hi'],
      ],
      [undefined, undefined],
    ],
    [
      'one between thoughts and a call is an item of its own',
      [chunk([{ text: 'Hm.', thought: true }, { thoughtSignature: 'sig' }, call('f', {})], 'STOP')],
      [
        ['reasoning', 'Hm.'],
        ['provider_item', { text: '', thoughtSignature: 'sig' }],
        ['tool_call', 'call_r_0', 'f', {}],
      ],
      [undefined, undefined, undefined],
    ],
    [
      'one behind a call is an item of its own, behind the call',
      [chunk([call('f', {})]), chunk([signature], 'STOP')],
      [
        ['tool_call', 'call_r_0', 'f', {}],
        ['provider_item', signature],
      ],
      [undefined, undefined],
    ],
    [
      'one on a call, and the id that it gave',
      [
        chunk(
          [
            { functionCall: { name: 'f', args: { a: 1 }, id: 'x' }, thoughtSignature: 's', partMetadata: { b: 2 } },
            { functionCall: { name: 'g', args: {}, id: 'y' } },
          ],
          'STOP',
        ),
      ],
      [
        ['tool_call', 'x', 'f', { a: 1 }],
        ['tool_call', 'y', 'g', {}],
      ],
      [
        [{ functionCall: { name: 'f', args: { a: 1 }, id: 'x' }, thoughtSignature: 's', partMetadata: { b: 2 } }],
        [{ functionCall: { name: 'g', args: {}, id: 'y' } }],
      ],
    ],
    [
      'one on any part of a streamed call is the call’s',
      [
        chunk([begin('f', { thoughtSignature: 'early' })]),
        chunk([pieces({ '$.a': { numberValue: 1 } }), { ...end, thoughtSignature: 'late' }]),
        chunk([begin('g', { thoughtSignature: 'only' }), end], 'STOP'),
      ],
      [
        ['tool_call', 'call_r_0', 'f', { a: 1 }],
        ['tool_call', 'call_r_1', 'g', {}],
      ],
      [
        [{ functionCall: { name: 'f', args: { a: 1 } }, thoughtSignature: 'late' }],
        [{ functionCall: { name: 'g', args: {} }, thoughtSignature: 'only' }],
      ],
    ],
  ])('%s', async (_name, messages, blocks, parts) => {
    const { said, sealed } = await read(messages)
    expect(said).toEqual(blocks)
    expect(sealed).toEqual(parts)
  })

  test('older readers find them under their key, and thoughts under theirs', async () => {
    const { blocks } = await read([
      chunk(
        [
          { text: 'Hm.', thought: true },
          { text: 'Yes', thoughtSignature: 's' },
          call('f', {}, { thoughtSignature: 't' }),
        ],
        'STOP',
      ),
    ])
    expect(blocks.map((block) => [thoughtKey.get(block), thoughtSignatureKey.get(block)])).toEqual([
      [true, undefined],
      [undefined, 's'],
      [undefined, 't'],
    ])
  })
})

test('a reply says who answers and what it has cost so far, each once', async () => {
  const usage = (candidatesTokenCount: number) => ({ usageMetadata: { promptTokenCount: 9, candidatesTokenCount } })
  const { events, result } = await read([
    { usageMetadata: { trafficType: 'ON_DEMAND' }, responseId: 'r' },
    chunk([{ text: 'Hel' }], undefined, usage(1)),
    chunk([{ text: 'lo' }], undefined, usage(1)),
    chunk([{ text: '!' }], 'STOP', usage(3)),
    { hologram: true },
  ])
  const told = eventsOf(events, 'provider-call-metadata-updated').map(({ responseId, model, usage: counted }) => ({
    responseId,
    model,
    output: counted?.output_tokens,
  }))
  expect(told).toEqual([{ responseId: 'r' }, { model: 'gemini-x', output: 1 }, { output: 3 }])
  expect(result).toMatchObject({ model: 'gemini-x', response_id: 'r' })
  expect(result?.extra).toEqual({
    usage: { trafficType: 'ON_DEMAND', promptTokenCount: 9, candidatesTokenCount: 3 },
    ignored_events: 1,
  })
})
