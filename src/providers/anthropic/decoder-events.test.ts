import { describe, expect, test } from 'vitest'
import {
  citation,
  eventsOf,
  found,
  hear,
  item,
  reply,
  said,
  sealed,
  search,
  searchCall,
  serverCall,
  stream,
  textBlock,
  thinkingBlock,
  toolBlock,
  wholeBlock,
} from '../../../test/support/anthropic-replies.ts'
import type { JsonObject } from '../../json.ts'
import { assistantText, type Block } from '../../turns/block.ts'
import { inferenceResultKey } from '../../turns/keys.ts'

const mcpCall = { type: 'mcp_tool_use', id: 'mcp_1', name: 'echo', server_name: 's', input: {} }
const mcpResult = { type: 'mcp_tool_result', tool_use_id: 'mcp_1', is_error: false, content: [] }
const fallback = { type: 'fallback', from: { model: 'a' }, to: { model: 'claude-other' }, trigger: { type: 'refusal' } }

describe('items that are not ours to read are kept as they came', () => {
  test.each<[string, readonly (readonly JsonObject[])[], readonly Block[]]>([
    [
      'a server tool, in its place',
      [textBlock(0, 'Let me look.'), searchCall(1), wholeBlock(2, found), textBlock(3, 'Found.')],
      [assistantText('Let me look.'), item(search), item(found), assistantText('Found.')],
    ],
    [
      'cited text, with its citations',
      [
        wholeBlock(
          0,
          { citations: [], type: 'text', text: '' },
          { type: 'citations_delta', citation },
          { type: 'text_delta', text: 'Said.' },
        ),
      ],
      [sealed(assistantText('Said.'), { citations: [citation], type: 'text', text: 'Said.' })],
    ],
    [
      'a compaction, as its delta says it',
      [
        wholeBlock(
          0,
          { type: 'compaction', content: 'Draft.' },
          { type: 'compaction_delta', content: 'So far.', encrypted_content: 'Yw==' },
        ),
      ],
      [item({ type: 'compaction', content: 'So far.', encrypted_content: 'Yw==' })],
    ],
    [
      'a block of a kind that is not known, gathered field by field',
      [
        wholeBlock(
          0,
          { type: 'hologram', shape: 'cu', depth: 1 },
          { type: 'shape_delta', shape: 'be' },
          { type: 'depth_delta', depth: 2, unit: 'm' },
        ),
      ],
      [item({ type: 'hologram', shape: 'cube', depth: 2, unit: 'm' })],
    ],
    [
      'a fallback to another model',
      [wholeBlock(0, fallback), textBlock(1, 'Hi')],
      [item(fallback), assistantText('Hi')],
    ],
    [
      'input of a server tool that is no JSON',
      [serverCall(0, 'srv_1', 'web_search', '{"query":')],
      [item({ ...search, input: '{"query":' })],
    ],
  ])('%s', async (_name, blocks, expected) => {
    const body = stream(reply(blocks))
    const whole = await hear(body)
    expect(said(whole)).toEqual(expected)
    for (const chunkSize of [1, 7, 64]) expect((await hear(body, { chunkSize })).events).toEqual(whole.events)
  })

  test('a fallback names the model that answered', async () => {
    const { turn } = await hear(stream(reply([wholeBlock(0, fallback), textBlock(1, 'Hi')])))
    expect(inferenceResultKey.get(turn)?.model).toBe('claude-other')
  })

  test('what else a reply says of itself is kept with its result', async () => {
    const container = { id: 'cont_1', expires_at: 'later' }
    const [start, ...rest] = reply([textBlock(0, 'Hi')], 'end_turn', { container })
    const { turn } = await hear(
      stream([start ?? {}, ...rest.map((message) => ({ ...message, context_management: { applied_edits: [] } }))]),
    )
    expect(inferenceResultKey.get(turn)?.extra).toMatchObject({ container, context_management: { applied_edits: [] } })
  })
})

describe('viewers see', () => {
  test('deltas with their own text and its place, in UTF-16 units', async () => {
    const outcome = await hear(stream(reply([thinkingBlock(0, 'Hm.', 's'), textBlock(1, 'a👋', 'b', '')])))
    const deltas = eventsOf(outcome, 'reasoning-delta', 'text-delta')
    expect(deltas.map(({ segmentId, offset, delta }) => [segmentId.split(':')[1], offset, delta])).toEqual([
      ['reasoning-0', 0, 'Hm.'],
      ['text-1', 0, 'a👋'],
      ['text-1', 3, 'b'],
    ])
    expect(eventsOf(outcome, 'reasoning-segment-started').map(({ source }) => source)).toEqual(['thinking'])
  })

  test('a call while it is written', async () => {
    const outcome = await hear(stream(reply([toolBlock(0, 't1', 'a', '{"x":', '1}')], 'tool_use')))
    expect(eventsOf(outcome, 'tool-call-started').map(({ toolCallId, toolName }) => [toolCallId, toolName])).toEqual([
      ['t1', 'a'],
    ])
    expect(eventsOf(outcome, 'tool-call-arguments-delta').map(({ offset, delta }) => [offset, delta])).toEqual([
      [0, '{"x":'],
      [5, '1}'],
    ])
  })

  test('citations with what they cite', async () => {
    const page = {
      type: 'page_location',
      cited_text: 'P',
      document_title: 'Doc',
      start_page_number: 2,
      end_page_number: 3,
    }
    const cite = (cited: JsonObject) => ({ type: 'citations_delta', citation: cited })
    const outcome = await hear(
      stream(
        reply([
          wholeBlock(0, { type: 'text', text: '' }, cite(citation), cite(page), { type: 'text_delta', text: 'x' }),
        ]),
      ),
    )
    expect(eventsOf(outcome, 'citation')).toMatchObject([
      { url: 'https://a.example/', title: 'A', citedText: 'Said.', outputIndex: 0, annotationIndex: 0 },
      { title: 'Doc', citedText: 'P', startIndex: 2, endIndex: 3, outputIndex: 0, annotationIndex: 1 },
    ])
  })

  test('metadata as soon as it is known', async () => {
    const outcome = await hear(stream(reply([textBlock(0, 'Hi')])))
    expect(eventsOf(outcome, 'provider-call-metadata-updated')).toMatchObject([
      { responseId: 'msg_1', model: 'claude-test-1', usage: { input_tokens: 10, output_tokens: 1 } },
      { stopReason: 'end_turn', usage: { input_tokens: 10, output_tokens: 20 } },
    ])
  })

  const page = { type: 'web_search_result', url: 'https://a.example/', title: 'A', page_age: null }
  const references = [{ type: 'tool_reference', tool_name: 'a' }]
  test.each<[string, readonly (readonly JsonObject[])[], readonly JsonObject[]]>([
    [
      'a web search, without what is sealed for the model',
      [searchCall(0), wholeBlock(1, found)],
      [
        { type: 'web-search-started', itemId: 'srv_1', query: 'x' },
        { type: 'tool-search-results', tool: 'web_search', itemId: 'srv_1', results: [page] },
        { type: 'web-search-done', itemId: 'srv_1' },
      ],
    ],
    [
      'a page that is opened',
      [serverCall(0, 'srv_1', 'web_fetch', '{"url":"https://a.example/"}')],
      [{ type: 'web-search-open-page', itemId: 'srv_1', url: 'https://a.example/' }],
    ],
    [
      'a program that runs',
      [
        serverCall(0, 'srv_1', 'bash_code_execution', '{"command":"ls"}'),
        wholeBlock(1, { type: 'bash_code_execution_tool_result', tool_use_id: 'srv_1', content: {} }),
      ],
      [
        { type: 'code-interpreter-started', itemId: 'srv_1' },
        { type: 'code-interpreter-code-done', itemId: 'srv_1', code: 'ls' },
        { type: 'code-interpreter-interpreting', itemId: 'srv_1' },
        { type: 'code-interpreter-done', itemId: 'srv_1' },
      ],
    ],
    [
      'a tool of an MCP server',
      [wholeBlock(0, mcpCall, { type: 'input_json_delta', partial_json: '{"m":1}' }), wholeBlock(1, mcpResult)],
      [
        { type: 'mcp-in-progress', itemId: 'mcp_1' },
        { type: 'mcp-args-delta', itemId: 'mcp_1', delta: '{"m":1}' },
        { type: 'mcp-args-done', itemId: 'mcp_1', arguments: '{"m":1}' },
        { type: 'mcp-completed', itemId: 'mcp_1' },
      ],
    ],
    [
      'a tool of an MCP server that failed',
      [wholeBlock(0, { ...mcpResult, is_error: true })],
      [{ type: 'mcp-failed', itemId: 'mcp_1' }],
    ],
    [
      'the tools of an MCP server',
      [wholeBlock(0, { type: 'mcp_tool_listing', tools: [] })],
      [{ type: 'mcp-list-tools-completed' }],
    ],
    [
      'tools that were looked up',
      [
        wholeBlock(0, {
          type: 'tool_search_tool_result',
          tool_use_id: 'srv_1',
          content: { tool_references: references },
        }),
      ],
      [{ type: 'tool-search-results', tool: 'tool_search', itemId: 'srv_1', results: references }],
    ],
  ])('%s', async (_name, blocks, expected) => {
    const outcome = await hear(stream(reply(blocks)))
    const steps = outcome.events.filter(({ type }) => /^(?:web-|code-|mcp-|tool-search)/.test(type))
    expect(steps).toMatchObject(expected)
    expect(steps).toHaveLength(expected.length)
    expect(JSON.stringify(steps)).not.toContain('encrypted_content')
  })
})
