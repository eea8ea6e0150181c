import type { ToolSpec } from '../../src/inference/engine.ts'
import { callSettings, type InferenceSettings } from '../../src/inference/settings.ts'
import type { Json, JsonObject } from '../../src/json.ts'
import type { ProviderRequest } from '../../src/providers/protocol.ts'
import { toRequest } from '../../src/providers/anthropic/request.ts'
import type { Block } from '../../src/turns/block.ts'
import { blockResultKey } from '../../src/turns/keys.ts'
import type { Turn } from '../../src/turns/turn.ts'
import * as z from 'zod'

export const weather: ToolSpec = {
  name: 'weather',
  description: 'The weather in a city.',
  input: z.object({ city: z.string() }),
}

/** The request for a turn; nothing is cached unless the settings say so. */
export function project(
  turn: Turn,
  settings: Partial<InferenceSettings> = {},
  tools: readonly ToolSpec[] = [],
): ProviderRequest {
  return toRequest(turn, callSettings(turn, { model: 'claude-test', promptCache: 'none', ...settings }), tools)
}

/** The messages of a request, each as its role and its content blocks. */
export function messagesOf(
  body: JsonObject,
): readonly (readonly [role: Json | undefined, content: readonly JsonObject[]])[] {
  const messages = body['messages'] as readonly JsonObject[] // toRequest writes a list of messages
  return messages.map(({ role, content }) => [role, content as readonly JsonObject[]]) // with a list of content blocks each
}

/**
 * The messages in short: text as `"text"`, thinking as `think(text #signature)`, a call as `id: name(input)`, its result
 * as `id = text` or `id ! error`; every other content block, and one with more fields than these, as JSON.
 */
export function outline(body: JsonObject): readonly string[] {
  return messagesOf(body).map(([role, content]) => [role, ...content.map(inShort)].join(' '))
}

function inShort(content: JsonObject): string {
  const {
    type,
    text,
    thinking,
    signature,
    id,
    name,
    input,
    tool_use_id: call,
    is_error: isError,
    content: result,
  } = content
  const shapes: Readonly<Record<string, readonly [short: string, fields: readonly string[]]>> = {
    text: [JSON.stringify(text), ['type', 'text']],
    thinking: [`think(${String(thinking)} #${String(signature)})`, ['type', 'thinking', 'signature']],
    tool_use: [`${String(id)}: ${String(name)}(${JSON.stringify(input)})`, ['type', 'id', 'name', 'input']],
    tool_result: [
      `${String(call)} ${isError === true ? '!' : '='} ${String(result)}`,
      ['type', 'tool_use_id', 'content', 'is_error'],
    ],
  }
  const [short, fields] = shapes[String(type)] ?? ['', []]
  return Object.keys(content).every((field) => fields.includes(field)) ? short : JSON.stringify(content)
}

/** A block of a reply that the provider paused. */
export function paused<B extends Block>(block: B): B {
  return blockResultKey.set(block, { finish_class: 'unknown', provider: 'anthropic', stop_reason: 'pause_turn' })
}
