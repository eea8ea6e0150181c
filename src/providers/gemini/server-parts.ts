import type { EngineEvent } from '../../events/event.ts'
import type { JsonObject } from '../../json.ts'
import { list, object, text } from '../wire.ts'

// What viewers are told of the tools that Gemini runs itself. The parts are kept whole beside it, as blocks.

/** What one part that is neither text nor a call of ours says. */
export function serverPartEvents(part: JsonObject): readonly EngineEvent[] {
  const code = object(part, 'executableCode')
  if (code !== undefined) return codeWritten(code)
  const result = object(part, 'codeExecutionResult')
  if (result !== undefined) return [{ type: 'code-interpreter-done', ...itemId(result) }]
  const call = object(part, 'toolCall')
  if (call !== undefined) return toolCalled(call)
  const response = object(part, 'toolResponse')
  if (response !== undefined) return toolAnswered(response)
  const isImage = (text(object(part, 'inlineData') ?? {}, 'mimeType') ?? '').startsWith('image/')
  return isImage && part['thought'] !== true ? [{ type: 'image-generation-completed' }] : []
}

function codeWritten(code: JsonObject): readonly EngineEvent[] {
  const id = itemId(code)
  return [
    { type: 'code-interpreter-started', ...id },
    { type: 'code-interpreter-code-done', ...id, code: text(code, 'code') ?? '' },
    { type: 'code-interpreter-interpreting', ...id },
  ]
}

function toolCalled(call: JsonObject): readonly EngineEvent[] {
  const id = itemId(call)
  const args = object(call, 'args') ?? {}
  switch (call['toolType']) {
    case 'GOOGLE_SEARCH_WEB':
      return [{ type: 'web-search-started', ...id, ...queryOf(args) }]
    case 'URL_CONTEXT':
      return list(args, 'urls').flatMap((url) =>
        typeof url === 'string' ? [{ type: 'web-search-open-page' as const, ...id, url }] : [],
      )
    case 'FILE_SEARCH':
      return [{ type: 'file-search-started', ...id }]
    default:
      return []
  }
}

function toolAnswered(response: JsonObject): readonly EngineEvent[] {
  const id = itemId(response)
  switch (response['toolType']) {
    case 'GOOGLE_SEARCH_WEB':
      return [{ type: 'web-search-done', ...id }]
    case 'FILE_SEARCH':
      return [{ type: 'file-search-done', ...id }]
    default:
      return []
  }
}

function queryOf(args: JsonObject): { readonly query?: string } {
  const queries = list(args, 'queries').filter((query) => typeof query === 'string')
  const query = text(args, 'query') ?? queries.join('; ')
  return query === '' ? {} : { query }
}

function itemId(record: JsonObject): { readonly itemId?: string } {
  const id = text(record, 'id')
  return id === undefined ? {} : { itemId: id }
}
