import { describe, expect, test } from 'vitest'
import { eventEngine, textReply, toolReply } from '../../test/support/event-engine.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { recordedTelemetry, watchedRun } from '../../test/support/recorded-telemetry.ts'
import { echo } from '../../test/support/runs.ts'
import { isTerminal } from '../events/event.ts'
import { toolLoop } from '../inference/tool-loop.ts'
import { Session } from '../session/session.ts'
import { MemoryStore } from '../store/memory-store.ts'
import {
  assistantText,
  otherBlock,
  reasoning,
  systemText,
  toolCall,
  toolError,
  toolResult,
  userText,
  type Block,
} from '../turns/block.ts'
import { messagesText } from './messages.ts'

describe('content', () => {
  const engine = () =>
    toolLoop(eventEngine(toolReply(['c1', 'echo', { city: 'Oslo' }]), textReply('It is cold.')), [echo])

  test('is in no span unless it is asked for', async () => {
    const { ended } = await watchedRun(engine)
    expect(JSON.stringify(ended.map(({ attributes }) => attributes))).not.toMatch(/Oslo|cold/)
  })

  test('is what the model said, what it was told since, and what tools got and gave', async () => {
    const { span } = await watchedRun(engine, { content: true })
    const json = (name: string, index: number, attribute: string) =>
      JSON.parse(String(span(name, index)?.attributes[attribute])) as unknown
    expect(json('chat test-1', 0, 'gen_ai.output.messages')).toEqual([
      {
        role: 'assistant',
        parts: [{ type: 'tool_call', id: 'c1', name: 'echo', arguments: { city: 'Oslo' } }],
        finish_reason: 'tool_calls_pending',
      },
    ])
    expect(json('execute_tool echo', 0, 'gen_ai.tool.call.arguments')).toEqual({ city: 'Oslo' })
    expect(json('execute_tool echo', 0, 'gen_ai.tool.call.result')).toEqual({ city: 'Oslo' })
    expect(json('chat test-1', 1, 'gen_ai.input.messages')).toEqual([
      { role: 'tool', parts: [{ type: 'tool_call_response', id: 'c1', response: { city: 'Oslo' } }] },
    ])
    expect(json('chat test-1', 1, 'gen_ai.output.messages')).toEqual([
      { role: 'assistant', parts: [{ type: 'text', content: 'It is cold.' }], finish_reason: 'completed' },
    ])
  })
})

test('what the model was told before is not told again', async () => {
  const model = eventEngine(toolReply(['c1', 'echo']), toolReply(['c2', 'echo']), textReply('Done'))
  const { span } = await watchedRun(() => toolLoop(model, [echo]), { content: true })
  const last = String(span('chat test-1', 2)?.attributes['gen_ai.input.messages'])
  expect([last.includes('"c1"'), last.includes('"c2"')]).toEqual([false, true])
})

test('a reader of the log has the prompt too, and in the next turn only what is new', async () => {
  const telemetry = recordedTelemetry({ content: true })
  const clock = new FakeClock()
  const store = new MemoryStore({ clock })
  const session = await Session.open(store, 's', { engine: eventEngine(textReply('One'), textReply('Two')), clock })
  const answers = [await session.submit('First'), await session.submit('Second')]
  for (let step = 0; step < 20; step += 1) await clock.advance(100)
  await Promise.all(answers.map(({ result }) => result))
  let ends = 0
  for await (const event of session.events()) {
    if (event.type === 'unknown') continue
    telemetry.sink(event)
    if (isTerminal(event)) ends += 1
    if (ends === 2) break
  }
  await session.close()
  const inputs = [0, 1].map((index) => telemetry.span('chat test-1', index)?.attributes['gen_ai.input.messages'])
  const asked = (content: string) => JSON.stringify([{ role: 'user', parts: [{ type: 'text', content }] }])
  expect(inputs).toEqual([asked('First'), asked('Second')])
})

describe('a block', () => {
  const rows: readonly (readonly [Block, string, object | undefined])[] = [
    [systemText('Be brief.'), 'system', { type: 'text', content: 'Be brief.' }],
    [userText('Hi'), 'user', { type: 'text', content: 'Hi' }],
    [assistantText('Hello'), 'assistant', { type: 'text', content: 'Hello' }],
    [reasoning({ text: 'Hm.' }), 'assistant', { type: 'reasoning', content: 'Hm.' }],
    [reasoning({ encrypted_content: 'x' }), 'assistant', undefined],
    [toolCall('c', 'f', { a: 1 }), 'assistant', { type: 'tool_call', id: 'c', name: 'f', arguments: { a: 1 } }],
    [toolCall('c', 'f', '{"a'), 'assistant', { type: 'tool_call', id: 'c', name: 'f', arguments: '{"a' }],
    [toolResult('c', 7), 'tool', { type: 'tool_call_response', id: 'c', response: 7 }],
    [toolError('c', 'no'), 'tool', { type: 'tool_call_response', id: 'c', response: 'no' }],
    [otherBlock('provider_item', { item: { sealed: 'x' } }), 'assistant', { type: 'provider_item' }],
  ]
  test.each(rows)('%j is a message of %s', (block, role, part) => {
    expect(JSON.parse(messagesText([block]))).toEqual([{ role, parts: part === undefined ? [] : [part] }])
  })

  test('joins those before it that have the same role; its images are parts', () => {
    const images = [
      { url: 'https://a.example/1.png' },
      { content: 'AAAA', media_type: 'image/png' },
      { file_id: 'file-1' },
      { file_uri: 'gs://bucket/1', media_type: 'image/jpeg' },
    ]
    expect(JSON.parse(messagesText([userText('One'), userText('Two', images), assistantText('Three')]))).toEqual([
      {
        role: 'user',
        parts: [
          { type: 'text', content: 'One' },
          { type: 'text', content: 'Two' },
          { type: 'uri', modality: 'image', uri: 'https://a.example/1.png' },
          { type: 'blob', modality: 'image', mime_type: 'image/png', content: 'AAAA' },
          { type: 'file', modality: 'image', file_id: 'file-1' },
          { type: 'uri', modality: 'image', mime_type: 'image/jpeg', uri: 'gs://bucket/1' },
        ],
      },
      { role: 'assistant', parts: [{ type: 'text', content: 'Three' }] },
    ])
  })
})
