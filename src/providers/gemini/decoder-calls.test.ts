import { describe, expect, test } from 'vitest'
import { begin, call, chunk, end, eventsOf, pieces, read } from '../../../test/support/gemini-replies.ts'

describe('calls', () => {
  test.each<[string, readonly object[], readonly unknown[]]>([
    [
      'one in a chunk, the end in another',
      [chunk([call('f', { a: 1 })]), chunk([{ text: '' }], 'STOP')],
      [['tool_call', 'call_r_0', 'f', { a: 1 }]],
    ],
    [
      'several without ids, or with none in them',
      [
        chunk(
          [call('f', {}), { functionCall: { name: 'f' } }, { functionCall: { id: '', name: 'f', args: {} } }],
          'STOP',
        ),
      ],
      [
        ['tool_call', 'call_r_0', 'f', {}],
        ['tool_call', 'call_r_1', 'f', {}],
        ['tool_call', 'call_r_2', 'f', {}],
      ],
    ],
    [
      'one id for several, one of them taken by a made one',
      [
        chunk(
          ['x', 'x', undefined, 'call_r_2', 'x-2'].map((id) => ({
            functionCall: { ...(id && { id }), name: 'f', args: {} },
          })),
          'STOP',
        ),
      ],
      ['x', 'x-2', 'call_r_2', 'call_r_2-2', 'x-2-2'].map((id) => ['tool_call', id, 'f', {}]),
    ],
    [
      'without an id of the reply',
      [{ candidates: [{ content: { parts: [call('f', {})] }, finishReason: 'STOP' }] }],
      [['tool_call', 'call_0', 'f', {}]],
    ],
    [
      'between texts, in the order of the reply',
      [chunk([{ text: 'A' }, call('f', {}), { text: 'B' }, call('g', {})], 'STOP')],
      [
        ['llm_text', 'A'],
        ['tool_call', 'call_r_0', 'f', {}],
        ['llm_text', 'B'],
        ['tool_call', 'call_r_1', 'g', {}],
      ],
    ],
    [
      'arguments as text, as lists and not as JSON',
      [
        chunk(
          [
            { functionCall: { name: 'f', args: '{"a":1}' } },
            { functionCall: { name: 'f', args: '{"a":' } },
            { functionCall: { name: 'f', args: [1] } },
            { functionCall: { name: 'f', args: null } },
          ],
          'STOP',
        ),
      ],
      [
        ['tool_call', 'call_r_0', 'f', { a: 1 }],
        ['tool_call', 'call_r_1', 'f', '{"a":'],
        ['tool_call', 'call_r_2', 'f', '[1]'],
        ['tool_call', 'call_r_3', 'f', {}],
      ],
    ],
  ])('%s', async (_name, messages, blocks) => {
    const { said, error } = await read(messages)
    expect(error).toBeUndefined()
    expect(said).toEqual(blocks)
  })

  test('a whole call is told with its arguments at once', async () => {
    const { events } = await read([chunk([call('f', { a: '😀' })], 'STOP')])
    expect(events.filter(({ type }) => type.startsWith('tool-call'))).toMatchObject([
      { type: 'tool-call-started', toolCallId: 'call_r_0', toolName: 'f' },
      { type: 'tool-call-arguments-delta', offset: 0, delta: '{"a":"😀"}' },
      { type: 'tool-call-requested', block: { payload: { args: { a: '😀' } } } },
    ])
  })
})

describe('calls in pieces', () => {
  const boston = [
    chunk([begin('weather')]),
    chunk([pieces({ '$.city': { stringValue: 'Bos', willContinue: true } })]),
    chunk([pieces({ '$.city': { stringValue: '"ton\n' } })]),
    chunk([pieces({ '$.days[0].high': { numberValue: 21.5 }, "$.days[0]['is sunny']": { boolValue: false } })]),
    chunk([pieces({ '$.days[1].high': { numberValue: 0 }, '$.note': { nullValue: 'NULL_VALUE' } })]),
  ]
  const args = { city: 'Bos"ton\n', days: [{ high: 21.5, 'is sunny': false }, { high: 0 }], note: null }

  test.each<[string, readonly object[]]>([
    ['an empty part', [chunk([end], 'STOP')]],
    ['a part that says that it is the last', [chunk([pieces({}, false)], 'STOP')]],
    ['the next call', [chunk([call('next', {})], 'STOP')]],
    ['the next call in pieces', [chunk([begin('next'), end], 'STOP')]],
    ['the end of the reply', [chunk([], 'STOP')]],
  ])('are ended by %s', async (_name, last) => {
    const { said, error } = await read([...boston, ...last])
    expect(error).toBeUndefined()
    expect(said[0]).toEqual(['tool_call', 'call_r_0', 'weather', args])
    expect(said.length).toBe(_name.startsWith('the next') ? 2 : 1)
  })

  test('are told as JSON text that grows', async () => {
    const { events } = await read([...boston, chunk([end], 'STOP')])
    const deltas = eventsOf(events, 'tool-call-arguments-delta')
    expect(deltas.map(({ delta }) => delta)).toEqual([
      '{"city":"Bos',
      '\\"ton\\n',
      '","days":[{"high":21.5,"is sunny":false',
      '},{"high":0}],"note":null',
      '}',
    ])
    let written = 0
    for (const { offset, delta } of deltas) {
      expect(offset).toBe(written)
      written += delta.length
    }
    expect(eventsOf(events, 'tool-call-started')).toMatchObject([{ toolName: 'weather' }])
  })

  test.each<[string, readonly object[], unknown]>([
    ['without arguments', [begin('f'), end], {}],
    [
      'with all of them in the first part',
      [{ functionCall: { name: 'f', partialArgs: [{ jsonPath: '$.a', numberValue: 1 }], willContinue: false } }],
      { a: 1 },
    ],
    ['with whole arguments behind the name', [begin('f'), { functionCall: { args: { a: 1 } } }], { a: 1 }],
    [
      'with empty arguments beside the name',
      [{ functionCall: { name: 'f', args: {}, willContinue: true } }, pieces({ '$.a': { numberValue: 1 } }), end],
      { a: 1 },
    ],
    [
      'with some arguments beside the name',
      [{ functionCall: { name: 'f', args: { b: 2 }, willContinue: true } }, pieces({ '$.a': { numberValue: 1 } }), end],
      { b: 2, a: 1 },
    ],
    ['with an end mark too many', [begin('f'), end, end, end], {}],
    [
      'with pieces whose end is not said',
      [
        begin('f'),
        pieces({ '$.a': { numberValue: 1 } }, undefined),
        pieces({ '$.b': { numberValue: 2 } }, undefined),
        end,
      ],
      { a: 1, b: 2 },
    ],
    [
      'with pieces that say nothing',
      [begin('f'), pieces({ '$.a': { willContinue: true }, $: { stringValue: 'x' } }), end],
      {},
    ],
    ['around empty text', [begin('f'), { text: '' }, pieces({ '$.a': { numberValue: 1 } }), end], { a: 1 }],
    [
      'out of order',
      [
        begin('f'),
        pieces({ '$.a.x': { numberValue: 1 }, '$.b': { numberValue: 2 }, '$.a.y': { numberValue: 3 } }),
        end,
      ],
      { a: { x: 1, y: 3 }, b: 2 },
    ],
    [
      'that say one place twice',
      [
        begin('f'),
        pieces({ '$.a': { numberValue: 1 }, "$['a']": { numberValue: 2 }, '$.a[0]': { numberValue: 3 } }),
        end,
      ],
      { a: [3] },
    ],
  ])('%s', async (_name, parts, expected) => {
    const { said } = await read([chunk(parts, 'STOP')])
    expect(said).toEqual([['tool_call', 'call_r_0', 'f', expected]])
  })

  test.each<[string, object]>([
    ['a path that is none', { '$..a': { numberValue: 1 } }],
    ['a wildcard', { '$.a[*]': { numberValue: 1 } }],
    ['a path that is too deep', { [`$${'.a'.repeat(51)}`]: { numberValue: 1 } }],
    ['a list with a gap that is too wide', { '$.a[4000000000]': { numberValue: 1 } }],
    ['many lists with gaps', Object.fromEntries([0, 1, 2].map((list) => [`$.a${list}[500]`, { numberValue: 1 }]))],
  ])('with %s cannot be read, so that nobody runs a part of them', async (_name, values) => {
    const { said } = await read([
      chunk([begin('f'), pieces({ '$.ok': { numberValue: 1 } }), pieces({ ...values }), end], 'STOP'),
    ])
    expect(said).toEqual([['tool_call', 'call_r_0', 'f', expect.stringMatching(/^\{"ok":1/)]])
    expect(() => JSON.parse(String(said[0]?.[3]))).toThrow(SyntaxError)
  })

  test('with a path to a prototype reach none', async () => {
    const { said } = await read([
      chunk(
        [
          begin('f'),
          pieces({
            '$.__proto__.polluted': { stringValue: 'x' },
            "$.constructor['prototype'].polluted": { stringValue: 'x' },
            '$.list[0].__proto__.polluted': { stringValue: 'x' },
          }),
          end,
        ],
        'STOP',
      ),
    ])
    expect(JSON.stringify(said)).toContain(
      '{"__proto__":{"polluted":"x"},"constructor":{"prototype":{"polluted":"x"}},"list":[{"__proto__":{"polluted":"x"}}]}',
    )
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
    expect(Reflect.get(() => {}, 'polluted')).toBeUndefined()
  })

  test.each(['MAX_TOKENS', 'SAFETY', 'OTHER'])('that %s cut off stay the text that they are', async (reason) => {
    const { said } = await read([...boston.slice(0, 2), chunk([], reason)])
    expect(said).toEqual([['tool_call', 'call_r_0', 'weather', '{"city":"Bos']])
  })

  test.each(['MAX_TOKENS', 'SAFETY'])('that ended before %s are whole', async (reason) => {
    const { said } = await read([...boston, chunk([end], reason)])
    expect(said).toEqual([['tool_call', 'call_r_0', 'weather', args]])
  })
})
