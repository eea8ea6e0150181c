import { expect } from 'vitest'
import type { InferenceEvent } from '../../src/events/event.ts'
import type { Json, JsonObject } from '../../src/json.ts'
import { openai } from '../../src/providers/openai/protocol.ts'
import type { ProviderSettings } from '../../src/providers/provider-settings.ts'
import { userText, type Block } from '../../src/turns/block.ts'
import { createTurn, type Turn } from '../../src/turns/turn.ts'
import { replying, runToEnd, sse, type Outcome } from './replies.ts'

// Replies of Chat Completions, written as the deltas that they are made of.

/** A chunk with one choice. */
export function chunk(delta: JsonObject, finish: string | null = null, more: JsonObject = {}): JsonObject {
  return { ...head, choices: [{ index: 0, delta, finish_reason: finish, logprobs: null }], ...more }
}

/** A chunk with one piece of one tool call. */
export function call(piece: JsonObject): JsonObject {
  return chunk({ tool_calls: [piece] })
}

/** What a call says of its function. */
export function made(name: string | undefined, args: Json): JsonObject {
  return { function: { ...(name !== undefined && { name }), arguments: args } }
}

/** A chunk beside the choices, as OpenAI ends with. */
export function spent(usage: JsonObject): JsonObject {
  return { ...head, choices: [], usage }
}

const head = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'gpt-test' }
export const ends = (reason = 'stop'): JsonObject => chunk({}, reason)

export function stream(chunks: readonly JsonObject[], isDone = true): string {
  const messages = chunks.map((each) => JSON.stringify(each))
  return isDone ? sse(messages, 'chat') : messages.map((message) => `data: ${message}\n\n`).join('')
}

export interface Hearing {
  readonly settings?: Partial<ProviderSettings>
  readonly turn?: Turn
  /** What follows the last byte. */
  readonly then?: 'end' | 'break'
}

/** Reads `body` through the engine, whole and cut in pieces, which must make no difference. */
export async function hear(
  body: string,
  { settings = {}, turn = createTurn([userText('Hi')]), then = 'end' }: Hearing = {},
): Promise<Outcome> {
  const outcome = (chunkSize?: number) => {
    const { fetch } = replying([body, { then, ...(chunkSize !== undefined && { chunkSize }) }])
    return runToEnd(openai({ model: 'gpt-test', fetch, retry: { maxAttempts: 1 }, ...settings }), turn)
  }
  const whole = await outcome()
  for (const chunkSize of [1, 13]) expect(await outcome(chunkSize), `chunks of ${chunkSize} bytes`).toEqual(whole)
  expectGapless(whole.events)
  return whole
}

/** Deltas of one segment or call begin where the one before ended. */
function expectGapless(events: readonly InferenceEvent[]): void {
  const ends = new Map<string, number>()
  for (const event of events) {
    if (!('offset' in event)) continue
    const key = 'segmentId' in event ? event.segmentId : event.toolCallId
    expect(event.offset).toBe(ends.get(key) ?? 0)
    ends.set(key, event.offset + event.delta.length)
  }
}

/** What was shown of one kind, joined. */
export function shown(
  { events }: Outcome,
  type: 'text-delta' | 'reasoning-delta' | 'tool-call-arguments-delta',
): string {
  return events.flatMap((event) => (event.type === type ? [event.delta] : [])).join('')
}

/** What the reply left in the turn: kind and what it says. */
export function said({ turn }: Outcome): readonly (readonly unknown[])[] {
  return turn.blocks.slice(1).map(inShort)
}

function inShort(block: Block): readonly unknown[] {
  switch (block.kind) {
    case 'tool_call':
      return ['call', block.payload.id, block.payload.name, block.payload.args]
    case 'llm_text':
      return ['text', block.payload.text]
    case 'reasoning':
      return ['reasoning', block.payload.text ?? '']
    default:
      return [block.kind, block.payload]
  }
}
