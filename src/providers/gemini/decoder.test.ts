import { describe, expect, test } from 'vitest'
import { replying, runToEnd, sse } from '../../../test/support/replies.ts'
import type { EventOf } from '../../events/event.ts'
import type { JsonObject } from '../../json.ts'
import { userText } from '../../turns/block.ts'
import { inferenceResultKey, sidecarKey, thoughtSignatureKey } from '../../turns/keys.ts'
import { createTurn } from '../../turns/turn.ts'
import { gemini } from './protocol.ts'

const prompt = createTurn([userText('Hi')])
const chunk = (parts: readonly object[], finishReason?: string, more: object = {}) => ({
  responseId: 'r',
  modelVersion: 'gemini-x',
  candidates: [{ content: { role: 'model', parts }, ...(finishReason && { finishReason }), index: 0 }],
  ...more,
})
const partial = (jsonPath: string, value: object) => ({
  functionCall: { partialArgs: [{ jsonPath, ...value }], willContinue: true },
})

async function read(messages: readonly object[]) {
  const body = sse(
    messages.map((message) => JSON.stringify(message)),
    'gemini',
  )
  const outcome = (chunkSize?: number) =>
    runToEnd(
      gemini({
        model: 'gemini-2.5-flash',
        fetch: replying([body, chunkSize === undefined ? {} : { chunkSize }]).fetch,
      }),
      prompt,
    )
  const whole = await outcome()
  for (const chunkSize of [1, 13]) expect(await outcome(chunkSize)).toEqual(whole)
  const said = whole.turn.blocks.slice(1).map((block) => {
    const payload = block.payload as Readonly<Record<string, unknown>> // for the table's sake
    if (block.kind === 'tool_call') return [block.kind, payload['id'], payload['name'], payload['args']]
    return block.kind === 'other' ? [block.rawKind, payload['item']] : [block.kind, payload['text']]
  })
  const sealed = whole.turn.blocks.slice(1).map((block) => sidecarKey.get(block)?.item['parts'])
  return { ...whole, said, sealed, result: inferenceResultKey.get(whole.turn) }
}

describe('what is streamed', () => {
  test.each<[string, readonly object[], readonly unknown[]]>([
    ['text in pieces', [chunk([{ text: 'Hel' }]), chunk([{ text: 'lo' }], 'STOP')], [['llm_text', 'Hello']]],
    [
      'thoughts, then text',
      [chunk([{ text: 'Hm.', thought: true }]), chunk([{ text: 'Yes.' }], 'STOP')],
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
      'a call, and the end in a chunk of its own',
      [chunk([{ functionCall: { name: 'f', args: { a: 1 } } }]), chunk([{ text: '' }], 'STOP')],
      [['tool_call', 'call_r_0', 'f', { a: 1 }]],
    ],
    [
      'parallel calls without ids',
      [chunk([{ functionCall: { name: 'f', args: {} } }, { functionCall: { name: 'f' } }], 'STOP')],
      [
        ['tool_call', 'call_r_0', 'f', {}],
        ['tool_call', 'call_r_1', 'f', {}],
      ],
    ],
    [
      'one id for two calls',
      [
        chunk(
          [{ functionCall: { id: 'x', name: 'f', args: {} } }, { functionCall: { id: 'x', name: 'g', args: {} } }],
          'STOP',
        ),
      ],
      [
        ['tool_call', 'x', 'f', {}],
        ['tool_call', 'x-2', 'g', {}],
      ],
    ],
    [
      'an early STOP on an empty chunk',
      [chunk([], 'STOP'), chunk([{ text: 'Late.' }], 'STOP')],
      [['llm_text', 'Late.']],
    ],
    [
      'code that ran there',
      [
        chunk(
          [
            { executableCode: { language: 'PYTHON', code: '1' } },
            { codeExecutionResult: { outcome: 'OUTCOME_OK', output: '1' } },
            { text: 'One.' },
          ],
          'STOP',
        ),
      ],
      [
        ['provider_item', { executableCode: { language: 'PYTHON', code: '1' } }],
        ['provider_item', { codeExecutionResult: { outcome: 'OUTCOME_OK', output: '1' } }],
        ['llm_text', 'One.'],
      ],
    ],
    [
      'another candidate',
      [{ candidates: [{ index: 1, content: { parts: [{ text: 'No' }] } }] }, chunk([{ text: 'Yes' }], 'STOP')],
      [['llm_text', 'Yes']],
    ],
    [
      'arguments in pieces',
      [
        chunk([{ functionCall: { name: 'f', willContinue: true } }]),
        chunk([partial('$.city', { stringValue: 'Bos', willContinue: true })]),
        chunk([partial('$.city', { stringValue: 'ton' })]),
        chunk([partial("$.list[0]['deep key']", { numberValue: 1 }), partial('$.list[1]', { boolValue: true })]),
        chunk([partial('$.none', { nullValue: 'NULL_VALUE' })]),
        chunk([{ functionCall: {} }]),
        chunk([{ functionCall: { name: 'g', args: {} } }], 'STOP'),
      ],
      [
        ['tool_call', 'call_r_0', 'f', { city: 'Boston', list: [{ 'deep key': 1 }, true], none: null }],
        ['tool_call', 'call_r_1', 'g', {}],
      ],
    ],
  ])('%s', async (_name, messages, blocks) => {
    const { said, error } = await read(messages)
    expect(error).toBeUndefined()
    expect(said).toEqual(blocks)
  })

  test('a path to the prototype reaches none', async () => {
    const { said } = await read([
      chunk([{ functionCall: { name: 'f', willContinue: true } }]),
      chunk([
        partial('$.__proto__.polluted', { stringValue: 'x' }),
        partial('$.constructor.prototype.polluted', { stringValue: 'x' }),
      ]),
      chunk([{ functionCall: {} }], 'STOP'),
    ])
    expect(JSON.stringify(said)).toContain('"__proto__":{"polluted":"x"}')
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })
})

describe('signatures', () => {
  test('a signature on the last, empty part stays a part of its own', async () => {
    const { sealed, turn } = await read([
      chunk([{ text: 'Hel' }]),
      chunk([{ text: 'lo' }]),
      chunk([{ text: '', thoughtSignature: 'sig' }], 'STOP'),
    ])
    expect(sealed).toEqual([[{ text: 'Hello' }, { text: '', thoughtSignature: 'sig' }]])
    expect(thoughtSignatureKey.get(turn.blocks[1] ?? userText(''))).toBe('sig')
  })

  test('a signed part is not joined with what follows', async () => {
    const { said, sealed } = await read([chunk([{ text: 'A', thoughtSignature: 'sig' }, { text: 'B' }], 'STOP')])
    expect(said).toEqual([
      ['llm_text', 'A'],
      ['llm_text', 'B'],
    ])
    expect(sealed).toEqual([[{ text: 'A', thoughtSignature: 'sig' }], undefined])
  })

  test("a call's is kept with the call, also when its arguments came in pieces", async () => {
    const { sealed } = await read([
      chunk([{ functionCall: { name: 'f', willContinue: true }, thoughtSignature: 'sig' }]),
      chunk([partial('$.a', { numberValue: 1 })]),
      chunk([{ functionCall: {} }], 'STOP'),
    ])
    expect(sealed).toEqual([[{ functionCall: { name: 'f', args: { a: 1 } }, thoughtSignature: 'sig' }]])
  })

  test('one that belongs to no text is an item of its own', async () => {
    const item: JsonObject = { text: '', thoughtSignature: 'sig' }
    const { said } = await read([chunk([{ functionCall: { name: 'f', args: {} } }]), chunk([item], 'STOP')])
    expect(said).toContainEqual(['provider_item', item])
  })
})

describe('how it ends', () => {
  const hi = { text: 'Hi' }
  test.each<[string, readonly object[], string]>([
    ['STOP', [chunk([hi], 'STOP')], 'completed'],
    ['a limit', [chunk([hi], 'MAX_TOKENS')], 'max_tokens'],
    ['a limit without parts', [{ candidates: [{ finishReason: 'MAX_TOKENS' }] }], 'max_tokens'],
    ['safety', [chunk([hi], 'SAFETY')], 'refusal'],
    ['recitation', [{ candidates: [{ finishReason: 'RECITATION' }] }], 'refusal'],
    ['a blocked prompt', [{ promptFeedback: { blockReason: 'PROHIBITED_CONTENT' } }], 'refusal'],
    ['a prompt blocked for another reason', [{ promptFeedback: { blockReason: 'OTHER' } }], 'refusal'],
    ['an unsafe picture', [{ candidates: [{ finishReason: 'IMAGE_SAFETY' }] }], 'refusal'],
    ['a call', [chunk([{ functionCall: { name: 'f', args: {} } }], 'STOP')], 'tool_calls_pending'],
    ['safety beside a call', [chunk([{ functionCall: { name: 'f', args: {} } }], 'SAFETY')], 'refusal'],
    ['a word that nobody knows', [chunk([hi], 'NEW_REASON')], 'unknown'],
  ])('%s', async (_name, messages, finish) => {
    const { result, error } = await read(messages)
    expect(error).toBeUndefined()
    expect(result?.finish_class).toBe(finish)
  })

  test.each<[string, readonly object[], string]>([
    ['a cut', [chunk([hi])], 'PROVIDER_STREAM_TRUNCATED'],
    ['a cut in a call', [chunk([{ functionCall: { name: 'f', willContinue: true } }])], 'PROVIDER_STREAM_TRUNCATED'],
    [
      'a call that cannot be read',
      [{ candidates: [{ finishReason: 'MALFORMED_FUNCTION_CALL' }] }],
      'PROVIDER_MALFORMED_TOOL_CALL',
    ],
    [
      'a call that nobody offered',
      [{ candidates: [{ finishReason: 'UNEXPECTED_TOOL_CALL' }] }],
      'PROVIDER_MALFORMED_TOOL_CALL',
    ],
    [
      'an error inside the stream',
      [chunk([hi]), { error: { code: 503, status: 'UNAVAILABLE', message: 'Overloaded' } }],
      'PROVIDER_OVERLOADED',
    ],
    ['not a word', [chunk([], 'STOP')], 'PROVIDER_EMPTY_RESPONSE'],
  ])('%s fails, and asks for no tool', async (_name, messages, code) => {
    const { error, said } = await read(messages)
    expect(error).toMatchObject({ code })
    expect(said.flat()).not.toContain('tool_call')
  })
})

test('usage counts thoughts as output and the prompts of its tools as input', async () => {
  const usageMetadata = {
    promptTokenCount: 10,
    toolUsePromptTokenCount: 5,
    cachedContentTokenCount: 4,
    candidatesTokenCount: 3,
    thoughtsTokenCount: 7,
  }
  const { result } = await read([chunk([{ text: 'Hi' }], 'STOP', { usageMetadata })])
  expect(result?.usage).toEqual({
    input_tokens: 15,
    output_tokens: 10,
    cached_tokens: 4,
    cache_read_input_tokens: 4,
    reasoning_tokens: 7,
  })
})

test('what an answer rests on is cited', async () => {
  const groundingMetadata = { groundingChunks: [{ web: { uri: 'https://a.example/', title: 'A' } }] }
  const { events, result } = await read([
    { candidates: [{ content: { parts: [{ text: 'Hi' }] }, finishReason: 'STOP', groundingMetadata }] },
  ])
  const cited = events.filter((event): event is EventOf<'citation'> => event.type === 'citation')
  expect(cited).toMatchObject([{ url: 'https://a.example/', title: 'A' }])
  expect(result?.extra?.['grounding_metadata']).toEqual(groundingMetadata)
})
