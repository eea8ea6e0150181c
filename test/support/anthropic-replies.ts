import type { InferenceEvent } from '../../src/events/event.ts'
import type { JsonObject } from '../../src/json.ts'
import { anthropic } from '../../src/providers/anthropic/protocol.ts'
import {
  otherBlock,
  toolCall,
  userText,
  type Block,
  type OtherBlock,
  type ToolCallBlock,
} from '../../src/turns/block.ts'
import { partialKey, sidecarKey } from '../../src/turns/keys.ts'
import { createTurn } from '../../src/turns/turn.ts'
import { replying, runToEnd, sse, type Outcome, type ReplyOptions } from './replies.ts'

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
export const blockStart = (index: number, block: JsonObject): JsonObject => ({
  type: 'content_block_start',
  index,
  content_block: block,
})
export const blockDelta = (index: number, delta: JsonObject): JsonObject => ({
  type: 'content_block_delta',
  index,
  delta,
})
export const blockStop = (index: number): JsonObject => ({ type: 'content_block_stop', index })
export const messageDelta = (
  stopReason: string | null,
  usage: JsonObject = { output_tokens: 20 },
  more: JsonObject = {},
): JsonObject => ({
  type: 'message_delta',
  delta: { stop_reason: stopReason, stop_sequence: null, ...more },
  usage,
})
export const messageStop: JsonObject = { type: 'message_stop' }
export const ping: JsonObject = { type: 'ping' }

/** A block that is opened, written in these deltas, and stopped. */
export const wholeBlock = (
  index: number,
  block: JsonObject,
  ...deltas: readonly JsonObject[]
): readonly JsonObject[] => [
  blockStart(index, block),
  ...deltas.map((delta) => blockDelta(index, delta)),
  blockStop(index),
]
export const textBlock = (index: number, ...texts: readonly string[]): readonly JsonObject[] =>
  wholeBlock(index, { type: 'text', text: '' }, ...texts.map((text) => ({ type: 'text_delta', text })))
export const thinkingBlock = (index: number, thinking: string, signature: string): readonly JsonObject[] =>
  wholeBlock(
    index,
    { type: 'thinking', thinking: '', signature: '' },
    { type: 'thinking_delta', thinking },
    { type: 'signature_delta', signature },
  )
export const toolBlock = (index: number, id: string, name: string, ...json: readonly string[]): readonly JsonObject[] =>
  wholeBlock(
    index,
    { type: 'tool_use', id, name, input: {} },
    ...json.map((partial) => ({ type: 'input_json_delta', partial_json: partial })),
  )
export const serverCall = (index: number, id: string, name: string, json: string): readonly JsonObject[] =>
  wholeBlock(index, { type: 'server_tool_use', id, name, input: {} }, { type: 'input_json_delta', partial_json: json })

/** A whole reply: its blocks between a beginning and an end. */
export function reply(
  blocks: readonly (readonly JsonObject[])[],
  stopReason = 'end_turn',
  more: JsonObject = {},
): readonly JsonObject[] {
  return [messageStart(), ...blocks.flat(), messageDelta(stopReason, { output_tokens: 20 }, more), messageStop]
}

/** The bytes of these messages. */
export function stream(messages: readonly JsonObject[]): string {
  return sse(
    messages.map((message) => JSON.stringify(message)),
    'named',
  )
}

/** Runs one call that is answered with `body`. */
export function hear(body: string, options: ReplyOptions = {}): Promise<Outcome> {
  const { fetch } = replying([body, options])
  return runToEnd(anthropic({ model: 'claude-test', fetch, retry: { maxAttempts: 1 } }), createTurn([userText('Hi')]))
}

/** The blocks that a reply made, without what the run adds to them. */
export function said({ turn }: Outcome): readonly Block[] {
  return turn.blocks.slice(1).map(({ id: _id, metadata = {}, ...block }) => {
    const kept = Object.entries(metadata).filter(([key]) => key === sidecarKey.id || key === partialKey.id)
    return { ...block, ...(kept.length > 0 && { metadata: Object.fromEntries(kept) }) }
  })
}

export function eventsOf<T extends InferenceEvent['type']>(outcome: Outcome, ...types: readonly T[]) {
  const names: readonly string[] = types
  return outcome.events.filter((event): event is Extract<InferenceEvent, { type: T }> => names.includes(event.type))
}

/** A block with what Anthropic sealed into it. */
export function sealed<B extends Block>(block: B, item: JsonObject, provider = 'anthropic'): B {
  return sidecarKey.set(block, { provider, item })
}

/** A tool call as a reply makes it: its id is the run's to give. */
export function call(...[id, name, args]: Parameters<typeof toolCall>): ToolCallBlock {
  const { id: _id, ...block } = toolCall(id, name, args)
  return block
}

/** A block that keeps an item of a provider. */
export function item(fields: JsonObject, provider = 'anthropic'): OtherBlock {
  return otherBlock('provider_item', { provider, item: fields })
}

/** A web search that was asked for, its result, and what text cites of it. */
export const search = { type: 'server_tool_use', id: 'srv_1', name: 'web_search', input: { query: 'x' } }
export const found = {
  type: 'web_search_tool_result',
  tool_use_id: 'srv_1',
  content: [
    { type: 'web_search_result', url: 'https://a.example/', title: 'A', encrypted_content: 'EB==', page_age: null },
  ],
}
export const citation = {
  type: 'web_search_result_location',
  cited_text: 'Said.',
  url: 'https://a.example/',
  title: 'A',
  encrypted_index: 'EA==',
}
export const searchCall = (index: number) => serverCall(index, 'srv_1', 'web_search', '{"query":"x"}')
