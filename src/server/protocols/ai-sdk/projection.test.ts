import fc from 'fast-check'
import * as ai5 from 'ai-5'
import * as ai500 from 'ai-5.0.0'
import * as ai6 from 'ai-6'
import * as ai600 from 'ai-6.0.0'
import * as ai700 from 'ai-7.0.0'
import * as ai7 from 'ai'
import { describe, expect, test } from 'vitest'
import { createChat, plain, type AiSdk } from '../../../../test/support/ai-sdk-chat.ts'
import { anyEngineEvents } from '../../../../test/support/arbitrary-engine-events.ts'
import { eventEngine } from '../../../../test/support/event-engine.ts'
import { finishRun } from '../../../../test/support/runs.ts'
import type { InferenceEvent } from '../../../events/event.ts'
import { assistantText, toolCall, toolError, toolResult } from '../../../turns/block.ts'
import { canTakeBack, wireChunk, type Approval, type Chunk, type UiVersion, type WireChunk } from './chunk.ts'
import { applyToDraft, emptyDraft } from './message.ts'
import { applyToMessage, emptyMessage } from './projection.ts'

const ids = { sessionId: 's', inferenceId: 'i', turnId: 't' }
const call = { providerCallId: 'p1', attempt: 1 }

/** The events as a log has them, of which each test says what matters. */
function log(...events: readonly object[]): readonly InferenceEvent[] {
  // The tests write events out as far as the projection looks at them.
  return events.map((event, index) => ({ ...ids, ordinal: index + 1, at: '', ...event }) as InferenceEvent)
}

function chunksOf(events: readonly InferenceEvent[]): readonly Chunk[] {
  let state = emptyMessage
  return events.flatMap((event) => {
    const [next, chunks] = applyToMessage(state, event)
    state = next
    return chunks
  })
}

/** Chunks in short: the type, and what it is about. */
const short = (events: readonly InferenceEvent[]) =>
  chunksOf(events).map((chunk) => {
    if ('delta' in chunk) return `${chunk.type} ${chunk.delta}`
    if (chunk.type === 'finish') return `finish ${chunk.finishReason}`
    return 'toolCallId' in chunk ? `${chunk.type} ${chunk.toolCallId}` : chunk.type
  })

const accepted = { type: 'prompt-accepted' }
const begun = { type: 'provider-call-started', ...call }
const text = (delta: string, offset = 0) => ({ type: 'text-delta', ...call, segmentId: 'x', offset, delta })
const done = { type: 'text-segment-finished', ...call, segmentId: 'x', block: assistantText('Hello') }
const wants = (toolCallId: string, of = call) => ({
  type: 'tool-call-requested',
  ...of,
  toolCallId,
  block: toolCall(toolCallId, 'pay', {}),
})
const asks = (toolCallId: string, reason = 'policy') => ({
  type: 'approval-requested',
  ...call,
  toolCallId,
  approvalId: `a-${toolCallId}`,
  toolName: 'pay',
  input: {},
  reason,
  hash: '',
})
const decides = (toolCallId: string, decision = 'approved') => ({
  type: 'approval-decided',
  ...call,
  toolCallId,
  approvalId: `a-${toolCallId}`,
  decision,
})
const gives = (toolCallId: string, of = call) => ({
  type: 'tool-result-ready',
  ...of,
  toolCallId,
  toolName: 'pay',
  status: 'success',
  block: toolResult(toolCallId, 1),
})
const fails = (toolCallId: string) => ({ ...gives(toolCallId), status: 'error', block: toolError(toolCallId, 'no') })
const failed = { type: 'attempt-discarded', ...call, error: { code: 'X', message: '' }, blocks: 0, retryInMs: 0 }
const again = { providerCallId: 'p1', attempt: 2 }
const finished = { type: 'inference-finished', result: { finish_class: 'completed' } }
const stopped = { type: 'inference-stopped', reason: '', result: { finish_class: 'interrupted' } }
const other = { providerCallId: 'p2', attempt: 1 }

describe('an inference is told', () => {
  test.each<[what: string, events: readonly object[], chunks: readonly string[]]>([
    [
      'as one step for each call of the model',
      [accepted, begun, text('Hel'), text('lo', 3), done, { ...begun, ...other }, finished],
      [
        'start',
        'start-step',
        'text-start',
        'text-delta Hel',
        'text-delta lo',
        'text-end',
        'finish-step',
        'start-step',
        'finish-step',
        'finish stop',
      ],
    ],
    [
      'with text that comes at its end alone',
      [accepted, begun, done],
      ['start', 'start-step', 'text-start', 'text-delta Hello', 'text-end'],
    ],
    [
      'with the rest of a text at its end',
      [accepted, begun, text('Hel'), done],
      ['start', 'start-step', 'text-start', 'text-delta Hel', 'text-delta lo', 'text-end'],
    ],
    [
      'without a delta that comes again',
      [accepted, begun, text('Hel'), text('el', 1), text('lo', 3)],
      ['start', 'start-step', 'text-start', 'text-delta Hel', 'text-delta lo'],
    ],
    [
      'without thoughts that are sealed',
      [accepted, begun, { type: 'reasoning-segment-finished', ...call, segmentId: 'r', block: { payload: {} } }],
      ['start', 'start-step'],
    ],
    [
      'without an attempt that showed nothing',
      [accepted, begun, failed, { ...begun, ...again }, text('Hi')],
      ['start', 'start-step', 'text-start', 'text-delta Hi'],
    ],
    [
      'with a step that is void',
      [accepted, begun, text('Hm'), failed, { ...begun, ...again }, { ...text('Hi'), segmentId: 'y' }],
      ['start', 'start-step', 'text-start', 'text-delta Hm', 'reset-step', 'text-start', 'text-delta Hi'],
    ],
    [
      'with its calls once more when their attempt was void',
      [accepted, begun, wants('1'), failed, wants('1', again)],
      ['start', 'start-step', 'tool-input-available 1', 'reset-step', 'tool-input-available 1'],
    ],
    [
      'to the end of what was open when it is cancelled',
      [accepted, begun, text('Hel'), stopped],
      ['start', 'start-step', 'text-start', 'text-delta Hel', 'text-end', 'finish-step', 'abort', 'finish other'],
    ],
    ['when it was cancelled before it began', [accepted, stopped], ['start', 'abort', 'finish other']],
    [
      'with an id for each call that is its own',
      [accepted, begun, wants('1'), gives('1'), wants('1', other), gives('1', other)],
      [
        'start',
        'start-step',
        'tool-input-available 1',
        'tool-output-available 1',
        'tool-input-available 1~1',
        'tool-output-available 1~1',
      ],
    ],
    [
      'up to where it waits, and from there',
      [accepted, begun, wants('1'), asks('1'), decides('1'), gives('1'), finished],
      [
        'start',
        'start-step',
        'tool-input-available 1',
        'approval',
        'finish-step',
        'finish tool-calls',
        'start',
        'approval',
        'tool-output-available 1',
        'finish stop',
      ],
    ],
    [
      'with a wait that begins when nothing else runs',
      [accepted, begun, wants('1'), wants('2'), asks('1'), gives('2')],
      [
        'start',
        'start-step',
        'tool-input-available 1',
        'tool-input-available 2',
        'approval',
        'tool-output-available 2',
        'finish-step',
        'finish tool-calls',
      ],
    ],
    [
      'with a leg for each of two answers',
      [
        accepted,
        begun,
        wants('1'),
        wants('2'),
        asks('1'),
        asks('2', 'client-tool'),
        decides('1', 'denied'),
        fails('1'),
        decides('2'),
      ],
      [
        'start',
        'start-step',
        'tool-input-available 1',
        'tool-input-available 2',
        'approval',
        'finish-step',
        'finish tool-calls',
        'start',
        'approval',
        'denied 1',
        'finish tool-calls',
        'start',
      ],
    ],
    [
      'with one more leg when it is cancelled in a wait',
      [accepted, begun, wants('1'), asks('1'), { type: 'cancel-requested' }, stopped],
      [
        'start',
        'start-step',
        'tool-input-available 1',
        'approval',
        'finish-step',
        'finish tool-calls',
        'start',
        'tool-output-error 1',
        'abort',
        'finish other',
      ],
    ],
    [
      'with one leg while a process waits that took it over',
      [
        accepted,
        begun,
        wants('1'),
        asks('1'),
        { type: 'inference-handed-over' },
        { type: 'inference-resumed' },
        asks('1'),
      ],
      ['start', 'start-step', 'tool-input-available 1', 'approval', 'finish-step', 'finish tool-calls'],
    ],
    [
      'with a source once',
      [
        accepted,
        begun,
        ...['a', 'b', 'a'].map((url) => ({ type: 'citation', ...call, url })),
        { type: 'citation', ...call, title: 'A book' },
      ],
      ['start', 'start-step', 'source-url', 'source-url'],
    ],
    ['once', [accepted, finished, text('more'), finished], ['start', 'finish stop']],
  ])('%s', (_what, events, chunks) => {
    expect(short(log(...events))).toEqual(chunks)
  })

  test.each([
    ['PROVIDER_OVERLOADED', 'Too much to do.', 'PROVIDER_OVERLOADED: Too much to do.'],
    ['INTERNAL', 'the password is hunter2', "INTERNAL: The inference failed; the server's log says why under i."],
  ])('with an error %s in words that are fit for a client', (code, message, errorText) => {
    const events = log(accepted, {
      type: 'inference-failed',
      error: { code, message },
      result: { finish_class: 'error' },
    })
    expect(chunksOf(events)).toContainEqual({ type: 'error', errorText })
  })
})

describe('a chunk is put', () => {
  const approval: Approval = {
    approvalId: 'a',
    toolCallId: 'c',
    toolName: 'pay',
    input: {},
    reason: 'policy',
    hash: 'h',
  }
  const data = { approval_id: 'a', tool_call_id: 'c', tool_name: 'pay', input: {}, reason: 'policy', hash: 'h' }
  const asked: Chunk = { type: 'approval', approval }
  const decided: Chunk = { type: 'approval', approval: { ...approval, decision: 'denied', message: 'no' } }
  const denied: Chunk = { type: 'denied', toolCallId: 'c', errorText: 'no' }
  const finish: Chunk = { type: 'finish', finishReason: 'stop', messageMetadata: {} }
  const request: WireChunk = { type: 'tool-approval-request', approvalId: 'a', toolCallId: 'c' }

  test.each<[what: string, chunk: Chunk, inWords: Readonly<Record<UiVersion, WireChunk | undefined>>]>([
    ['an approval', asked, { 5: { type: 'data-geppetto-approval', id: 'a', data }, 6: request, 7: request }],
    [
      'a decision',
      decided,
      {
        5: { type: 'data-geppetto-approval', id: 'a', data: { ...data, decision: 'denied', message: 'no' } },
        6: undefined,
        7: { type: 'tool-approval-response', approvalId: 'a', approved: false, reason: 'no' },
      },
    ],
    [
      'a call that was not allowed',
      denied,
      {
        5: { type: 'tool-output-error', toolCallId: 'c', errorText: 'no' },
        6: { type: 'tool-output-denied', toolCallId: 'c' },
        7: { type: 'tool-output-denied', toolCallId: 'c' },
      },
    ],
    ['the end', finish, { 5: { type: 'finish', messageMetadata: {} }, 6: finish, 7: finish } as never], // finish is both
    ['a void step', { type: 'reset-step' }, { 5: undefined, 6: undefined, 7: { type: 'reset-step' } }],
  ])('%s, in the words of each major', (_what, chunk, inWords) => {
    for (const ui of ['5', '6', '7'] as const) expect(wireChunk(chunk, ui)).toEqual(inWords[ui])
  })
})

describe('whatever an engine does', () => {
  const majors: readonly (readonly [string, UiVersion, AiSdk])[] = [
    ['5.0.0', '5', ai500 as unknown as AiSdk], // what the tests use of each major
    ['5.0.277', '5', ai5 as unknown as AiSdk],
    ['6.0.0', '6', ai600 as unknown as AiSdk],
    ['6.0.326', '6', ai6 as unknown as AiSdk],
    ['7.0.0', '6', ai700 as unknown as AiSdk],
    ['7.0.173', '7', ai7 as unknown as AiSdk],
  ]

  test.each(majors)('ai %s has the message that the server has', async (_version, ui, sdk) => {
    await fc.assert(
      fc.asyncProperty(anyEngineEvents, async (any) => {
        const yielded = any.filter(({ type }) => canTakeBack(ui) || type !== 'attempt-discarded')
        const { events } = await finishRun(eventEngine(yielded))
        const wire = chunksOf(events).flatMap((chunk) => wireChunk(chunk, ui) ?? [])
        const told = wire.filter(({ type }) => type !== 'error') // it ends what a client makes of the message
        const body = `${told.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')}data: [DONE]\n\n`
        const chat = createChat(sdk, { url: 'http://chat.example', fetch: async () => new Response(body) })
        await chat.sendMessage({ text: 'Go' })
        expect(chat.error).toBeUndefined()
        const { metadata, parts } = wire.reduce(applyToDraft, emptyDraft)
        const draft = { id: events[0]?.inferenceId, role: 'assistant', metadata, parts }
        expect(withoutPartialInput(plain(chat.messages.slice(1)))).toEqual(withoutPartialInput(plain([draft as never])))
      }),
      { numRuns: 40 },
    )
  })

  /** A client shows arguments while they are written; what is loaded has them when they are whole. */
  function withoutPartialInput(messages: unknown): unknown {
    return JSON.parse(JSON.stringify(messages), function (this: { state?: string }, key, value: unknown) {
      return key === 'input' ? undefined : value
    })
  }
})
