import { GoogleGenAI } from '@google/genai'
import { afterEach, expect, test, vi } from 'vitest'
import { replying, runToEnd, sse } from '../../../test/support/replies.ts'
import { toolArguments, userText } from '../../turns/block.ts'
import { inferenceResultKey } from '../../turns/keys.ts'
import { blocksOf, createTurn } from '../../turns/turn.ts'
import { gemini } from './protocol.ts'

afterEach(() => void vi.unstubAllGlobals())

const chunk = (parts: readonly object[], finishReason?: string) => ({
  responseId: 'r',
  modelVersion: 'gemini-x',
  candidates: [{ content: { role: 'model', parts }, ...(finishReason && { finishReason }), index: 0 }],
  usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 3, thoughtsTokenCount: 7, totalTokenCount: 20 },
})

test.each<[string, readonly object[]]>([
  ['text', [chunk([{ text: 'Hel' }]), chunk([{ text: 'lo' }], 'STOP')]],
  [
    'thoughts and text',
    [
      chunk([{ text: 'Hm.', thought: true }]),
      chunk([{ text: 'Yes.' }]),
      chunk([{ text: '', thoughtSignature: 'c2ln' }], 'STOP'),
    ],
  ],
  [
    'parallel calls',
    [
      chunk([{ functionCall: { name: 'f', args: { a: 1 } } }, { functionCall: { name: 'g', args: {} } }]),
      chunk([], 'STOP'),
    ],
  ],
  ['a limit', [chunk([{ text: 'Once upon' }], 'MAX_TOKENS')]],
])('the official library reads the same reply: %s', async (_name, messages) => {
  const stream = sse(
    messages.map((message) => JSON.stringify(message)),
    'gemini',
  )
  const { turn } = await runToEnd(
    gemini({ model: 'gemini-x', fetch: replying([stream]).fetch }),
    createTurn([userText('Hi')]),
  )

  vi.stubGlobal('fetch', () =>
    Promise.resolve(new Response(stream, { headers: { 'content-type': 'text/event-stream' } })),
  )
  const client = new GoogleGenAI({ apiKey: 'k' })
  const theirs = { text: '', thought: '', calls: [] as unknown[], finish: '' as string | undefined, output: 0 }
  for await (const reply of await client.models.generateContentStream({ model: 'gemini-x', contents: 'Hi' })) {
    for (const part of reply.candidates?.[0]?.content?.parts ?? []) {
      if (part.thought === true) theirs.thought += part.text ?? ''
      else theirs.text += part.text ?? ''
      if (part.functionCall !== undefined) theirs.calls.push([part.functionCall.name, part.functionCall.args])
    }
    theirs.finish = reply.candidates?.[0]?.finishReason ?? theirs.finish
    theirs.output = (reply.usageMetadata?.candidatesTokenCount ?? 0) + (reply.usageMetadata?.thoughtsTokenCount ?? 0)
  }

  const said = (kind: 'llm_text' | 'reasoning') =>
    blocksOf(turn, kind)
      .map((block) => block.payload.text ?? '')
      .join('')
  expect([said('llm_text'), said('reasoning')]).toEqual([theirs.text, theirs.thought])
  expect(blocksOf(turn, 'tool_call').map((block) => [block.payload.name, toolArguments(block)])).toEqual(theirs.calls)
  expect(inferenceResultKey.get(turn)).toMatchObject({
    stop_reason: theirs.finish,
    usage: { input_tokens: 10, output_tokens: theirs.output },
  })
})
