import type { JsonObject } from '../../src/json.ts'
import { sse } from './replies.ts'

// Wire messages of the Messages API, for replies that a test writes by hand.

export const messageStart = (more: JsonObject = {}): JsonObject => ({
  type: 'message_start',
  message: {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-test-1',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: 10, output_tokens: 1 },
    ...more,
  },
})
export const blockStart = (index: number, block: JsonObject): JsonObject => ({ type: 'content_block_start', index, content_block: block })
export const blockDelta = (index: number, delta: JsonObject): JsonObject => ({ type: 'content_block_delta', index, delta })
export const blockStop = (index: number): JsonObject => ({ type: 'content_block_stop', index })
export const messageDelta = (stopReason: string | null, usage: JsonObject = { output_tokens: 20 }, more: JsonObject = {}): JsonObject => ({
  type: 'message_delta',
  delta: { stop_reason: stopReason, stop_sequence: null, ...more },
  usage,
})
export const messageStop: JsonObject = { type: 'message_stop' }
export const ping: JsonObject = { type: 'ping' }

/** A block that is opened, written in these deltas, and stopped. */
export const wholeBlock = (index: number, block: JsonObject, ...deltas: readonly JsonObject[]): readonly JsonObject[] => [
  blockStart(index, block),
  ...deltas.map((delta) => blockDelta(index, delta)),
  blockStop(index),
]
export const textBlock = (index: number, ...texts: readonly string[]): readonly JsonObject[] =>
  wholeBlock(index, { type: 'text', text: '' }, ...texts.map((text) => ({ type: 'text_delta', text })))
export const thinkingBlock = (index: number, thinking: string, signature: string): readonly JsonObject[] =>
  wholeBlock(index, { type: 'thinking', thinking: '', signature: '' }, { type: 'thinking_delta', thinking }, { type: 'signature_delta', signature })
export const toolBlock = (index: number, id: string, name: string, ...json: readonly string[]): readonly JsonObject[] =>
  wholeBlock(index, { type: 'tool_use', id, name, input: {} }, ...json.map((partial) => ({ type: 'input_json_delta', partial_json: partial })))
export const serverCall = (index: number, id: string, name: string, json: string): readonly JsonObject[] =>
  wholeBlock(index, { type: 'server_tool_use', id, name, input: {} }, { type: 'input_json_delta', partial_json: json })

/** A whole reply: its blocks between a beginning and an end. */
export function reply(blocks: readonly (readonly JsonObject[])[], stopReason = 'end_turn', more: JsonObject = {}): readonly JsonObject[] {
  return [messageStart(), ...blocks.flat(), messageDelta(stopReason, { output_tokens: 20 }, more), messageStop]
}

/** The bytes of these messages. */
export function stream(messages: readonly JsonObject[]): string {
  return sse(messages.map((message) => JSON.stringify(message)), 'named')
}
