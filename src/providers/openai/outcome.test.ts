import { describe, expect, test } from 'vitest'
import { call, chunk, ends, hear, made, said, spent, stream } from '../../../test/support/chat-replies.ts'
import { replying, runToEnd } from '../../../test/support/replies.ts'
import type { JsonObject } from '../../json.ts'
import { userText } from '../../turns/block.ts'
import { inferenceResultKey } from '../../turns/keys.ts'
import { createTurn } from '../../turns/turn.ts'
import { openai } from './protocol.ts'

const word = chunk({ content: 'x' })
const filtered = {
  choices: [
    {
      index: 0,
      delta: {},
      finish_reason: null,
      content_filter_results: { hate: { filtered: true, severity: 'high' }, error: null },
    },
  ],
}
const called = call({ index: 0, id: 'a', ...made('f', '{}') })

describe('an answer ends', () => {
  test.each<[string, readonly JsonObject[], 'DONE' | 'EOF', string, string]>([
    ['with stop', [word, ends()], 'DONE', 'stop', 'completed'],
    ['with stop and no mark', [word, ends()], 'EOF', 'stop', 'completed'],
    ['with a mark and no reason', [word], 'DONE', '', 'unknown'],
    [
      'with a reason that is empty until the last',
      [chunk({ content: 'x' }, ''), chunk({ content: 'y' }, 'null'), ends()],
      'DONE',
      'stop',
      'completed',
    ],
    ['at a limit', [word, ends('length')], 'DONE', 'length', 'max_tokens'],
    ['with calls', [called, ends('tool_calls')], 'DONE', 'tool_calls', 'tool_calls_pending'],
    ['with calls, though it says stop', [called, ends()], 'DONE', 'stop', 'tool_calls_pending'],
    [
      'with the function_call of before',
      [chunk({ function_call: { name: 'f', arguments: '{}' } }), ends('function_call')],
      'DONE',
      'function_call',
      'tool_calls_pending',
    ],
    ['at a filter', [word, ends('content_filter')], 'DONE', 'content_filter', 'refusal'],
    ['at a filter that says nothing (Azure)', [word, filtered], 'DONE', 'content_filter', 'refusal'],
    ['at a filter that says nothing, without a mark', [word, filtered], 'EOF', 'content_filter', 'refusal'],
    [
      'with a filter that only noted something',
      [
        chunk({ content: 'x' }),
        {
          choices: [
            { index: 0, delta: {}, finish_reason: 'stop', content_filter_results: { hate: { filtered: false } } },
          ],
        },
      ],
      'DONE',
      'stop',
      'completed',
    ],
    ['with a filter by another name (GLM)', [word, ends('sensitive')], 'DONE', 'sensitive', 'refusal'],
    ['with a refusal in words', [chunk({ refusal: 'No.' }), ends()], 'DONE', 'refusal', 'refusal'],
    [
      'with a refusal that a filter cut',
      [chunk({ refusal: 'No' }), ends('content_filter')],
      'DONE',
      'content_filter',
      'refusal',
    ],
    [
      'behind a reason that came too early',
      [chunk({}, 'stop'), word, chunk({ content: 'y' })],
      'DONE',
      'stop',
      'completed',
    ],
    [
      'behind a reason that came too early, with another',
      [chunk({}, 'stop'), called, ends('tool_calls')],
      'EOF',
      'tool_calls',
      'tool_calls_pending',
    ],
    ['with words behind the reason', [word, ends(), chunk({ content: 'y' })], 'DONE', 'stop', 'completed'],
    ['with a limit that a later word would hide', [word, ends('length'), ends('stop')], 'DONE', 'length', 'max_tokens'],
    [
      'with a filter that calls would hide',
      [called, ends('content_filter'), ends('tool_calls')],
      'DONE',
      'content_filter',
      'refusal',
    ],
    ['with reasoning alone', [chunk({ reasoning: 'Hm.' }), ends()], 'DONE', 'stop', 'incomplete'],
    ['with a filter before a word', [ends('content_filter')], 'DONE', 'content_filter', 'refusal'],
  ])('%s', async (_name, chunks, end, reason, finish) => {
    const { turn, error } = await hear(stream(chunks, end === 'DONE'))
    expect(error).toBeUndefined()
    expect(inferenceResultKey.get(turn)).toMatchObject({
      provider: 'openai',
      stop_reason: reason,
      finish_class: finish,
      truncated: finish === 'max_tokens',
    })
  })

  test('with all that came, when the reason came too early', async () => {
    expect(said(await hear(stream([chunk({}, 'stop'), word, ends(), chunk({ content: 'y' })])))).toEqual([
      ['text', 'xy'],
    ])
  })

  test('where its mark is: what follows is not read', async () => {
    const whole = stream([word, ends()])
    expect(said(await hear(`${whole}${stream([chunk({ content: ' more' })])}`))).toEqual([['text', 'x']])
    expect((await hear(`${whole}data: {"error":{"message":"late"}}\n\n`)).error).toBeUndefined()
  })

  test('with the id and the model of who answered, and the tier', async () => {
    const { turn } = await hear(
      stream([
        { id: '', model: '', choices: [] },
        chunk({ content: 'x' }, 'stop', { model: 'gpt-of-today', service_tier: 'flex' }),
      ]),
    )
    expect(inferenceResultKey.get(turn)).toMatchObject({
      response_id: 'chatcmpl-1',
      model: 'gpt-of-today',
      extra: { service_tier: 'flex' },
    })
  })
})

describe('an answer fails', () => {
  test.each<[string, string, { readonly code: string; readonly details?: object }]>([
    ['when it is cut off', stream([word], false), { code: 'PROVIDER_STREAM_TRUNCATED', details: { retryable: true } }],
    [
      'when it is cut off in a call',
      stream([call({ index: 0, id: 'a', ...made('f', '{"x":1}') })], false),
      { code: 'PROVIDER_STREAM_TRUNCATED' },
    ],
    ['when it never begins', '', { code: 'PROVIDER_STREAM_TRUNCATED' }],
    [
      'when it has not a word',
      stream([chunk({ role: 'assistant', content: '' }), ends()]),
      { code: 'PROVIDER_EMPTY_RESPONSE', details: { retryable: true } },
    ],
    ['when there is nothing but the mark', stream([]), { code: 'PROVIDER_EMPTY_RESPONSE' }],
    [
      'with an error in the stream',
      stream([word, { error: { message: 'Busy', type: 'server_error', code: 'server_is_overloaded' } }]),
      { code: 'PROVIDER_OVERLOADED', details: { type: 'server_is_overloaded', retryable: true } },
    ],
    [
      'with an error that has a status for a code',
      stream([word, { error: { message: 'Slow down', code: 429 } }]),
      { code: 'PROVIDER_RATE_LIMITED' },
    ],
    ['… as a text', stream([word, { error: { message: 'Who?', code: '401' } }]), { code: 'PROVIDER_AUTH' }],
    [
      '… that nobody need retry',
      stream([{ error: { message: 'Bad', code: 400, type: 'BadRequestError' } }]),
      { code: 'PROVIDER_STREAM_ERROR', details: { retryable: false } },
    ],
    ['with an error that is a text', stream([{ error: 'out of memory' }]), { code: 'PROVIDER_STREAM_ERROR' }],
    [
      'with an error beside the choice (OpenRouter)',
      stream([
        word,
        {
          id: 'x',
          choices: [
            { index: 0, delta: { content: '' }, finish_reason: 'error', error: { code: 502, message: 'upstream' } },
          ],
        },
      ]),
      { code: 'PROVIDER_STREAM_ERROR', details: { retryable: true } },
    ],
    [
      'with a bare error (vLLM)',
      stream([word, { object: 'error', message: 'engine died', type: 'InternalServerError', code: 500 }]),
      { code: 'PROVIDER_STREAM_ERROR', details: { retryable: true } },
    ],
    [
      'when the server gives up',
      stream([word, ends('error')]),
      { code: 'PROVIDER_STREAM_ERROR', details: { retryable: true } },
    ],
    [
      'when the server is out of means (DeepSeek)',
      stream([word, ends('insufficient_system_resource')]),
      { code: 'PROVIDER_OVERLOADED' },
    ],
    [
      'when another answer begins in the middle',
      stream([word, word, { ...chunk({ role: 'assistant', content: 'z' }), id: 'chatcmpl-2' }, ends()]),
      { code: 'PROVIDER_PROTOCOL', details: { retryable: true } },
    ],
  ])('%s, and asks for no tool', async (_name, body, expected) => {
    const heard = await hear(body)
    expect(heard.error).toMatchObject(expected)
    expect(said(heard).flat()).not.toContain('call')
    expect(heard.events.at(-1)?.type).toBe('inference-failed')
  })

  test('and keeps what it had said', async () => {
    expect(said(await hear(stream([chunk({ content: 'Hel' }), { error: { message: 'Busy' } }])))).toEqual([
      ['text', 'Hel'],
    ])
  })

  test('unless only its connection did, behind its reason', async () => {
    const closing = [[], [chunk({})], [spent({ prompt_tokens: 1, completion_tokens: 2 })]]
    for (const last of closing) {
      expect((await hear(stream([word, ends(), ...last], false), { then: 'break' })).error).toBeUndefined()
    }
    expect((await hear(stream([word], false), { then: 'break' })).error).toMatchObject({
      code: 'PROVIDER_STREAM_TRUNCATED',
    })
    const early = stream([chunk({}, 'stop'), word], false)
    expect((await hear(early, { then: 'break' })).error).toMatchObject({ code: 'PROVIDER_STREAM_TRUNCATED' })
  })

  test('wherever it is cut before its reason', async () => {
    const chunks = [
      chunk({ role: 'assistant', reasoning_content: 'Hm' }),
      chunk({ content: 'Grüße 👋' }),
      call({ index: 0, id: 'a', ...made('f', '{"x":1}') }),
      ends('tool_calls'),
      spent({ prompt_tokens: 1, completion_tokens: 2 }),
    ]
    const bytes = new TextEncoder().encode(stream(chunks))
    const reasonAt = new TextEncoder().encode(stream(chunks.slice(0, 4), false)).length - 2 // the last blank line may be missing
    for (let length = 0; length <= bytes.length; length += 1) {
      const { fetch } = replying([bytes.slice(0, length)])
      const { error, turn } = await runToEnd(
        openai({ model: 'gpt-test', fetch, retry: { maxAttempts: 1 } }),
        createTurn([userText('Hi')]),
      )
      expect(error === undefined, `${length} bytes`).toBe(length >= reasonAt)
      expect(turn.blocks.some((block) => block.kind === 'tool_call')).toBe(length >= reasonAt)
    }
  })
})

describe('the stream', () => {
  test('may name each chunk anew, and repeat the role', async () => {
    const chunks = ['H', 'e', 'y'].map((content, index) => ({
      ...chunk({ role: 'assistant', content }),
      id: `gen-${index}`,
    }))
    expect(said(await hear(stream([...chunks, ends()])))).toEqual([['text', 'Hey']])
  })

  test('may leave the id out of a chunk, and name another model than before', async () => {
    const chunks = [
      chunk({ content: 'H' }),
      chunk({ content: 'e' }),
      { ...chunk({ role: 'assistant', content: 'y' }), id: '', model: 'other' },
      ends(),
    ]
    const { turn, events } = await hear(stream(chunks))
    expect(turn.blocks[1]?.payload).toEqual({ text: 'Hey' })
    const models = events.flatMap((event) => (event.type === 'provider-call-metadata-updated' ? [event.model] : []))
    expect(models).toEqual(['gpt-test', 'other', 'gpt-test'])
  })

  test('may begin another answer behind the end of the first', async () => {
    const other = { ...chunk({ role: 'assistant', content: 'z' }), id: 'chatcmpl-2' }
    expect(said(await hear(stream([word, word, ends(), other, word])))).toEqual([['text', 'xx']])
  })

  test.each(['data: : OPENROUTER PROCESSING\n\n', ': keep-alive\n\n', 'data: \n\n', 'data:\n\n'])(
    'may be kept alive by %j',
    async (comment) => {
      const [first = '', ...rest] = stream([word, ends()]).split(/(?<=\n\n)/)
      expect(said(await hear([comment, first, comment, ...rest].join(comment)))).toEqual([['text', 'x']])
    },
  )

  test('is refused where it is none', async () => {
    for (const [contentType, body] of [
      ['text/html', '<html><title>Login</title></html>'],
      ['application/json', '{"choices":[]}'],
    ] as const) {
      const { fetch } = replying([body, { contentType }])
      const { error } = await runToEnd(openai({ model: 'm', fetch }), createTurn([userText('Hi')]))
      expect(error).toMatchObject({ code: 'PROVIDER_NOT_A_STREAM' })
    }
  })
})
