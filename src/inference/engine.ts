import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec'
import type { Clock, NewId } from '../clock.ts'
import { applyEvent } from '../events/apply.ts'
import type { Decision, EngineEvent, InferenceEvent, InferenceScope } from '../events/event.ts'
import type { Json } from '../json.ts'
import type { Turn } from '../turns/turn.ts'

/** What a tool takes: any Standard Schema that can also describe itself as JSON Schema (zod 4 does; see `jsonSchemaInput`). */
export type ToolInputSchema<Input = unknown> = StandardSchemaV1<unknown, Input> & StandardJSONSchemaV1<unknown, Input>

/** A tool as a model is told of it. */
export interface ToolSpec<Input = unknown> {
  /** Letters, digits, `_` and `-`; at most 64, the least that every provider takes. */
  readonly name: string
  readonly description: string
  readonly input: ToolInputSchema<Input>
}

/** What was decided on an approval. */
export interface ApprovalDecision {
  readonly decision: Decision
  /** Replaces the arguments of the call. */
  readonly input?: Json
  /** What the call gave, when whoever decides is who runs it; see `ClientTool`. */
  readonly result?: Json
  /** What the model is told of a refusal. */
  readonly message?: string
  /** Who decided. */
  readonly by?: string
}

/** What a run hands to every engine: who it is, when to stop, which tools to offer, and where time and ids come from. */
export interface InferenceContext {
  readonly ids: InferenceScope
  readonly signal: AbortSignal
  /** Aborted when no further step is to begin, because another process goes on from there. */
  readonly leaving: AbortSignal
  readonly tools: readonly ToolSpec[]
  readonly clock: Clock
  readonly newId: NewId
  /** What an earlier process recorded of this inference, when this one goes on from there. */
  readonly past: readonly InferenceEvent[]
  /** Waits for what is decided on an approval that an `approval-requested` event has asked for. */
  decision(approvalId: string): Promise<ApprovalDecision>
}

/**
 * A turn in, facts out. An engine, a middleware around one and the tool loop all have this shape; the resulting turn is
 * the fold of the facts (`applyEvent`). An engine throws to fail the run: what it yielded before stays.
 */
export type Engine = (turn: Turn, context: InferenceContext) => AsyncIterable<EngineEvent>

/**
 * Wraps an engine. Position decides meaning: inside the tool loop it sees each model call, outside it the whole run.
 */
export type Middleware = (next: Engine) => Engine

/** `engine` inside of `middleware`; the first one is the outermost. */
export function stack(engine: Engine, ...middleware: readonly Middleware[]): Engine {
  return middleware.reduceRight((next, wrap) => wrap(next), engine)
}

/**
 * A middleware that edits the turn before the model sees it, and for good: the edit is an event, so the edited turn is
 * what the session keeps. `edit` is pure; when it returns its argument nothing is recorded.
 */
export function editTurn(by: string, edit: (turn: Turn) => Turn): Middleware {
  return (next) => (turn, context) => {
    if (edit(turn) === turn) return next(turn, context)
    const event = { type: 'turn-edited' as const, by, edit }
    return startingWith(event, () => next(applyEvent(turn, event), context))
  }
}

/** `first`, and then what `rest` gives. A generator would do, and cost each event of the rest another hop. */
function startingWith(first: EngineEvent, rest: () => AsyncIterable<EngineEvent>): AsyncIterable<EngineEvent> {
  return {
    [Symbol.asyncIterator]() {
      let events: AsyncIterator<EngineEvent> | undefined
      let hasBegun = false
      return {
        next() {
          if (hasBegun) return (events ??= rest()[Symbol.asyncIterator]()).next()
          hasBegun = true
          return Promise.resolve({ done: false, value: first })
        },
        return: async (value: unknown) => (await events?.return?.(value)) ?? { done: true, value },
      }
    },
  }
}

/** A middleware that shows the model another turn and leaves nothing of it behind. */
export function viewTurn(view: (turn: Turn) => Turn): Middleware {
  return (next) => (turn, context) => next(view(turn), context)
}

/** Passes `events` on and calls `onTurn` with the turn after each that changed it. */
export async function* watchTurn(
  turn: Turn,
  events: AsyncIterable<EngineEvent>,
  onTurn: (turn: Turn) => void,
): AsyncIterable<EngineEvent> {
  let current = turn
  for await (const event of events) {
    const next = applyEvent(current, event)
    if (next !== current) onTurn(next)
    current = next
    yield event
  }
}
