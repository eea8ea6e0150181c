import { describe, expect, test } from 'vitest'
import { replying, runToEnd, sse } from '../../../test/support/replies.ts'
import type { EventOf } from '../../events/event.ts'
import { userText } from '../../turns/block.ts'
import { inferenceResultKey } from '../../turns/keys.ts'
import { createTurn } from '../../turns/turn.ts'
import { openai } from './protocol.ts'

const prompt = createTurn([userText('Hi')])
const choice = (delta: object, finish: string | null = null) => ({
  choices: [{ index: 0, delta, finish_reason: finish }],
})
const tool = (call: object) => choice({ tool_calls: [call] })
const made = (name: string, args: string) => ({ function: { name, arguments: args } })

async function read(messages: readonly object[], ending: 'done' | 'eof' = 'done') {
  const stream = sse(
    messages.map((message) => JSON.stringify(message)),
    'chat',
  )
  const body = ending === 'done' ? stream : stream.replace('data: [DONE]\n\n', '')
  const outcome = (chunkSize?: number) =>
    runToEnd(
      openai({ model: 'gpt-4o', fetch: replying([body, chunkSize === undefined ? {} : { chunkSize }]).fetch }),
      prompt,
    )
  const whole = await outcome()
  for (const chunkSize of [1, 13]) expect(await outcome(chunkSize)).toEqual(whole)
  const said = whole.turn.blocks.slice(1).map((block) => {
    const payload = block.payload as Readonly<Record<string, unknown>> // for the table's sake
    return block.kind === 'tool_call'
      ? [block.kind, payload['id'], payload['name'], payload['args']]
      : [block.kind, payload['text']]
  })
  return { ...whole, said, result: inferenceResultKey.get(whole.turn) }
}

describe('what vendors stream', () => {
  test.each<[string, readonly object[], readonly unknown[]]>([
    [
      'text',
      [
        choice({ role: 'assistant', content: '' }),
        choice({ content: 'Hel' }),
        choice({ content: 'lo' }),
        choice({}, 'stop'),
      ],
      [['llm_text', 'Hello']],
    ],
    [
      'an empty first chunk (Azure)',
      [{ choices: [] }, choice({ content: 'Hi' }), { choices: [{ index: 0, finish_reason: 'stop' }] }],
      [['llm_text', 'Hi']],
    ],
    [
      'reasoning_content (DeepSeek)',
      [
        choice({ reasoning_content: 'Hm', content: null }),
        choice({ reasoning_content: '.', content: '' }),
        choice({ content: 'Yes' }, 'stop'),
      ],
      [
        ['reasoning', 'Hm.'],
        ['llm_text', 'Yes'],
      ],
    ],
    [
      'reasoning (Together, Groq)',
      [choice({ reasoning: 'Hm.' }), choice({ content: 'Yes' }, 'stop')],
      [
        ['reasoning', 'Hm.'],
        ['llm_text', 'Yes'],
      ],
    ],
    [
      'lists of parts (Mistral)',
      [
        choice({ content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'Hm.' }] }] }),
        choice(
          {
            content: [
              { type: 'text', text: 'Yes' },
              { type: 'reference', reference_ids: [1] },
            ],
          },
          'stop',
        ),
      ],
      [
        ['reasoning', 'Hm.'],
        ['llm_text', 'Yes'],
      ],
    ],
    [
      'a finish reason before the content (proxies)',
      [choice({}, 'stop'), choice({ content: 'Late.' }), choice({}, 'stop')],
      [['llm_text', 'Late.']],
    ],
    [
      'a second choice',
      [{ choices: [{ index: 1, delta: { content: 'No' } }] }, choice({ content: 'Yes' }, 'stop')],
      [['llm_text', 'Yes']],
    ],
    [
      'arguments in pieces',
      [
        tool({ index: 0, id: 'c1', ...made('f', '') }),
        tool({ index: 0, function: { arguments: '{"a"' } }),
        tool({ index: 0, function: { arguments: ':1}' } }),
        choice({}, 'tool_calls'),
      ],
      [['tool_call', 'c1', 'f', { a: 1 }]],
    ],
    [
      'parallel calls, in the order of their index',
      [
        tool({ index: 1, id: 'c2', ...made('g', '{}') }),
        tool({ index: 0, id: 'c1', ...made('f', '{}') }),
        choice({}, 'tool_calls'),
      ],
      [
        ['tool_call', 'c1', 'f', {}],
        ['tool_call', 'c2', 'g', {}],
      ],
    ],
    [
      'calls without an index',
      [tool({ id: 'c1', ...made('f', '{}') }), tool({ id: 'c2', ...made('g', '{}') }), choice({}, 'tool_calls')],
      [
        ['tool_call', 'c1', 'f', {}],
        ['tool_call', 'c2', 'g', {}],
      ],
    ],
    [
      'an index that is always 0 (Ollama)',
      [
        tool({ index: 0, id: 'c1', ...made('f', '{"a":1}') }),
        tool({ index: 0, id: 'c2', ...made('g', '{"b":2}') }),
        choice({}, 'tool_calls'),
      ],
      [
        ['tool_call', 'c1', 'f', { a: 1 }],
        ['tool_call', 'c2', 'g', { b: 2 }],
      ],
    ],
    [
      'an id and a name in each delta',
      [
        tool({ index: 0, id: 'c1', ...made('f', '{"a"') }),
        tool({ index: 0, id: 'c1', ...made('f', ':1}') }),
        choice({}, 'tool_calls'),
      ],
      [['tool_call', 'c1', 'f', { a: 1 }]],
    ],
    [
      'one id for two calls (DeepSeek, GLM)',
      [
        tool({ index: 0, id: 'c', ...made('f', '{}') }),
        tool({ index: 1, id: 'c', ...made('g', '{}') }),
        choice({}, 'tool_calls'),
      ],
      [
        ['tool_call', 'c', 'f', {}],
        ['tool_call', 'c-2', 'g', {}],
      ],
    ],
    [
      'no ids at all',
      [
        { id: 'r', ...tool({ index: 0, ...made('f', '{}') }) },
        tool({ index: 1, ...made('g', '{}') }),
        choice({}, 'tool_calls'),
      ],
      [
        ['tool_call', 'call_r_0', 'f', {}],
        ['tool_call', 'call_r_1', 'g', {}],
      ],
    ],
    [
      'arguments as an object',
      [tool({ index: 0, id: 'c1', function: { name: 'f', arguments: { a: 1 } } }), choice({}, 'tool_calls')],
      [['tool_call', 'c1', 'f', { a: 1 }]],
    ],
    [
      'no arguments',
      [tool({ index: 0, id: 'c1', ...made('f', '') }), choice({}, 'tool_calls')],
      [['tool_call', 'c1', 'f', {}]],
    ],
    [
      'the legacy function_call',
      [
        choice({ function_call: { name: 'f', arguments: '{"a"' } }),
        choice({ function_call: { arguments: ':1}' } }),
        choice({}, 'function_call'),
      ],
      [['tool_call', 'call_0', 'f', { a: 1 }]],
    ],
    [
      'arguments that were cut, as they are',
      [tool({ index: 0, id: 'c1', ...made('f', '{"city":"Pa') }), choice({}, 'length')],
      [['tool_call', 'c1', 'f', '{"city":"Pa']],
    ],
    [
      'a name from the prototype',
      [tool({ index: 0, id: 'c1', ...made('f', '{"__proto__":{"a":1}}') }), choice({}, 'tool_calls')],
      [['tool_call', 'c1', 'f', JSON.parse('{"__proto__":{"a":1}}')]],
    ],
  ])('%s', async (_name, messages, blocks) => {
    const { said, error } = await read(messages)
    expect(error).toBeUndefined()
    expect(said).toEqual(blocks)
  })
})

describe('how it ends', () => {
  test.each<[string, readonly object[], 'done' | 'eof', string]>([
    ['stop', [choice({ content: 'x' }, 'stop')], 'done', 'completed'],
    ['stop without [DONE]', [choice({ content: 'x' }, 'stop')], 'eof', 'completed'],
    ['[DONE] without a reason', [choice({ content: 'x' })], 'done', 'unknown'],
    ['a limit', [choice({ content: 'x' }, 'length')], 'done', 'max_tokens'],
    ['a filter, midway', [choice({ content: 'x' }), choice({}, 'content_filter')], 'done', 'refusal'],
    ['a refusal in words', [choice({ refusal: 'I cannot help with that.' }), choice({}, 'stop')], 'done', 'refusal'],
    [
      'calls',
      [tool({ index: 0, id: 'c', ...made('f', '{}') }), choice({}, 'tool_calls')],
      'done',
      'tool_calls_pending',
    ],
    [
      'calls that say stop',
      [tool({ index: 0, id: 'c', ...made('f', '{}') }), choice({}, 'stop')],
      'done',
      'tool_calls_pending',
    ],
    ['reasoning alone', [choice({ reasoning_content: 'Hm.' }), choice({}, 'stop')], 'done', 'incomplete'],
  ])('%s', async (_name, messages, ending, finish) => {
    const { result, error } = await read(messages, ending)
    expect(error).toBeUndefined()
    expect(result?.finish_class).toBe(finish)
  })

  test.each<[string, readonly object[], 'done' | 'eof', string]>([
    ['a cut', [choice({ content: 'x' })], 'eof', 'PROVIDER_STREAM_TRUNCATED'],
    ['a cut in the arguments', [tool({ index: 0, id: 'c', ...made('f', '{"a"') })], 'eof', 'PROVIDER_STREAM_TRUNCATED'],
    [
      'an error with 200',
      [choice({ content: 'x' }), { error: { message: 'Busy', code: 'server_is_overloaded' } }],
      'done',
      'PROVIDER_OVERLOADED',
    ],
    ['an error without a code', [{ error: { message: 'Bad', code: 400 } }], 'done', 'PROVIDER_STREAM_ERROR'],
    ['not a word', [choice({ content: '' }, 'stop')], 'done', 'PROVIDER_EMPTY_RESPONSE'],
  ])('%s fails, and asks for no tool', async (_name, messages, ending, code) => {
    const { error, said } = await read(messages, ending)
    expect(error).toMatchObject({ code })
    expect(said.flat()).not.toContain('tool_call')
  })
})

describe('usage', () => {
  const last = choice({ content: 'x' }, 'stop')
  test.each<[string, readonly object[], object]>([
    [
      'behind the answer (OpenAI)',
      [
        last,
        {
          choices: [],
          usage: {
            prompt_tokens: 10,
            completion_tokens: 5,
            total_tokens: 15,
            prompt_tokens_details: { cached_tokens: 4 },
            completion_tokens_details: { reasoning_tokens: 3 },
          },
        },
      ],
      { input_tokens: 10, output_tokens: 5, cached_tokens: 4, cache_read_input_tokens: 4, reasoning_tokens: 3 },
    ],
    [
      'beside the answer, with reasoning outside of it (xAI)',
      [
        {
          ...last,
          usage: {
            prompt_tokens: 291,
            completion_tokens: 26,
            total_tokens: 513,
            completion_tokens_details: { reasoning_tokens: 196 },
          },
        },
      ],
      { input_tokens: 291, output_tokens: 222, reasoning_tokens: 196 },
    ],
    [
      'under x_groq',
      [{ ...last, x_groq: { usage: { prompt_tokens: 1, completion_tokens: 2 } } }],
      { input_tokens: 1, output_tokens: 2 },
    ],
    [
      'in the choice (Moonshot)',
      [
        {
          choices: [
            {
              index: 0,
              delta: { content: 'x' },
              finish_reason: 'stop',
              usage: { prompt_tokens: 7, completion_tokens: 1, cached_tokens: 5 },
            },
          ],
        },
      ],
      { input_tokens: 7, output_tokens: 1, cached_tokens: 5, cache_read_input_tokens: 5 },
    ],
    [
      'by another name (DeepSeek)',
      [{ ...last, usage: { prompt_tokens: 9, completion_tokens: 1, prompt_cache_hit_tokens: 8 } }],
      { input_tokens: 9, output_tokens: 1, cached_tokens: 8, cache_read_input_tokens: 8 },
    ],
    [
      'counting on in every chunk',
      [
        { ...choice({ content: 'x' }), usage: { prompt_tokens: 3, completion_tokens: 1 } },
        { ...choice({ content: 'y' }, 'stop'), usage: { prompt_tokens: 3, completion_tokens: 2 } },
      ],
      { input_tokens: 3, output_tokens: 2 },
    ],
  ])('%s', async (_name, messages, usage) => {
    expect((await read(messages)).result?.usage).toEqual(usage)
  })

  test('of a call that was cut is kept', async () => {
    const { result } = await read(
      [{ ...choice({ content: 'x' }), usage: { prompt_tokens: 3, completion_tokens: 1 } }],
      'eof',
    )
    expect(result).toMatchObject({ finish_class: 'error', usage: { input_tokens: 3, output_tokens: 1 } })
  })
})

test('a link in the answer is a citation', async () => {
  const annotations = [
    { type: 'url_citation', url_citation: { url: 'https://a.example/', title: 'A', start_index: 0, end_index: 4 } },
  ]
  const { events } = await read([choice({ content: 'See A', annotations }, 'stop')])
  const cited = events.filter((event): event is EventOf<'citation'> => event.type === 'citation')
  expect(cited).toMatchObject([{ url: 'https://a.example/', title: 'A', startIndex: 0, endIndex: 4 }])
})
