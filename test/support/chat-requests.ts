import * as z from 'zod'
import type { ToolSpec } from '../../src/inference/engine.ts'
import { callSettings, type InferenceSettings } from '../../src/inference/settings.ts'
import type { Json, JsonObject } from '../../src/json.ts'
import { toRequest } from '../../src/providers/openai/request.ts'
import { vendorOf } from '../../src/providers/openai/vendors.ts'
import type { ProviderRequest } from '../../src/providers/protocol.ts'
import { reasoning, type Block } from '../../src/turns/block.ts'
import { sidecarKey } from '../../src/turns/keys.ts'
import { createTurn, type Turn } from '../../src/turns/turn.ts'
import type { ChatRules } from './validate-chat.ts'

export const weather: ToolSpec = {
  name: 'weather',
  description: 'The weather in a city.',
  input: z.object({ city: z.string() }),
}

/** Where a request goes, and what its endpoint demands. */
export interface Endpoint {
  readonly baseUrl: string
  readonly model: string
  readonly rules: ChatRules
}

export const endpoints = {
  openai: { baseUrl: 'https://api.openai.com/v1', model: 'gpt-4o', rules: 'openai' },
  azure: { baseUrl: 'https://me.openai.azure.com/openai/v1', model: 'gpt-4o', rules: 'openai' },
  deepseek: { baseUrl: 'https://api.deepseek.com', model: 'deepseek-reasoner', rules: 'deepseek' },
  moonshot: { baseUrl: 'https://api.moonshot.ai/v1', model: 'kimi-k2.6', rules: 'deepseek' },
  mistral: { baseUrl: 'https://api.mistral.ai/v1', model: 'magistral-medium', rules: 'mistral' },
  groq: { baseUrl: 'https://api.groq.com/openai/v1', model: 'qwen3', rules: 'service' },
  xai: { baseUrl: 'https://api.x.ai/v1', model: 'grok-4', rules: 'service' },
  alibaba: { baseUrl: 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1', model: 'qwen3-max', rules: 'service' },
  together: { baseUrl: 'https://api.together.xyz/v1', model: 'Qwen/Qwen3', rules: 'service' },
  fireworks: {
    baseUrl: 'https://api.fireworks.ai/inference/v1',
    model: 'accounts/fireworks/models/qwen3',
    rules: 'service',
  },
  openrouter: { baseUrl: 'https://openrouter.ai/api/v1', model: 'anthropic/claude-sonnet-4.5', rules: 'service' },
  ollama: { baseUrl: 'http://localhost:11434/v1', model: 'gpt-oss:20b', rules: 'template' },
  vllm: { baseUrl: 'http://10.0.0.5:8000/v1', model: 'Qwen/Qwen3-32B', rules: 'template' },
  'llama.cpp': { baseUrl: 'http://127.0.0.1:8080/v1', model: 'gemma-3', rules: 'template' },
} as const satisfies Readonly<Record<string, Endpoint>>
export type EndpointName = keyof typeof endpoints

/** The request for a turn, as it goes to one of the endpoints. */
export function project(
  turn: Turn | readonly Block[],
  settings: Partial<InferenceSettings> = {},
  tools: readonly ToolSpec[] = [],
  to: EndpointName = 'openai',
): ProviderRequest {
  const { baseUrl, model } = endpoints[to]
  const whole = 'blocks' in turn ? turn : createTurn(turn)
  const all = { model, ...settings }
  return toRequest(vendorOf(baseUrl, all.model), whole, callSettings(whole, all), tools)
}

export function messagesOf({ body }: ProviderRequest): readonly JsonObject[] {
  return body['messages'] as readonly JsonObject[] // toRequest writes a list of messages
}

/** A block with what this provider, or another, sealed into it. */
export function sealed<B extends Block>(block: B, item: JsonObject, provider = 'openai'): B {
  return sidecarKey.set(block, { provider, item })
}

export function thought(
  text: string,
  field: 'reasoning' | 'reasoning_content' = 'reasoning_content',
  more: JsonObject = {},
) {
  return sealed(reasoning({ text }), { [field]: text, ...more })
}

/** A call as a message has it. */
export function sentCall(id: string, name: string, args: Json, more: JsonObject = {}): JsonObject {
  const written = typeof args === 'string' ? args : JSON.stringify(args)
  return { id, type: 'function', function: { name, arguments: written }, ...more }
}
