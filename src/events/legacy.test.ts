import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jsonObject } from '../../test/support/arbitraries.ts'
import type { JsonObject } from '../json.ts'
import { decodeEvent, encodeEvent } from './codec.ts'

const meta = { message_id: 'm1', session_id: 's1', inference_id: 'i1', turn_id: 't1', model: 'gpt-4' }
const run = { ordinal: 0, at: '', sessionId: 's1', inferenceId: 'i1', turnId: 't1' }
const call = { ...run, providerCallId: 'm1', attempt: 1 }

describe('an event of the first format', () => {
  it.each<[string, JsonObject, object]>([
    ['start', {}, { type: 'provider-call-started', ...call, provider: '', model: 'gpt-4' }],
    [
      'partial',
      { delta: 'lo', completion: 'Hello' },
      { type: 'text-delta', ...call, segmentId: 'm1:text', offset: 3, delta: 'lo' },
    ],
    [
      'partial-thinking',
      { delta: 'a', completion: 'a' },
      { type: 'reasoning-delta', ...call, segmentId: 'm1:reasoning', offset: 0, delta: 'a' },
    ],
    [
      'final',
      { text: 'Hello' },
      {
        type: 'text-segment-finished',
        ...call,
        segmentId: 'm1:text',
        block: { kind: 'llm_text', role: 'assistant', payload: { text: 'Hello' } },
      },
    ],
    [
      'interrupt',
      { text: 'Hel' },
      {
        type: 'text-segment-finished',
        ...call,
        segmentId: 'm1:text',
        block: { kind: 'llm_text', role: 'assistant', payload: { text: 'Hel' } },
        partial: true,
      },
    ],
    [
      'error',
      { error_string: 'too many requests', error: {} },
      {
        type: 'inference-failed',
        ...run,
        error: { code: 'INTERNAL', message: 'too many requests' },
        result: { model: 'gpt-4', finish_class: 'error', error: { code: 'INTERNAL', message: 'too many requests' } },
      },
    ],
    [
      'tool-call',
      { tool_call: { id: 'c1', name: 'add', input: '{"a":1}' } },
      {
        type: 'tool-call-requested',
        ...call,
        toolCallId: 'c1',
        block: { kind: 'tool_call', id: 'c1', payload: { id: 'c1', name: 'add', args: { a: 1 } } },
      },
    ],
    [
      'tool-call-execute',
      { tool_call: { id: 'c1', name: 'add', input: 'not json' } },
      { type: 'tool-execution-started', ...call, toolCallId: 'c1', toolName: 'add', input: 'not json' },
    ],
    [
      'tool-result',
      { tool_result: { id: 'c1', result: '3' } },
      {
        type: 'tool-result-ready',
        ...call,
        toolCallId: 'c1',
        toolName: '',
        status: 'success',
        block: { kind: 'tool_use', payload: { id: 'c1', result: '3' } },
      },
    ],
    [
      'tool-call-execution-result',
      { tool_result: { id: 'c1', result: { sum: 3 } } },
      {
        type: 'tool-result-ready',
        ...call,
        toolCallId: 'c1',
        toolName: '',
        status: 'success',
        block: { kind: 'tool_use', payload: { id: 'c1', result: { sum: 3 } } },
      },
    ],
    [
      'log',
      { level: 'warn', message: 'm', fields: { a: 1 } },
      { type: 'log', ...run, level: 'warn', message: 'm', fields: { a: 1 } },
    ],
    ['info', { message: 'thinking-started' }, { type: 'info', ...run, message: 'thinking-started' }],
    [
      'debugger.pause',
      { pause_id: 'p', phase: 'post_inference', summary: 's', deadline_ms: 9 },
      { type: 'debugger.pause', ...run, pauseId: 'p', phase: 'post_inference', summary: 's', deadlineMs: 9 },
    ],
    [
      'agent-mode-switch',
      { message: 'agentmode: mode switched', data: { from: 'a', to: 'b' } },
      { type: 'agent-mode-switch', ...run, message: 'agentmode: mode switched', data: { from: 'a', to: 'b' } },
    ],
    [
      'web-search-started',
      { item_id: 'w', query: 'q' },
      { type: 'web-search-started', ...call, itemId: 'w', query: 'q' },
    ],
    [
      'citation',
      { title: 't', url: 'u', start_index: 1 },
      { type: 'citation', ...call, title: 't', url: 'u', startIndex: 1 },
    ],
    [
      'tool-search-results',
      { tool: 'file_search', results: [{ url: 'u' }] },
      { type: 'tool-search-results', ...call, tool: 'file_search', results: [{ url: 'u' }] },
    ],
  ])('%s is read as that of today', (type, fields, event) => {
    expect(decodeEvent({ type, meta, ...fields })).toEqual(event)
  })
})

const correlation = {
  session_id: 's1',
  run_id: 'i1',
  turn_id: 't1',
  provider_call_id: 'p1',
  segment_id: 'p1:0',
  tool_call_id: 'c1',
}
const laterCall = { ...run, providerCallId: 'p1', attempt: 1 }
const segment = { ...laterCall, segmentId: 'p1:0' }
const tool = { ...laterCall, toolCallId: 'c1' }
const usage = { input_tokens: 5, output_tokens: 2 }

describe('an event of the second format', () => {
  it.each<[string, JsonObject, object]>([
    ['run-started', { prompt: 'Hi' }, { type: 'inference-started', ...run }],
    ['run-finished', { status: 'ok' }, { type: 'inference-finished', ...run, result: { finish_class: 'completed' } }],
    [
      'run-stopped',
      { reason: 'by hand' },
      { type: 'inference-stopped', ...run, reason: 'by hand', result: { finish_class: 'interrupted' } },
    ],
    [
      'run-failed',
      { error_string: 'boom' },
      {
        type: 'inference-failed',
        ...run,
        error: { code: 'INTERNAL', message: 'boom' },
        result: { finish_class: 'error', error: { code: 'INTERNAL', message: 'boom' } },
      },
    ],
    ['provider-call-started', {}, { type: 'provider-call-started', ...laterCall, provider: '', model: '' }],
    [
      'provider-call-metadata-updated',
      { stop_reason: 'stop', usage },
      { type: 'provider-call-metadata-updated', ...laterCall, stopReason: 'stop', usage },
    ],
    [
      'provider-call-finished',
      { stop_reason: 'tool_use', finish_class: 'tool_calls_pending', usage, duration_ms: 12, has_tool_calls: true },
      {
        type: 'provider-call-finished',
        ...laterCall,
        finishClass: 'tool_calls_pending',
        result: { stop_reason: 'tool_use', usage, duration_ms: 12, finish_class: 'tool_calls_pending' },
        blocks: 0,
      },
    ],
    [
      'provider-call-finished',
      {},
      {
        type: 'provider-call-finished',
        ...laterCall,
        finishClass: 'unknown',
        result: { finish_class: 'unknown' },
        blocks: 0,
      },
    ],
    ['text-segment-started', { role: 'assistant' }, { type: 'text-segment-started', ...segment }],
    [
      'text-delta',
      { delta: 'lo', text: 'Hello', sequence: 4 },
      { type: 'text-delta', ...segment, offset: 3, delta: 'lo' },
    ],
    [
      'text-segment-finished',
      { text: 'Hello', finish_reason: 'stop' },
      {
        type: 'text-segment-finished',
        ...segment,
        block: { kind: 'llm_text', role: 'assistant', payload: { text: 'Hello' } },
      },
    ],
    [
      'reasoning-segment-started',
      { source: 'summary' },
      { type: 'reasoning-segment-started', ...segment, source: 'summary' },
    ],
    ['reasoning-delta', { delta: 'b', text: 'ab' }, { type: 'reasoning-delta', ...segment, offset: 1, delta: 'b' }],
    [
      'reasoning-segment-finished',
      { text: 'ab' },
      {
        type: 'reasoning-segment-finished',
        ...segment,
        block: { kind: 'reasoning', role: 'assistant', payload: { text: 'ab' } },
      },
    ],
    [
      'tool-call-started',
      { tool_call_id: 'c1', tool_name: 'add' },
      { type: 'tool-call-started', ...tool, toolName: 'add' },
    ],
    [
      'tool-call-arguments-delta',
      { tool_call_id: 'c1', delta: '1}', arguments: '{"a":1}' },
      { type: 'tool-call-arguments-delta', ...tool, offset: 5, delta: '1}' },
    ],
    [
      'tool-call-requested',
      { tool_call_id: 'c1', tool_name: 'add', input: '{"a":1}' },
      {
        type: 'tool-call-requested',
        ...tool,
        block: { kind: 'tool_call', id: 'c1', payload: { id: 'c1', name: 'add', args: { a: 1 } } },
      },
    ],
    [
      'tool-execution-started',
      { tool_call_id: 'c1', tool_name: 'add', input: { a: 1 } },
      { type: 'tool-execution-started', ...tool, toolName: 'add', input: { a: 1 } },
    ],
    [
      'tool-result-ready',
      { tool_call_id: 'c1', tool_name: 'add', result: 'boom', status: 'error' },
      {
        type: 'tool-result-ready',
        ...tool,
        toolName: 'add',
        status: 'error',
        block: { kind: 'tool_use', payload: { id: 'c1', error: 'boom' } },
      },
    ],
    [
      'tool-call-finished',
      { tool_call_id: 'c1', status: 'error' },
      { type: 'tool-call-finished', ...tool, toolName: '', status: 'error' },
    ],
  ])('%s is read as that of today', (type, fields, event) => {
    expect(decodeEvent({ type, meta: {}, correlation, ...fields })).toEqual(event)
  })
})

describe('the ids of an old event', () => {
  it.each<[string, JsonObject]>([
    ['in meta', { type: 'final', text: '', meta: { run_id: 's1' } }],
    ['at the top', { type: 'final', text: '', run_id: 's1' }],
    ['at the top of a type that has not changed', { type: 'log', message: '', run_id: 's1' }],
    ['beside an empty session_id', { type: 'final', text: '', meta: { run_id: 's1', session_id: '' } }],
  ])('a run_id %s is the session id', (_where, old) => {
    const event = decodeEvent(old)
    expect(event.sessionId).toBe('s1')
    expect(encodeEvent(event)).not.toHaveProperty('run_id')
  })

  it('session_id is preferred to run_id', () => {
    expect(decodeEvent({ type: 'final', text: '', meta: { run_id: 'old', session_id: 's1' } }).sessionId).toBe('s1')
  })

  it('the run_id of a correlation is the inference id', () => {
    const event = decodeEvent({ type: 'run-started', correlation: { session_id: 's1', run_id: 'i1' } })
    expect(event).toMatchObject({ sessionId: 's1', inferenceId: 'i1' })
  })

  it('no id is empty when the event had none', () => {
    const event = decodeEvent({
      type: 'tool-call',
      meta: { session_id: 's1', message_id: '00000000-0000-0000-0000-000000000000' },
    })
    expect(event).toMatchObject({
      sessionId: 's1',
      inferenceId: 's1:inference',
      turnId: 's1:inference:turn',
      providerCallId: 's1:inference:call',
      toolCallId: 's1:inference:call:tool',
    })
  })

  it('an event without a session is refused', () => {
    expect(() => decodeEvent({ type: 'partial', delta: 'a', meta: { message_id: 'm' } })).toThrow(
      'session_id is missing',
    )
  })
})

it('an old event whose fields are of unexpected kinds is kept as an unknown one', () => {
  const old = { type: 'citation', meta, url: 5 }
  expect(decodeEvent(old)).toMatchObject({ type: 'unknown', rawType: 'legacy:citation', fields: { url: 5, meta } })
  expect(decodeEvent(encodeEvent(decodeEvent(old)))).toMatchObject({ rawType: 'legacy:citation', sessionId: 's1' })
})

it('an old type without a counterpart is kept as an unknown event with the ids that it had', () => {
  expect(decodeEvent({ type: 'status', meta: { session_id: 's1' }, text: 'x' })).toEqual({
    type: 'unknown',
    rawType: 'status',
    ordinal: 0,
    at: '',
    sessionId: 's1',
    fields: { meta: { session_id: 's1' }, text: 'x' },
  })
})

const oldTypes = [
  'start',
  'partial',
  'partial-thinking',
  'final',
  'interrupt',
  'error',
  'tool-call',
  'tool-result',
  'tool-call-execute',
  'tool-call-execution-result',
  'run-started',
  'run-finished',
  'run-stopped',
  'run-failed',
  'provider-call-finished',
  'provider-call-metadata-updated',
  'tool-result-ready',
  'log',
  'info',
  'debugger.pause',
  'citation',
  'status',
  'constructor',
]
it('any old event that has its type and a session id is read', () => {
  const fields = fc.tuple(
    jsonObject,
    fc.dictionary(
      fc.constantFrom(
        'delta',
        'text',
        'completion',
        'tool_call',
        'tool_result',
        'usage',
        'status',
        'level',
        'data',
        'at',
        'attempt',
      ),
      fc.oneof(fc.constant(null), fc.integer(), fc.string(), jsonObject),
    ),
  )
  fc.assert(
    fc.property(
      fc.constantFrom(...oldTypes),
      fields,
      fc.constantFrom('meta', 'correlation'),
      (type, [more, named], where) => {
        const event = decodeEvent({ ...more, ...named, type, [where]: { session_id: 's1' } })
        expect(event.sessionId).toBe('s1')
        expect(decodeEvent(JSON.parse(JSON.stringify(encodeEvent(event)))).sessionId).toBe('s1')
      },
    ),
    { numRuns: 1000 },
  )
})
