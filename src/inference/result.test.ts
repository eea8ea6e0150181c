import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EngineEvent } from '../events/event.ts'
import { toolCall, toolResult } from '../turns/block.ts'
import type { InferenceResult, Usage } from '../turns/values.ts'
import { addUsage, costOf, finishClass, isTruncated, ResultLedger } from './result.ts'

test.each([
  ['end_turn', false, 'completed'],
  ['stop', false, 'completed'],
  ['STOP', false, 'completed'],
  ['tool_use', true, 'tool_calls_pending'],
  ['stop', true, 'tool_calls_pending'],
  ['max_tokens', false, 'max_tokens'],
  ['max_tokens', true, 'tool_calls_pending'],
  ['MAX_TOKENS', false, 'max_tokens'],
  ['length', false, 'max_tokens'],
  ['max_output_tokens', false, 'max_tokens'],
  ['model_context_window_exceeded', false, 'max_tokens'],
  ['refusal', true, 'refusal'],
  ['content_filter', false, 'refusal'],
  ['SAFETY', true, 'refusal'],
  ['cancelled', false, 'interrupted'],
  ['failed', true, 'error'],
  ['', false, 'unknown'],
  [' Unknown ', false, 'unknown'],
])('stop reason %j with pending calls %j is %s', (stopReason, pending, expected) => {
  expect(finishClass(stopReason, pending)).toBe(expected)
})

test('a cut tool call is truncated and pending at once', () => {
  expect([isTruncated('length'), isTruncated(' MAX_TOKENS '), isTruncated('stop')]).toEqual([true, true, false])
})

describe('the price of a usage', () => {
  const cost = { input: 3, output: 15, cacheRead: 0.3, cacheWrite: 3.75 }
  test.each<[string, Usage, number]>([
    ['nothing cached', { input_tokens: 1_000_000, output_tokens: 100_000 }, 3 + 1.5],
    ['all cached', { input_tokens: 1_000_000, output_tokens: 0, cache_read_input_tokens: 1_000_000 }, 0.3],
    ['the name that OpenAI gave it', { input_tokens: 1_000_000, output_tokens: 0, cached_tokens: 1_000_000 }, 0.3],
    [
      'a third each',
      {
        input_tokens: 3_000_000,
        output_tokens: 0,
        cache_read_input_tokens: 1_000_000,
        cache_creation_input_tokens: 1_000_000,
      },
      3 + 0.3 + 3.75,
    ],
    ['reasoning is part of the output', { input_tokens: 0, output_tokens: 1_000_000, reasoning_tokens: 900_000 }, 15],
  ])('%s', (_name, usage, dollars) => {
    expect(costOf(usage, cost)).toBeCloseTo(dollars, 9)
  })
})

test('usages add up part by part, and what neither has stays absent', () => {
  const part = fc.option(fc.nat(1000), { nil: undefined })
  const usage = fc
    .record({
      input_tokens: fc.nat(1000),
      output_tokens: fc.nat(1000),
      cache_read_input_tokens: part,
      reasoning_tokens: part,
    })
    .map((made) => Object.fromEntries(Object.entries(made).filter(([, count]) => count !== undefined)) as Usage) // totals stay
  fc.assert(
    fc.property(usage, usage, (left, right) => {
      const sum = addUsage(left, right) ?? left
      for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
        expect(sum[key]).toBe(Number(left[key] ?? 0) + Number(right[key] ?? 0))
      }
      expect(Object.keys(sum).every((key) => key in left || key in right)).toBe(true)
    }),
  )
  expect(addUsage(undefined, { input_tokens: 1, output_tokens: 2 })).toEqual({ input_tokens: 1, output_tokens: 2 })
})

describe('the outcome of an inference', () => {
  const finished = (result: InferenceResult): EngineEvent => ({
    type: 'provider-call-finished',
    finishClass: result.finish_class,
    result,
    blocks: 0,
  })
  const first: InferenceResult = {
    model: 'm1',
    response_id: 'r1',
    finish_class: 'tool_calls_pending',
    usage: { input_tokens: 10, output_tokens: 1 },
    cost: 0.5,
    duration_ms: 100,
  }
  const last: InferenceResult = {
    model: 'm1',
    response_id: 'r2',
    finish_class: 'completed',
    stop_reason: 'stop',
    usage: { input_tokens: 20, output_tokens: 2, cache_read_input_tokens: 5 },
    cost: 0.25,
    duration_ms: 200,
  }
  function ledgerOf(...events: readonly EngineEvent[]): ResultLedger {
    const ledger = new ResultLedger()
    for (const event of events) ledger.add(event)
    return ledger
  }

  test('has the words of the last call and the tokens and dollars of all', () => {
    expect(ledgerOf(finished(first), finished(last)).finished(1234.4)).toEqual({
      model: 'm1',
      response_id: 'r2',
      finish_class: 'completed',
      stop_reason: 'stop',
      usage: { input_tokens: 30, output_tokens: 3, cache_read_input_tokens: 5 },
      cost: 0.75,
      duration_ms: 1234,
    })
  })

  test('counts what a discarded and a cut attempt had cost', () => {
    const spent: EngineEvent = { type: 'provider-call-metadata-updated', usage: { input_tokens: 7, output_tokens: 3 } }
    const discarded: EngineEvent = {
      type: 'attempt-discarded',
      error: { code: 'X', message: 'x' },
      blocks: 0,
      retryInMs: 0,
    }
    expect(ledgerOf(spent, discarded, finished(last)).finished(1).usage).toMatchObject({
      input_tokens: 27,
      output_tokens: 5,
    })
    expect(ledgerOf(finished(first), spent).stopped('cancelled', 1)).toMatchObject({
      finish_class: 'interrupted',
      stop_reason: 'cancelled',
      usage: { input_tokens: 17, output_tokens: 4 },
    })
  })

  test('a price that is not known is not zero', () => {
    expect('cost' in ledgerOf(finished({ finish_class: 'completed' })).finished(1)).toBe(false)
  })

  test('of an engine that says nothing of it is unknown, or pending when a call has no result', () => {
    const call: EngineEvent = { type: 'tool-call-requested', toolCallId: 'c', block: toolCall('c', 't', {}) }
    const result: EngineEvent = {
      type: 'tool-result-ready',
      toolCallId: 'c',
      toolName: 't',
      status: 'success',
      block: toolResult('c', 1),
    }
    expect(ledgerOf().finished(0).finish_class).toBe('unknown')
    expect(ledgerOf(call).finished(0).finish_class).toBe('tool_calls_pending')
    expect(ledgerOf(call, result).finished(0).finish_class).toBe('unknown')
  })

  test('of a failure has the error', () => {
    expect(ledgerOf(finished(first)).failed({ code: 'PROVIDER_STALLED', message: 'no' }, 5)).toMatchObject({
      finish_class: 'error',
      error: { code: 'PROVIDER_STALLED', message: 'no' },
      usage: { input_tokens: 10 },
    })
  })
})
