// The official SDK, given the same bytes, reads the same reply; and what we send is what its types say.
import OpenAI from 'openai'
import { toResponseInputItems } from 'openai/lib/responses/ResponseInputItems'
import type { Response, ResponseCreateParamsStreaming, ResponseOutputItem } from 'openai/resources/responses/responses'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { replying, runToEnd } from '../../../test/support/replies.ts'
import { events, item, streamOf, type ReplyParts } from '../../../test/support/responses-replies.ts'
import { callSettings } from '../../inference/settings.ts'
import type { JsonObject } from '../../json.ts'
import { systemText, toolResult, userText, type Block } from '../../turns/block.ts'
import { responsesServerToolsKey, toolConfigKey } from '../../turns/keys.ts'
import { createTurn, type Turn } from '../../turns/turn.ts'
import { openaiResponses } from './protocol.ts'
import { toRequest } from './request.ts'

async function sdkReads(body: string): Promise<Response> {
  const fetch = () =>
    Promise.resolve(new globalThis.Response(body, { headers: { 'content-type': 'text/event-stream' } }))
  const client = new OpenAI({ apiKey: 'k', baseURL: 'https://sdk.example/v1', fetch, maxRetries: 0 })
  return client.responses.stream({ model: 'gpt-5', input: 'Hi' }).finalResponse()
}

async function weRead(body: string): Promise<Turn> {
  const { fetch } = replying([body])
  return (await runToEnd(openaiResponses({ model: 'gpt-5', fetch }), createTurn([userText('Hi')]))).turn
}

/** What a block of ours should say of an item. */
function portable(output: ResponseOutputItem): readonly unknown[] {
  switch (output.type) {
    case 'message':
      return [
        'llm_text',
        output.content.map((part) => (part.type === 'output_text' ? part.text : part.refusal)).join(''),
      ]
    case 'reasoning':
      return ['reasoning', output.summary.map(({ text }) => text).join('\n\n'), output.encrypted_content]
    case 'function_call':
      return ['tool_call', output.call_id, output.name, JSON.parse(output.arguments)]
    case 'custom_tool_call':
      return ['tool_call', output.call_id, output.name, output.input]
    default:
      return ['other', output]
  }
}

function saidBy({ kind, payload }: Block): readonly unknown[] {
  switch (kind) {
    case 'llm_text':
      return [kind, payload.text]
    case 'reasoning':
      return [kind, payload.text ?? '', payload.encrypted_content]
    case 'tool_call':
      return [kind, payload.id, payload.name, payload.args]
    default:
      return [kind, 'item' in payload ? payload['item'] : payload]
  }
}

const search = { id: 'ws_1', type: 'web_search_call', status: 'completed', action: { type: 'search', query: 'news' } }
const cited = item.message('See A.', {
  content: [
    {
      type: 'output_text',
      text: 'See A.',
      annotations: [{ type: 'url_citation', url: 'https://a.example', title: 'A', start_index: 0, end_index: 3 }],
    },
  ],
})

test.each<[string, readonly JsonObject[], ReplyParts]>([
  ['a text', [item.message('Grüße, 世界 👋')], {}],
  [
    'messages with phases',
    [item.message('Look.', { phase: 'commentary' }), item.message('Done.', { id: 'msg_z', phase: 'final_answer' })],
    {},
  ],
  [
    'reasoning and parallel calls',
    [item.reasoning('rs_1', ['Plan', 'Ask']), item.call('call_a', 'f', '{"a": 1}'), item.call('call_b', 'g', '{}')],
    {},
  ],
  ['a custom call', [item.reasoning('rs_1', []), item.custom('call_a', 'sql', 'SELECT 1')], {}],
  ['a web search with citations', [item.reasoning('rs_1', []), search, cited], {}],
  ['a refusal', [item.refusal('I will not.')], {}],
  [
    'a reply that was cut short',
    [item.message('Hal', { status: 'incomplete' })],
    { status: 'incomplete', end: { incomplete_details: { reason: 'max_output_tokens' } } },
  ],
])('the SDK reads %s as we do', async (_name, items, parts) => {
  const body = streamOf(events(items, parts))
  const [theirs, ours] = await Promise.all([sdkReads(body), weRead(body)])
  expect(ours.blocks.slice(1).map(saidBy)).toEqual(theirs.output.map(portable))

  const { body: request } = toRequest(ours, callSettings(ours, { model: 'gpt-5' }), [])
  const sent = (request['input'] as readonly JsonObject[]).filter(
    ({ type, role }) => role !== 'user' && !String(type).endsWith('_output'),
  ) // the list that we made
  expect(sent).toEqual(toResponseInputItems(theirs.output))
})

describe('a request', () => {
  test("with everything in it is one of the SDK's", async () => {
    const said = (
      await weRead(
        streamOf(events([item.reasoning('rs_1', ['Plan']), item.call('call_a', 'weather', '{"city":"Paris"}')])),
      )
    ).blocks.slice(1)
    const blocks = [
      systemText('Be brief.'),
      userText('See', [{ content: 'aGk=', media_type: 'image/png' }]),
      ...said,
      toolResult('call_a', { celsius: 21 }),
    ]
    const configured = toolConfigKey.set(createTurn(blocks), {
      enabled: true,
      tool_choice: 'auto',
      max_parallel_tools: 2,
    })
    const turn = responsesServerToolsKey.set(configured, [{ type: 'web_search' }])
    const settings = callSettings(turn, {
      model: 'gpt-5',
      inference: { max_response_tokens: 100, reasoning_effort: 'low', reasoning_summary: 'auto' },
      structuredOutput: { mode: 'json_schema', name: 'answer', schema: { type: 'object' } },
      openai: { service_tier: 'flex' },
      promptCache: 'long',
    })
    const expected = {
      model: 'gpt-5',
      input: [
        { role: 'system', content: [{ type: 'input_text', text: 'Be brief.' }] },
        {
          role: 'user',
          content: [
            { type: 'input_text', text: 'See' },
            { type: 'input_image', image_url: 'data:image/png;base64,aGk=', detail: 'auto' },
          ],
        },
        {
          type: 'reasoning',
          id: 'rs_1',
          encrypted_content: 'sealed-rs_1',
          summary: [{ type: 'summary_text', text: 'Plan' }],
        },
        {
          type: 'function_call',
          id: 'fc_call_a',
          status: 'completed',
          call_id: 'call_a',
          name: 'weather',
          arguments: '{"city":"Paris"}',
        },
        { type: 'function_call_output', call_id: 'call_a', output: '{"celsius":21}' },
      ],
      max_output_tokens: 100,
      reasoning: { effort: 'low', summary: 'auto' },
      include: ['reasoning.encrypted_content'],
      text: { format: { type: 'json_schema', name: 'answer', schema: { type: 'object' }, strict: true } },
      tools: [
        {
          type: 'function',
          name: 'weather',
          description: 'The weather.',
          parameters: {
            additionalProperties: false,
            properties: { city: { type: 'string' } },
            required: ['city'],
            type: 'object',
          },
          strict: false,
        },
        { type: 'web_search' },
      ],
      tool_choice: 'auto',
      parallel_tool_calls: true,
      service_tier: 'flex',
      prompt_cache_retention: '24h',
      store: false,
      stream: true,
    } satisfies ResponseCreateParamsStreaming
    const weather = { name: 'weather', description: 'The weather.', input: z.strictObject({ city: z.string() }) }
    expect(toRequest(turn, settings, [weather]).body).toEqual(expected)
  })
})
