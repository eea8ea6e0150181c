import type { EngineEvent } from '../../events/event.ts'
import type { JsonObject } from '../../json.ts'
import { list, object, text } from '../wire.ts'

// What viewers are told of the tools that the provider runs itself. The items are kept whole beside it, as blocks.

interface ItemId {
  readonly itemId?: string
}
type ServerEvent = (message: JsonObject, id: ItemId) => EngineEvent

/** The wire's progress events and what they are called here. */
const progress: Readonly<Record<string, ServerEvent>> = {
  'response.web_search_call.searching': (_message, id) => ({ type: 'web-search-searching', ...id }),
  'response.web_search_call.completed': (_message, id) => ({ type: 'web-search-done', ...id }),
  'response.file_search_call.searching': (_message, id) => ({ type: 'file-search-searching', ...id }),
  'response.file_search_call.completed': (_message, id) => ({ type: 'file-search-done', ...id }),
  'response.code_interpreter_call.interpreting': (_message, id) => ({ type: 'code-interpreter-interpreting', ...id }),
  'response.code_interpreter_call.completed': (_message, id) => ({ type: 'code-interpreter-done', ...id }),
  'response.code_interpreter_call_code.delta': (message, id) => ({
    type: 'code-interpreter-code-delta',
    ...id,
    delta: text(message, 'delta') ?? '',
  }),
  'response.code_interpreter_call_code.done': (message, id) => ({
    type: 'code-interpreter-code-done',
    ...id,
    code: text(message, 'code') ?? '',
  }),
  'response.mcp_call_arguments.delta': (message, id) => ({
    type: 'mcp-args-delta',
    ...id,
    delta: text(message, 'delta') ?? '',
  }),
  'response.mcp_call_arguments.done': (message, id) => ({
    type: 'mcp-args-done',
    ...id,
    arguments: text(message, 'arguments') ?? '',
  }),
  'response.mcp_call.in_progress': (_message, id) => ({ type: 'mcp-in-progress', ...id }),
  'response.mcp_call.completed': (_message, id) => ({ type: 'mcp-completed', ...id }),
  'response.mcp_call.failed': (_message, id) => ({ type: 'mcp-failed', ...id }),
  'response.mcp_list_tools.in_progress': (_message, id) => ({ type: 'mcp-list-tools-in-progress', ...id }),
  'response.mcp_list_tools.completed': (_message, id) => ({ type: 'mcp-list-tools-completed', ...id }),
  'response.mcp_list_tools.failed': (_message, id) => ({ type: 'mcp-list-tools-failed', ...id }),
  'response.image_generation_call.in_progress': (_message, id) => ({ type: 'image-generation-in-progress', ...id }),
  'response.image_generation_call.generating': (_message, id) => ({ type: 'image-generation-generating', ...id }),
  'response.image_generation_call.completed': (_message, id) => ({ type: 'image-generation-completed', ...id }),
  'response.image_generation_call.partial_image': (message, id) => {
    const image = text(message, 'partial_image_b64')
    return { type: 'image-generation-partial-image', ...id, ...(image !== undefined && { partialImageBase64: image }) }
  },
}

/** The event of a wire event that tells how far a server tool is; undefined when it is none. */
export function serverToolProgress(type: string, message: JsonObject): EngineEvent | undefined {
  return Object.hasOwn(progress, type) ? progress[type]?.(message, idIn(message, 'item_id')) : undefined
}

/** A server tool's item has begun. */
export function serverItemOpened(item: JsonObject): readonly EngineEvent[] {
  const id = idIn(item, 'id')
  switch (item['type']) {
    case 'web_search_call': {
      const query = text(object(item, 'action') ?? {}, 'query')
      return [{ type: 'web-search-started', ...id, ...(query !== undefined && { query }) }]
    }
    case 'file_search_call':
      return [{ type: 'file-search-started', ...id }]
    case 'code_interpreter_call':
      return [{ type: 'code-interpreter-started', ...id }]
    default:
      return []
  }
}

/** A server tool's item is whole: what it found, where it says so. */
export function serverItemFinished(item: JsonObject): readonly EngineEvent[] {
  const id = idIn(item, 'id')
  const action = object(item, 'action') ?? {}
  switch (item['type']) {
    case 'web_search_call': {
      const url = text(action, 'url')
      const opened: readonly EngineEvent[] = url === undefined ? [] : [{ type: 'web-search-open-page', ...id, url }]
      return [...opened, ...results('web_search', id, [...list(item, 'results'), ...list(action, 'sources')])]
    }
    case 'file_search_call':
      return results('file_search', id, list(item, 'results'))
    case 'tool_search_output':
      return results('tool_search', id, list(item, 'tools'))
    default:
      return []
  }
}

function results(tool: string, id: ItemId, found: ReturnType<typeof list>): readonly EngineEvent[] {
  return found.length === 0 ? [] : [{ type: 'tool-search-results', tool, ...id, results: found }]
}

function idIn(record: JsonObject, name: string): ItemId {
  const id = text(record, name)
  return id === undefined ? {} : { itemId: id }
}
