import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { agentVersions, runAgent, type AgentUnderTest } from '../../../../test/support/ag-ui-agents.ts'
import { anyEngineEvents } from '../../../../test/support/arbitrary-engine-events.ts'
import { providerCallFinished, testIds, textReply, toolReply } from '../../../../test/support/event-engine.ts'
import { FakeClock } from '../../../../test/support/fake-clock.ts'
import { countingIds } from '../../../../test/support/values.ts'
import type { EngineEvent, InferenceEvent, TerminalEvent } from '../../../events/event.ts'
import { run } from '../../../inference/run.ts'
import { applyTimeline, emptyTimeline, entitiesOf } from '../../../timeline/timeline.ts'
import { assistantText, reasoning, toolCall, toolError, toolResult, userText } from '../../../turns/block.ts'
import { createTurn } from '../../../turns/turn.ts'
import { sseFrame } from '../../sse.ts'
import type { AgUiEvent } from './event.ts'
import { messagesOf } from './messages.ts'
import { emptyProjection, project, reopen, waitingCalls } from './projection.ts'
import { RunFold } from './run-fold.ts'
import { endOf, pauseOf, runStarted, type Run } from './run.ts'

type Unplaced = InferenceEvent extends infer E ? (E extends InferenceEvent ? Omit<E, 'ordinal' | 'at'> : never) : never
const ids = { sessionId: 's', inferenceId: 'i', turnId: 't' }
const call = { ...ids, providerCallId: 'p', attempt: 1 }
const segment = { ...call, segmentId: 'p:0' }
const tool = { ...call, toolCallId: 'c', toolName: 'refund' }
const current: Run = { threadId: 's', runId: 'r', isCurrent: true }
const older: Run = { ...current, isCurrent: false }
const result = { finish_class: 'completed' as const }

function placed(events: readonly Unplaced[]): readonly InferenceEvent[] {
  return events.map((event, index) => ({ ...event, ordinal: index + 1, at: '2026-01-01T00:00:00.000Z' }))
}

/** What a client is told of the events, and where that leaves it. */
function told(events: readonly Unplaced[]) {
  let projection = emptyProjection
  const frames = placed(events).flatMap((event) => {
    const step = project(projection, event)
    projection = step.projection
    return [...step.events, ...(step.isVoid === true ? ['(all messages)' as const] : [])]
  })
  return { frames, projection }
}

const started: Unplaced = { ...tool, type: 'tool-call-started' }
const requested: Unplaced = { ...tool, type: 'tool-call-requested', block: toolCall('c', 'refund', { n: 1 }) }
const asked: Unplaced = {
  ...tool,
  type: 'approval-requested',
  approvalId: 'a',
  input: { n: 1 },
  reason: 'policy',
  hash: 'h',
}
const start = { type: 'TOOL_CALL_START', toolCallId: 'p:c', toolCallName: 'refund', parentMessageId: 'p:calls' }
const end = { type: 'TOOL_CALL_END', toolCallId: 'p:c' }

describe('what a client is told', () => {
  test.each<[what: string, events: readonly Unplaced[], frames: readonly unknown[]]>([
    [
      'of a text without words: nothing',
      [
        { ...segment, type: 'text-segment-started' },
        { ...segment, type: 'text-delta', offset: 0, delta: '' },
        { ...segment, type: 'text-segment-finished', block: assistantText('') },
      ],
      [],
    ],
    [
      'of a text that comes as a whole',
      [{ ...segment, type: 'text-segment-finished', block: assistantText('Hi') }],
      [
        { type: 'TEXT_MESSAGE_START', messageId: 'p:0', role: 'assistant' },
        { type: 'TEXT_MESSAGE_CONTENT', messageId: 'p:0', delta: 'Hi' },
        { type: 'TEXT_MESSAGE_END', messageId: 'p:0' },
      ],
    ],
    [
      'of reasoning that is sealed: nothing',
      [{ ...segment, type: 'reasoning-segment-finished', block: reasoning({ encrypted_content: 'x' }) }],
      [],
    ],
    [
      'of reasoning, with its sealed form',
      [
        { ...segment, type: 'reasoning-delta', offset: 0, delta: 'Hm' },
        { ...segment, type: 'reasoning-segment-finished', block: reasoning({ text: 'Hm', encrypted_content: 'x' }) },
      ],
      [
        { type: 'REASONING_START', messageId: 'p:0' },
        { type: 'REASONING_MESSAGE_START', messageId: 'p:0', role: 'reasoning' },
        { type: 'REASONING_MESSAGE_CONTENT', messageId: 'p:0', delta: 'Hm' },
        { type: 'REASONING_MESSAGE_END', messageId: 'p:0' },
        { type: 'REASONING_END', messageId: 'p:0' },
        { type: 'REASONING_ENCRYPTED_VALUE', subtype: 'message', entityId: 'p:0', encryptedValue: 'x' },
      ],
    ],
    [
      'of a call that comes as a whole',
      [requested],
      [start, { type: 'TOOL_CALL_ARGS', toolCallId: 'p:c', delta: '{"n":1}' }, end],
    ],
    [
      'of a call whose arguments are written',
      [
        started,
        { ...tool, type: 'tool-call-arguments-delta', offset: 0, delta: '{"n"' },
        { ...tool, type: 'tool-call-arguments-delta', offset: 4, delta: ':1}' },
        requested,
      ],
      [
        start,
        { type: 'TOOL_CALL_ARGS', toolCallId: 'p:c', delta: '{"n"' },
        { type: 'TOOL_CALL_ARGS', toolCallId: 'p:c', delta: ':1}' },
        end,
      ],
    ],
    [
      'of results, however they are',
      [
        { ...tool, type: 'tool-result-ready', status: 'success', block: toolResult('c', { ok: true }) },
        { ...tool, type: 'tool-result-ready', status: 'success', block: toolResult('c', 'text') },
        { ...tool, attempt: 2, type: 'tool-result-ready', status: 'error', block: toolError('c', 'no') },
      ],
      [
        { type: 'TOOL_CALL_RESULT', messageId: 'p:c:result', toolCallId: 'p:c', content: '{"ok":true}', role: 'tool' },
        { type: 'TOOL_CALL_RESULT', messageId: 'p:c:result', toolCallId: 'p:c', content: 'text', role: 'tool' },
        { type: 'TOOL_CALL_RESULT', messageId: 'p.2:c:result', toolCallId: 'p.2:c', content: 'no', role: 'tool' },
      ],
    ],
    [
      'of an attempt that failed before it said anything: nothing',
      [{ ...call, type: 'attempt-discarded', error: { code: 'X', message: '' }, blocks: 0, retryInMs: 0 }],
      [],
    ],
    [
      'of an attempt that failed in a word',
      [
        { ...segment, type: 'text-delta', offset: 0, delta: 'Hel' },
        { ...call, type: 'attempt-discarded', error: { code: 'X', message: '' }, blocks: 0, retryInMs: 0 },
      ],
      [
        { type: 'TEXT_MESSAGE_START', messageId: 'p:0', role: 'assistant' },
        { type: 'TEXT_MESSAGE_CONTENT', messageId: 'p:0', delta: 'Hel' },
        { type: 'TEXT_MESSAGE_END', messageId: 'p:0' },
        '(all messages)',
      ],
    ],
  ])('%s', (_what, events, frames) => {
    expect(told(events).frames).toEqual(frames)
  })

  const clients: Unplaced = {
    ...tool,
    type: 'approval-requested',
    approvalId: 'a',
    input: {},
    reason: 'client-tool',
    hash: 'h',
  }
  const ready: Unplaced = { ...tool, type: 'tool-result-ready', status: 'success', block: toolResult('c', 1) }
  test.each<[what: string, events: readonly Unplaced[], isTold: boolean]>([
    [
      'its own result: nothing',
      [
        clients,
        { ...ids, type: 'approval-decided', toolCallId: 'c', approvalId: 'a', decision: 'approved', result: 1 },
        ready,
      ],
      false,
    ],
    [
      'a result that came too late from it',
      [clients, { ...ids, type: 'approval-decided', toolCallId: 'c', approvalId: 'a', decision: 'expired' }, ready],
      true,
    ],
    [
      'the result of a call that it has approved',
      [asked, { ...ids, type: 'approval-decided', toolCallId: 'c', approvalId: 'a', decision: 'approved' }, ready],
      true,
    ],
  ])('who runs a tool is told of %s', (_what, events, isTold) => {
    expect(
      told([requested, ...events]).frames.some(
        (frame) => typeof frame === 'object' && frame.type === 'TOOL_CALL_RESULT',
      ),
    ).toBe(isTold)
  })
})

describe('a run waits', () => {
  const other = { ...tool, toolCallId: 'd' }
  const alsoRequested: Unplaced = { ...other, type: 'tool-call-requested', block: toolCall('d', 'show', {}) }
  const alsoAsked: Unplaced = {
    ...other,
    type: 'approval-requested',
    approvalId: 'b',
    input: {},
    reason: 'client-tool',
    hash: 'h',
  }

  test.each<[when: string, events: readonly Unplaced[], waits: readonly string[]]>([
    ['not when nothing is asked', [requested], []],
    ['when its only call is asked about', [requested, asked], ['a']],
    ['not when an earlier call has still to answer', [requested, alsoRequested, alsoAsked], []],
    ['for all that is asked', [requested, alsoRequested, asked, alsoAsked], ['a', 'b']],
    ['no longer when it has ended', [requested, asked, { ...ids, type: 'inference-stopped', reason: 'x', result }], []],
  ])('%s', (_when, events, waits) => {
    expect(waitingCalls(told(events).projection).map(({ approvalId }) => approvalId)).toEqual(waits)
  })

  test('with an interrupt for what a person decides, and an ordinary end for what the client runs', () => {
    expect(pauseOf(current, told([requested, alsoRequested, asked, alsoAsked]).projection)).toMatchObject({
      outcome: { type: 'interrupt', interrupts: [{ id: 'a', reason: 'tool_call', toolCallId: 'p:c' }] },
    })
    const { projection } = told([alsoRequested, alsoAsked])
    expect(pauseOf(current, projection)).toMatchObject({ outcome: { type: 'success', pendingToolCallIds: ['p:d'] } })
    expect(pauseOf(older, projection)).toMatchObject({ outcome: { type: 'success' } })
  })
})

test.each([
  [
    'inference-finished',
    current,
    { type: 'RUN_FINISHED', outcome: { type: 'success' }, result: { finish_class: 'completed' } },
  ],
  ['inference-stopped', current, { type: 'RUN_FINISHED', outcome: { type: 'cancelled' } }],
  ['inference-stopped', older, { type: 'RUN_ERROR', code: 'cancelled' }],
  ['inference-failed', current, { type: 'RUN_ERROR', code: 'PROVIDER_AUTH', message: 'No key.' }],
  ['inference-interrupted', older, { type: 'RUN_ERROR', code: 'INFERENCE_INTERRUPTED' }],
] as const)('the end %s of a run', (type, asRun, frame) => {
  const usage = { input_tokens: 5, output_tokens: 3, cached_tokens: 2, reasoning_tokens: 1 }
  const error = { code: 'PROVIDER_AUTH', message: 'No key.' }
  const fields = { reason: 'x', error, result: { ...result, provider: 'test', model: 'm', usage } }
  const event = { ...ids, ordinal: 1, at: '', type, ...fields } as TerminalEvent // it has the fields of all of them
  expect(endOf(asRun, event)).toMatchObject({
    ...frame,
    usage: [
      { provider: 'test', model: 'm', inputTokens: 5, outputTokens: 3, cachedInputTokens: 2, reasoningTokens: 1 },
    ],
  })
})

describe.each(agentVersions)('the official client %s', (version, agentAt) => {
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.restoreAllMocks()
  })
  const asRun: Run = { ...current, isCurrent: version === '1.0.0' }

  /** The whole client, fed with these events: it verifies them, and throws for what it cannot take. */
  const read = async (frames: readonly AgUiEvent[]): Promise<AgentUnderTest> => {
    const body = frames.map((frame) => sseFrame({ data: JSON.stringify(frame) })).join('')
    vi.stubGlobal('fetch', async () => new Response(body, { headers: { 'content-type': 'text/event-stream' } }))
    const agent = agentAt('http://localhost/agui', 's')
    await runAgent(agent)
    return agent
  }

  /** The stream of a client that joins in when the first `known` events are in the log. */
  const streamFrom = (events: readonly InferenceEvent[], known: number): readonly AgUiEvent[] => {
    const fold = new RunFold(testIds.inferenceId)
    for (const event of events.slice(0, known)) fold.next(event)
    const frames: AgUiEvent[] = [
      runStarted(asRun),
      allMessages(events.slice(0, known)),
      ...reopen(fold.projection, false),
    ]
    for (let index = known; index < events.length; index += 1) {
      const event = events[index]
      if (event === undefined) continue
      const step = fold.next(event)
      frames.push(...step.events, ...(step.isVoid === true ? [allMessages(events.slice(0, index + 1))] : []))
    }
    return [...frames, endOf(asRun, fold.end)]
  }
  const allMessages = (events: readonly InferenceEvent[]): Extract<AgUiEvent, { type: 'MESSAGES_SNAPSHOT' }> => {
    const timeline = events.reduce(applyTimeline, emptyTimeline())
    return { type: 'MESSAGES_SNAPSHOT', messages: messagesOf(entitiesOf(timeline), asRun.isCurrent) }
  }

  test('that joins in anywhere has in the end what the log has', async () => {
    const events = await eventsOf([
      { type: 'provider-call-started', provider: 'test', model: 'm' },
      { type: 'text-delta', segmentId: '0', offset: 0, delta: 'Vo' },
      { type: 'tool-call-started', toolCallId: 'c1', toolName: 'add' },
      { type: 'attempt-discarded', error: { code: 'X', message: 'cut' }, blocks: 0, retryInMs: 0 },
      { type: 'provider-call-started', provider: 'test', model: 'm' },
      { type: 'reasoning-delta', segmentId: '0', offset: 0, delta: 'H' },
      { type: 'reasoning-delta', segmentId: '0', offset: 1, delta: 'm' },
      { type: 'reasoning-segment-finished', segmentId: '0', block: reasoning({ text: 'Hm' }) },
      { type: 'text-delta', segmentId: '1', offset: 0, delta: 'On' },
      { type: 'text-delta', segmentId: '1', offset: 2, delta: 'e' },
      { type: 'text-segment-finished', segmentId: '1', block: assistantText('One') },
      { type: 'tool-call-started', toolCallId: 'c1', toolName: 'add' },
      { type: 'tool-call-arguments-delta', toolCallId: 'c1', offset: 0, delta: '{"a"' },
      { type: 'tool-call-arguments-delta', toolCallId: 'c1', offset: 4, delta: ':1}' },
      ...toolReply(['c1', 'add', { a: 1 }], ['c2', 'add', { a: 2 }]).slice(1, -1),
      providerCallFinished(4, 'tool_calls_pending'),
      { type: 'tool-execution-started', toolCallId: 'c1', toolName: 'add', input: { a: 1 } },
      { type: 'tool-result-ready', toolCallId: 'c1', toolName: 'add', status: 'success', block: toolResult('c1', 1) },
      { type: 'tool-result-ready', toolCallId: 'c2', toolName: 'add', status: 'error', block: toolError('c2', 'no') },
      ...textReply('Two'),
      ...toolReply(['c1', 'add', { a: 3 }]), // nobody runs it
    ])
    const whole = allMessages(events)
    expect(whole.messages).toHaveLength(7)
    for (let known = 0; known <= events.length; known += 1) {
      const { messages } = await read(streamFrom(events, known))
      expect([known, messages.map(plain)]).toEqual([known, whole.messages.map(plain)])
    }
  })

  test('takes whatever an engine may yield, from wherever it joins in', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => {}) // what makes no sense may make it wonder
    await fc.assert(
      fc.asyncProperty(anyEngineEvents, fc.nat(30), async (yielded, cut) => {
        const events = await eventsOf(yielded)
        await read(streamFrom(events, Math.min(cut, events.length)))
      }),
      { numRuns: 150 },
    )
  })
})

// An assistant's message that has no text has an empty one for some clients.
function plain({ content = '', ...message }: { readonly id: string; readonly content?: unknown }) {
  return { ...message, content }
}

async function eventsOf(yielded: readonly EngineEvent[]): Promise<readonly InferenceEvent[]> {
  const inference = run(
    async function* () {
      yield* yielded
    },
    createTurn([userText('Hi')]),
    { ids: testIds, clock: new FakeClock(), newId: countingIds() },
  )
  const events: InferenceEvent[] = []
  for await (const event of inference) events.push(event)
  return events
}
