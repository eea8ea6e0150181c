import type { EventOf, TerminalEvent } from '../../../events/event.ts'
import type { JsonObject } from '../../../json.ts'
import type { InferenceResult } from '../../../turns/values.ts'
import {
  resultMessageId,
  unansweredContent,
  wireCallId,
  type AgUiEvent,
  type AgUiUsage,
  type Interrupt,
} from './event.ts'
import { waitingCalls, type Projection } from './projection.ts'

/** One run as its client asked for it. A run begins and ends with a stream, an inference may take several of them. */
export interface Run {
  readonly threadId: string
  /** The client's. */
  readonly runId: string
  /** Whether the client speaks the protocol's version 1.0; those before it say nothing of theirs. */
  readonly isCurrent: boolean
}

export function runStarted({ threadId, runId, isCurrent }: Run): AgUiEvent {
  return { type: 'RUN_STARTED', threadId, runId, ...(isCurrent && { protocolVersion: '1.0' }) }
}

/** Our ids, by which a run is found in the log, in traces and in records. */
export function ourIds(ids: {
  readonly sessionId: string
  readonly inferenceId: string
  readonly turnId: string
}): AgUiEvent {
  const value = { session_id: ids.sessionId, inference_id: ids.inferenceId, turn_id: ids.turnId }
  return { type: 'CUSTOM', name: 'geppetto.ids', value }
}

/** What is said of the calls that an inference has ended without; what the client ran itself it has a result of. */
export function unansweredResults({ calls }: Projection): readonly AgUiEvent[] {
  const unanswered = calls.filter(({ isAnsweredByClient }) => isAnsweredByClient !== true)
  return unanswered.map(({ id }) => {
    const messageId = resultMessageId(id)
    return { type: 'TOOL_CALL_RESULT', messageId, toolCallId: id, content: unansweredContent, role: 'tool' }
  })
}

/** The end of a run whose inference has ended; without one, of a run in a thread where nobody was ever answered. */
export function endOf(run: Run, end: TerminalEvent | undefined): AgUiEvent {
  return end === undefined ? finished(run) : terminal(run, end)
}

function terminal(run: Run, end: TerminalEvent): AgUiEvent {
  const usage = usageOf(end.result)
  switch (end.type) {
    case 'inference-finished': {
      const result = { finish_class: end.result.finish_class }
      return { ...finished(run), result, ...usage }
    }
    case 'inference-stopped':
      if (run.isCurrent) return { ...finished(run), outcome: { type: 'cancelled' }, ...usage }
      return { type: 'RUN_ERROR', message: `The run was cancelled: ${end.reason}.`, code: 'cancelled', ...usage }
    case 'inference-failed':
      return { type: 'RUN_ERROR', message: end.error.message, code: end.error.code, ...usage }
    case 'inference-interrupted':
      return {
        type: 'RUN_ERROR',
        message: `The run was interrupted and is not gone on with: ${end.reason}.`,
        code: 'INFERENCE_INTERRUPTED',
        ...usage,
      }
  }
}

/**
 * The end of a run that waits for its client: for decisions, which are interrupts, or only for the results of the
 * client's own tools, which is an ordinary end with calls that are open. Undefined when it does not wait.
 */
export function pauseOf(run: Run, projection: Projection): AgUiEvent | undefined {
  const waiting = waitingCalls(projection)
  if (waiting.length === 0) return undefined
  const interrupts = waiting.filter(({ reason }) => reason !== 'client-tool').map(interruptOf)
  if (interrupts.length > 0) return { ...finished(run), outcome: { type: 'interrupt', interrupts } }
  if (!run.isCurrent) return finished(run)
  return { ...finished(run), outcome: { type: 'success', pendingToolCallIds: waiting.map(wireCallId) } }
}

function finished({ threadId, runId }: Run): Extract<AgUiEvent, { type: 'RUN_FINISHED' }> {
  return { type: 'RUN_FINISHED', threadId, runId, outcome: { type: 'success' } }
}

/** What an answer to an interrupt looks like: `editedArgs` replace all arguments. */
const answerSchema: JsonObject = {
  type: 'object',
  properties: {
    approved: { type: 'boolean' },
    editedArgs: { type: 'object', description: 'Replaces the arguments as a whole.' },
    reason: { type: 'string', description: 'What the model is told of a refusal.' },
  },
  required: ['approved'],
}

function interruptOf(asked: EventOf<'approval-requested'>): Interrupt {
  const { approvalId, toolName, input, reason, hash, expiresAt } = asked
  return {
    id: approvalId,
    reason: 'tool_call',
    message:
      reason === 'outcome-unknown'
        ? `${toolName} may have run already, for its process died. Run it again?`
        : `Run ${toolName}?`,
    toolCallId: wireCallId(asked),
    responseSchema: answerSchema,
    ...(expiresAt !== undefined && { expiresAt }),
    metadata: { geppetto: { reason, tool_name: toolName, input, hash } },
  }
}

function usageOf({ provider, model, usage }: InferenceResult): { readonly usage?: readonly AgUiUsage[] } {
  if (usage === undefined) return {}
  const { reasoning_tokens: reasoningTokens, cached_tokens: cached, cache_creation_input_tokens: written } = usage
  const read = usage.cache_read_input_tokens ?? cached
  const told: AgUiUsage = {
    ...(provider !== undefined && { provider }),
    ...(model !== undefined && { model }),
    inputTokens: usage.input_tokens,
    outputTokens: usage.output_tokens,
    ...(reasoningTokens !== undefined && { reasoningTokens }),
    ...(read !== undefined && { cachedInputTokens: read }),
    ...(written !== undefined && { cacheWriteInputTokens: written }),
  }
  return { usage: [told] }
}
