// The official SDK, given the same bytes, reads the same reply; and what we send is what its types say.
import OpenAI from 'openai'
import type { ChatCompletion, ChatCompletionCreateParamsStreaming } from 'openai/resources/chat/completions'
import { expect, test } from 'vitest'
import { call, chunk, ends, hear, made, spent, stream } from '../../../test/support/chat-replies.ts'
import { project, weather } from '../../../test/support/chat-requests.ts'
import type { JsonObject } from '../../json.ts'
import { assistantText, systemText, toolCall, toolResult, userText } from '../../turns/block.ts'
import { inferenceResultKey, toolConfigKey } from '../../turns/keys.ts'
import { blocksOf, createTurn } from '../../turns/turn.ts'

function sdkReads(body: string): Promise<ChatCompletion> {
  const fetch = () => Promise.resolve(new Response(body, { headers: { 'content-type': 'text/event-stream' } }))
  const client = new OpenAI({ apiKey: 'k', baseURL: 'https://sdk.example/v1', fetch, maxRetries: 0 })
  return client.chat.completions
    .stream({ model: 'gpt-test', messages: [{ role: 'user', content: 'Hi' }] })
    .finalChatCompletion()
}

const usage = spent({ prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 })
const open = chunk({ role: 'assistant', content: '', refusal: null })

test.each<[string, readonly JsonObject[]]>([
  ['a text', [open, chunk({ content: 'Grüße, ' }), chunk({ content: '世界 👋' }), ends(), usage]],
  ['a refusal', [open, chunk({ refusal: 'I can' }), chunk({ refusal: 'not.' }), ends(), usage]],
  ['a reply that a limit cut', [open, chunk({ content: 'Once upon' }), ends('length'), usage]],
  [
    'text before parallel calls',
    [
      open,
      chunk({ content: 'So.' }),
      call({ index: 0, id: 'a', type: 'function', ...made('weather', '') }),
      call({ index: 0, ...made(undefined, '{"city":') }),
      call({ index: 1, id: 'b', type: 'function', ...made('weather', '{"city": "Rome"}') }),
      call({ index: 0, ...made(undefined, '"Paris"}') }),
      ends('tool_calls'),
      usage,
    ],
  ],
  [
    'calls in another order than their indexes',
    [
      open,
      call({ index: 1, id: 'b', type: 'function', ...made('g', '{}') }),
      call({ index: 0, id: 'a', type: 'function', ...made('f', '{}') }),
      ends('tool_calls'),
      usage,
    ],
  ],
  ['usage beside the end', [open, chunk({ content: 'x' }), chunk({}, 'stop', { usage: usage['usage'] ?? null })]],
])('the SDK reads %s as we do', async (_name, chunks) => {
  const body = stream(chunks)
  const [theirs, { turn, error }] = await Promise.all([sdkReads(body), hear(body)])
  const message = theirs.choices[0]?.message
  expect(error).toBeUndefined()
  expect(
    blocksOf(turn, 'llm_text')
      .map((block) => block.payload.text)
      .join(''),
  ).toBe((message?.content ?? '') + (message?.refusal ?? ''))
  expect(blocksOf(turn, 'tool_call').map(({ payload }) => [payload.id, payload.name, payload.args])).toEqual(
    (message?.tool_calls ?? []).flatMap((each) =>
      each.type === 'function' ? [[each.id, each.function.name, JSON.parse(each.function.arguments)]] : [],
    ),
  )
  expect(inferenceResultKey.get(turn)).toMatchObject({
    model: theirs.model,
    response_id: theirs.id,
    stop_reason: message?.refusal ? 'refusal' : theirs.choices[0]?.finish_reason,
    usage: { input_tokens: theirs.usage?.prompt_tokens, output_tokens: theirs.usage?.completion_tokens },
  })

  // What the SDK would send back of the reply is what we send.
  const sent = project([...turn.blocks]).body['messages'] as readonly JsonObject[] // toRequest writes a list of messages
  const again = sent.find(({ role }) => role === 'assistant')
  expect(again?.['tool_calls'] ?? []).toEqual(JSON.parse(JSON.stringify(message?.tool_calls ?? [], withoutParsed)))
})

/** The SDK reads the arguments of a call itself. */
function withoutParsed(key: string, value: unknown): unknown {
  return key === 'parsed_arguments' ? undefined : value
}

test("a request with everything in it is one of the SDK's", () => {
  const blocks = [
    systemText('Be brief.'),
    userText('See', [{ content: 'aGk=', media_type: 'image/png' }]),
    assistantText('So.'),
    toolCall('a', 'weather', { city: 'Paris' }),
    toolResult('a', { celsius: 21 }),
  ]
  const turn = toolConfigKey.set(createTurn(blocks), { enabled: true, tool_choice: 'required', max_parallel_tools: 1 })
  const expected = {
    model: 'gpt-4o',
    messages: [
      { role: 'system', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'See' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=', detail: 'auto' } },
        ],
      },
      {
        role: 'assistant',
        content: 'So.',
        tool_calls: [{ id: 'a', type: 'function', function: { name: 'weather', arguments: '{"city":"Paris"}' } }],
      },
      { role: 'tool', tool_call_id: 'a', content: '{"celsius":21}' },
    ],
    tools: [
      {
        type: 'function',
        function: {
          name: 'weather',
          description: 'The weather in a city.',
          parameters: { properties: { city: { type: 'string' } }, required: ['city'], type: 'object' },
        },
      },
    ],
    tool_choice: 'required',
    parallel_tool_calls: false,
    max_tokens: 100,
    temperature: 0,
    top_p: 1,
    presence_penalty: 1,
    frequency_penalty: 0,
    stop: ['END'],
    seed: 7,
    reasoning_effort: 'low',
    response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: { type: 'object' }, strict: true } },
    store: false,
    service_tier: 'flex',
    prompt_cache_retention: '24h',
    stream: true,
    stream_options: { include_usage: true },
  } satisfies ChatCompletionCreateParamsStreaming
  const { body } = project(
    turn,
    {
      inference: {
        max_response_tokens: 100,
        temperature: 0,
        top_p: 1,
        stop: ['END'],
        seed: 7,
        reasoning_effort: 'low',
      },
      openai: { presence_penalty: 1, frequency_penalty: 0, store: false, service_tier: 'flex' },
      structuredOutput: { mode: 'json_schema', name: 'answer', schema: { type: 'object' } },
      promptCache: 'long',
    },
    [weather],
  )
  expect(JSON.stringify(body)).toBe(JSON.stringify(expected)) // in this order, too
})
