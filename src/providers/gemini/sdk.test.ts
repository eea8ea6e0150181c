// The official library as an oracle: it reads the same replies, and sends the same requests.
import { GoogleGenAI, type Content, type GenerateContentConfig } from '@google/genai'
import { afterEach, describe, expect, test, vi } from 'vitest'
import * as z from 'zod'
import { begin, call, candidate, chunk } from '../../../test/support/gemini-replies.ts'
import { replying, runToEnd, sse } from '../../../test/support/replies.ts'
import { callSettings, type InferenceSettings } from '../../inference/settings.ts'
import {
  assistantText,
  otherBlock,
  reasoning,
  systemText,
  toolArguments,
  toolCall,
  toolError,
  toolResult,
  userText,
  type Block,
} from '../../turns/block.ts'
import { geminiServerToolsKey, inferenceResultKey, sidecarKey } from '../../turns/keys.ts'
import { blocksOf, createTurn } from '../../turns/turn.ts'
import { gemini } from './protocol.ts'
import { toRequest } from './request.ts'

afterEach(() => void vi.unstubAllGlobals())

interface Sent {
  readonly url: string
  readonly body: unknown
}

/** The official client, answered with `stream`; what it sends is kept. The library has no option for a fetch of one's own. */
function official(stream: string) {
  const sent: Sent[] = []
  vi.stubGlobal('fetch', (url: unknown, init: { readonly body: string }) => {
    sent.push({ url: String(url), body: JSON.parse(init.body) })
    return Promise.resolve(new Response(stream, { headers: { 'content-type': 'text/event-stream' } }))
  })
  return { client: new GoogleGenAI({ apiKey: 'k', apiVersion: 'v1beta' }), sent }
}

const frame = (messages: readonly object[]) =>
  sse(
    messages.map((message) => JSON.stringify(message)),
    'gemini',
  )
const usage = {
  usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 3, thoughtsTokenCount: 7, totalTokenCount: 20 },
}

describe('replies', () => {
  test.each<[string, readonly object[]]>([
    ['text', [chunk([{ text: 'Hel' }]), chunk([{ text: 'lo' }], 'STOP', usage)]],
    [
      'thoughts and text',
      [
        chunk([{ text: 'Hm.', thought: true }]),
        chunk([{ text: 'Yes.' }]),
        chunk([{ text: '', thoughtSignature: 'c2ln' }], 'STOP', usage),
      ],
    ],
    [
      'parallel calls',
      [
        chunk([call('f', { a: 1 }, { thoughtSignature: 'c2ln' }), { functionCall: { id: 'x', name: 'g', args: {} } }]),
        candidate({ finishReason: 'STOP', ...usage }),
      ],
    ],
    ['a limit', [chunk([{ text: 'Once upon' }], 'MAX_TOKENS', usage)]],
    ['a filter', [chunk([{ text: 'Once' }]), candidate({ finishReason: 'SAFETY' })]],
    [
      'code that ran there',
      [
        chunk([{ executableCode: { language: 'PYTHON', code: '1' } }]),
        chunk([{ codeExecutionResult: { outcome: 'OUTCOME_OK', output: '1' } }, { text: 'One.' }], 'STOP', usage),
      ],
    ],
  ])('are read the same: %s', async (_name, messages) => {
    const stream = frame(messages)
    const { turn } = await runToEnd(
      gemini({ model: 'gemini-x', fetch: replying([stream]).fetch }),
      createTurn([userText('Hi')]),
    )
    const { client } = official(stream)
    const theirs = {
      text: '',
      thought: '',
      calls: [] as unknown[],
      items: [] as unknown[],
      finish: '',
      input: 0,
      output: 0,
    }
    for await (const reply of await client.models.generateContentStream({ model: 'gemini-x', contents: 'Hi' })) {
      for (const part of reply.candidates?.[0]?.content?.parts ?? []) {
        if (part.functionCall !== undefined) theirs.calls.push([part.functionCall.name, part.functionCall.args])
        else if (part.text === undefined) theirs.items.push(part)
        else theirs[part.thought === true ? 'thought' : 'text'] += part.text
      }
      theirs.finish = reply.candidates?.[0]?.finishReason ?? theirs.finish
      theirs.input = reply.usageMetadata?.promptTokenCount ?? theirs.input
      const { candidatesTokenCount = 0, thoughtsTokenCount = 0 } = reply.usageMetadata ?? {}
      theirs.output = Math.max(candidatesTokenCount + thoughtsTokenCount, theirs.output)
    }
    const said = (kind: 'llm_text' | 'reasoning') =>
      blocksOf(turn, kind)
        .map((block) => block.payload.text ?? '')
        .join('')
    const result = inferenceResultKey.get(turn)
    expect({
      text: said('llm_text'),
      thought: said('reasoning'),
      calls: blocksOf(turn, 'tool_call').map((block) => [block.payload.name, toolArguments(block)]),
      items: blocksOf(turn, 'other').map((block) => block.payload['item']),
      finish: result?.stop_reason,
      input: result?.usage?.input_tokens ?? 0,
      output: result?.usage?.output_tokens ?? 0,
    }).toEqual(theirs)
  })

  test('a cut ends the library’s without an error; here it is one', async () => {
    const stream = frame([chunk([{ text: 'Hel' }, begin('f')])])
    const { client } = official(stream)
    const replies: unknown[] = []
    for await (const reply of await client.models.generateContentStream({ model: 'gemini-x', contents: 'Hi' }))
      replies.push(reply)
    expect(replies).toHaveLength(1)
    const { error } = await runToEnd(
      gemini({ model: 'gemini-x', fetch: replying([stream]).fetch }),
      createTurn([userText('Hi')]),
    )
    expect(error).toMatchObject({ code: 'PROVIDER_STREAM_TRUNCATED' })
  })
})

const tools = [
  {
    name: 'weather',
    description: 'The weather.',
    input: z.object({ city: z.string(), unit: z.enum(['C', 'F']).optional() }),
  },
]
const own = <B extends Block>(block: B, ...parts: readonly object[]): B =>
  sidecarKey.set(block, { provider: 'gemini', item: { parts: JSON.parse(JSON.stringify(parts)) } })

describe('requests', () => {
  test.each<[string, readonly Block[], InferenceSettings, boolean]>([
    ['a prompt', [userText('Hi')], { model: 'gemini-2.5-flash' }, false],
    [
      'a conversation with everything in it',
      [
        systemText('Be brief.'),
        userText('Look', [
          { content: 'aGk=', media_type: 'image/png' },
          { url: 'https://a.example/b.png' },
          { file_id: 'files/abc', media_type: 'image/png' },
        ]),
        own(reasoning({ text: 'Hm.' }), { text: 'Hm.', thought: true, thoughtSignature: 'c2ln' }),
        own(assistantText('I see.'), { text: 'I see.' }, { text: '', thoughtSignature: 'c2ln' }),
        userText('Weather?'),
        own(toolCall('x', 'weather', { city: 'A' }), {
          functionCall: { id: 'x', name: 'weather', args: { city: 'A' } },
          thoughtSignature: 'c2ln',
        }),
        toolCall('y', 'weather', { city: 'B' }),
        toolResult('x', 21),
        toolError('y', 'no such city'),
        otherBlock('provider_item', {
          provider: 'gemini',
          item: { executableCode: { language: 'PYTHON', code: '1' } },
        }),
        otherBlock('provider_item', {
          provider: 'gemini',
          item: { codeExecutionResult: { outcome: 'OUTCOME_OK', output: '1' } },
        }),
        assistantText('21.'),
        userText('And B?'),
        toolCall('z', 'weather', { city: 'B' }),
      ],
      {
        model: 'gemini-3-pro-preview',
        inference: {
          temperature: 0,
          top_p: 0.5,
          max_response_tokens: 9,
          stop: ['END'],
          seed: 1,
          reasoning_effort: 'low',
        },
        structuredOutput: { mode: 'json_schema', name: 'x', schema: { type: 'object' } },
      },
      true,
    ],
  ])('are what the library sends: %s', async (_name, blocks, settings, withTools) => {
    const turn = withTools ? geminiServerToolsKey.set(createTurn(blocks), [{ googleSearch: {} }]) : createTurn(blocks)
    const { body, path } = toRequest(turn, callSettings(turn, settings), withTools ? tools : [])
    const { contents, generationConfig, ...fields } = JSON.parse(JSON.stringify(body)) as {
      contents: Content[]
      generationConfig?: GenerateContentConfig
    } & GenerateContentConfig // what is not of these types the library drops, and the bodies differ
    const { client, sent } = official(frame([chunk([{ text: 'Hi' }], 'STOP')]))
    const config = { ...fields, ...generationConfig }
    for await (const _reply of await client.models.generateContentStream({ model: settings.model, contents, config }));
    expect(sent[0]?.body).toEqual({ generationConfig: {}, ...body })
    expect(sent[0]?.url).toBe(`https://generativelanguage.googleapis.com/v1beta${path}`)
  })
})
