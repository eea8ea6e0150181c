import type { EngineEvent } from '../../events/event.ts'
import { isJsonObject, type JsonObject } from '../../json.ts'
import { list, object, text } from '../wire.ts'

// What viewers are told of the tools that Anthropic runs itself. The items are kept whole beside it, as blocks.

/** Whether an item is a call that the provider answers itself. */
export function isServerCall(item: JsonObject): boolean {
  const type = text(item, 'type') ?? ''
  return type !== 'tool_use' && type.endsWith('tool_use') && text(item, 'id') !== undefined
}

/** Whether an item is the answer to such a call. */
export function isServerResult(item: JsonObject): boolean {
  const type = text(item, 'type') ?? ''
  return type !== 'tool_result' && type.endsWith('tool_result') && text(item, 'tool_use_id') !== undefined
}

/** A server tool's call has begun; its input is still being written. */
export function serverCallOpened(item: JsonObject): readonly EngineEvent[] {
  if (item['type'] === 'mcp_tool_use') return [{ type: 'mcp-in-progress', ...itemId(item, 'id') }]
  return isCode(item) ? [{ type: 'code-interpreter-started', ...itemId(item, 'id') }] : []
}

/** A piece of a server tool's input, as JSON text. */
export function serverInputDelta(item: JsonObject, delta: string): readonly EngineEvent[] {
  return item['type'] === 'mcp_tool_use' ? [{ type: 'mcp-args-delta', ...itemId(item, 'id'), delta }] : []
}

/** An item is whole: a server tool's call with its input, its result, or something else. */
export function serverItemFinished(item: JsonObject): readonly EngineEvent[] {
  if (item['type'] === 'mcp_tool_listing') return [{ type: 'mcp-list-tools-completed' }]
  if (isServerCall(item)) return callFinished(item)
  return isServerResult(item) ? resultFinished(item) : []
}

function callFinished(item: JsonObject): readonly EngineEvent[] {
  const id = itemId(item, 'id')
  const input = object(item, 'input') ?? {}
  if (item['type'] === 'mcp_tool_use') return [{ type: 'mcp-args-done', ...id, arguments: JSON.stringify(input) }]
  if (isCode(item)) {
    const code = text(input, 'code') ?? text(input, 'command') ?? JSON.stringify(input)
    return [
      { type: 'code-interpreter-code-done', ...id, code },
      { type: 'code-interpreter-interpreting', ...id },
    ]
  }
  const query = text(input, 'query')
  const url = text(input, 'url')
  if (item['name'] === 'web_search')
    return [{ type: 'web-search-started', ...id, ...(query !== undefined && { query }) }]
  if (item['name'] === 'web_fetch') return [{ type: 'web-search-open-page', ...id, ...(url !== undefined && { url }) }]
  return []
}

function resultFinished(item: JsonObject): readonly EngineEvent[] {
  const type = text(item, 'type') ?? ''
  const id = itemId(item, 'tool_use_id')
  if (type === 'mcp_tool_result') return [{ type: item['is_error'] === true ? 'mcp-failed' : 'mcp-completed', ...id }]
  if (type.includes('code_execution')) return [{ type: 'code-interpreter-done', ...id }]
  if (type === 'web_search_tool_result') {
    // Pages come sealed for the model; viewers get what a person can read of them.
    const results = list(item, 'content')
      .filter(isJsonObject)
      .map(({ encrypted_content: _sealed, ...page }) => page)
    return [
      { type: 'tool-search-results', tool: 'web_search', ...id, results },
      { type: 'web-search-done', ...id },
    ]
  }
  if (type === 'tool_search_tool_result') {
    return [
      {
        type: 'tool-search-results',
        tool: 'tool_search',
        ...id,
        results: list(object(item, 'content') ?? {}, 'tool_references'),
      },
    ]
  }
  return []
}

function isCode(item: JsonObject): boolean {
  return item['type'] === 'server_tool_use' && (text(item, 'name') ?? '').includes('code_execution')
}

function itemId(item: JsonObject, name: string): { readonly itemId?: string } {
  const id = text(item, name)
  return id === undefined ? {} : { itemId: id }
}
