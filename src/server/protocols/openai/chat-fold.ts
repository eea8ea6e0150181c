import type { ErrorInfo, EventOf, InferenceEvent, SegmentScope } from '../../../events/event.ts'
import type { JsonObject } from '../../../json.ts'
import type { ToolCallBlock } from '../../../turns/block.ts'
import type { FinishClass } from '../../../turns/values.ts'
import { readRuntime } from './asked.ts'
import { argumentsText } from './content.ts'
import { addUsage, noTokens, type Tokens } from './usage.ts'

// A chat completion as a fold of the events of its inference: what was said so far, and the pieces that say it.

export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter'

/** How a class of ending is told; `error` and `interrupted` are told as errors. */
const finishReasons: Readonly<Record<FinishClass, FinishReason>> = {
  completed: 'stop',
  max_tokens: 'length',
  tool_calls_pending: 'stop',
  refusal: 'content_filter',
  incomplete: 'stop',
  interrupted: 'stop',
  error: 'stop',
  unknown: 'stop',
}

/** One run of text, and the attempt that made it. */
type Segment = Pick<SegmentScope, 'segmentId' | 'providerCallId' | 'attempt'> & { readonly text: string }

export interface ChatState {
  /** Segments of text, in order; one that was withdrawn is gone. */
  readonly said: readonly Segment[]
  readonly reasoning: string
  /** Calls of the last reply; those of the client's tools are for the client. */
  readonly requested: readonly ToolCallBlock[]
  readonly calls: readonly ToolCallBlock[]
  readonly clientTools: ReadonlySet<string>
  readonly tokens: Tokens
  readonly hasBegun: boolean
  readonly end?: { readonly finish: FinishReason } | { readonly error: ErrorInfo }
}

export const emptyChat: ChatState = {
  said: [],
  reasoning: '',
  requested: [],
  calls: [],
  clientTools: new Set(),
  tokens: noTokens,
  hasBegun: false,
}

/** A piece of the message. */
export type ChatDelta = JsonObject

/** The state after an event of the inference, and what it adds to the message. */
export function foldChat(state: ChatState, event: InferenceEvent): readonly [ChatState, readonly ChatDelta[]] {
  if (state.end !== undefined) return [state, []]
  switch (event.type) {
    case 'prompt-accepted': {
      const names = readRuntime(event.runtime).clientTools.flatMap(({ name }) => (typeof name === 'string' ? name : []))
      return [{ ...state, clientTools: new Set(names) }, []]
    }
    case 'inference-started':
      return state.hasBegun ? [state, []] : [{ ...state, hasBegun: true }, [{ role: 'assistant', content: '' }]]
    case 'provider-call-started':
      return [{ ...state, requested: [] }, []]
    case 'text-delta':
      return say(state, event, event.delta)
    case 'text-segment-finished': {
      const known = state.said.findLast(({ segmentId }) => segmentId === event.segmentId)?.text ?? ''
      const { text } = event.block.payload
      return text.startsWith(known) && text !== known ? say(state, event, text.slice(known.length)) : [state, []]
    }
    case 'reasoning-delta':
      return [{ ...state, reasoning: state.reasoning + event.delta }, [{ reasoning_content: event.delta }]]
    case 'tool-call-requested':
      return [{ ...state, requested: [...state.requested, event.block] }, []]
    case 'attempt-discarded':
      return [{ ...state, requested: [], said: withoutAttempt(state, event) }, []]
    case 'provider-call-finished':
      return [{ ...state, tokens: addUsage(state.tokens, event.result.usage) }, []]
    case 'approval-requested':
      return event.reason === 'client-tool' ? callClient(state, event) : [state, []]
    case 'inference-finished':
      return [{ ...state, end: { finish: finishReasons[event.result.finish_class] } }, []]
    case 'inference-failed':
      return [{ ...state, end: { error: event.error } }, []]
    case 'inference-stopped':
    case 'inference-interrupted':
      return [
        { ...state, end: { error: { code: 'INFERENCE_CANCELLED', message: `It was stopped: ${event.reason}.` } } },
        [],
      ]
    case 'inference-handed-over':
      return [{ ...state, end: { error: { code: 'SERVER_STOPPING', message: 'The server is being stopped.' } } }, []]
    default:
      return [state, []]
  }
}

function say(
  state: ChatState,
  { segmentId, providerCallId, attempt }: SegmentScope,
  delta: string,
): readonly [ChatState, readonly ChatDelta[]] {
  const last = state.said.at(-1)
  if (last?.segmentId === segmentId) {
    const longer = { ...last, text: last.text + delta }
    return [{ ...state, said: [...state.said.slice(0, -1), longer] }, [{ content: delta }]]
  }
  const content = last === undefined ? delta : `\n\n${delta}`
  return [{ ...state, said: [...state.said, { segmentId, providerCallId, attempt, text: delta }] }, [{ content }]]
}

// What was sent cannot be taken back; who reads the whole message does not get it.
function withoutAttempt({ said }: ChatState, { providerCallId, attempt }: EventOf<'attempt-discarded'>) {
  return said.filter((segment) => segment.providerCallId !== providerCallId || segment.attempt !== attempt)
}

/** All of the client's calls of one reply are told at once, with the first that is asked for. */
function callClient(
  state: ChatState,
  { toolCallId }: EventOf<'approval-requested'>,
): readonly [ChatState, readonly ChatDelta[]] {
  const calls = state.requested.filter(({ payload: { id, name } }) => id === toolCallId || state.clientTools.has(name))
  const deltas = calls.flatMap(({ payload: { id, name, args } }, index) => [
    { tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] },
    { tool_calls: [{ index, function: { arguments: argumentsText(args) } }] },
  ])
  return [{ ...state, calls, end: { finish: 'tool_calls' } }, deltas]
}
