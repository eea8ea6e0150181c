import { describe, expect, test } from 'vitest'
import {
  eventEngine,
  providerCallFinished,
  testIds,
  textReply,
  toolReply,
  type EngineStep,
} from '../../../../test/support/event-engine.ts'
import { finishRun } from '../../../../test/support/runs.ts'
import type { EngineEvent, InferenceEvent } from '../../../events/event.ts'
import { toolLoop } from '../../../inference/tool-loop.ts'
import { calculator } from '../../../inference/builtin-tools.ts'
import { assistantText, reasoning, toolCall, toolError, toolResult, userText } from '../../../turns/block.ts'
import { project, type Running } from './projection.ts'
import { frameJson, type SemEvent } from './sem.ts'

function said(events: readonly InferenceEvent[]): readonly SemEvent[] {
  let running: Running
  return events.flatMap((event) => {
    const [next, some] = project(running, event)
    running = next
    return some
  })
}

/** What is said of a run whose model does this, without its end. */
async function saidOf(...steps: readonly EngineStep[]) {
  const { events } = await finishRun(eventEngine(steps))
  return said(events).slice(0, -1)
}

const called = { type: 'provider-call-started', provider: 'test', model: 'test-1' } as const
const answer = (text: string, from = 0): EngineEvent => ({
  type: 'text-delta',
  segmentId: '0',
  offset: from,
  delta: text,
})
const written = (text: string, segmentId = '0'): EngineEvent => {
  return { type: 'text-segment-finished', segmentId, block: assistantText(text) }
}
const thought = (text: string): EngineEvent => ({ type: 'reasoning-delta', segmentId: 'r', offset: 0, delta: text })
const asked: EngineEvent = { type: 'tool-call-requested', toolCallId: 'c', block: toolCall('c', 'search', { q: 1 }) }
const ready = (block: ReturnType<typeof toolResult>, toolName = 'search'): EngineEvent => {
  return { type: 'tool-result-ready', toolCallId: 'c', toolName, status: 'success', block }
}
const toolStart = { type: 'tool.start', id: 'c', data: { id: 'c', name: 'search', input: { q: 1 } } }
const done = { type: 'tool.done', id: 'c', data: { id: 'c' } }
const pending = [
  { type: 'tool.result', id: 'c', data: { id: 'c', result: '{"error":"the inference ended without a result"}' } },
  done,
]
const [llm, thinking] = ['llm-id-1', 'llm-id-1:thinking']
const started = { type: 'llm.start', id: llm, data: { id: llm, role: 'assistant' }, metadata: { model: 'test-1' } }
const thinkingStarted = { type: 'llm.thinking.start', id: thinking, data: { id: thinking, role: 'thinking' } }
const delta = (text: string, cumulative = text) => ({
  type: 'llm.delta',
  id: llm,
  data: { id: llm, delta: text, cumulative },
})
const thinkingDelta = (text: string) => ({
  type: 'llm.thinking.delta',
  id: thinking,
  data: { id: thinking, delta: text, cumulative: text },
})
const final = (text: string, metadata?: object) => ({
  type: 'llm.final',
  id: llm,
  data: { id: llm, text },
  ...(metadata && { metadata }),
})
const thinkingFinal = { type: 'llm.thinking.final', id: thinking, data: { id: thinking } }

describe('what clients are told', () => {
  test.each<[what: string, steps: readonly EngineStep[], expected: readonly unknown[]]>([
    [
      'an answer grows, and is final with what its call cost',
      [
        called,
        answer('Hel'),
        answer('lo', 3),
        written('Hello'),
        providerCallFinished(1, 'completed', {
          model: 'test-1',
          stop_reason: 'stop',
          max_tokens: 5_000_000_000,
          usage: { input_tokens: 3, output_tokens: 2, cached_tokens: 1 },
          duration_ms: 12.4,
        }),
      ],
      [
        started,
        delta('Hel'),
        delta('lo', 'Hello'),
        final('Hello', {
          model: 'test-1',
          maxTokens: 2_147_483_647,
          stopReason: 'stop',
          usage: { inputTokens: 3, outputTokens: 2, cachedTokens: 1 },
          durationMs: '12',
        }),
      ],
    ],
    [
      'an answer that comes as a whole is a delta too',
      [called, written('All'), providerCallFinished(1)],
      [started, delta('All'), final('All')],
    ],
    [
      'an empty piece is nothing',
      [called, { type: 'text-segment-started', segmentId: '0' }, answer(''), providerCallFinished(0)],
      [],
    ],
    [
      'a thought',
      [
        called,
        { type: 'reasoning-segment-started', segmentId: 'r' },
        thought('Hm'),
        { type: 'reasoning-segment-finished', segmentId: 'r', block: reasoning({ text: 'Hm' }) },
      ],
      [thinkingStarted, thinkingDelta('Hm'), thinkingFinal],
    ],
    [
      'a summary of thoughts, behind the end of the thought',
      [
        called,
        thought('Hm'),
        { type: 'reasoning-segment-finished', segmentId: 'r', block: reasoning({ text: 'Hm', summary: ['Hm'] }) },
      ],
      [
        thinkingStarted,
        thinkingDelta('Hm'),
        thinkingFinal,
        { type: 'llm.thinking.summary', id: thinking, data: { id: thinking, text: 'Hm' } },
      ],
    ],
    [
      'a sealed thought is nothing',
      [called, { type: 'reasoning-segment-finished', segmentId: 'r', block: reasoning({ encrypted_content: 'x' }) }],
      [],
    ],
    [
      'two texts of one call are two messages',
      [called, answer('A'), written('A'), written('B', '1'), providerCallFinished(2)],
      [
        started,
        delta('A'),
        { ...started, id: `${llm}:text:2`, data: { id: `${llm}:text:2`, role: 'assistant' } },
        { type: 'llm.delta', id: `${llm}:text:2`, data: { id: `${llm}:text:2`, delta: 'B', cumulative: 'B' } },
        final('A'),
        { type: 'llm.final', id: `${llm}:text:2`, data: { id: `${llm}:text:2`, text: 'B' } },
      ],
    ],
    [
      'what a failed attempt wrote is void, and the next one writes into the same message',
      [
        called,
        answer('Wro'),
        { type: 'attempt-discarded', error: { code: 'PROVIDER_HTTP', message: 'no' }, blocks: 0, retryInMs: 0 },
        called,
        answer('Right'),
        written('Right'),
        providerCallFinished(1),
      ],
      [started, delta('Wro'), started, started, delta('Right'), final('Right')],
    ],
    [
      'a call of a failed attempt will not run',
      [called, asked, { type: 'attempt-discarded', error: { code: 'X', message: 'no' }, blocks: 1, retryInMs: 0 }],
      [
        toolStart,
        {
          type: 'tool.result',
          id: 'c',
          data: { id: 'c', result: '{"error":"the reply broke off; it is asked for again"}' },
        },
        done,
      ],
    ],
    [
      'a tool runs, tells how far it is, and gives a text',
      [
        asked,
        { type: 'tool-execution-started', toolCallId: 'c', toolName: 'search', input: { q: '***' } },
        { type: 'tool-progress', toolCallId: 'c', toolName: 'search', progress: 0.5 },
        ready(toolResult('c', 'found')),
        { type: 'tool-call-finished', toolCallId: 'c', toolName: 'search', status: 'success' },
      ],
      [
        toolStart,
        { type: 'tool.delta', id: 'c', data: { id: 'c', patch: { exec: true, input: { q: '***' } } } },
        { type: 'tool.delta', id: 'c', data: { id: 'c', patch: { progress: 0.5 } } },
        { type: 'tool.result', id: 'c', data: { id: 'c', result: 'found' } },
        done,
      ],
    ],
    [
      'a result that is no text is JSON, and calc has a card of its own',
      [asked, ready(toolResult('c', { n: 1 }), 'calc')],
      [
        toolStart,
        { type: 'tool.result', id: 'c', data: { id: 'c', result: '{"n":1}', customKind: 'calc_result' } },
        done,
      ],
    ],
    [
      'an error of a tool',
      [asked, ready(toolError('c', 'no network'))],
      [toolStart, { type: 'tool.result', id: 'c', data: { id: 'c', result: '{"error":"no network"}' } }, done],
    ],
    [
      'arguments that are no object are told as they were written',
      [{ ...asked, block: toolCall('c', 'search', '{"q"') }],
      [{ ...toolStart, data: { ...toolStart.data, input: { raw: '{"q"' } } }, ...pending],
    ],
    [
      'who is waited for',
      [
        asked,
        {
          type: 'approval-requested',
          toolCallId: 'c',
          approvalId: 'a',
          toolName: 'search',
          input: { q: 1 },
          reason: 'policy',
          hash: 'h',
        },
        { type: 'approval-decided', toolCallId: 'c', approvalId: 'a', decision: 'denied' },
      ],
      [
        toolStart,
        {
          type: 'tool.approval',
          id: 'c',
          data: { id: 'c', approvalId: 'a', name: 'search', input: { q: 1 }, reason: 'policy', hash: 'h' },
        },
        { type: 'tool.approval', id: 'c', data: { id: 'c', approvalId: 'a', name: '', decision: 'denied' } },
        ...pending,
      ],
    ],
    [
      'a line of the log, under the number of its event',
      [{ type: 'log', level: 'warn', message: 'careful', fields: { n: 0 } }],
      [{ type: 'log', id: 'log-2', data: { id: 'log-2', level: 'warn', message: 'careful', fields: { n: 0 } } }],
    ],
    [
      'another mode',
      [{ type: 'agent-mode-switch', message: 'agentmode: mode switched', data: { from: 'a', to: 'b' } }],
      [
        {
          type: 'agent.mode',
          id: 'agentmode-turn-1-2',
          data: { id: 'agentmode-turn-1-2', title: 'agentmode: mode switched', data: { from: 'a', to: 'b' } },
        },
      ],
    ],
    [
      'a pause',
      [{ type: 'debugger.pause', pauseId: 'p', phase: 'after_tools', summary: 'look', deadlineMs: 5, extra: { n: 1 } }],
      [
        {
          type: 'debugger.pause',
          id: 'p',
          data: { id: 'p', pauseId: 'p', phase: 'after_tools', summary: 'look', deadlineMs: '5', extra: { n: 1 } },
        },
      ],
    ],
    [
      'what an application says of its own, under its own name',
      [
        { type: 'custom', name: 'thinking.mode.started', data: { id: 'm', mode: 'exploring' } },
        { type: 'custom', name: 'llm.final', data: { id: 'm' } },
      ],
      [{ type: 'custom', name: 'thinking.mode.started', id: 'm', data: { id: 'm', mode: 'exploring' } }],
    ],
  ])('%s', async (_what, steps, expected) => {
    expect(await saidOf(...steps)).toEqual(expected)
  })

  test('each call of the model in a tool loop has a message of its own', async () => {
    const engine = eventEngine(
      [...textReply('Let me see.').slice(0, -1), ...toolReply(['c', 'calculator', { expression: '1+1' }]).slice(1)],
      textReply('It is 2.'),
    )
    const { events } = await finishRun(toolLoop(engine, [calculator]))
    const finals = said(events).flatMap((event) => (event.type === 'llm.final' ? [[event.id, event.data.text]] : []))
    expect(finals.map(([, text]) => text)).toEqual(['Let me see.', 'It is 2.'])
    expect(new Set(finals.map(([id]) => id)).size).toBe(2)
    expect(said(events).filter(({ type }) => type === 'inference.ended').length).toBe(1)
  })

  test('a prompt is a message under the id of its turn', () => {
    const event: InferenceEvent = { type: 'prompt-accepted', ordinal: 1, at: '', ...testIds, block: userText('Hi') }
    const data = { schemaVersion: 1, role: 'user', content: 'Hi', streaming: false }
    expect(said([event])).toEqual([{ type: 'chat.message', id: 'user-turn-1', data }])
  })
})

describe('an inference that fails', () => {
  test('closes what was open, and says why, and that it has ended', async () => {
    const { events } = await finishRun(eventEngine([called, answer('Hel'), asked, new Error('no line')]))
    expect(said(events).slice(3)).toEqual([
      final('Hel', { model: 'test-1' }),
      ...pending,
      {
        type: 'llm.error',
        id: 'error-inference-1',
        data: { id: 'error-inference-1', code: 'INTERNAL', message: 'no line' },
      },
      { type: 'inference.ended', id: 'inference-1', data: { id: 'inference-1', status: 'failed', reason: 'no line' } },
    ])
  })

  test('while it waits has an end that leaves the running one alone', () => {
    const result = { finish_class: 'interrupted' as const }
    const stopped: InferenceEvent = {
      ...{ type: 'inference-stopped', ordinal: 9, at: '', ...testIds, inferenceId: 'other' },
      ...{ reason: 'cancelled', result },
    }
    const running = { inferenceId: 'inference-1', model: undefined, texts: [], tools: [] }
    expect(project(running, stopped)).toEqual([
      running,
      [{ type: 'inference.ended', id: 'other', data: { id: 'other', status: 'stopped', reason: 'cancelled' } }],
    ])
  })
})

describe('a frame', () => {
  test('has its number, its place in the log and its ids, and no field that has its default value', () => {
    const correlation = { conv_id: 's', session_id: 's', inference_id: 'i', turn_id: 't' }
    const event = said([{ type: 'prompt-accepted', ordinal: 7, at: '', ...testIds, block: userText('') }])[0]
    if (event === undefined) throw new Error('a prompt is told')
    expect(frameJson({ seq: 7_000_002, correlation, event })).toEqual({
      sem: true,
      event: {
        type: 'chat.message',
        id: 'user-turn-1',
        data: { schemaVersion: 1, role: 'user' },
        seq: 7_000_002,
        stream_id: '7',
        correlation,
      },
    })
  })
})
