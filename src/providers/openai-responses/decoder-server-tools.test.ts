import { describe, expect, test } from 'vitest'
import { events, item } from '../../../test/support/responses-replies.ts'
import { blocksOf, hear, ofType, payloads, resultOf, without } from '../../../test/support/responses-runs.ts'
import type { JsonObject } from '../../json.ts'
import { sidecarKey } from '../../turns/keys.ts'

describe('tools that the provider runs', () => {
  const at = (id: string) => ({ output_index: 0, item_id: id })
  const during = (whole: JsonObject, ...inside: readonly JsonObject[]) => {
    const [created, , ...rest] = events([whole, item.message('Done.')])
    return [created!, rest[0]!, ...inside.map((event) => ({ ...event, ...at(String(whole['id'])) })), ...rest.slice(1)]
  }
  const search = { type: 'search', query: 'news', sources: [{ type: 'url', url: 'https://a.example' }] }
  const image = { type: 'image', url: 'https://a.example/a.png' }
  const file = { file_id: 'f', filename: 'a.txt', score: 1, text: 'a' }

  test.each<[string, JsonObject, readonly string[], readonly JsonObject[]]>([
    [
      'a web search',
      { id: 'ws_1', type: 'web_search_call', status: 'completed', action: search, results: [image] },
      ['web_search_call.in_progress', 'web_search_call.searching', 'web_search_call.completed'],
      [
        { type: 'web-search-started', itemId: 'ws_1', query: 'news' },
        { type: 'web-search-searching', itemId: 'ws_1' },
        { type: 'web-search-done', itemId: 'ws_1' },
        { type: 'tool-search-results', tool: 'web_search', itemId: 'ws_1', results: [image, ...search.sources] },
      ],
    ],
    [
      'a page that is opened',
      {
        id: 'ws_1',
        type: 'web_search_call',
        status: 'completed',
        action: { type: 'open_page', url: 'https://a.example' },
      },
      [],
      [
        { type: 'web-search-started', itemId: 'ws_1' },
        { type: 'web-search-open-page', itemId: 'ws_1', url: 'https://a.example' },
      ],
    ],
    [
      'a file search',
      { id: 'fs_1', type: 'file_search_call', status: 'completed', queries: ['a'], results: [file] },
      ['file_search_call.in_progress', 'file_search_call.searching', 'file_search_call.completed'],
      [
        { type: 'file-search-started', itemId: 'fs_1' },
        { type: 'file-search-searching', itemId: 'fs_1' },
        { type: 'file-search-done', itemId: 'fs_1' },
        { type: 'tool-search-results', tool: 'file_search', itemId: 'fs_1', results: [file] },
      ],
    ],
    [
      'the code interpreter',
      { id: 'ci_1', type: 'code_interpreter_call', status: 'completed', code: '1+1', container_id: 'c', outputs: null },
      [
        'code_interpreter_call.in_progress',
        'code_interpreter_call_code.delta',
        'code_interpreter_call_code.done',
        'code_interpreter_call.interpreting',
        'code_interpreter_call.completed',
      ],
      [
        { type: 'code-interpreter-started', itemId: 'ci_1' },
        { type: 'code-interpreter-code-delta', itemId: 'ci_1', delta: 'd' },
        { type: 'code-interpreter-code-done', itemId: 'ci_1', code: '1+1' },
        { type: 'code-interpreter-interpreting', itemId: 'ci_1' },
        { type: 'code-interpreter-done', itemId: 'ci_1' },
      ],
    ],
    [
      'a call to an MCP server',
      {
        id: 'mcp_1',
        type: 'mcp_call',
        status: 'completed',
        server_label: 's',
        name: 'n',
        arguments: '{}',
        output: 'ok',
      },
      [
        'mcp_call.in_progress',
        'mcp_call_arguments.delta',
        'mcp_call_arguments.done',
        'mcp_call.completed',
        'mcp_call.failed',
      ],
      [
        { type: 'mcp-in-progress', itemId: 'mcp_1' },
        { type: 'mcp-args-delta', itemId: 'mcp_1', delta: 'd' },
        { type: 'mcp-args-done', itemId: 'mcp_1', arguments: '{}' },
        { type: 'mcp-completed', itemId: 'mcp_1' },
        { type: 'mcp-failed', itemId: 'mcp_1' },
      ],
    ],
    [
      'the tools of an MCP server',
      { id: 'mcpl_1', type: 'mcp_list_tools', server_label: 's', tools: [] },
      ['mcp_list_tools.in_progress', 'mcp_list_tools.completed', 'mcp_list_tools.failed'],
      [
        { type: 'mcp-list-tools-in-progress', itemId: 'mcpl_1' },
        { type: 'mcp-list-tools-completed', itemId: 'mcpl_1' },
        { type: 'mcp-list-tools-failed', itemId: 'mcpl_1' },
      ],
    ],
    [
      'an image',
      { id: 'ig_1', type: 'image_generation_call', status: 'completed', result: 'aGk=' },
      [
        'image_generation_call.in_progress',
        'image_generation_call.generating',
        'image_generation_call.partial_image',
        'image_generation_call.completed',
      ],
      [
        { type: 'image-generation-in-progress', itemId: 'ig_1' },
        { type: 'image-generation-generating', itemId: 'ig_1' },
        { type: 'image-generation-partial-image', itemId: 'ig_1', partialImageBase64: 'aGk' },
        { type: 'image-generation-completed', itemId: 'ig_1' },
      ],
    ],
    [
      'a search for tools',
      {
        id: 'tso_1',
        type: 'tool_search_output',
        call_id: null,
        execution: 'server',
        status: 'completed',
        tools: [{ type: 'function', name: 'f' }],
      },
      [],
      [
        {
          type: 'tool-search-results',
          tool: 'tool_search',
          itemId: 'tso_1',
          results: [{ type: 'function', name: 'f' }],
        },
      ],
    ],
    [
      'an approval that is asked for',
      { id: 'mcpr_1', type: 'mcp_approval_request', server_label: 's', name: 'n', arguments: '{}' },
      [],
      [],
    ],
    [
      'a shell',
      { id: 'sh_1', type: 'shell_call', call_id: 'call_s', status: 'completed', action: { commands: ['ls'] } },
      [],
      [],
    ],
    [
      'a patch',
      { id: 'apc_1', type: 'apply_patch_call', call_id: 'call_p', status: 'completed', operation: {} },
      [],
      [],
    ],
    [
      'a screen',
      { id: 'cu_1', type: 'computer_call', call_id: 'call_c', status: 'completed', pending_safety_checks: [] },
      [],
      [],
    ],
    ['a compaction', { id: 'cmp_1', type: 'compaction', encrypted_content: 'sealed' }, [], []],
    ['a program', { id: 'prog_1', type: 'program', call_id: 'call_g', code: 'x', fingerprint: 'y' }, [], []],
    ['what nobody has heard of', { id: 'x_1', type: 'hologram', light: 3 }, [], []],
  ])('%s', async (_name, whole, wire, expected) => {
    const inside = wire.map((type) => ({
      type: `response.${type}`,
      delta: 'd',
      code: '1+1',
      arguments: '{}',
      partial_image_b64: 'aGk',
    }))
    const heard = await hear(during(whole, ...inside))
    const told = heard.events.filter(({ type }) => /^(?:web-|file-|code-|mcp-|image-|tool-search)/.test(type))
    expect(told).toMatchObject(expected)
    expect(told).toHaveLength(expected.length)
    expect(payloads(heard)).toEqual([
      ['other', { provider: 'openai-responses', item: whole }],
      ['llm_text', { text: 'Done.', item_id: 'msg_5' }],
    ])
    expect(blocksOf(heard)[0]).toMatchObject({ rawKind: 'provider_item' })
    expect(resultOf(heard)?.extra).not.toHaveProperty('ignored_events')
  })

  const citation = { type: 'url_citation', url: 'https://a.example', title: 'A', start_index: 0, end_index: 3 }
  const cited = item.message('See A.', {
    content: [
      {
        type: 'output_text',
        text: 'See A.',
        annotations: [citation, { type: 'file_citation', file_id: 'f', filename: 'a.txt', index: 4 }],
      },
    ],
  })
  test.each([
    ['as they come', events([cited])],
    ['when the message is whole', without(events([cited]), 'annotation.added')],
  ])('citations are told of %s, each once', async (_name, messages) => {
    const heard = await hear(messages)
    expect(ofType(heard, 'citation')).toMatchObject([
      {
        url: 'https://a.example',
        title: 'A',
        startIndex: 0,
        endIndex: 3,
        outputIndex: 0,
        contentIndex: 0,
        annotationIndex: 0,
      },
      { title: 'a.txt', startIndex: 4, outputIndex: 0, contentIndex: 0, annotationIndex: 1 },
    ])
    expect(ofType(heard, 'citation')).toHaveLength(2)
    expect(sidecarKey.get(blocksOf(heard)[0]!)?.item).toEqual(cited)
  })
})
