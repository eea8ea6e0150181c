import * as fc from 'fast-check'
import type { EngineEvent } from '../../src/events/event.ts'
import { assistantText, reasoning, systemText, toolCall, toolError, toolResult } from '../../src/turns/block.ts'
import { append, prepend, type Turn } from '../../src/turns/turn.ts'
import { agentModeKey } from '../../src/turns/keys.ts'
import { finishClasses, type InferenceResult } from '../../src/turns/values.ts'

const segmentId = fc.constantFrom('0', '1', '2')
const toolCallId = fc.constantFrom('call-1', 'call-2', 'call-3')
const text = fc.string({ maxLength: 8 })
const blocks = fc.nat({ max: 3 })
const result: fc.Arbitrary<InferenceResult> = fc.record(
  {
    finish_class: fc.constantFrom(...finishClasses),
    model: fc.constant('test-1'),
    usage: fc.record({ input_tokens: fc.nat(999), output_tokens: fc.nat(999) }),
  },
  { requiredKeys: ['finish_class'] },
)

const edits: readonly ((turn: Turn) => Turn)[] = [
  (turn) => turn,
  (turn) => append(turn, systemText('behind')),
  (turn) => prepend(turn, systemText('before')),
  (turn) => ({ ...turn, blocks: turn.blocks.toReversed() }),
  (turn) => ({ ...turn, blocks: turn.blocks.slice(1) }),
  (turn) => ({ ...turn, blocks: turn.blocks.map((block) => ({ ...block, role: 'changed' })) }),
  (turn) => agentModeKey.set(turn, 'review'),
]

/** A fact that an engine might yield, sensible where it stands or not. */
const anyEngineEvent: fc.Arbitrary<EngineEvent> = fc.oneof(
  fc.constant<EngineEvent>({ type: 'provider-call-started', provider: 'test', model: 'test-1' }),
  fc.record({ type: fc.constant('provider-call-metadata-updated' as const), responseId: text }),
  fc
    .record({ type: fc.constant('provider-call-finished' as const), result, blocks })
    .map((event) => ({ ...event, finishClass: event.result.finish_class })),
  fc.record({
    type: fc.constant('attempt-discarded' as const),
    error: fc.constant({ code: 'PROVIDER_OVERLOADED', message: 'later' }),
    blocks,
    retryInMs: fc.constant(0),
  }),
  fc.record({
    type: fc.constantFrom('text-segment-started' as const, 'reasoning-segment-started' as const),
    segmentId,
  }),
  fc.record({
    type: fc.constantFrom('text-delta' as const, 'reasoning-delta' as const),
    segmentId,
    offset: fc.nat(9),
    delta: text,
  }),
  fc.record({ type: fc.constant('text-segment-finished' as const), segmentId, block: text.map(assistantText) }),
  fc.record({
    type: fc.constant('reasoning-segment-finished' as const),
    segmentId,
    block: text.map((said) => reasoning({ text: said })),
  }),
  toolCallId.map<EngineEvent>((id) => {
    return { type: 'tool-call-requested', toolCallId: id, block: toolCall(id, 'echo', { id }) }
  }),
  toolCallId.map<EngineEvent>((id) => {
    return { type: 'tool-result-ready', toolCallId: id, toolName: 'echo', status: 'success', block: toolResult(id, 1) }
  }),
  toolCallId.map<EngineEvent>((id) => {
    return { type: 'tool-result-ready', toolCallId: id, toolName: 'echo', status: 'error', block: toolError(id, 'no') }
  }),
  fc.constantFrom(...edits).map<EngineEvent>((edit) => ({ type: 'turn-edited', by: 'someone', edit })),
  fc.record({ type: fc.constant('info' as const), message: text }),
  fc.record({
    type: fc.constant('phase-reached' as const),
    phase: fc.constant('pre_inference' as const),
    iteration: fc.nat(3),
  }),
)

export const anyEngineEvents: fc.Arbitrary<readonly EngineEvent[]> = fc.array(anyEngineEvent, { maxLength: 25 })
