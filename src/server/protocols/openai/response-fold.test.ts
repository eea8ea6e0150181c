import { describe, expect, test } from 'vitest'
import type { EngineEvent, InferenceEvent } from '../../../events/event.ts'
import { Stamper } from '../../../inference/stamp.ts'
import { assistantText, reasoning, toolCall, toolError, toolResult, userText } from '../../../turns/block.ts'
import { createTurn } from '../../../turns/turn.ts'
import type { Json } from '../../../json.ts'
import { providerCallFinished, testIds } from '../../../../test/support/event-engine.ts'
import { FakeClock } from '../../../../test/support/fake-clock.ts'
import { countingIds } from '../../../../test/support/values.ts'
import { foldResponse } from './response-fold.ts'
import { responseObject } from './response-object.ts'
import { emptyResponse, type ResponseFrame } from './response-state.ts'

type Step = EngineEvent | Parameters<Stamper['lifecycle']>[0]

const lifecycle = new Set([
  'prompt-accepted',
  'inference-started',
  'inference-finished',
  'inference-stopped',
  'inference-failed',
  'inference-interrupted',
])

/** The log of one inference that does these steps. */
function logOf(
  steps: readonly Step[],
  runtime: Json = { profile: 'a', client_tools: [{ name: 'mine' }] },
): readonly InferenceEvent[] {
  let ordinal = 0
  const stamper = new Stamper(testIds, new FakeClock(), countingIds(), () => (ordinal += 1))
  const all: readonly Step[] = [
    { type: 'prompt-accepted', block: userText('Hello'), runtime },
    { type: 'inference-started' },
    ...steps,
  ]
  return all.map((step) =>
    lifecycle.has(step.type)
      ? stamper.lifecycle(step as Parameters<Stamper['lifecycle']>[0]) // by its type
      : stamper.stamp(step as EngineEvent, createTurn()),
  )
}

function told(log: readonly InferenceEvent[]): {
  readonly frames: readonly ResponseFrame[]
  readonly state: typeof emptyResponse
} {
  let state = emptyResponse
  const frames: ResponseFrame[] = []
  for (const event of log) {
    const [next, more] = foldResponse(state, event)
    state = next
    frames.push(...more)
  }
  return { frames, state }
}

/** The names of the events of one part, without those that frame every response. */
function namesOf(frames: readonly ResponseFrame[], part = 0): readonly string[] {
  return frames.filter((frame) => frame.part === part).map(({ event }) => event.type.slice('response.'.length))
}

const begun: EngineEvent = { type: 'provider-call-started', provider: 'test', model: 'test-1' }
const finished: Step = { type: 'inference-finished', result: { finish_class: 'completed' } }
const says = (text: string): readonly EngineEvent[] => [
  { type: 'text-segment-started', segmentId: '0' },
  { type: 'text-delta', segmentId: '0', offset: 0, delta: text },
  { type: 'text-segment-finished', segmentId: '0', block: assistantText(text) },
]
const asks = (toolCallId: string, toolName: string): EngineEvent => ({
  type: 'tool-call-requested',
  toolCallId,
  block: toolCall(toolCallId, toolName, { at: 1 }),
})
const waits = (
  toolCallId: string,
  toolName: string,
  reason: 'client-tool' | 'policy' | 'outcome-unknown',
): EngineEvent => ({
  type: 'approval-requested',
  toolCallId,
  toolName,
  reason,
  approvalId: `${reason}-${toolCallId}`,
  input: { at: 1 },
  hash: 'h',
})
const decides = (toolCallId: string, result?: Json, reason = 'policy'): EngineEvent => ({
  type: 'approval-decided',
  toolCallId,
  approvalId: `${result === undefined ? reason : 'client-tool'}-${toolCallId}`,
  decision: 'approved',
  ...(result !== undefined && { result }),
})
const results = (toolCallId: string, toolName: string, isError = false): EngineEvent => ({
  type: 'tool-result-ready',
  toolCallId,
  toolName,
  status: isError ? 'error' : 'success',
  block: isError ? toolError(toolCallId, 'no') : toolResult(toolCallId, 'yes'),
})

const message = [
  'output_item.added',
  'content_part.added',
  'output_text.delta',
  'output_text.done',
  'content_part.done',
  'output_item.done',
]
const functionCall = [
  'output_item.added',
  'function_call_arguments.delta',
  'function_call_arguments.done',
  'output_item.done',
]
const mcpCall = ['output_item.added', 'mcp_call.in_progress', 'mcp_call_arguments.delta', 'mcp_call_arguments.done']
const approval = ['output_item.added', 'output_item.done']

describe('the events of a response', () => {
  test.each<[string, readonly Step[], readonly string[], object]>([
    [
      'an answer',
      [begun, ...says('Hi'), providerCallFinished(1), finished],
      [...message, 'completed'],
      { status: 'completed', output: [{ content: [{ text: 'Hi' }] }] },
    ],
    [
      'a text that came without deltas',
      [begun, { type: 'text-segment-finished', segmentId: '0', block: assistantText('Hi') }, finished],
      [...message, 'completed'],
      { output: [{ content: [{ text: 'Hi' }] }] },
    ],
    [
      'a summary of the reasoning',
      [
        begun,
        { type: 'reasoning-segment-started', segmentId: '0', source: 'summary' },
        { type: 'reasoning-delta', segmentId: '0', offset: 0, delta: 'Hm' },
        { type: 'reasoning-segment-finished', segmentId: '0', block: reasoning({ text: 'Hm' }) },
        finished,
      ],
      [
        'output_item.added',
        'reasoning_summary_part.added',
        'reasoning_summary_text.delta',
        'reasoning_summary_text.done',
        'reasoning_summary_part.done',
        'output_item.done',
        'completed',
      ],
      { output: [{ type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hm' }] }] },
    ],
    [
      'reasoning that nobody may read',
      [
        begun,
        { type: 'reasoning-segment-finished', segmentId: '0', block: reasoning({ encrypted_content: 'x' }) },
        finished,
      ],
      ['output_item.added', 'output_item.done', 'completed'],
      { output: [{ type: 'reasoning', summary: [] }] },
    ],
    [
      'a citation',
      [
        begun,
        { type: 'text-segment-started', segmentId: '0' },
        { type: 'text-delta', segmentId: '0', offset: 0, delta: 'Hi' },
        { type: 'citation', url: 'https://example.com/', title: 'Example', startIndex: 0, endIndex: 2 },
        { type: 'text-segment-finished', segmentId: '0', block: assistantText('Hi') },
        finished,
      ],
      [...message.slice(0, 3), 'output_text.annotation.added', ...message.slice(3), 'completed'],
      {
        output: [{ content: [{ annotations: [{ type: 'url_citation', url: 'https://example.com/', end_index: 2 }] }] }],
      },
    ],
    [
      'an attempt that failed: it is closed, and no part of the response',
      [
        begun,
        ...says('Hi'),
        { type: 'text-segment-started', segmentId: '1' },
        { type: 'text-delta', segmentId: '1', offset: 0, delta: 'Ho' },
        { type: 'attempt-discarded', error: { code: 'PROVIDER_STALLED', message: '' }, blocks: 1, retryInMs: 0 },
        begun,
        ...says('Hello'),
        finished,
      ],
      [...message, ...message, ...message, 'completed'],
      { output: [{ status: 'completed', content: [{ text: 'Hello' }] }] },
    ],
    [
      'a tool of the server that failed',
      [
        begun,
        asks('c1', 'theirs'),
        providerCallFinished(1, 'tool_calls_pending'),
        { type: 'tool-execution-started', toolCallId: 'c1', toolName: 'theirs', input: { at: 1 } },
        results('c1', 'theirs', true),
        finished,
      ],
      [...mcpCall, 'mcp_call.failed', 'output_item.done', 'completed'],
      { output: [{ type: 'mcp_call', status: 'failed', error: 'no', arguments: '{"at":1}' }] },
    ],
    [
      'a failure in the middle of a text',
      [
        begun,
        { type: 'text-segment-started', segmentId: '0' },
        { type: 'text-delta', segmentId: '0', offset: 0, delta: 'Hi' },
        {
          type: 'inference-failed',
          error: { code: 'PROVIDER_OVERLOADED', message: 'Too much.' },
          result: { finish_class: 'error' },
        },
      ],
      [...message, 'failed'],
      { status: 'failed', error: { code: 'server_error', message: 'Too much.' }, output: [{ status: 'incomplete' }] },
    ],
    [
      'a refusal',
      [begun, ...says('No'), { type: 'inference-finished', result: { finish_class: 'refusal' } }],
      [...message, 'incomplete'],
      { status: 'incomplete', incomplete_details: { reason: 'content_filter' } },
    ],
    [
      'a cancel',
      [begun, { type: 'inference-stopped', reason: 'x', result: { finish_class: 'interrupted' } }],
      ['incomplete'],
      { status: 'cancelled' },
    ],
  ])('%s', (_name, steps, names, response) => {
    const { frames, state } = told(logOf(steps))
    expect(namesOf(frames)).toEqual(['created', 'in_progress', ...names])
    expect(responseObject(state)).toMatchObject(response)
  })
})

describe('a response that waits for the client', () => {
  test.each<[string, readonly Step[], readonly (readonly string[])[]]>([
    [
      'tells all of the calls with the first that is asked for; the next begins with the last answer',
      [
        asks('c1', 'mine'),
        asks('c2', 'mine'),
        waits('c1', 'mine', 'client-tool'),
        waits('c2', 'mine', 'client-tool'),
        decides('c2', 1),
        decides('c1', 1),
        results('c1', 'mine'),
        results('c2', 'mine'),
        finished,
      ],
      [[...functionCall, ...functionCall, 'completed'], ['completed']],
    ],
    [
      'holds what happens in between for the next one: results of the server, and what a person is asked',
      [
        asks('c1', 'mine'),
        asks('s1', 'theirs'),
        asks('p1', 'theirs'),
        waits('c1', 'mine', 'client-tool'),
        results('s1', 'theirs'),
        waits('p1', 'theirs', 'policy'),
        decides('c1', 1),
        decides('p1'),
        results('c1', 'mine'),
        results('p1', 'theirs'),
        finished,
      ],
      [
        [...functionCall, 'completed'],
        [...mcpCall, 'mcp_call.completed', 'output_item.done', ...approval, 'completed'],
        [...mcpCall, 'mcp_call.completed', 'output_item.done', 'completed'],
      ],
    ],
    [
      'closes a call of the server that is under way, and tells its result in the next',
      [
        asks('s1', 'theirs'),
        asks('c1', 'mine'),
        { type: 'tool-execution-started', toolCallId: 's1', toolName: 'theirs', input: {} },
        waits('c1', 'mine', 'client-tool'),
        results('s1', 'theirs'),
        decides('c1', 1),
        results('c1', 'mine'),
        finished,
      ],
      [
        [...mcpCall, ...functionCall, 'output_item.done', 'completed'],
        [...mcpCall, 'mcp_call.completed', 'output_item.done', 'completed'],
      ],
    ],
    [
      'asks once more for a call that may have run when its process died',
      [
        asks('p1', 'theirs'),
        waits('p1', 'theirs', 'policy'),
        decides('p1'),
        { type: 'tool-execution-started', toolCallId: 'p1', toolName: 'theirs', input: {} },
        waits('p1', 'theirs', 'outcome-unknown'),
        decides('p1', undefined, 'outcome-unknown'),
        results('p1', 'theirs'),
        finished,
      ],
      [
        [...approval, 'completed'],
        [...mcpCall, ...approval, 'output_item.done', 'completed'],
        [...mcpCall, 'mcp_call.completed', 'output_item.done', 'completed'],
      ],
    ],
    [
      'does not tell a call of the client that failed before anybody was asked',
      [asks('c1', 'mine'), results('c1', 'mine', true), begun, ...says('Hi'), finished],
      [[...mcpCall, 'mcp_call.failed', 'output_item.done', ...message, 'completed']],
    ],
  ])('%s', (_name, steps, parts) => {
    const log = logOf([begun, ...steps])
    const { frames } = told(log)
    parts.forEach((names, part) => expect(namesOf(frames, part)).toEqual(['created', 'in_progress', ...names]))
    expect(frames.at(-1)?.part).toBe(parts.length - 1)
    for (const part of parts.keys()) {
      const numbers = frames.filter((frame) => frame.part === part).map(({ event }) => event.sequence_number)
      expect(numbers).toEqual(numbers.map((_number, index) => index))
    }
  })

  test('of one that is not stored, nobody is asked for approval', () => {
    const log = logOf([begun, asks('p1', 'theirs'), waits('p1', 'theirs', 'policy')], {
      profile: 'a',
      request: { store: false },
    })
    expect(told(log).state.status).toBe('in_progress')
  })
})
