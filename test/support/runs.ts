import { expect } from 'vitest'
import { applyEvent } from '../../src/events/apply.ts'
import { isTerminal, type InferenceEvent } from '../../src/events/event.ts'
import type { Engine } from '../../src/inference/engine.ts'
import type { RunOptions } from '../../src/inference/run-options.ts'
import { run, type Inference } from '../../src/inference/run.ts'
import { defineTool, jsonSchemaInput, type Tool } from '../../src/inference/tool.ts'
import type { Json } from '../../src/json.ts'
import { userText } from '../../src/turns/block.ts'
import { inferenceIdKey, inferenceResultKey, sessionIdKey } from '../../src/turns/keys.ts'
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

/** Runs `engine` to its end and checks what holds for every run. */
export async function finishWhole(engine: Engine, options: Partial<RunOptions> & { readonly turn?: Turn } = {}) {
  const ended = await finishRun(engine, options)
  expectWhole(ended.inference, ended.events)
  return ended
}

/** What holds for every run, however it ends: one end, no gaps, all ids, and a turn that is the fold of the events. */
export function expectWhole(inference: Inference, events: readonly InferenceEvent[]): void {
  expect(events[0]?.type).toBe('inference-started')
  expect(events.filter(isTerminal)).toEqual([events.at(-1)])
  expect(events.map((event) => event.ordinal)).toEqual(events.map((_event, index) => index + 1))
  for (const event of events) expect(event).toMatchObject(testIds)
  const { turn, input } = inference
  expect(events.reduce(applyEvent, input)).toEqual(turn)
  const stored = JSON.parse(JSON.stringify(events)) as readonly InferenceEvent[] // what a log gives back
  expect(stored.reduce(applyEvent, input)).toEqual(turn)
  expect([turn.id, sessionIdKey.get(turn), inferenceIdKey.get(turn)]).toEqual(['turn-1', 'session-1', 'inference-1'])
  expect(inferenceResultKey.get(turn)?.finish_class).toBeDefined()
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
  return defineTool({
    name,
    description: `Does ${name}.`,
    input: jsonSchemaInput({ type: 'object' }),
    execute,
    ...options,
  })
}

/** A tool whose result is its input. */
export const echo: Tool = testTool('echo', (input) => input as Json) // its input is the call's arguments
