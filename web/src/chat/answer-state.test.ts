import { expect, test } from 'vitest'
import type { Entity, InferenceEntity } from 'geppetto/timeline'
import { answerState, usageText } from './answer-state.ts'

const base = { ordinal: 1, updatedOrdinal: 1, at: '2026-01-01T00:00:00.000Z', inferenceId: 'i' }
const inference = (fields: Partial<InferenceEntity>): InferenceEntity => ({
  ...base,
  id: 'i',
  kind: 'inference',
  status: 'running',
  retries: 0,
  restarts: 0,
  ...fields,
})
const text = (isStreaming: boolean): Entity => ({
  ...{ ...base, id: 'a', kind: 'message', role: 'assistant', text: 'x', isStreaming },
})
const usage = { input_tokens: 1204, output_tokens: 350 }

test.each<[what: string, Partial<InferenceEntity>, readonly Entity[], expected: string | undefined]>([
  ['a prompt that waits', { status: 'queued' }, [], 'Queued'],
  ['an answer that lost its server', { status: 'queued', restarts: 1 }, [], 'Waits for a server to go on'],
  ['a run before its first word', {}, [], 'Working'],
  ['a run that streams', {}, [text(true)], undefined],
  ['a second attempt', { retries: 1 }, [], 'Trying again, attempt 2'],
  ['a second attempt that streams', { retries: 1 }, [text(true)], undefined],
  ['a restart', { restarts: 1 }, [text(false)], 'Going on after a restart'],
  ['one that is to stop', { reason: 'enough' }, [text(true)], 'Stopping'],
  ['one that was stopped', { status: 'stopped', reason: 'enough' }, [], 'Stopped: enough'],
  ['one that was interrupted', { status: 'interrupted' }, [], 'Interrupted'],
  ['a failure', { status: 'failed', error: { code: 'X', message: 'It broke.' } }, [], 'It broke. (X)'],
  ['a good end', { status: 'finished', result: { finish_class: 'completed' } }, [], undefined],
  [
    'a cut',
    { status: 'finished', result: { finish_class: 'max_tokens', truncated: true } },
    [],
    'Cut off at the limit of tokens',
  ],
  ['a refusal', { status: 'finished', result: { finish_class: 'refusal' } }, [], 'The model declined'],
])('%s', (_what, fields, made, expected) => {
  expect(answerState(inference(fields), made)?.text).toBe(expected)
})

test.each<[InferenceEntity['result'], string]>([
  [undefined, ''],
  [{ finish_class: 'completed', usage, duration_ms: 2_140, cost: 0.0123 }, '1,204 in · 350 out · 2.1 s · $0.01'],
  [{ finish_class: 'completed', usage, cost: 0.00042 }, '1,204 in · 350 out · $0.00042'],
  [{ finish_class: 'completed', cost: 0 }, '$0'],
])('%j took %j', (result, expected) => {
  expect(usageText(inference(result === undefined ? {} : { result }))).toBe(expected)
})
