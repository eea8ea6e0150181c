import { describe, expect, test } from 'vitest'
import { call, chunk, ends, hear, made, said, shown, stream } from '../../../test/support/chat-replies.ts'
import type { JsonObject } from '../../json.ts'

const tools = (...calls: readonly JsonObject[]) => chunk({ tool_calls: calls })
const two = [
  ['call', 'a', 'f', { x: 1 }],
  ['call', 'b', 'g', { y: 2 }],
] as const

describe('tool calls, as vendors stream them', () => {
  test.each<[string, readonly JsonObject[], readonly (readonly unknown[])[]]>([
    [
      'OpenAI: pieces by index',
      [
        call({ index: 0, id: 'a', type: 'function', ...made('f', '') }),
        call({ index: 0, ...made(undefined, '{"x"') }),
        call({ index: 0, ...made(undefined, ':1}') }),
        call({ index: 1, id: 'b', type: 'function', ...made('g', '{"y":2}') }),
      ],
      two,
    ],
    [
      'pieces that alternate',
      [
        call({ index: 0, id: 'a', ...made('f', '') }),
        call({ index: 1, id: 'b', ...made('g', '') }),
        call({ index: 0, ...made(undefined, '{"x"') }),
        call({ index: 1, ...made(undefined, '{"y":') }),
        call({ index: 0, ...made(undefined, ':1}') }),
        call({ index: 1, ...made(undefined, '2}') }),
      ],
      two,
    ],
    [
      'in the order of their indexes, with gaps',
      [call({ index: 7, id: 'b', ...made('g', '{"y":2}') }), call({ index: 2, id: 'a', ...made('f', '{"x":1}') })],
      two,
    ],
    [
      'xAI, Groq: whole, in one delta',
      [tools({ index: 0, id: 'a', ...made('f', '{"x":1}') }, { index: 1, id: 'b', ...made('g', '{"y":2}') })],
      two,
    ],
    [
      'Mistral: whole, without an index',
      [tools({ id: 'a', ...made('f', '{"x": 1}') }, { id: 'b', ...made('g', '{"y": 2}') })],
      two,
    ],
    [
      'an index of null',
      [
        call({ index: null, id: 'a', ...made('f', '{"x":1}') }),
        call({ index: null, id: 'b', ...made('g', '{"y":2}') }),
      ],
      two,
    ],
    [
      'pieces without an index',
      [
        call({ id: 'a', ...made('f', '{"x"') }),
        call(made(undefined, ':1}')),
        call({ id: 'b', ...made('g', '{"y"') }),
        call({ id: '', ...made('', ':2}') }),
      ],
      two,
    ],
    [
      'Ollama: an index that is always 0',
      [call({ index: 0, id: 'a', ...made('f', '{"x":1}') }), call({ index: 0, id: 'b', ...made('g', '{"y":2}') })],
      two,
    ],
    [
      'an index that is always 0, in pieces',
      [
        call({ index: 0, id: 'a', ...made('f', '{"x"') }),
        call({ index: 0, ...made(undefined, ':1}') }),
        call({ index: 0, id: 'b', ...made('g', '{"y"') }),
        call({ index: 0, ...made(undefined, ':2}') }),
      ],
      two,
    ],
    [
      'an index that is always 0, without ids',
      [call({ index: 0, ...made('f', '{"x":1}') }), call({ index: 0, ...made('g', '{"y":2}') })],
      [
        ['call', 'call_1_chatcmpl-1', 'f', { x: 1 }],
        ['call', 'call_2_chatcmpl-1', 'g', { y: 2 }],
      ],
    ],
    [
      'the id and the name in each delta',
      [
        call({ index: 0, id: 'a', ...made('f', '{"x"') }),
        call({ index: 0, id: 'a', ...made('f', ':1}') }),
        call({ index: 1, id: 'b', ...made('g', '{"y":2}') }),
      ],
      two,
    ],
    [
      'the id in each delta, without an index',
      [
        call({ id: 'a', ...made('f', '{"x"') }),
        call({ id: 'a', ...made('f', ':1}') }),
        call({ id: 'b', ...made('g', '{"y":2}') }),
      ],
      two,
    ],
    [
      'an id that is added to itself',
      [
        call({ index: 0, id: 'a', ...made('f', '{"x"') }),
        call({ index: 0, id: 'aa', ...made(undefined, ':') }),
        call({ index: 0, id: 'aaa', ...made(undefined, '1}') }),
        call({ index: 1, id: 'b', ...made('g', '{"y":2}') }),
      ],
      two,
    ],
    [
      'a new id for each piece',
      [
        call({ index: 0, id: 'a', ...made('f', '{"x"') }),
        call({ index: 0, id: 'q', ...made(undefined, ':1}') }),
        call({ index: 1, id: 'b', ...made('g', '{"y":2}') }),
      ],
      two,
    ],
    [
      'an id that comes late',
      [
        call({ index: 0, ...made('f', '') }),
        call({ index: 0, id: 'a', ...made(undefined, '{"x":1}') }),
        call({ index: 1, id: 'b', ...made('g', '{"y":2}') }),
      ],
      two,
    ],
    [
      'an id ahead of everything',
      [
        call({ index: 0, id: 'a' }),
        call({ index: 0, ...made('f', '{"x":1}') }),
        call({ index: 1, id: 'b', ...made('g', '{"y":2}') }),
      ],
      two,
    ],
    [
      'a name in pieces',
      [
        call({ index: 0, id: 'a', ...made('get_', '') }),
        call({ index: 0, ...made('f', '') }),
        call({ index: 0, ...made(undefined, '{"x":1}') }),
      ],
      [['call', 'a', 'get_f', { x: 1 }]],
    ],
    [
      'a call that is said twice',
      [
        call({ index: 0, id: 'a', ...made('f', '{"x":1}') }),
        call({ index: 0, id: 'a', ...made('f', '{"x":1}') }),
        call({ index: 1, id: 'b', ...made('g', '{"y":2}') }),
      ],
      two,
    ],
    [
      'DeepSeek, GLM: one id for two calls',
      [call({ index: 0, id: 'a', ...made('f', '{"x":1}') }), call({ index: 1, id: 'a', ...made('g', '{"y":2}') })],
      [
        ['call', 'a', 'f', { x: 1 }],
        ['call', 'a-2', 'g', { y: 2 }],
      ],
    ],
    [
      'one id for two calls, without an index',
      [call({ id: 'a', ...made('f', '{"x":1}') }), call({ id: 'a', ...made('f', '{"x":2}') })],
      [
        ['call', 'a', 'f', { x: 1 }],
        ['call', 'a-2', 'f', { x: 2 }],
      ],
    ],
    [
      'no ids',
      [call({ index: 0, ...made('f', '{"x":1}') }), call({ index: 1, ...made('f', '{"x":1}') })],
      [
        ['call', 'call_1_chatcmpl-1', 'f', { x: 1 }],
        ['call', 'call_2_chatcmpl-1', 'f', { x: 1 }],
      ],
    ],
    [
      'no ids and no arguments',
      [tools(made('f', ''), made('g', ''))],
      [
        ['call', 'call_1_chatcmpl-1', 'f', {}],
        ['call', 'call_2_chatcmpl-1', 'g', {}],
      ],
    ],
    ['arguments as an object', [call({ index: 0, id: 'a', ...made('f', { x: 1 }) })], [['call', 'a', 'f', { x: 1 }]]],
    ['arguments of null', [call({ index: 0, id: 'a', ...made('f', null) })], [['call', 'a', 'f', {}]]],
    ['no arguments', [call({ index: 0, id: 'a', function: { name: 'f' } })], [['call', 'a', 'f', {}]]],
    [
      'arguments that parse before they are whole',
      [call({ index: 0, id: 'a', ...made('f', '{}') }), call({ index: 0, ...made(undefined, ' ') })],
      [['call', 'a', 'f', {}]],
    ],
    [
      'the function_call of before',
      [
        chunk({ function_call: { name: 'f', arguments: '' } }),
        chunk({ function_call: { arguments: '{"x"' } }),
        chunk({ function_call: { arguments: ':1}' } }),
      ],
      [['call', 'call_1_chatcmpl-1', 'f', { x: 1 }]],
    ],
    [
      'a function_call beside its tool call',
      [
        chunk({
          function_call: { name: 'f', arguments: '{"x":1}' },
          tool_calls: [{ index: 0, id: 'a', ...made('f', '{"x":1}') }],
        }),
      ],
      [['call', 'a', 'f', { x: 1 }]],
    ],
    [
      'a custom tool',
      [
        call({ index: 0, id: 'a', type: 'custom', custom: { name: 'sql', input: 'SELECT' } }),
        call({ index: 0, custom: { input: ' 1' } }),
      ],
      [['call', 'a', 'sql', 'SELECT 1']],
    ],
    [
      'text before the calls',
      [chunk({ content: 'So' }), call({ index: 0, id: 'a', ...made('f', '{"x":1}') })],
      [
        ['text', 'So'],
        ['call', 'a', 'f', { x: 1 }],
      ],
    ],
    [
      'names of the prototype',
      [call({ index: 0, id: '__proto__', ...made('constructor', '{"__proto__":{"x":1}}') })],
      [['call', '__proto__', 'constructor', JSON.parse('{"__proto__":{"x":1}}')]],
    ],
    [
      'a number that is none',
      [call({ index: 0, id: 'a', ...made('f', '{"x":1e999}') })],
      [['call', 'a', 'f', '{"x":1e999}']],
    ],
    ['arguments that are no object', [call({ index: 0, id: 'a', ...made('f', '[1]') })], [['call', 'a', 'f', '[1]']]],
    [
      'a name in each delta, and a brace before the last',
      [
        call({ index: 0, ...made('f', '{"x":{}') }),
        call({ index: 0, ...made('f', '}') }),
        call({ index: 1, id: 'b', ...made('g', '{"y":2}') }),
      ],
      [
        ['call', 'call_1_chatcmpl-1', 'f', { x: {} }],
        ['call', 'b', 'g', { y: 2 }],
      ],
    ],
    [
      'a name that is repeated before its arguments',
      [
        call({ index: 0, id: 'a', ...made('f', '') }),
        call({ index: 0, id: 'a', ...made('f', '') }),
        call({ index: 0, id: 'a', ...made('f', '{"x":1}') }),
      ],
      [two[0]],
    ],
    [
      'a name behind its arguments',
      [
        call({ index: 0, id: 'a', ...made(undefined, '{"x":1}') }),
        call({ index: 0, ...made('f', '') }),
        call({ index: 1, id: 'b', ...made('g', '{"y":2}') }),
      ],
      two,
    ],
    [
      'an id that comes alone',
      [
        call({ index: 0, ...made('f', '') }),
        call({ index: 0, id: 'a' }),
        call({ index: 0, ...made(undefined, '{"x":1}') }),
        call({ index: 1, id: 'b', ...made('g', '{"y":2}') }),
      ],
      two,
    ],
    [
      'pieces that alternate, by id',
      [
        call({ id: 'a', ...made('f', '{"x"') }),
        call({ id: 'b', ...made('g', '{"y"') }),
        call({ id: 'a', ...made(undefined, ':1}') }),
        call({ id: 'b', ...made(undefined, ':2}') }),
      ],
      two,
    ],
    [
      'pieces that alternate, by an index in the first and an id in each',
      [
        call({ index: 0, id: 'a', ...made('f', '{"x"') }),
        call({ index: 1, id: 'b', ...made('g', '{"y"') }),
        call({ id: 'a', ...made(undefined, ':1}') }),
        call({ id: 'b', ...made(undefined, ':2}') }),
      ],
      two,
    ],
    [
      'an index that comes late',
      [
        call({ id: 'a', ...made('f', '{"x"') }),
        call({ id: 'b', ...made('g', '{"y"') }),
        call({ index: 0, id: 'a', ...made(undefined, ':1}') }),
        call({ index: 1, id: 'b', ...made(undefined, ':2}') }),
      ],
      two,
    ],
    [
      'one id for two calls, the second in pieces',
      [
        call({ id: 'a', ...made('f', '{"x":1}') }),
        call({ id: 'a', ...made('f', '{"x"') }),
        call({ id: 'a', ...made(undefined, ':2}') }),
      ],
      [
        ['call', 'a', 'f', { x: 1 }],
        ['call', 'a-2', 'f', { x: 2 }],
      ],
    ],
    [
      'three calls in another order',
      [
        call({ index: 2, id: 'c', ...made('h', '{}') }),
        call({ index: 0, id: 'a', ...made('f', '{"x":1}') }),
        call({ index: 1, id: 'b', ...made('g', '{"y":2}') }),
      ],
      [...two, ['call', 'c', 'h', {}]],
    ],
    [
      'neither ids nor a reply that has one',
      [{ choices: [{ delta: { tool_calls: [made('f', '{"x":1}')] } }] }].map((each) => ({ ...each, id: null })),
      [['call', 'call_1', 'f', { x: 1 }]],
    ],
  ])('%s', async (_name, chunks, expected) => {
    const end = chunks.some(({ id }) => id === null) ? { ...ends('tool_calls'), id: null } : ends('tool_calls')
    const heard = await hear(stream([...chunks, end]))
    expect(heard.error).toBeUndefined()
    expect(said(heard)).toEqual(expected)
    expect(Object.prototype).not.toHaveProperty('x')
  })

  test('are told while they are written, and asked for at the end', async () => {
    const heard = await hear(
      stream([
        call({ index: 0, id: 'a', ...made('f', '') }),
        call({ index: 0, ...made(undefined, '{"x"') }),
        call({ index: 0, ...made(undefined, ':1}') }),
        ends('tool_calls'),
      ]),
    )
    const told = heard.events.flatMap((event) => ('toolCallId' in event ? [[event.type, event.toolCallId]] : []))
    expect(told).toEqual([
      ['tool-call-started', 'a'],
      ['tool-call-arguments-delta', 'a'],
      ['tool-call-arguments-delta', 'a'],
      ['tool-call-requested', 'a'],
    ])
    expect(shown(heard, 'tool-call-arguments-delta')).toBe('{"x":1}')
  })

  test('that a limit cut off stay as they were written', async () => {
    const heard = await hear(stream([call({ index: 0, id: 'a', ...made('f', '{"city":"Pa') }), ends('length')]))
    expect(said(heard)).toEqual([['call', 'a', 'f', '{"city":"Pa']])
  })

  test.each(['content_filter', 'refusal'])('that a %s broke off were never asked for', async (reason) => {
    const heard = await hear(
      stream([
        call({ index: 0, id: 'a', ...made('f', '{"x":1}') }),
        call({ index: 1, id: 'b', ...made('g', '{"y') }),
        ends(reason),
      ]),
    )
    expect(said(heard)).toEqual([['call', 'a', 'f', { x: 1 }]])
  })

  test('without a name cannot be run, and fail the call when there is no other', async () => {
    const nameless = call({ index: 0, id: 'a', ...made(undefined, '{"x":1}') })
    expect((await hear(stream([nameless, ends('tool_calls')]))).error).toMatchObject({
      code: 'PROVIDER_MALFORMED_TOOL_CALL',
    })
    expect(
      said(await hear(stream([nameless, call({ index: 1, id: 'b', ...made('g', '{"y":2}') }), ends('tool_calls')]))),
    ).toEqual([two[1]])
  })
})
