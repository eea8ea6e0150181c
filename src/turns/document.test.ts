import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { turn as anyTurn } from '../../test/support/arbitraries.ts'
import { deepFreeze } from '../../test/support/values.ts'
import { assistantText, otherBlock, reasoning, systemText, toolCall, toolError, toolResult, userText } from './block.ts'
import { checkTurn, turnFromText, turnToJson, turnToYaml } from './document.ts'
import { encodeTurn } from './encode.ts'
import { blockHash } from './hash.ts'
import { agentModeKey, middlewareKey, sessionIdKey, toolConfigKey } from './keys.ts'
import { createTurn, type Turn } from './turn.ts'

const formats = [
  ['YAML', turnToYaml],
  ['JSON', turnToJson],
] as const

// YAML is slow enough that a busy machine takes long over many turns.
const patient = { timeout: 60_000 }

/** The text as a file would give it back. */
function throughUtf8(text: string): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(new TextEncoder().encode(text))
}

describe('a turn as a file', () => {
  const turn: Turn = {
    ...createTurn(
      [
        middlewareKey.set({ ...systemText('Be brief.'), id: 'b1' }, 'systemprompt'),
        userText('What is in this?\nAnswer no or on.', [{ url: 'https://example.com/a.png', detail: 'low' }]),
        reasoning({ text: 'Hm.', signature: 'c2ln', summary: [{ type: 'summary_text', text: 'Hm' }] }),
        toolCall('c1', 'look', { z: 1, a: ['no', '2024-01-01', '012', null, 1.5] }),
        toolResult('c1', { found: true }),
        toolError('c2', 'timed out'),
        otherBlock('video', { url: 'https://example.com/v.mp4' }),
        { ...assistantText('no'), extra: { order: 6 } },
      ],
      'turn-1',
    ),
    metadata: { 'geppetto.session_id@v1': 's1', 'app.b@v1': 1 },
    data: { 'geppetto.tool_config@v1': { enabled: true, execution_timeout: '30s' } },
    extra: { comment: 'by hand' },
  }

  it('reads like this in YAML', () => {
    expect(turnToYaml(turn)).toBe(`id: turn-1
blocks:
  - id: b1
    kind: system
    role: system
    payload:
      text: Be brief.
    metadata:
      geppetto.middleware@v1: systemprompt
  - kind: user
    role: user
    payload:
      text: |-
        What is in this?
        Answer no or on.
      images:
        - url: https://example.com/a.png
          detail: low
  - kind: reasoning
    role: assistant
    payload:
      text: Hm.
      signature: c2ln
      summary:
        - type: summary_text
          text: Hm
  - id: c1
    kind: tool_call
    payload:
      id: c1
      name: look
      args:
        z: 1
        a:
          - "no"
          - "2024-01-01"
          - "012"
          - null
          - 1.5
  - kind: tool_use
    payload:
      id: c1
      result:
        found: true
  - kind: tool_use
    payload:
      id: c2
      error: timed out
  - kind: video
    payload:
      url: https://example.com/v.mp4
  - kind: llm_text
    role: assistant
    payload:
      text: "no"
    order: 6
metadata:
  app.b@v1: 1
  geppetto.session_id@v1: s1
data:
  geppetto.tool_config@v1:
    enabled: true
    execution_timeout: 30s
comment: by hand
`)
  })

  it('says the same in JSON', () => {
    expect(turnToJson(createTurn([userText('Hi')], 't'))).toBe(`{
  "id": "t",
  "blocks": [
    {
      "kind": "user",
      "role": "user",
      "payload": {
        "text": "Hi"
      }
    }
  ]
}
`)
    expect(JSON.parse(turnToJson(turn))).toEqual(encodeTurn(turn))
  })

  it('leaves out what is empty, but never the blocks', () => {
    expect(turnToYaml(createTurn())).toBe('blocks: []\n')
    expect(encodeTurn(createTurn([{ kind: 'other', id: '', role: '', payload: {}, metadata: {} }]))).toEqual({
      blocks: [{ kind: 'other' }],
    })
  })

  it.each(formats)('gives the turn back from %s', (_format, write) => {
    expect(turnFromText(write(turn))).toEqual(turn)
  })

  it.each(formats)('does not change the turn that is written as %s', (_format, write) => {
    expect(() => write(deepFreeze(structuredClone(turn)))).not.toThrow()
  })

  it('keeps the order of keys in a payload, and sorts those of the bags', () => {
    const kept = turnFromText(turnToYaml(turn))
    expect(Object.keys(kept.blocks[3]?.payload ?? {})).toEqual(['id', 'name', 'args'])
    expect(JSON.stringify(kept.blocks[3]?.payload)).toContain('{"z":1,"a":')
    expect(Object.keys(kept.metadata)).toEqual(['app.b@v1', 'geppetto.session_id@v1'])
  })

  it('gives typed values back through their keys', () => {
    const set = agentModeKey.set(
      toolConfigKey.set(turn, { enabled: true, tool_choice: 'auto', execution_timeout: '2s' }),
      'no',
    )
    const kept = turnFromText(turnToYaml(set))
    expect([agentModeKey.get(kept), toolConfigKey.get(kept)?.execution_timeout, sessionIdKey.get(kept)]).toEqual([
      'no',
      '2s',
      's1',
    ])
  })

  it.each(formats)('is the same for any turn after %s through UTF-8', patient, (_format, write) => {
    const own = Object.getOwnPropertyNames(Object.prototype)
    fc.assert(
      fc.property(anyTurn, (any) => {
        const text = throughUtf8(write(any))
        const kept = turnFromText(text)
        expect(kept).toEqual(any)
        // toEqual does not look at the order of keys, nor at an own __proto__
        expect(JSON.stringify(encodeTurn(kept))).toBe(JSON.stringify(encodeTurn(any)))
      }),
      { numRuns: 150 },
    )
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(own)
  })

  it.each(formats)('has the same text and the same hashes after ten rounds of %s', patient, (_format, write) => {
    fc.assert(
      fc.property(anyTurn, (any) => {
        const first = write(any)
        let last = any
        for (let round = 0; round < 10; round += 1) last = turnFromText(write(last))
        expect(write(last)).toBe(first)
        expect(last.blocks.map(blockHash)).toEqual(any.blocks.map(blockHash))
      }),
      { numRuns: 25 },
    )
  })
})

describe('checkTurn', () => {
  it('finds nothing in a turn that is well', () => {
    const text = turnToYaml(createTurn([userText('Hi'), toolCall('c', 'f', {}), toolResult('c', 1)], 't'))
    expect(checkTurn(text)).toMatchObject({ turn: { id: 't' }, findings: [] })
  })

  it.each<[string, string, string, string, string]>([
    ['an unknown kind', 'blocks: [{kind: video}]', 'note', '$.blocks[0].kind', 'unknown kind "video"'],
    ['an unknown field of the turn', 'order: 1', 'note', '$.order', 'unknown field'],
    ['an unknown field of a block', 'blocks: [{kind: user, order: 1}]', 'note', '$.blocks[0].order', 'unknown field'],
    [
      'a call without a result',
      'blocks: [{kind: tool_call, payload: {id: c, name: f}}]',
      'note',
      '$.blocks[0]',
      'tool call c (f) has no result',
    ],
    [
      'a result without a call',
      'blocks: [{kind: tool_use, payload: {id: c}}]',
      'warning',
      '$.blocks[0]',
      'not in the turn (c)',
    ],
    [
      'a known key with a wrong value',
      'data: {geppetto.agent_mode@v1: 5}',
      'warning',
      '$.data["geppetto.agent_mode@v1"]',
      'cannot be read',
    ],
    [
      'a wrong fact',
      'metadata: {geppetto.session_id@v1: 5}',
      'warning',
      '$.metadata["geppetto.session_id@v1"]',
      'cannot be read',
    ],
    [
      'a wrong fact of a block',
      'blocks: [{kind: user, metadata: {geppetto.partial@v1: 5}}]',
      'warning',
      '$.blocks[0].metadata["geppetto.partial@v1"]',
      'cannot be read',
    ],
    ['a file that is no turn', 'blocks: 5', 'error', '$.blocks', 'blocks must be a list'],
    ['a file that is not YAML', 'a: [', 'error', '$', 'not valid YAML'],
  ])('reports %s', (_what, text, severity, path, message) => {
    const { turn, findings } = checkTurn(text)
    expect(findings).toEqual([{ severity, path, message: expect.stringContaining(message) as string }])
    expect(turn === undefined).toBe(severity === 'error')
  })

  it('throws for no text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) =>
        checkTurn(text).findings.every(({ message }) => message !== ''),
      ),
    )
  })
})
