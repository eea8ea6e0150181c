import type { JsonObject } from '../../json.ts'
import { object, text } from '../wire.ts'

/** Content that the API takes only under the name of a beta: by the type of the block, or of a tool. */
const betaOfType: ReadonlyMap<string, string> = new Map([
  ['advisor_tool_result', 'advisor-tool-2026-03-01'],
  ['compaction', 'compact-2026-01-12'],
  ['fallback', 'server-side-fallback-2026-07-01'],
  ['mcp_tool_listing', 'mcp-client-2026-09-15'],
  ['mcp_tool_result', 'mcp-client-2025-11-20'],
  ['mcp_tool_use', 'mcp-client-2025-11-20'],
  ['mcp_toolset', 'mcp-client-2025-11-20'],
])
// No longer asked for by the API itself; gateways that speak an older version of it do.
const filesBeta = 'files-api-2025-04-14'

/** The `anthropic-beta` header that these content blocks and tools need; '' for none. Callers add theirs to it. */
export function betaHeader(contents: readonly JsonObject[]): string {
  const betas = contents.flatMap((content) => {
    const known = betaOfType.get(text(content, 'type') ?? '')
    const isFile = text(object(content, 'source') ?? {}, 'type') === 'file'
    return [...(known === undefined ? [] : [known]), ...(isFile ? [filesBeta] : [])]
  })
  return [...new Set(betas)].toSorted().join(',')
}
