import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as some from '../../../test/support/arbitraries.ts'
import { call, chunk, ends, made, stream } from '../../../test/support/chat-replies.ts'
import {
  endpoints,
  messagesOf,
  project,
  sealed,
  sentCall,
  weather,
  type EndpointName,
} from '../../../test/support/chat-requests.ts'
import { replying, runToEnd } from '../../../test/support/replies.ts'
import { validateChatRequest } from '../../../test/support/validate-chat.ts'
import { deepFreeze } from '../../../test/support/values.ts'
import type { Engine } from '../../inference/engine.ts'
import type { JsonObject } from '../../json.ts'
import {
  assistantText,
  otherBlock,
  reasoning,
  systemText,
  toolCall,
  toolError,
  toolResult,
  userText,
  type Block,
} from '../../turns/block.ts'
import { partialKey } from '../../turns/keys.ts'
import { append, createTurn, type Turn } from '../../turns/turn.ts'
import { openai } from './protocol.ts'

// What holds for every turn, and from each request of a session to the next.

const names = Object.keys(endpoints) as readonly EndpointName[] // the keys of the table
const details = (text: string) => [{ type: 'reasoning.text', text, signature: 'c2ln', index: 0 }]

/** The requests of a session at one endpoint: two prompts, reasoning in each of its forms, parallel calls. */
async function sessionAt(name: EndpointName): Promise<{ readonly turn: Turn; readonly bodies: readonly JsonObject[] }> {
  const { baseUrl, model } = endpoints[name]
  const thoughts = [
    chunk({ reasoning_content: 'Two at once.' }),
    chunk({ reasoning: 'Two at once.', reasoning_details: details('Two at once.') }),
    chunk({ content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'Two at once.' }] }] }),
  ]
  const { fetch, sent } = replying(
    ...[
      ...thoughts.map((thought) => [
        thought,
        chunk({ content: 'Let me see.' }),
        call({ index: 0, id: 'call_a', ...made('weather', '{"city": "A"}') }),
        call({ index: 1, id: 'call_b', ...made('weather', '{"city":"B"}') }),
        ends('tool_calls'),
      ]),
      [
        chunk({ reasoning_content: 'More.' }),
        chunk({
          content: [
            { type: 'text', text: 'Rain.' },
            { type: 'reference', reference_ids: [1] },
          ],
        }),
        ends(),
      ],
      [chunk({ content: 'Bye.' }), ends()],
    ].map((chunks, index) => [stream(chunks.map((each) => ({ ...each, id: `r${index}` })))] as const),
  )
  const bare = openai({ model, baseUrl, fetch, network: { allowHttp: true, allowPrivate: true } })
  const engine: Engine = (turn, context) => bare(turn, { ...context, tools: [weather] })
  let turn = createTurn([systemText('Be brief.'), userText('Weather?')])
  for (let step = 0; step < thoughts.length; step += 1) {
    turn = append((await runToEnd(engine, turn)).turn, toolResult('call_b', 'sun'), toolError('call_a', 'no such city'))
  }
  turn = append((await runToEnd(engine, turn)).turn, userText('Thanks'))
  return { turn: (await runToEnd(engine, turn)).turn, bodies: sent.map(({ body }) => JSON.parse(body) as JsonObject) } // what the engine sent
}

describe.each(names)('from request to request at %s', (name) => {
  const messages = (body: JsonObject) => body['messages'] as readonly JsonObject[] // toRequest writes a list of messages

  test('what was sent once is sent again, byte for byte', async () => {
    const { bodies } = await sessionAt(name)
    expect(bodies).toHaveLength(5)
    for (const [index, body] of bodies.entries()) {
      expect(validateChatRequest(body, endpoints[name].rules)).toEqual([])
      const before = bodies[index - 1]
      if (before === undefined) continue
      expect(JSON.stringify(messages(body).slice(0, messages(before).length))).toBe(JSON.stringify(messages(before)))
      expect(body['tools']).toEqual(before['tools'])
    }
  })

  test('another provider in between changes nothing of what this one wrote before', async () => {
    const { turn } = await sessionAt(name)
    const stayed = messagesOf(project(append(turn, userText('And?')), {}, [], name))
    const elsewhere = [
      sealed(
        reasoning({ text: 'Secret.', signature: 'sealed-by-another' }),
        { type: 'thinking', thinking: 'Secret.', signature: 'sealed-by-another' },
        'anthropic',
      ),
      reasoning({ text: 'Secret.', encrypted_content: 'sealed-by-another' }),
      sealed(assistantText('Hello from elsewhere.'), { type: 'message', id: 'item-of-another' }, 'openai-responses'),
      otherBlock('provider_item', { provider: 'anthropic', item: { id: 'item-of-another' } }),
      sealed(
        toolCall('toolu_1', 'weather', {}),
        { type: 'tool_use', id: 'toolu_1', caller: 'item-of-another' },
        'anthropic',
      ),
      toolResult('toolu_1', 'sun'),
      assistantText('Sun.'),
    ]
    const switched = messagesOf(project(append(turn, userText('And?'), ...elsewhere, userText('Back')), {}, [], name))
    expect(JSON.stringify(switched.slice(0, stayed.length))).toBe(JSON.stringify(stayed))
    expect(JSON.stringify(switched)).not.toMatch(/Secret|sealed-by-another|item-of-another/)
  })

  test('every cut of a session can be sent', async () => {
    const { turn } = await sessionAt(name)
    for (let length = 0; length <= turn.blocks.length; length += 1) {
      const cut = { ...turn, blocks: turn.blocks.slice(0, length) }
      for (const each of [cut, append(cut, userText('Go on'))]) {
        expect(validateChatRequest(project(each, {}, [weather], name).body, endpoints[name].rules)).toEqual([])
      }
    }
  })
})

describe('any turn', () => {
  const ids = fc.constantFrom('a', 'b', 'é', '', 'functions.f:0', 'x'.repeat(60), 'abcdefghi')
  const callOf = fc.tuple(ids, fc.oneof(some.jsonObject, some.text)).map(([id, args]) => toolCall(id, 'weather', args))
  const ownItem = fc.oneof(
    fc.constantFrom<JsonObject>(
      { reasoning_content: 'Hm.' },
      { reasoning: 'Hm.', reasoning_details: details('Hm.') },
      { reasoning_details: [{ type: 'reasoning.encrypted', data: 'x' }] },
      { content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'Hm.' }] }] },
      {
        content: [
          { type: 'text', text: 'Hm.' },
          { type: 'reference', reference_ids: [1] },
        ],
      },
      sentCall('a', 'weather', '{"city": "A"}', { extra_content: {} }),
      { id: 'a', type: 'custom', custom: { name: 'weather', input: 'x' } },
    ),
    some.jsonObject,
  )
  const ours = fc.oneof(
    callOf,
    fc.tuple(ids, some.json).map(([id, result]) => toolResult(id, result)),
    fc.constantFrom<Block>(
      reasoning({ text: 'Hm.' }),
      assistantText('Hm.'),
      toolCall('a', 'weather', { city: 'A' }),
      toolCall('a', 'weather', 'x'),
      userText('Hi'),
    ),
  )
  const marked = fc.tuple(fc.oneof(ours, some.block), ownItem, fc.boolean()).map(([block, item, isCut]) => {
    const own = sealed(block, item)
    return isCut ? partialKey.set(own, true) : own
  })
  const turns = fc.array(fc.oneof(some.block, ours, marked), { maxLength: 12 })

  test.each(names)('can be sent to %s', (name) => {
    fc.assert(
      fc.property(turns, fc.boolean(), (blocks, hasTools) => {
        const turn = deepFreeze(createTurn(blocks))
        const { body, repairs } = project(turn, {}, hasTools ? [weather] : [], name)
        expect(validateChatRequest(body, endpoints[name].rules)).toEqual([])
        for (const { block } of repairs) expect(block).toBeLessThan(Math.max(blocks.length, 1))
        expect(JSON.stringify(project(turn, {}, hasTools ? [weather] : [], name).body)).toBe(JSON.stringify(body))
      }),
      { numRuns: 150 },
    )
  })
})
