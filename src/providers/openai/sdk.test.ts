import OpenAI from 'openai'
import { expect, test } from 'vitest'
import { replying, runToEnd, sse } from '../../../test/support/replies.ts'
import { toolArguments, userText } from '../../turns/block.ts'
import { inferenceResultKey } from '../../turns/keys.ts'
import { blocksOf, createTurn } from '../../turns/turn.ts'
import { openai } from './protocol.ts'

const choice = (delta: object, finish: string | null = null) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'gpt-4o',
  choices: [{ index: 0, delta, finish_reason: finish, logprobs: null }],
})
const usage = { ...choice({}), choices: [], usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 } }
const piece = (index: number, id: string | undefined, name: string | undefined, args: string) =>
  choice({
    tool_calls: [{ index, ...(id && { id, type: 'function' }), function: { ...(name && { name }), arguments: args } }],
  })

test.each<[string, readonly object[]]>([
  [
    'text',
    [
      choice({ role: 'assistant', content: '' }),
      choice({ content: 'Hel' }),
      choice({ content: 'lo' }),
      choice({}, 'stop'),
      usage,
    ],
  ],
  [
    'a refusal',
    [choice({ role: 'assistant', refusal: 'I can' }), choice({ refusal: 'not.' }), choice({}, 'stop'), usage],
  ],
  ['a limit', [choice({ role: 'assistant', content: 'Once upon' }), choice({}, 'length'), usage]],
  [
    'parallel calls',
    [
      choice({ role: 'assistant', content: null }),
      piece(0, 'c1', 'weather', ''),
      piece(0, undefined, undefined, '{"city":'),
      piece(0, undefined, undefined, '"Paris"}'),
      piece(1, 'c2', 'weather', '{"city":"Rome"}'),
      choice({}, 'tool_calls'),
      usage,
    ],
  ],
])('the official library reads the same reply: %s', async (_name, messages) => {
  const stream = sse(
    messages.map((message) => JSON.stringify(message)),
    'chat',
  )
  const { turn } = await runToEnd(
    openai({ model: 'gpt-4o', fetch: replying([stream]).fetch }),
    createTurn([userText('Hi')]),
  )

  const respond = () => Promise.resolve(new Response(stream, { headers: { 'content-type': 'text/event-stream' } }))
  const client = new OpenAI({ apiKey: 'k', baseURL: 'https://a.example/v1', fetch: respond })
  const params = { model: 'gpt-4o', messages: [{ role: 'user' as const, content: 'Hi' }] }
  const theirs = await client.chat.completions.stream(params).finalChatCompletion()
  const message = theirs.choices[0]?.message

  expect(
    blocksOf(turn, 'llm_text')
      .map((block) => block.payload.text)
      .join(''),
  ).toBe((message?.content ?? '') + (message?.refusal ?? ''))
  expect(
    blocksOf(turn, 'tool_call').map((block) => [block.payload.id, block.payload.name, toolArguments(block)]),
  ).toEqual(
    (message?.tool_calls ?? []).flatMap((call) =>
      call.type === 'function' ? [[call.id, call.function.name, JSON.parse(call.function.arguments)]] : [],
    ),
  )
  expect(inferenceResultKey.get(turn)).toMatchObject({
    model: theirs.model,
    response_id: theirs.id,
    stop_reason: message?.refusal ? 'refusal' : theirs.choices[0]?.finish_reason,
    usage: { input_tokens: theirs.usage?.prompt_tokens, output_tokens: theirs.usage?.completion_tokens },
  })
})
