import Anthropic from '@anthropic-ai/sdk'
import type { BetaMessage } from '@anthropic-ai/sdk/resources/beta/messages/messages'
import { expect } from 'vitest'
import type { JsonObject } from '../../src/json.ts'
import type { Block } from '../../src/turns/block.ts'
import { inferenceResultKey, sidecarKey } from '../../src/turns/keys.ts'
import { hear } from './anthropic-replies.ts'

// The official SDK as a witness: given the same bytes it must read the same reply.

/** Fails unless the SDK and our engine read the same in `body`. */
export async function compareWithSdk(body: string): Promise<void> {
  const message = await readBySdk(body)
  const { turn, error } = await hear(body)
  expect(error).toBeUndefined()
  expect(saying(turn.blocks.slice(1).map(asContent))).toEqual(saying(message.content))
  const result = inferenceResultKey.get(turn)
  expect([result?.response_id, result?.model, result?.stop_reason]).toEqual([
    message.id,
    message.model,
    message.stop_reason,
  ])
  const { input_tokens: fresh, cache_creation_input_tokens: created, cache_read_input_tokens: read } = message.usage
  expect(result?.usage).toMatchObject({
    input_tokens: fresh + (created ?? 0) + (read ?? 0),
    output_tokens: message.usage.output_tokens,
  })
}

function readBySdk(body: string): Promise<BetaMessage> {
  const fetch = () => Promise.resolve(new Response(body, { headers: { 'content-type': 'text/event-stream' } }))
  const client = new Anthropic({ apiKey: 'k', fetch, maxRetries: 0 })
  return client.beta.messages
    .stream({ model: 'claude-test', max_tokens: 100, messages: [{ role: 'user', content: 'Hi' }] })
    .finalMessage()
}

/** A block of ours as the SDK would have it. */
function asContent(block: Block): unknown {
  const sidecar = sidecarKey.get(block)
  if (sidecar !== undefined) return sidecar.item
  if (block.kind === 'llm_text') return { type: 'text', text: block.payload.text }
  if (block.kind === 'other') return block.payload['item']
  if (block.kind !== 'tool_call') return undefined
  return { type: 'tool_use', id: block.payload.id, name: block.payload.name, input: block.payload.args }
}

/** Content without blocks in which nothing is said, and without citations that are none. */
function saying(content: unknown): unknown {
  const plain = JSON.parse(JSON.stringify(content)) as readonly JsonObject[] // the SDK hides what it has not parsed yet
  return plain
    .filter((part) => part['text'] !== '')
    .map(({ citations, ...part }) => (Array.isArray(citations) && citations.length > 0 ? { ...part, citations } : part))
}
