import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as wire from '../../../test/support/anthropic-replies.ts'
import { item, sealed, search } from '../../../test/support/anthropic-replies.ts'
import { messagesOf, paused, project, weather } from '../../../test/support/anthropic-requests.ts'
import * as some from '../../../test/support/arbitraries.ts'
import { replying, runToEnd } from '../../../test/support/replies.ts'
import { validateAnthropicRequest } from '../../../test/support/validate-anthropic.ts'
import { deepFreeze } from '../../../test/support/values.ts'
import type { Engine, ToolSpec } from '../../inference/engine.ts'
import { isJsonObject, type Json, type JsonObject } from '../../json.ts'
import {
  assistantText,
  reasoning,
  systemText,
  toolCall,
  toolError,
  toolResult,
  userText,
  type Block,
} from '../../turns/block.ts'
import { claudeOriginalContentKey, partialKey } from '../../turns/keys.ts'
import { append, createTurn, type Turn } from '../../turns/turn.ts'
import { anthropic } from './protocol.ts'

// What holds for every turn, and from each request of a session to the next.

const thinking = { type: 'thinking', thinking: 'Hm.', signature: 'c2ln' }
const redacted = { type: 'redacted_thinking', data: 'ZGF0YQ==' }
const thought = sealed(reasoning({ text: 'Hm.', signature: 'c2ln' }), thinking)
const found = { type: 'web_search_tool_result', tool_use_id: 'srv_1', content: [] }

/** A request without its marks: what the cache compares. */
function compared(body: JsonObject): JsonObject {
  return JSON.parse(
    JSON.stringify(body, (key, value: unknown) => (key === 'cache_control' ? undefined : value)),
  ) as JsonObject // the body again
}

/** The requests of a session: two prompts, thinking, parallel calls, a search, a pause. */
async function sessionRequests(): Promise<{ readonly turn: Turn; readonly bodies: readonly JsonObject[] }> {
  const citation = { type: 'web_search_result_location', url: 'https://a.example/', cited_text: 'x' }
  const { fetch, sent } = replying(
    ...[
      wire.reply(
        [
          wire.thinkingBlock(0, 'Two at once.', 's1'),
          wire.textBlock(1, 'Let me see.'),
          wire.toolBlock(2, 'a', 'weather', '{"city":"A"}'),
          wire.toolBlock(3, 'b', 'weather', '{"city":"B"}'),
        ],
        'tool_use',
      ),
      wire.reply(
        [wire.thinkingBlock(0, 'More.', 's2'), wire.serverCall(1, 'srv_1', 'web_search', '{"query":"x"}')],
        'pause_turn',
      ),
      wire.reply([
        wire.wholeBlock(0, found),
        wire.wholeBlock(
          1,
          { type: 'text', text: '' },
          { type: 'citations_delta', citation },
          { type: 'text_delta', text: 'Rain.' },
        ),
        wire.textBlock(2, '\n\n'),
        wire.textBlock(3, 'Sun.'),
      ]),
      wire.reply([wire.wholeBlock(0, redacted), wire.textBlock(1, 'Bye.')]),
    ].map((messages) => [wire.stream(messages)] as const),
  )
  const bare = anthropic({ model: 'claude-test', fetch, inference: { thinking_budget: 2000 } })
  const engine: Engine = (turn, context) => bare(turn, { ...context, tools: [weather] })
  const first = await runToEnd(engine, createTurn([systemText('Be brief.'), userText('Weather?')]))
  const second = await runToEnd(engine, append(first.turn, toolResult('b', 'sun'), toolError('a', 'no such city')))
  const third = await runToEnd(engine, append(second.turn, userText('Thanks')))
  return { turn: third.turn, bodies: sent.map(({ body }) => JSON.parse(body) as JsonObject) } // what the engine sent
}

describe('from request to request', () => {
  test('what was sent once is sent again, byte for byte', async () => {
    const { bodies } = await sessionRequests()
    expect(bodies).toHaveLength(4)
    for (const [index, body] of bodies.entries()) {
      expect(validateAnthropicRequest(body)).toEqual([])
      const before = bodies[index - 1]
      if (before === undefined) continue
      const sent = messagesOf(compared(before))
      // A paused reply grows: the assistant message that it was is the beginning of the one that it becomes.
      const wasPaused = sent.at(-1)?.[0] === 'assistant'
      const again = messagesOf(compared(body)).slice(0, sent.length)
      expect(JSON.stringify(again.slice(0, wasPaused ? -1 : undefined))).toBe(
        JSON.stringify(sent.slice(0, wasPaused ? -1 : undefined)),
      )
      if (wasPaused)
        expect(JSON.stringify(again.at(-1)).startsWith(JSON.stringify(sent.at(-1)).slice(0, -2))).toBe(true)
      expect([body['system'], body['tools']]).toEqual([before['system'], before['tools']])
    }
  })

  test('another provider in between changes nothing of what this one wrote before', async () => {
    const { turn } = await sessionRequests()
    const stayed = project(append(turn, userText('And?')), { inference: { thinking_budget: 2000 } }).body
    const elsewhere = [
      sealed(
        reasoning({ text: 'Secret.', encrypted_content: 'sealed-by-another' }),
        { type: 'reasoning', id: 'rs_1', encrypted_content: 'sealed-by-another' },
        'openai-responses',
      ),
      sealed(assistantText('Hello from elsewhere.'), { type: 'message', id: 'item-of-another' }, 'openai-responses'),
      item({ type: 'web_search_call', id: 'item-of-another' }, 'openai-responses'),
    ]
    const switched = project(append(turn, userText('And?'), ...elsewhere, userText('Back')), {
      inference: { thinking_budget: 2000 },
    }).body
    const prefix = messagesOf(stayed)
    expect(JSON.stringify(messagesOf(switched).slice(0, prefix.length))).toBe(JSON.stringify(prefix))
    expect(JSON.stringify(switched)).not.toMatch(/Secret|sealed-by-another|item-of-another/)
  })

  test('every cut of a session can be sent', async () => {
    const { turn } = await sessionRequests()
    for (let length = 0; length <= turn.blocks.length; length += 1) {
      for (const inference of [{}, { thinking_budget: 2000 }]) {
        const cut = { ...turn, blocks: turn.blocks.slice(0, length) }
        expect(validateAnthropicRequest(project(cut, { inference, promptCache: 'short' }, [weather]).body)).toEqual([])
        expect(validateAnthropicRequest(project(append(cut, userText('Go on')), { inference }).body)).toEqual([])
      }
    }
  })
})

describe('any turn', () => {
  const ids = fc.constantFrom('a', 'b', 'é', '')
  const ownItem = fc.oneof(
    fc.constantFrom<JsonObject>(
      thinking,
      redacted,
      search,
      found,
      { ...search, input: 'cut' },
      { type: 'compaction', content: 'x' },
      { type: 'text', text: 'Yes.', citations: [{}] },
      { ...thinking, signature: '' },
    ),
    some.jsonObject,
  )
  const ours = fc.oneof(
    fc.tuple(ids, fc.oneof(some.jsonObject, some.text)).map(([id, args]) => toolCall(id, 'weather', args)),
    fc.tuple(ids, some.json).map(([id, result]) => toolResult(id, result)),
    fc.tuple(ids, some.text).map(([id, error]) => toolError(id, error)),
    ownItem.map((fields) => item(fields)),
    fc
      .tuple(
        fc.constantFrom(thought, reasoning({ signature: 's' }), assistantText('Yes.'), toolCall('a', 'weather', {})),
        ownItem,
        fc.constantFrom('anthropic', 'gemini'),
      )
      .map(([block, fields, provider]) => sealed<Block>(block, fields, provider)),
    fc
      .tuple(
        fc.constantFrom<Block>(assistantText('Yes.'), userText('Hi')),
        fc.oneof(some.json, fc.array(ownItem, { maxLength: 3 })),
      )
      .map(([block, original]) => claudeOriginalContentKey.set(block, original)),
    fc.constantFrom<Block>(thought, assistantText('Yes. '), item(search)).map(paused),
    some.block.map((block) => partialKey.set(block, true)),
  )
  const anyTurn = fc.array(fc.oneof(some.block, ours, ours), { maxLength: 10 }).map((blocks) => createTurn(blocks))
  const anySettings = fc.record({
    promptCache: fc.constantFrom('none' as const, 'short' as const, 'long' as const),
    inference: fc.record({
      thinking_budget: fc.constantFrom(0, 10, 5000),
      max_response_tokens: fc.constantFrom(1, 4096),
      temperature: fc.constantFrom(0, 1),
      thinking_type: fc.constantFrom('', 'adaptive', 'enabled'),
    }),
  })
  const anyTools = fc.constantFrom<readonly ToolSpec[]>([], [weather])

  test('gives a request that the provider takes, the same each time, and is not changed by it', () => {
    fc.assert(
      fc.property(anyTurn, anySettings, anyTools, (turn, settings, tools) => {
        const { body } = project(deepFreeze(turn), settings, tools)
        expect(validateAnthropicRequest(body)).toEqual([])
        expect(JSON.stringify(project(turn, settings, tools).body)).toBe(JSON.stringify(body))
        expect(isJsonObject(JSON.parse(JSON.stringify(body)))).toBe(true)
      }),
      { numRuns: 1500 },
    )
  })

  test('that a conversation could be sent with is sent as it is: what was repaired needs no further repair', () => {
    fc.assert(
      fc.property(anyTurn, (turn) => {
        const once = project(turn)
        const again = project(createTurn(fromMessages(once.body)))
        expect(again.repairs.filter(({ repair }) => repair !== 'undeclared-tools')).toEqual([])
        // The answer that stands in for a missing one is text alone; stored as an error, it is sent as JSON.
        const standsIn = JSON.stringify('{"error":"interrupted: no result was recorded"}')
        expect(
          JSON.stringify(again.body['messages']).replaceAll(standsIn, '"interrupted: no result was recorded"'),
        ).toBe(JSON.stringify(once.body['messages']))
      }),
      { numRuns: 500 },
    )
  })
})

/** The turn that these messages say, with everything that the API knows of them. */
function fromMessages(body: JsonObject): readonly Block[] {
  const messages = messagesOf(body)
  const resumes = messages.at(-1)?.[0] === 'assistant'
  const blocks = messages.flatMap(([role, content]) => content.map((part) => toBlock(role, part))) // written by toRequest
  return resumes ? blocks.map((block, index) => (index === blocks.length - 1 ? paused(block) : block)) : blocks
}

function toBlock(role: Json | undefined, part: JsonObject): Block {
  const { type, text: said, id, name, input, tool_use_id: call, content, is_error: isError, signature } = part
  switch (type) {
    case 'text':
      if (role === 'assistant') return sealed(assistantText(String(said)), part)
      return Object.keys(part).length === 2
        ? userText(String(said))
        : claudeOriginalContentKey.set(userText(''), [part])
    case 'thinking':
      return sealed(reasoning({ text: String(part['thinking']), signature: String(signature) }), part)
    case 'redacted_thinking':
      return sealed(reasoning({ encrypted_content: String(part['data']) }), part)
    case 'tool_use':
      return sealed(toolCall(String(id), String(name), input ?? {}), part)
    case 'tool_result':
      return claudeResult(String(call), String(content ?? ''), isError === true)
    case 'image':
    case 'document':
    case 'search_result':
      return claudeOriginalContentKey.set(userText(''), [part])
    default:
      return item(part)
  }
}

function claudeResult(id: string, content: string, isError: boolean): Block {
  if (!isError) return toolResult(id, content)
  const parsed: unknown = content.startsWith('{') ? JSON.parse(content) : undefined
  return isJsonObject(parsed) && typeof parsed['error'] === 'string'
    ? toolError(id, parsed['error'], parsed['result'])
    : toolError(id, content)
}
