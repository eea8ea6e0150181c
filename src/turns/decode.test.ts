import { describe, expect, it } from 'vitest'
import { assistantText, userText } from './block.ts'
import { checkTurn, turnFromText, turnToYaml } from './document.ts'
import { encodeTurn } from './encode.ts'
import { sessionIdKey } from './keys.ts'
import { append, createTurn, type Turn } from './turn.ts'

describe('turnFromText', () => {
  const user = { kind: 'user', payload: { text: 'Hi' } }
  it.each<[string, string, Partial<Turn>]>([
    ['nothing but blocks', 'blocks: []', {}],
    ['no blocks', 'id: t', { id: 't' }],
    ['null for everything', 'id: null\nblocks: null\nmetadata: null\ndata: ~', {}],
    ['a block without a payload', 'blocks: [{kind: user}]', { blocks: [{ kind: 'user', payload: { text: '' } }] }],
    ['a payload of null', 'blocks: [{kind: other, payload: null}]', { blocks: [{ kind: 'other', payload: {} }] }],
    ['an answer without a role', 'blocks: [{kind: llm_text, payload: {text: Hi}}]', { blocks: [assistantText('Hi')] }],
    [
      'an answer with a blank role',
      'blocks: [{kind: llm_text, role: " ", payload: {text: Hi}}]',
      { blocks: [assistantText('Hi')] },
    ],
    [
      'another role',
      'blocks: [{kind: user, role: guest, payload: {text: Hi}}]',
      { blocks: [{ ...userText('Hi'), role: 'guest' }] },
    ],
    [
      'a kind in other letters',
      'blocks: [{kind: " User ", payload: {text: Hi}}]',
      { blocks: [{ kind: 'user', payload: { text: 'Hi' } }] },
    ],
    ['an unknown kind', 'blocks: [{kind: Video}]', { blocks: [{ kind: 'other', rawKind: 'Video', payload: {} }] }],
    ['no kind', 'blocks: [{payload: {a: 1}}]', { blocks: [{ kind: 'other', payload: { a: 1 } }] }],
    [
      'a call without arguments',
      'blocks: [{kind: tool_call, payload: {id: c, name: f}}]',
      { blocks: [{ kind: 'tool_call', payload: { id: 'c', name: 'f', args: {} } }] },
    ],
    [
      'a name of JavaScript as kind',
      'blocks: [{kind: constructor}]',
      { blocks: [{ kind: 'other', rawKind: 'constructor', payload: {} }] },
    ],
    [
      'unknown fields',
      'blocks: [{kind: user, payload: {text: Hi, mood: {a: 1}}, order: 3}]\nextra_field: [1]',
      {
        blocks: [{ kind: 'user', payload: { text: 'Hi', mood: { a: 1 } } as { text: string }, extra: { order: 3 } }],
        extra: { extra_field: [1] },
      },
    ],
    ['a malformed key', 'metadata: {"not a key": 1}', { metadata: { 'not a key': 1 } }],
    [
      'words that older YAML reads as something else',
      'id: no\ndata: {a: on, b: 2024-01-01, c: 012, d: y}',
      {
        id: 'no',
        data: { a: 'on', b: '2024-01-01', c: 12, d: 'y' },
      },
    ],
    [
      'a list of YAML aliases',
      'data: {a: &a {x: 1}, b: *a, c: *a}',
      { data: { a: { x: 1 }, b: { x: 1 }, c: { x: 1 } } },
    ],
    ['a YAML 1.1 directive, as YAML 1.2', '%YAML 1.1\n---\nid: no', { id: 'no' }],
    ['an end marker', 'id: t\n...\n', { id: 't' }],
    ['comments', '# a turn\nid: t # its id', { id: 't' }],
    ['JSON with a byte order mark', '\ufeff{"id": "t"}', { id: 't' }],
    [
      'YAML in flow style',
      '{id: t, blocks: [{kind: user, payload: {text: Hi}}]}',
      { id: 't', blocks: [{ kind: 'user', payload: { text: 'Hi' } }] },
    ],
    [
      'numbers as JavaScript writes them',
      'data: {a: 1e20, b: 100000000000000000000, c: -7, d: 0x1f, e: 5e-324}',
      {
        data: { a: 1e20, b: 1e20, c: -7, d: 31, e: 5e-324 },
      },
    ],
  ])('takes %s', (_what, text, fields) => {
    expect(turnFromText(text)).toEqual({ ...createTurn(), ...fields })
  })

  it.each<[string, string, string]>([
    ['nothing', '', '$: a turn is an object with a list of blocks'],
    ['a list', '[]', '$: a turn is an object'],
    ['plain text', 'Hello', '$: a turn is an object'],
    ['blocks that are no list', 'blocks: {}', '$.blocks: blocks must be a list'],
    ['a block that is text', 'blocks: [Hi]', '$.blocks[0]: a block is an object with a kind'],
    ['an id that is a number', 'id: 5', '$.id: must be text, not number'],
    ['an id that is a list', 'id: [5]', '$.id: must be text, not a list'],
    ['a kind that is a number', 'blocks: [{kind: 5}]', '$.blocks[0].kind: must be text'],
    [
      'a text that is an object',
      'blocks: [{kind: user, payload: {text: {}}}]',
      '$.blocks[0].payload.text: must be text',
    ],
    ['a payload that is a list', 'blocks: [{kind: user, payload: []}]', '$.blocks[0].payload: must be an object'],
    [
      'images that are no list',
      'blocks: [{kind: user, payload: {images: {}}}]',
      '$.blocks[0].payload.images: images must be a list',
    ],
    [
      'an image that is text',
      'blocks: [{kind: user, payload: {images: [a]}}]',
      '$.blocks[0].payload.images[0]: an image is an object',
    ],
    [
      'a signature that is a number',
      'blocks: [{kind: reasoning, payload: {signature: 5}}]',
      '$.blocks[0].payload.signature',
    ],
    ['an error that is an object', 'blocks: [{kind: tool_use, payload: {error: {}}}]', '$.blocks[0].payload.error'],
    ['metadata that is text', 'metadata: a', '$.metadata: must be an object'],
    [
      'block metadata that is a list',
      'blocks: [{kind: user, metadata: []}]',
      '$.blocks[0].metadata: must be an object',
    ],
    ['a run_id that is a list', 'run_id: []', '$.run_id: must be text'],
    ['a number that is infinite', 'data: {a: [1e400]}', '$.data.a[0]: the value is not JSON'],
    ['not a number', 'data: {a: .nan}', '$.data.a: the value is not JSON'],
    ['a number in JSON that is infinite', '{"data": {"a": 1e400}}', '$.data.a: the value is not JSON'],
  ])('refuses %s, and says where', (_what, text, message) => {
    expect(() => turnFromText(text)).toThrow(
      expect.objectContaining({
        code: 'TURN_INVALID',
        message: expect.stringContaining(`cannot be read at ${message}`) as string,
      }),
    )
  })

  it.each([
    ['9007199254740993', '9007199254740993'],
    ['-9007199254740993', '-9007199254740993'],
    ['123456789012345678901234567890', '123456789012345678901234567890'],
  ])('refuses the integer %s, which would not be kept', (number, shown) => {
    for (const text of [`{"data": {"a": ${number}}}`, `data: {a: ${number}}`, `data: {a: [{b: ${number}}]}`]) {
      expect(() => turnFromText(text)).toThrow(
        expect.objectContaining({ code: 'TURN_INVALID', message: expect.stringContaining(shown) as string }),
      )
    }
    expect(turnFromText(`data: {a: "${number}"}`).data).toEqual({ a: number })
  })

  it('keeps __proto__ and its like as data of their own', () => {
    const fields = '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 2}}}'
    for (const text of [
      `{"data": ${fields}, "metadata": ${fields}, "__proto__": {"a": 1}}`,
      `data: ${fields}\n__proto__: {a: 1}`,
    ]) {
      const turn = turnFromText(text)
      expect(Object.keys(turn.data)).toEqual(['__proto__', 'constructor'])
      expect(Object.getPrototypeOf(turn.data)).toBe(Object.prototype)
      expect(JSON.stringify(encodeTurn(turn))).toContain(`"data":${fields.replaceAll(' ', '')}`)
      expect(Object.hasOwn(turn.extra ?? {}, '__proto__')).toBe(true)
    }
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })

  it('does not share a value that YAML aliases with what is made of it', () => {
    const turn = turnFromText('blocks:\n  - &b {kind: user, payload: {text: Hi}}\n  - *b\n')
    expect(turn.blocks).toEqual([user, user])
    expect(append(turn, ...turn.blocks).blocks).toHaveLength(4)
  })
})

describe('a file with the old run_id', () => {
  const file = 'run_id: s-old\nblocks: []\n'

  it('gives the run_id as the session id, and never writes it', () => {
    const turn = turnFromText(file)
    expect(sessionIdKey.get(turn)).toBe('s-old')
    expect(turnToYaml(turn)).toBe('blocks: []\nmetadata:\n  geppetto.session_id@v1: s-old\n')
  })

  it('keeps a session id that is there already', () => {
    expect(sessionIdKey.get(turnFromText(`${file}metadata: {geppetto.session_id@v1: s-new}\n`))).toBe('s-new')
  })

  it('takes an empty run_id for none', () => {
    expect(turnFromText('run_id: ""').metadata).toEqual({})
  })

  it('is reported by checkTurn', () => {
    expect(checkTurn(file).findings).toEqual([
      {
        severity: 'warning',
        path: '$.run_id',
        message: 'run_id is the old name of the session id; write it as metadata "geppetto.session_id@v1"',
      },
    ])
  })
})
