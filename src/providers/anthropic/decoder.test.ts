import fc from 'fast-check'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import * as wire from '../../../test/support/anthropic-replies.ts'
import * as some from '../../../test/support/arbitraries.ts'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { replying, runToEnd, sse, type Outcome, type ReplyOptions } from '../../../test/support/replies.ts'
import type { InferenceEvent } from '../../events/event.ts'
import { isJsonObject, type JsonObject } from '../../json.ts'
import { assistantText, otherBlock, reasoning, toolCall, userText, type Block } from '../../turns/block.ts'
import { inferenceResultKey, partialKey, sidecarKey } from '../../turns/keys.ts'
import { answerText, blocksOf, createTurn } from '../../turns/turn.ts'
import { ProviderError } from '../error.ts'
import type { Fetch } from '../transport.ts'
import { anthropic } from './protocol.ts'

const prompt = createTurn([userText('Hi')])

function hear(body: string, options: ReplyOptions = {}): Promise<Outcome> {
  return runToEnd(anthropic({ model: 'claude-test', fetch: replying([body, options]).fetch, retry: { maxAttempts: 1 } }), prompt)
}

/** The blocks that a reply made, without what the run adds to them. */
function said({ turn }: Outcome): readonly Block[] {
  return turn.blocks.slice(1).map(({ id: _id, metadata, ...block }) => {
    const sidecar = metadata?.[sidecarKey.id]
    const partial = metadata?.[partialKey.id]
    const kept = { ...(sidecar !== undefined && { [sidecarKey.id]: sidecar }), ...(partial !== undefined && { [partialKey.id]: partial }) }
    return { ...block, ...(Object.keys(kept).length > 0 && { metadata: kept }) } as Block // a block without its id is one
  })
}
const sealedBy = (block: Block, item: JsonObject) => sidecarKey.set(block, { provider: 'anthropic', item })
const cutOff = (block: Block) => partialKey.set(block, true)
const call = (id: string, name: string, args: Parameters<typeof toolCall>[2]) => {
  const { id: _id, ...block } = toolCall(id, name, args)
  return block as Block // the run gives the id
}
const item = (fields: JsonObject) => otherBlock('provider_item', { provider: 'anthropic', item: fields })
const eventsOf = <T extends InferenceEvent['type']>({ events }: Outcome, ...types: readonly T[]) =>
  events.filter((event): event is Extract<InferenceEvent, { type: T }> => (types as readonly string[]).includes(event.type))

const citation = { type: 'web_search_result_location', cited_text: 'Said.', url: 'https://a.example/', title: 'A', encrypted_index: 'EA==' }
const resultItem = { type: 'web_search_tool_result', tool_use_id: 'srv_1', content: [{ type: 'web_search_result', url: 'https://a.example/', title: 'A', encrypted_content: 'EB==', page_age: null }] }

describe('what a reply says', () => {
  test.each<[string, readonly JsonObject[], readonly Block[], JsonObject]>([
    ['text in pieces is one block', wire.reply([wire.textBlock(0, 'Hel', 'lo')]), [assistantText('Hello')], { stop_reason: 'end_turn', finish_class: 'completed' }],
    ['text that came with the opening of its block is kept', wire.reply([wire.wholeBlock(0, { type: 'text', text: 'Hel' }, { type: 'text_delta', text: 'lo' })]), [assistantText('Hello')], {}],
    ['a block in which nothing is said is no block', wire.reply([wire.textBlock(0), wire.textBlock(1, 'Hi'), wire.wholeBlock(2, { type: 'thinking', thinking: '' })]), [assistantText('Hi')], {}],
    [
      'thinking is kept with its seal, key for key',
      wire.reply([wire.thinkingBlock(0, 'Hm.', 'c2ln'), wire.textBlock(1, 'Yes.')]),
      [sealedBy(reasoning({ text: 'Hm.', signature: 'c2ln' }), { type: 'thinking', thinking: 'Hm.', signature: 'c2ln' }), assistantText('Yes.')],
      {},
    ],
    [
      'thinking that is not shown is kept for its seal',
      wire.reply([wire.wholeBlock(0, { type: 'thinking', thinking: '' }, { type: 'signature_delta', signature: 'c2ln' }), wire.textBlock(1, 'Yes.')]),
      [sealedBy(reasoning({ signature: 'c2ln' }), { type: 'thinking', thinking: '', signature: 'c2ln' }), assistantText('Yes.')],
      {},
    ],
    [
      'thinking without a seal is what a person can read of it',
      wire.reply([wire.wholeBlock(0, { type: 'thinking', thinking: '' }, { type: 'thinking_delta', thinking: 'Hm.' }), wire.textBlock(1, 'Yes.')]),
      [reasoning({ text: 'Hm.' }), assistantText('Yes.')],
      {},
    ],
    [
      'redacted thinking is sealed reasoning without text',
      wire.reply([wire.wholeBlock(0, { type: 'redacted_thinking', data: 'ZGF0YQ==' }), wire.textBlock(1, 'Yes.')]),
      [sealedBy(reasoning({ encrypted_content: 'ZGF0YQ==' }), { type: 'redacted_thinking', data: 'ZGF0YQ==' }), assistantText('Yes.')],
      {},
    ],
    [
      'two calls in one reply, each with its own arguments',
      wire.reply([wire.toolBlock(0, 't1', 'a', '{"x":', '1}'), wire.toolBlock(1, 't2', 'b', '{"y":2}')], 'tool_use'),
      [call('t1', 'a', { x: 1 }), call('t2', 'b', { y: 2 })],
      { finish_class: 'tool_calls_pending', stop_reason: 'tool_use' },
    ],
    ['a call without arguments has none', wire.reply([wire.toolBlock(0, 't1', 'now', '')], 'tool_use'), [call('t1', 'now', {})], {}],
    ['arguments that came with the opening of the call are kept', wire.reply([wire.wholeBlock(0, { type: 'tool_use', id: 't1', name: 'a', input: { x: 1 } })], 'tool_use'), [call('t1', 'a', { x: 1 })], {}],
    ['arguments written after a placeholder replace it', wire.reply([wire.wholeBlock(0, { type: 'tool_use', id: 't1', name: 'a', input: { x: 0 } }, { type: 'input_json_delta', partial_json: '{"x":1}' })], 'tool_use'), [call('t1', 'a', { x: 1 })], {}],
    [
      'arguments that a limit cut are kept as they are, never repaired',
      wire.reply([wire.toolBlock(0, 't1', 'write', '{"text":"Once upon')], 'max_tokens'),
      [call('t1', 'write', '{"text":"Once upon')],
      { finish_class: 'tool_calls_pending', truncated: true, stop_reason: 'max_tokens' },
    ],
    ['a number that JSON cannot keep leaves the arguments as text', wire.reply([wire.toolBlock(0, 't1', 'a', '{"x":1e400}')], 'tool_use'), [call('t1', 'a', '{"x":1e400}')], {}],
    ['two calls of one id get distinct ids', wire.reply([wire.toolBlock(0, 't', 'a', '{}'), wire.toolBlock(1, 't', 'a', '{}')], 'tool_use'), [call('t', 'a', {}), call('t-2', 'a', {})], {}],
    ['calls without an id get one that names the reply', wire.reply([wire.toolBlock(0, '', 'a', '{}'), wire.toolBlock(1, '', 'a', '{}')], 'tool_use'), [call('call_1_msg_1', 'a', {}), call('call_2_msg_1', 'a', {})], {}],
    [
      'a call that a program made keeps its caller',
      wire.reply([wire.wholeBlock(0, { type: 'tool_use', id: 't1', name: 'a', input: {}, caller: { type: 'code_execution_20260120', tool_id: 'srv_1' } }, { type: 'input_json_delta', partial_json: '{"x":1}' })], 'tool_use'),
      [sealedBy(call('t1', 'a', { x: 1 }), { type: 'tool_use', id: 't1', name: 'a', input: { x: 1 }, caller: { type: 'code_execution_20260120', tool_id: 'srv_1' } })],
      {},
    ],
    [
      'a server tool is kept as it came, in its place',
      wire.reply([wire.textBlock(0, 'Let me look.'), wire.serverCall(1, 'srv_1', 'web_search', '{"query":"x"}'), wire.wholeBlock(2, resultItem), wire.textBlock(3, 'Found.')]),
      [assistantText('Let me look.'), item({ type: 'server_tool_use', id: 'srv_1', name: 'web_search', input: { query: 'x' } }), item(resultItem), assistantText('Found.')],
      { finish_class: 'completed' },
    ],
    [
      'cited text is kept with its citations',
      wire.reply([wire.wholeBlock(0, { citations: [], type: 'text', text: '' }, { type: 'citations_delta', citation }, { type: 'text_delta', text: 'Said.' })]),
      [sealedBy(assistantText('Said.'), { citations: [citation], type: 'text', text: 'Said.' })],
      {},
    ],
    ['text that names no citations needs no seal', wire.reply([wire.wholeBlock(0, { type: 'text', text: '', citations: null }, { type: 'text_delta', text: 'Hi' })]), [assistantText('Hi')], {}],
    [
      'a compaction is kept as its delta says it',
      wire.reply([wire.wholeBlock(0, { type: 'compaction', content: null }, { type: 'compaction_delta', content: 'Summary.', encrypted_content: 'Yw==' }), wire.textBlock(1, 'Hi')]),
      [item({ type: 'compaction', content: 'Summary.', encrypted_content: 'Yw==' }), assistantText('Hi')],
      {},
    ],
    [
      'a block of a kind that is not known is gathered and kept',
      wire.reply([wire.wholeBlock(0, { type: 'hologram', shape: 'cu', depth: 1 }, { type: 'shape_delta', shape: 'be' }, { type: 'depth_delta', depth: 2, unit: 'm' }), wire.textBlock(1, 'Hi')]),
      [item({ type: 'hologram', shape: 'cube', depth: 2, unit: 'm' }), assistantText('Hi')],
      {},
    ],
    [
      'a reply that resumes one may open with blocks that are whole',
      [wire.messageStart({ content: [{ type: 'tool_use', id: 't1', name: 'a', input: { x: 1 } }] }), wire.messageDelta('tool_use'), wire.messageStop],
      [call('t1', 'a', { x: 1 })],
      { finish_class: 'tool_calls_pending' },
    ],
    [
      'a fallback names the model that answered',
      wire.reply([wire.wholeBlock(0, { type: 'fallback', from: { model: 'a' }, to: { model: 'claude-other' }, trigger: { type: 'refusal' } }), wire.textBlock(1, 'Hi')]),
      [item({ type: 'fallback', from: { model: 'a' }, to: { model: 'claude-other' }, trigger: { type: 'refusal' } }), assistantText('Hi')],
      { model: 'claude-other' },
    ],
    ['a stop sequence is named', wire.reply([wire.textBlock(0, 'Hi')], 'stop_sequence', { stop_sequence: 'END' }), [assistantText('Hi')], { finish_class: 'completed', extra: { stop_sequence: 'END' } }],
    ['a full context is a limit', wire.reply([wire.textBlock(0, 'Hi')], 'model_context_window_exceeded'), [assistantText('Hi')], { finish_class: 'max_tokens', truncated: true }],
    [
      'a refusal without a word is no failure, and says why',
      wire.reply([], 'refusal', { stop_details: { type: 'refusal', category: 'cyber', explanation: 'No.' } }),
      [],
      { finish_class: 'refusal', extra: { stop_details: { type: 'refusal', category: 'cyber', explanation: 'No.' } } },
    ],
    ['a refusal that stops a block which never began', [wire.messageStart(), wire.blockStop(0), wire.messageDelta('refusal'), wire.messageStop], [], { finish_class: 'refusal' }],
    ['a call that a refusal broke off is not asked for', [wire.messageStart(), wire.blockStart(0, { type: 'tool_use', id: 't', name: 'a', input: {} }), wire.messageDelta('refusal'), wire.messageStop], [], { finish_class: 'refusal' }],
    ['reasoning alone is no answer', wire.reply([wire.thinkingBlock(0, 'Hm.', 'c2ln')]), [sealedBy(reasoning({ text: 'Hm.', signature: 'c2ln' }), { type: 'thinking', thinking: 'Hm.', signature: 'c2ln' })], { finish_class: 'incomplete' }],
    ['blocks that were never stopped end with the reply', [wire.messageStart(), wire.blockStart(0, { type: 'text', text: '' }), wire.blockDelta(0, { type: 'text_delta', text: 'Hi' }), wire.messageDelta('end_turn'), wire.messageStop], [assistantText('Hi')], {}],
    ['text whose opening was lost is kept', [wire.messageStart(), wire.blockDelta(0, { type: 'text_delta', text: 'Hi' }), wire.blockStop(0), wire.messageDelta('end_turn'), wire.messageStop], [assistantText('Hi')], {}],
    ['every block at index 0 is a block', [wire.messageStart(), ...wire.textBlock(0, 'One'), ...wire.toolBlock(0, 't', 'a', '{}'), wire.messageDelta('tool_use'), wire.messageStop], [assistantText('One'), call('t', 'a', {})], {}],
    [
      'blocks written at the same time come in the order of the reply',
      [
        wire.messageStart(),
        wire.blockStart(0, { type: 'tool_use', id: 't1', name: 'a', input: {} }),
        wire.blockStart(1, { type: 'tool_use', id: 't2', name: 'b', input: {} }),
        wire.blockDelta(1, { type: 'input_json_delta', partial_json: '{"y":2}' }),
        wire.blockDelta(0, { type: 'input_json_delta', partial_json: '{"x":1}' }),
        wire.blockStop(1),
        wire.blockStop(0),
        wire.messageDelta('tool_use'),
        wire.messageStop,
      ],
      [call('t1', 'a', { x: 1 }), call('t2', 'b', { y: 2 })],
      {},
    ],
    ['a call that is opened twice is asked for once', [wire.messageStart(), wire.blockStart(0, { type: 'tool_use', id: 't', name: 'a', input: {} }), ...wire.toolBlock(0, 't', 'a', '{"x":1}'), wire.messageDelta('tool_use'), wire.messageStop], [call('t', 'a', { x: 1 })], {}],
    ['the beginning said twice is one beginning', [wire.messageStart(), wire.messageStart(), ...wire.textBlock(0, 'Hi'), wire.messageDelta('end_turn'), wire.messageStop], [assistantText('Hi')], {}],
    ['what comes after the end is not read', [...wire.reply([wire.textBlock(0, 'Hi')]), ...wire.textBlock(1, ' again')], [assistantText('Hi')], {}],
    ['another reply behind the stop reason is not read', [wire.messageStart(), ...wire.textBlock(0, 'Hi'), wire.messageDelta('end_turn'), wire.messageStart({ id: 'msg_2' }), ...wire.textBlock(0, 'Other')], [assistantText('Hi')], {}],
    ['pings and messages of unknown kinds are passed over', [wire.ping, wire.messageStart(), { type: 'weather' }, ...wire.textBlock(0, 'Hi'), wire.ping, wire.messageDelta('end_turn'), wire.messageStop], [assistantText('Hi')], { extra: { ignored_events: 1 } }],
    ['an end without a reason is an end, of an unknown kind', [wire.messageStart(), ...wire.textBlock(0, 'Hi'), wire.messageStop], [assistantText('Hi')], { finish_class: 'unknown', stop_reason: '' }],
    ['fields of the wrong type count as missing', [{ type: 'message_start', message: 7 }, { type: 'content_block_start', index: 'x', content_block: null }, { type: 'content_block_delta', delta: [] }, ...wire.textBlock(1, 'Hi'), { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: 'much' }, wire.messageStop], [assistantText('Hi')], { finish_class: 'completed' }],
  ])('%s', async (_name, messages, blocks, result) => {
    const body = wire.stream(messages)
    const whole = await hear(body)
    expect(whole.error).toBeUndefined()
    expect(said(whole)).toEqual(blocks)
    expect(inferenceResultKey.get(whole.turn)).toMatchObject(result)
    for (const chunkSize of [1, 7, 64]) expect((await hear(body, { chunkSize })).events).toEqual(whole.events)
  })

  test('a key that objects inherit from becomes a key of its own', async () => {
    const outcome = await hear(wire.stream(wire.reply([wire.toolBlock(0, 't', 'a', '{"__proto__":{"polluted":true}}')], 'tool_use')))
    const args = blocksOf(outcome.turn, 'tool_call')[0]?.payload.args
    expect(isJsonObject(args) && Object.keys(args)).toEqual(['__proto__'])
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })
})

describe('what viewers see of it', () => {
  test('deltas carry their own text and its place, in UTF-16 units', async () => {
    const outcome = await hear(wire.stream(wire.reply([wire.thinkingBlock(0, 'Hm.', 's'), wire.textBlock(1, 'a👋', 'b', '')])))
    expect(eventsOf(outcome, 'reasoning-delta', 'text-delta').map(({ type, segmentId, offset, delta }) => [type, segmentId.split(':')[1], offset, delta])).toEqual([
      ['reasoning-delta', 'reasoning-0', 0, 'Hm.'],
      ['text-delta', 'text-1', 0, 'a👋'],
      ['text-delta', 'text-1', 3, 'b'],
    ])
    expect(eventsOf(outcome, 'reasoning-segment-started').map(({ source }) => source)).toEqual(['thinking'])
  })

  test('a call is seen while it is written', async () => {
    const outcome = await hear(wire.stream(wire.reply([wire.toolBlock(0, 't1', 'a', '{"x":', '1}')], 'tool_use')))
    expect(eventsOf(outcome, 'tool-call-started').map(({ toolCallId, toolName }) => [toolCallId, toolName])).toEqual([['t1', 'a']])
    expect(eventsOf(outcome, 'tool-call-arguments-delta').map(({ offset, delta }) => [offset, delta])).toEqual([
      [0, '{"x":'],
      [5, '1}'],
    ])
  })

  test('citations are told with what they cite', async () => {
    const page = { type: 'page_location', cited_text: 'P', document_title: 'Doc', document_index: 0, start_page_number: 2, end_page_number: 3 }
    const outcome = await hear(wire.stream(wire.reply([wire.wholeBlock(0, { type: 'text', text: '' }, { type: 'citations_delta', citation }, { type: 'citations_delta', citation: page }, { type: 'text_delta', text: 'Said.' })])))
    expect(eventsOf(outcome, 'citation')).toMatchObject([
      { url: 'https://a.example/', title: 'A', citedText: 'Said.', outputIndex: 0, annotationIndex: 0 },
      { title: 'Doc', citedText: 'P', startIndex: 2, endIndex: 3, outputIndex: 0, annotationIndex: 1 },
    ])
  })

  test.each<[string, readonly (readonly JsonObject[])[], readonly JsonObject[]]>([
    [
      'a web search',
      [wire.serverCall(0, 'srv_1', 'web_search', '{"query":"x"}'), wire.wholeBlock(1, resultItem)],
      [
        { type: 'web-search-started', itemId: 'srv_1', query: 'x' },
        { type: 'tool-search-results', tool: 'web_search', itemId: 'srv_1', results: [{ type: 'web_search_result', url: 'https://a.example/', title: 'A', page_age: null }] },
        { type: 'web-search-done', itemId: 'srv_1' },
      ],
    ],
    ['a page that is opened', [wire.serverCall(0, 'srv_1', 'web_fetch', '{"url":"https://a.example/"}')], [{ type: 'web-search-open-page', itemId: 'srv_1', url: 'https://a.example/' }]],
    [
      'a program that runs',
      [wire.serverCall(0, 'srv_1', 'bash_code_execution', '{"command":"ls"}'), wire.wholeBlock(1, { type: 'bash_code_execution_tool_result', tool_use_id: 'srv_1', content: {} })],
      [
        { type: 'code-interpreter-started', itemId: 'srv_1' },
        { type: 'code-interpreter-code-done', itemId: 'srv_1', code: 'ls' },
        { type: 'code-interpreter-interpreting', itemId: 'srv_1' },
        { type: 'code-interpreter-done', itemId: 'srv_1' },
      ],
    ],
    [
      'a tool of an MCP server',
      [wire.wholeBlock(0, { type: 'mcp_tool_use', id: 'mcp_1', name: 'echo', server_name: 's', input: {} }, { type: 'input_json_delta', partial_json: '{"m":1}' }), wire.wholeBlock(1, { type: 'mcp_tool_result', tool_use_id: 'mcp_1', is_error: false, content: [] })],
      [
        { type: 'mcp-in-progress', itemId: 'mcp_1' },
        { type: 'mcp-args-delta', itemId: 'mcp_1', delta: '{"m":1}' },
        { type: 'mcp-args-done', itemId: 'mcp_1', arguments: '{"m":1}' },
        { type: 'mcp-completed', itemId: 'mcp_1' },
      ],
    ],
    ['a tool of an MCP server that failed', [wire.wholeBlock(0, { type: 'mcp_tool_result', tool_use_id: 'mcp_1', is_error: true, content: [] })], [{ type: 'mcp-failed', itemId: 'mcp_1' }]],
    ['the tools of an MCP server', [wire.wholeBlock(0, { type: 'mcp_tool_listing', mcp_server_name: 's', tools: [] })], [{ type: 'mcp-list-tools-completed' }]],
    [
      'tools that were looked up',
      [wire.wholeBlock(0, { type: 'tool_search_tool_result', tool_use_id: 'srv_1', content: { type: 'tool_search_tool_search_result', tool_references: [{ type: 'tool_reference', tool_name: 'a' }] } })],
      [{ type: 'tool-search-results', tool: 'tool_search', itemId: 'srv_1', results: [{ type: 'tool_reference', tool_name: 'a' }] }],
    ],
  ])('%s is told step by step', async (_name, blocks, expected) => {
    const outcome = await hear(wire.stream(wire.reply(blocks)))
    const ofServerTools = outcome.events.filter(({ type }) => /^(?:web-|code-|mcp-|tool-search)/.test(type))
    expect(ofServerTools).toMatchObject(expected)
    expect(ofServerTools).toHaveLength(expected.length)
  })

  test('metadata is told as soon as it is known', async () => {
    const outcome = await hear(wire.stream(wire.reply([wire.textBlock(0, 'Hi')])))
    expect(eventsOf(outcome, 'provider-call-metadata-updated')).toMatchObject([
      { responseId: 'msg_1', model: 'claude-test-1', usage: { input_tokens: 10, output_tokens: 1 } },
      { stopReason: 'end_turn', usage: { input_tokens: 10, output_tokens: 20 } },
    ])
  })
})

describe('usage', () => {
  test.each<[string, JsonObject, JsonObject, JsonObject]>([
    ['counts what was cached into the total', { input_tokens: 3, cache_creation_input_tokens: 20, cache_read_input_tokens: 100, output_tokens: 1 }, { output_tokens: 7 }, { input_tokens: 123, output_tokens: 7, cached_tokens: 100, cache_read_input_tokens: 100, cache_creation_input_tokens: 20 }],
    ['takes the later total, for it is one', { input_tokens: 43, output_tokens: 1 }, { input_tokens: 61, output_tokens: 2 }, { input_tokens: 61, output_tokens: 2 }],
    ['keeps what the end leaves out or does not know', { input_tokens: 17, output_tokens: 1 }, { output_tokens: 227, input_tokens: null }, { input_tokens: 17, output_tokens: 227 }],
    ['does not believe that nothing was read', { input_tokens: 17, output_tokens: 1 }, { input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 5 }, { input_tokens: 17, output_tokens: 5 }],
    ['believes that all was cached', { input_tokens: 17, output_tokens: 1 }, { input_tokens: 0, cache_read_input_tokens: 17, output_tokens: 5 }, { input_tokens: 17, output_tokens: 5, cache_read_input_tokens: 17 }],
    ['gives reasoning as a part', { input_tokens: 1, output_tokens: 1 }, { output_tokens: 50, output_tokens_details: { thinking_tokens: 40 } }, { output_tokens: 50, reasoning_tokens: 40 }],
    [
      'adds what compaction cost, which the totals leave out',
      { input_tokens: 10, cache_read_input_tokens: 5, output_tokens: 1 },
      { output_tokens: 20, iterations: [{ type: 'compaction', input_tokens: 1000, cache_read_input_tokens: 100, output_tokens: 300 }, { type: 'message', input_tokens: 10, output_tokens: 20 }] },
      { input_tokens: 1115, output_tokens: 320, cache_read_input_tokens: 105, cached_tokens: 105 },
    ],
  ])('%s', async (_name, start, end, expected) => {
    const { turn } = await hear(wire.stream([wire.messageStart({ usage: start }), ...wire.textBlock(0, 'Hi'), wire.messageDelta('end_turn', end), wire.messageStop]))
    const result = inferenceResultKey.get(turn)
    expect(result?.usage).toMatchObject(expected)
    expect(result?.extra?.['usage']).toMatchObject({ output_tokens: end['output_tokens'] })
  })

  test('parts that were not told are not given', async () => {
    const { turn } = await hear(wire.stream(wire.reply([wire.textBlock(0, 'Hi')])))
    expect(Object.keys(inferenceResultKey.get(turn)?.usage ?? {})).toEqual(['input_tokens', 'output_tokens'])
  })

  test('a call that was cut has the usage that had come', async () => {
    const { turn } = await hear(wire.stream([wire.messageStart(), ...wire.textBlock(0, 'Hi')]))
    expect(inferenceResultKey.get(turn)).toMatchObject({ finish_class: 'error', usage: { input_tokens: 10, output_tokens: 1 } })
  })
})

describe('a reply that goes wrong', () => {
  const opening = [wire.messageStart(), wire.blockStart(0, { type: 'text', text: '' }), wire.blockDelta(0, { type: 'text_delta', text: 'Hel' })]
  const half = [cutOff(assistantText('Hel'))]
  test.each<[string, readonly JsonObject[], string, boolean, readonly Block[]]>([
    ['overload in the middle of the stream', [...opening, { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' }, request_id: 'req_1' }], 'PROVIDER_OVERLOADED', true, half],
    ['overload before the first word', [{ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }], 'PROVIDER_OVERLOADED', true, []],
    ['a fault of the server', [...opening, { type: 'error', error: { type: 'api_error', message: 'Internal server error' } }], 'PROVIDER_STREAM_ERROR', true, half],
    ['an error that a gateway put in without a type', [...opening, { error: { message: 'upstream timed out' } }], 'PROVIDER_STREAM_ERROR', false, half],
    ['an end without the end', opening, 'PROVIDER_STREAM_TRUNCATED', true, half],
    ['an end between two blocks', [wire.messageStart(), ...wire.textBlock(0, 'Hel')], 'PROVIDER_STREAM_TRUNCATED', true, [assistantText('Hel')]],
    ['an end in the middle of arguments', [wire.messageStart(), ...wire.textBlock(0, 'Hel'), wire.blockStart(1, { type: 'tool_use', id: 't', name: 'a', input: {} }), wire.blockDelta(1, { type: 'input_json_delta', partial_json: '{"x":1}' })], 'PROVIDER_STREAM_TRUNCATED', true, [assistantText('Hel')]],
    ['an end in the middle of thinking', [wire.messageStart(), wire.blockStart(0, { type: 'thinking', thinking: '' }), wire.blockDelta(0, { type: 'thinking_delta', thinking: 'Hm' })], 'PROVIDER_STREAM_TRUNCATED', true, [cutOff(reasoning({ text: 'Hm' }))]],
    ['a last mark with nothing before it', [wire.messageStart(), wire.messageStop], 'PROVIDER_STREAM_TRUNCATED', true, []],
    ['an answer without a word', wire.reply([]), 'PROVIDER_EMPTY_RESPONSE', true, []],
    ['an answer of white space that is no block', wire.reply([wire.textBlock(0, '')]), 'PROVIDER_EMPTY_RESPONSE', true, []],
    ['the beginning of another reply', [...opening, wire.messageStart({ id: 'msg_2' })], 'PROVIDER_PROTOCOL', true, half],
  ])('%s is an error that keeps what had come', async (_name, messages, code, retryable, blocks) => {
    const body = wire.stream(messages)
    const whole = await hear(body)
    expect(whole.error).toMatchObject({ code, details: { provider: 'anthropic', retryable } })
    expect((whole.error as ProviderError).message).not.toContain('[object Object]')
    expect(said(whole)).toEqual(blocks)
    for (const chunkSize of [1, 7, 64]) expect((await hear(body, { chunkSize })).events).toEqual(whole.events)
  })

  test.each([['end' as const], ['break' as const]])('a stream that is cut behind the stop reason has lost nothing (%s)', async (then) => {
    const body = wire.stream([wire.messageStart(), ...wire.textBlock(0, 'Hi'), wire.messageDelta('end_turn')])
    const outcome = await hear(`${body}event: message_stop\ndata: {"ty`, { then })
    expect(outcome.error).toBeUndefined()
    expect(answerText(outcome.turn)).toBe('Hi')
    expect(inferenceResultKey.get(outcome.turn)?.finish_class).toBe('completed')
  })

  test('a stream that is broken off anywhere before it is an error, and its calls are not asked for', async () => {
    const body = wire.stream([wire.messageStart(), ...wire.textBlock(0, 'Hi'), ...wire.toolBlock(1, 't', 'a', '{"x":1}')])
    for (let length = 0; length <= body.length; length += 3) {
      const outcome = await hear(body.slice(0, length), { then: length % 2 === 0 ? 'end' : 'break' })
      expect(outcome.error).toMatchObject({ code: 'PROVIDER_STREAM_TRUNCATED' })
    }
  })

  test.each<[string, JsonObject, string | undefined]>([
    ['input of a server tool that is long in the writing', wire.blockDelta(0, { type: 'input_json_delta', partial_json: ' ' }), undefined],
    ['nothing but pings', wire.ping, 'PROVIDER_STALLED'],
  ])('%s: is the provider at work?', async (_name, message, code) => {
    const clock = new FakeClock()
    const opening = [wire.messageStart(), wire.blockStart(0, { type: 'server_tool_use', id: 'srv_1', name: 'text_editor_code_execution', input: {} })]
    const ending = [wire.blockStop(0), ...wire.textBlock(1, 'Done.'), wire.messageDelta('end_turn'), wire.messageStop]
    const pieces = [...opening, ...Array.from({ length: 5 }, () => message), ...ending].map((piece) => new TextEncoder().encode(wire.stream([piece])))
    const fetch: Fetch = (_url, { signal }) => {
      const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
          await clock.advance(60)
          if (signal.aborted) return controller.error(signal.reason)
          const piece = pieces.shift()
          return piece === undefined ? controller.close() : controller.enqueue(piece)
        },
      })
      return Promise.resolve({ status: 200, headers: new Headers({ 'content-type': 'text/event-stream' }), body })
    }
    const outcome = await runToEnd(anthropic({ model: 'm', fetch, timeouts: { idleMs: 100 }, retry: { maxAttempts: 1 } }), prompt, clock)
    expect(outcome.error === undefined ? undefined : (outcome.error as ProviderError).code).toBe(code)
  })
})

describe('a reply that pauses', () => {
  test('is sent back as it is, with its container, and goes on', async () => {
    const first = wire.reply([wire.textBlock(0, 'Let me look. '), wire.serverCall(1, 'srv_1', 'web_search', '{"query":"x"}')], 'pause_turn', { container: { id: 'cont_1', expires_at: 'later' } })
    const second = wire.reply([wire.wholeBlock(0, resultItem), wire.textBlock(1, 'Found.')])
    const { fetch, sent } = replying([wire.stream(first)], [wire.stream(second)])
    const outcome = await runToEnd(anthropic({ model: 'claude-test', fetch, promptCache: 'none' }), prompt)
    expect(outcome.error).toBeUndefined()
    expect(answerText(outcome.turn)).toBe('Let me look. \n\nFound.')
    const call = { type: 'server_tool_use', id: 'srv_1', name: 'web_search', input: { query: 'x' } }
    expect(JSON.parse(sent[1]?.body ?? '')).toMatchObject({
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
        { role: 'assistant', content: [{ type: 'text', text: 'Let me look. ' }, call] },
      ],
      container: 'cont_1',
    })
    expect(inferenceResultKey.get(outcome.turn)).toMatchObject({ finish_class: 'completed', usage: { input_tokens: 20, output_tokens: 40 } })
  })

  test('for ever is given up as incomplete', async () => {
    const { fetch, sent } = replying([wire.stream(wire.reply([wire.textBlock(0, 'Wait.')], 'pause_turn'))])
    const outcome = await runToEnd(anthropic({ model: 'claude-test', fetch }), prompt)
    expect(sent).toHaveLength(6)
    expect(inferenceResultKey.get(outcome.turn)).toMatchObject({ finish_class: 'incomplete', stop_reason: 'pause_turn' })
  })
})

test('any messages in any order end in a turn or in an error of ours, the same however the bytes are cut', async () => {
  const anyBlock = fc.oneof(fc.constantFrom({ type: 'text', text: '' }, { type: 'thinking', thinking: '' }, { type: 'tool_use', id: 't', name: 'a', input: {} }, { type: 'server_tool_use', id: 's', name: 'web_search', input: {} }), some.jsonObject)
  const anyDelta = fc.oneof(
    fc.constantFrom({ type: 'text_delta', text: 'a' }, { type: 'thinking_delta', thinking: 'b' }, { type: 'input_json_delta', partial_json: '{"x":1}' }, { type: 'signature_delta', signature: 's' }, { type: 'citations_delta', citation }),
    some.jsonObject,
  )
  const index = fc.integer({ min: 0, max: 2 })
  const message = fc.oneof(
    fc.constantFrom<JsonObject>(wire.messageStart(), wire.messageStop, wire.ping, wire.messageDelta('tool_use'), wire.messageDelta('end_turn')),
    fc.tuple(index, anyBlock).map(([at, block]) => wire.blockStart(at, block)),
    fc.tuple(index, anyDelta).map(([at, delta]) => wire.blockDelta(at, delta)),
    index.map(wire.blockStop),
    some.jsonObject,
  )
  await fc.assert(
    fc.asyncProperty(fc.array(message, { maxLength: 14 }), fc.integer({ min: 1, max: 40 }), async (messages, chunkSize) => {
      const body = wire.stream(messages)
      const whole = await hear(body)
      expect(whole.error === undefined || whole.error instanceof ProviderError).toBe(true)
      expect((await hear(body, { chunkSize })).events).toEqual(whole.events)
      const asked = eventsOf(whole, 'tool-call-requested').map(({ toolCallId }) => toolCallId)
      expect(new Set(asked).size).toBe(asked.length)
    }),
    { numRuns: 150 },
  )
})

// Recordings of real replies, read by what they say themselves: `PROVIDER_RECORDINGS=<folder>`.
const folder = join(process.env['PROVIDER_RECORDINGS'] ?? '', 'anthropic')
const recordings = process.env['PROVIDER_RECORDINGS'] === undefined || !existsSync(folder) ? [] : readdirSync(folder).filter((name) => name.endsWith('.jsonl'))
if (recordings.length === 0) console.log('Recorded replies of Anthropic are skipped: PROVIDER_RECORDINGS names no folder with them.')

describe.runIf(recordings.length > 0)('a recorded reply', () => {
  test.each(recordings)('%s', async (name) => {
    const lines = readFileSync(join(folder, name), 'utf8').split('\n').filter((line) => line.trim() !== '')
    const messages = lines.map((line) => JSON.parse(line) as JsonObject) // a line is a message
    const body = sse(lines, 'named')
    const whole = await hear(body)
    expect(whole.error).toBeUndefined()
    for (const chunkSize of [1, 1000]) expect((await hear(body, { chunkSize })).events).toEqual(whole.events)
    const deltas = messages.flatMap((message) => (isJsonObject(message['delta']) ? [message['delta']] : []))
    const all = (type: string, field: string) => deltas.filter((delta) => delta['type'] === type).map((delta) => String(delta[field])).join('')
    const opened = messages.flatMap((message) => (isJsonObject(message['content_block']) ? [message['content_block']] : []))
    expect(blocksOf(whole.turn, 'llm_text').map(({ payload }) => payload.text).join('')).toBe(all('text_delta', 'text'))
    expect(blocksOf(whole.turn, 'reasoning').map(({ payload }) => payload.text ?? '').join('')).toBe(all('thinking_delta', 'thinking'))
    expect(blocksOf(whole.turn, 'reasoning').map(({ payload }) => payload.signature ?? '').join('')).toBe(all('signature_delta', 'signature'))
    expect(eventsOf(whole, 'citation')).toHaveLength(deltas.filter(({ type }) => type === 'citations_delta').length)
    expect(blocksOf(whole.turn, 'tool_call').map(({ payload }) => [payload.id, payload.name])).toEqual(opened.filter(({ type }) => type === 'tool_use').map((block) => [block['id'], block['name']]))
    const ours = new Set(['text', 'thinking', 'redacted_thinking', 'tool_use'])
    expect(blocksOf(whole.turn, 'other').map(({ payload }) => isJsonObject(payload['item']) && payload['item']['type'])).toEqual(opened.filter(({ type }) => !ours.has(String(type))).map(({ type }) => type))
    const end = deltas.findLast((delta) => 'stop_reason' in delta)
    const last = messages.findLast(({ type }) => type === 'message_delta')?.['usage']
    const result = inferenceResultKey.get(whole.turn)
    expect(result?.stop_reason).toBe(end?.['stop_reason'])
    expect(result?.usage?.output_tokens).toBe(isJsonObject(last) ? last['output_tokens'] : undefined)
    expect(result?.extra?.['ignored_events']).toBeUndefined()
  })
})
