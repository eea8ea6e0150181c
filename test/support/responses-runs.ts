import { expect } from 'vitest'
import type { InferenceEvent } from '../../src/events/event.ts'
import type { ToolSpec } from '../../src/inference/engine.ts'
import { callSettings, type InferenceSettings } from '../../src/inference/settings.ts'
import type { JsonObject } from '../../src/json.ts'
import { openaiResponses } from '../../src/providers/openai-responses/protocol.ts'
import { toRequest } from '../../src/providers/openai-responses/request.ts'
import { userText, type Block } from '../../src/turns/block.ts'
import { inferenceResultKey, sidecarKey } from '../../src/turns/keys.ts'
import { createTurn, type Turn } from '../../src/turns/turn.ts'
import { replying, runToEnd, sse, type Outcome } from './replies.ts'
import { events, streamOf } from './responses-replies.ts'

// What the tests of the Responses provider do again and again: hear a reply, and look at a request.

export const hi = userText('Hi')
export const hiItem = { role: 'user', content: [{ type: 'input_text', text: 'Hi' }] }
/** Settings under which the server keeps items. */
export const stored = { openai: { store: true } }

/** What comes of a stream of anything, in one piece. */
export function hearOnce(messages: readonly JsonObject[]): Promise<Outcome> {
  return hearBytes(
    sse(
      messages.map((message) => JSON.stringify(message)),
      'chat',
    ),
  )
}

function hearBytes(body: string, chunkSize?: number): Promise<Outcome> {
  const { fetch } = replying([body, chunkSize === undefined ? {} : { chunkSize }])
  return runToEnd(openaiResponses({ model: 'gpt-5', fetch, retry: { maxAttempts: 1 } }), createTurn([hi]))
}

/** What comes of a stream, after a look that its cuts make no difference. */
export async function hear(messages: readonly JsonObject[]): Promise<Outcome> {
  const body = streamOf(messages)
  const whole = await hearBytes(body)
  for (const chunkSize of [1, 3, 64]) expect((await hearBytes(body, chunkSize)).events).toEqual(whole.events)
  return whole
}

/** The messages that are of none of the types which end so. */
export function without(messages: readonly JsonObject[], ...types: readonly string[]): readonly JsonObject[] {
  return messages.filter(({ type }) => !types.some((end) => String(type).endsWith(end)))
}

export const blocksOf = ({ turn }: Outcome): readonly Block[] => turn.blocks.slice(1)
export const payloads = (outcome: Outcome) => blocksOf(outcome).map(({ kind, payload }) => [kind, payload])
export const resultOf = ({ turn }: Outcome) => inferenceResultKey.get(turn)
export const typesOf = (heard: readonly InferenceEvent[]) => heard.map((event) => event.type)

export function ofType<T extends InferenceEvent['type']>({ events: heard }: Outcome, type: T) {
  return heard.filter((event): event is Extract<InferenceEvent, { type: T }> => event.type === type)
}

type Delta = 'text-delta' | 'reasoning-delta' | 'tool-call-arguments-delta'

/** All deltas of one type, as a viewer reads them. */
export function shown(outcome: Outcome, type: Delta): string {
  return outcome.events.flatMap((event) => (event.type === type ? [event.delta] : [])).join('')
}

/** Deltas of one segment or call begin where the one before ended. */
export function expectGapless({ events: heard }: Outcome): void {
  const ends = new Map<string, number>()
  const deltas = heard.filter(
    (event): event is Extract<InferenceEvent, { type: Delta }> => event.type.endsWith('-delta') && 'offset' in event,
  )
  for (const event of deltas) {
    const key = 'segmentId' in event ? event.segmentId : event.toolCallId
    expect(event.offset).toBe(ends.get(key) ?? 0)
    ends.set(key, event.offset + event.delta.length)
  }
}

/** The blocks that a reply of these items becomes; replies of other items have another id. */
export function said(...items: readonly JsonObject[]): Promise<readonly Block[]> {
  return saidIn(`resp_${JSON.stringify(items).length}`, ...items)
}

export async function saidIn(id: string, ...items: readonly JsonObject[]): Promise<readonly Block[]> {
  const heard = await hearBytes(streamOf(events(items, { id })))
  expect(heard.error).toBeUndefined()
  return blocksOf(heard)
}

/** `block` with a seal of another provider. */
export function sealedElsewhere(block: Block): Block {
  return sidecarKey.set(block, { provider: 'anthropic', item: { type: 'thinking', thinking: 'Hm', signature: 'sig' } })
}

export function project(
  given: Turn | readonly Block[],
  settings: Partial<InferenceSettings> = {},
  tools: readonly ToolSpec[] = [],
) {
  const turn = 'blocks' in given ? given : createTurn(given)
  const { body: sent, repairs, warnings } = toRequest(turn, callSettings(turn, { model: 'gpt-5', ...settings }), tools)
  return {
    body: sent,
    input: sent['input'] as readonly JsonObject[], // the list that we made
    repairs: repairs.map(({ repair, block }) => [repair, block]),
    warnings,
  }
}

export const body = (
  given: Turn | readonly Block[],
  settings?: Partial<InferenceSettings>,
  tools?: readonly ToolSpec[],
) => project(given, settings, tools).body

export const input = (given: Turn | readonly Block[], settings?: Partial<InferenceSettings>) =>
  project(given, settings).input
