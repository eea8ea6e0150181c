import { GeppettoError } from '../errors.ts'
import { applyEvent } from '../events/apply.ts'
import { isToken, type EngineEvent, type TurnEdit } from '../events/event.ts'
import { jsonEqual, type JsonObject } from '../json.ts'
import type { ToolCallBlock } from '../turns/block.ts'
import { pendingToolCalls } from '../turns/tool-calls.ts'
import { toolConfigKey, toolDefinitionsKey } from '../turns/keys.ts'
import type { Turn } from '../turns/turn.ts'
import type { ToolConfig } from '../turns/values.ts'
import type { Engine, InferenceContext } from './engine.ts'
import { positionOf, Reply, type CallPast } from './position.ts'
import { editedBy, type StepEdit, type StepPhase } from './steps.ts'
import { executeToolCalls } from './tool-batch.ts'
import { readToolLoop, type Loop, type ToolLoopOptions } from './tool-loop-options.ts'
import type { ClientTool, Tool } from './tool.ts'

/**
 * Calls the model and the tools that it asks for, until it asks for none. Only calls that this run's model made are
 * executed: a call that an earlier run left unanswered stays so. Going on from the past of the same run, it begins with
 * the first step that has no end there. A reply that was refused, cut or broken off runs no
 * tool. Throws LOOP_LIMIT when `maxIterations` model calls were not enough; TOOL_INVALID and SETTINGS_INVALID, at once,
 * for tools and options that cannot work.
 */
export function toolLoop(engine: Engine, tools: readonly (Tool | ClientTool)[], options: ToolLoopOptions = {}): Engine {
  const loop = readToolLoop(tools, options)
  return async function* (input, context) {
    const offering = { ...context, tools: loop.offered }
    let turn = input
    const start = positionOf(context.past)
    if (start.next === 'nothing') return
    for (let { iteration } = start; iteration < loop.maxIterations; iteration += 1) {
      const isUnderWay = start.next === 'tools' && iteration === start.iteration
      const reply = new Reply()
      if (!isUnderWay) {
        context.leaving.throwIfAborted()
        const offer = offerTools(turn, loop, iteration)
        if (offer !== undefined) {
          turn = applyEvent(turn, offer)
          yield offer
        }
        turn = yield* pause(turn, loop, context, 'before_inference', 'Review what the model will see')
        yield { type: 'phase-reached', phase: 'pre_inference', iteration }
        for await (const event of engine(turn, offering)) {
          if (!isToken(event)) {
            turn = applyEvent(turn, event)
            reply.add(event)
          }
          yield event
        }
        yield { type: 'phase-reached', phase: 'post_inference', iteration }
      }
      const asked = isUnderWay ? start.calls : reply.pendingCalls
      if (asked.length === 0) {
        yield* pause(turn, loop, context, 'after_answer', 'Review the answer')
        return
      }
      turn = yield* pause(turn, loop, context, 'after_inference', 'Review next action', { pending_tools: asked.length })
      const calls = asTheyStand(asked, turn)
      let failed: ToolResult | undefined
      for await (const event of executeToolCalls(
        calls,
        { ...loop, past: isUnderWay ? start.past : nothingPast },
        context,
      )) {
        turn = applyEvent(turn, event)
        if (event.type === 'tool-result-ready' && event.status === 'error') failed ??= event
        yield event
      }
      if (loop.stopOnError && failed !== undefined) throw toolFailed(failed)
      yield { type: 'phase-reached', phase: 'post_tools', iteration }
      turn = yield* pause(turn, loop, context, 'after_tools', 'Review tool results')
    }
    throw limitReached(loop.maxIterations)
  }
}

const nothingPast: ReadonlyMap<string, CallPast> = new Map()

type ToolResult = Extract<EngineEvent, { type: 'tool-result-ready' }>

// What is offered is written into the turn, for the engine to read its settings and for people to see; what runs is
// always the live tool.
function offerTools(turn: Turn, { config, definitions }: Loop, iteration: number): TurnEdit | undefined {
  const relaxed = iteration > 0 && config.tool_choice === 'required'
  const current: ToolConfig = relaxed ? { ...config, tool_choice: 'auto' } : config
  const isWritten =
    jsonEqual(turn.data[toolConfigKey.id], current) && jsonEqual(turn.data[toolDefinitionsKey.id], definitions)
  if (isWritten) return undefined
  return {
    type: 'turn-edited',
    by: 'tool-loop',
    edit: (edited) => toolDefinitionsKey.set(toolConfigKey.set(edited, current), definitions),
  }
}

/** The calls as the turn has them: a person may have changed or removed some. */
function asTheyStand(calls: readonly ToolCallBlock[], turn: Turn): readonly ToolCallBlock[] {
  const pending = pendingToolCalls(turn)
  return calls.flatMap((call) => {
    const named = pending.filter(({ payload }) => payload.id === call.payload.id)
    return named.find(({ payload }) => jsonEqual(payload, call.payload)) ?? named.at(-1) ?? []
  })
}

/** Waits where somebody wants to look, and gives the turn as they leave it. */
async function* pause(
  turn: Turn,
  { steps }: Loop,
  { ids, signal, leaving }: InferenceContext,
  phase: StepPhase,
  summary: string,
  extra: JsonObject = {},
): AsyncGenerator<EngineEvent, Turn> {
  const step = steps?.pause({ sessionId: ids.sessionId, phase, summary, extra })
  if (steps === undefined || step === undefined) return turn
  const { pauseId, deadlineMs } = step
  let edit: StepEdit | undefined
  try {
    yield { type: 'debugger.pause', pauseId, phase, summary, deadlineMs, extra: step.extra }
    edit = await steps.wait(pauseId, AbortSignal.any([signal, leaving]))
  } finally {
    steps.continue(pauseId) // a reader that stops at the event leaves no pause behind
  }
  if (edit === undefined) return turn
  const edited = editedBy(edit)
  yield edited
  return applyEvent(turn, edited)
}

function toolFailed({ toolName, toolCallId, block }: ToolResult): GeppettoError {
  const message = `Tool ${toolName} failed in call ${toolCallId}: ${block.payload.error}. The run ends, as onError: 'abort' asks.`
  return new GeppettoError('TOOL_FAILED', message, { details: { toolName, toolCallId } })
}

function limitReached(maxIterations: number): GeppettoError {
  return new GeppettoError(
    'LOOP_LIMIT',
    `The model still asks for tools: max iterations (${maxIterations}) reached. The results so far are in the turn; prompt again to go on, or raise maxIterations.`,
    { details: { maxIterations } },
  )
}
