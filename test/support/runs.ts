import type { InferenceEvent } from '../../src/events/event.ts'
import type { Engine } from '../../src/inference/engine.ts'
import { run, type RunOptions } from '../../src/inference/run.ts'
import { defineTool, jsonSchemaInput, type Tool } from '../../src/inference/tool.ts'
import type { Json } from '../../src/json.ts'
import { userText } from '../../src/turns/block.ts'
import { blocksOf, createTurn, type Turn } from '../../src/turns/turn.ts'
import { testIds } from './event-engine.ts'
import { FakeClock } from './fake-clock.ts'
import { collect, countingIds, deepFreeze } from './values.ts'

/** A turn of one prompt, frozen. */
export const promptTurn: Turn = deepFreeze(createTurn([userText('Go')]))

/** Runs `engine` with a clock that stands still and ids that count. */
export function startRun(engine: Engine, options: Partial<RunOptions> & { readonly turn?: Turn } = {}) {
  const clock = new FakeClock()
  const { turn = promptTurn, ...rest } = options
  const inference = run(engine, turn, { ids: testIds, clock, newId: countingIds(), ...rest })
  return { inference, clock }
}

/** Runs `engine` to its end, whichever that is. */
export async function finishRun(engine: Engine, options: Partial<RunOptions> & { readonly turn?: Turn } = {}) {
  const { inference, clock } = startRun(engine, options)
  const events = await collect(inference)
  return { inference, events, turn: inference.turn, status: inference.status, clock }
}

export function typesOf(events: readonly InferenceEvent[]): readonly string[] {
  return events.map((event) => event.type)
}

/** What the tools answered: the id of the call, and its error or its result. */
export function answersOf(turn: Turn): readonly (readonly [string, unknown])[] {
  return blocksOf(turn, 'tool_use').map(({ payload }) => [payload.id, payload.error ?? payload.result])
}

/** A tool that takes any object. */
export function testTool(name: string, execute: Tool['execute'], options: Partial<Tool> = {}): Tool {
  return defineTool({ name, description: `Does ${name}.`, input: jsonSchemaInput({ type: 'object' }), execute, ...options })
}

/** A tool whose result is its input. */
export const echo: Tool = testTool('echo', (input) => input as Json) // its input is the call's arguments
