import type { EngineEvent, InferenceScope } from '../../src/events/event.ts'
import type { Engine, InferenceContext } from '../../src/inference/engine.ts'
import { assistantText, toolCall } from '../../src/turns/block.ts'
import type { Turn } from '../../src/turns/turn.ts'
import type { FinishClass, InferenceResult } from '../../src/turns/values.ts'
import type { Json } from '../../src/json.ts'
import { FakeClock } from './fake-clock.ts'
import { countingIds } from './values.ts'

/** What an engine does next: yields a fact, throws an error, or waits for what the function gives. */
export type EngineStep = EngineEvent | Error | ((context: InferenceContext) => Promise<unknown>)

export interface EngineRequest {
  readonly turn: Turn
  readonly context: InferenceContext
}

export interface EventEngine extends Engine {
  /** What each call was given, in order. */
  readonly requests: readonly EngineRequest[]
}

/** An engine that does `calls[0]` when it is called first, `calls[1]` next, and fails when it is called once more. */
export function eventEngine(...calls: readonly (readonly EngineStep[])[]): EventEngine {
  const requests: EngineRequest[] = []
  const engine: Engine = async function* (turn, context) {
    const steps = calls[requests.length]
    requests.push({ turn, context })
    if (steps === undefined)
      throw new Error(`the engine was called ${requests.length} times, ${calls.length} were planned`)
    for (const step of steps) {
      if (step instanceof Error) throw step
      if (typeof step === 'function') await step(context)
      else yield step
    }
  }
  return Object.assign(engine, { requests })
}

/** Waits until the run is cancelled, as an engine that waits for its provider does. */
export function untilAborted({ signal }: { readonly signal: AbortSignal }): Promise<never> {
  return new Promise((_resolve, reject) => {
    const abort = () => reject(signal.reason as Error) // whatever the run aborted with
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
  })
}

/** Waits for ever, as an engine that ignores its signal does. */
export function forEver(): Promise<never> {
  return new Promise(() => {})
}

/** One provider call that says `text`. */
export function textReply(text: string, result: Partial<InferenceResult> = {}): readonly EngineEvent[] {
  const finishClass = result.finish_class ?? 'completed'
  return [
    { type: 'provider-call-started', provider: 'test', model: 'test-1' },
    { type: 'text-segment-started', segmentId: '0' },
    { type: 'text-delta', segmentId: '0', offset: 0, delta: text },
    { type: 'text-segment-finished', segmentId: '0', block: assistantText(text) },
    providerCallFinished(1, finishClass, result),
  ]
}

/** One provider call that asks for tools: `[id, name, arguments]` each. */
export function toolReply(
  ...calls: readonly (readonly [id: string, name: string, args?: Json])[]
): readonly EngineEvent[] {
  return [
    { type: 'provider-call-started', provider: 'test', model: 'test-1' },
    ...calls.map(([toolCallId, name, args = {}]): EngineEvent => {
      return { type: 'tool-call-requested', toolCallId, block: toolCall(toolCallId, name, args) }
    }),
    providerCallFinished(calls.length, 'tool_calls_pending'),
  ]
}

/** The end of a provider call that made the last `blocks` blocks. */
export function providerCallFinished(
  blocks: number,
  finishClass: FinishClass = 'completed',
  result: Partial<InferenceResult> = {},
): EngineEvent {
  return { type: 'provider-call-finished', finishClass, blocks, result: { ...result, finish_class: finishClass } }
}

export const testIds: InferenceScope = { sessionId: 'session-1', inferenceId: 'inference-1', turnId: 'turn-1' }

/** A context for an engine that is called without a run. */
export function testContext(changes: Partial<InferenceContext> = {}): InferenceContext {
  return {
    ids: testIds,
    signal: new AbortController().signal,
    leaving: new AbortController().signal,
    tools: [],
    clock: new FakeClock(),
    newId: countingIds(),
    past: [],
    decision: (approvalId) => Promise.reject(new Error(`nobody decides on ${approvalId}`)),
    ...changes,
  }
}
