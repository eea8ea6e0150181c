import type { ProjectionRepair } from '../../events/event.ts'
import type { ToolSpec } from '../../inference/engine.ts'
import type { CallSettings } from '../../inference/settings.ts'
import { isJsonObject, type JsonObject } from '../../json.ts'
import { anthropicServerToolsKey, blockResultKey } from '../../turns/keys.ts'
import type { Turn } from '../../turns/turn.ts'
import type { ProviderRequest } from '../protocol.ts'
import { object, text } from '../wire.ts'
import { betaHeader } from './beta.ts'
import { cacheMark, markedMessages, markLast } from './cache.ts'
import { read } from './content.ts'
import { toMessages } from './messages.ts'
import { leftOut, loopWithoutThinking, maxTokens, sampling, thinkingOf, thinks } from './thinking.ts'
import { toolFields, toTool } from './tools.ts'

// A turn as the body of POST /messages. platform.claude.com/docs/en/api/messages

// The version of 2026-10-21 takes no sampling settings at all, and gateways know this one.
// platform.claude.com/docs/en/api/versioning
const apiVersion = '2023-06-01'

/** The request for `turn`: the same turn, settings and tools give the same bytes. */
export function toRequest(turn: Turn, settings: CallSettings, tools: readonly ToolSpec[]): ProviderRequest {
  const { system, messages, repairs } = toMessages(turn.blocks)
  const wanted = thinkingOf(settings)
  const gap = wanted?.type === 'enabled' ? loopWithoutThinking(messages) : undefined
  const thinking = gap === undefined ? wanted : undefined
  // Ours come last: they change more often, and the cache keeps what is before the change.
  const serverTools: readonly JsonObject[] = (anthropicServerToolsKey.get(turn) ?? []).filter(isJsonObject)
  const offered = toolFields(settings, [...serverTools, ...tools.map(toTool)], messages, thinks(thinking))
  const otherMarks = serverTools.map((tool) => object(tool, 'cache_control')).filter((mark) => mark !== undefined)
  const mark = cacheMark(settings.promptCache, otherMarks)
  const used = otherMarks.length + (tools.length > 0 ? 1 : 0) + (system.length > 0 ? 1 : 0)
  const instructions = system.map(({ content }) => content)
  const contents = messages.flatMap((message) => message.parts.map(({ content }) => content))
  const beta = betaHeader([...contents, ...offered.tools])
  return {
    path: '/messages',
    headers: { 'anthropic-version': apiVersion, ...(beta !== '' && { 'anthropic-beta': beta }) },
    body: {
      model: settings.model,
      max_tokens: maxTokens(settings, thinking),
      ...(offered.tools.length > 0 && { tools: tools.length > 0 ? markLast(offered.tools, mark) : offered.tools }),
      ...(offered.choice !== undefined && { tool_choice: offered.choice }),
      ...(instructions.length > 0 && { system: markLast(instructions, mark) }),
      messages: markedMessages(messages, mark, used),
      ...(thinking !== undefined && { thinking }),
      ...outputConfig(settings),
      ...sampling(settings, thinking),
      ...stopSequences(settings),
      ...(settings.claude.user_id !== undefined && { metadata: { user_id: settings.claude.user_id } }),
      ...container(turn),
      stream: true,
    },
    repairs: [...repairs, ...thinkingPaused(gap), ...offered.repairs],
    warnings: leftOut(settings, thinking),
  }
}

function thinkingPaused(block: number | undefined): readonly ProjectionRepair[] {
  if (block === undefined) return []
  const detail = 'these tool calls began without thinking; the model goes on without it'
  return [{ repair: 'thinking-paused', block, detail }]
}

/** Names of effort that other providers have and Anthropic has not. */
const efforts: ReadonlyMap<string, string | undefined> = new Map([
  ['minimal', 'low'],
  ['none', undefined],
  ['', undefined],
])

function outputConfig({ inference, structuredOutput }: CallSettings): JsonObject {
  const named = inference.reasoning_effort?.trim().toLowerCase() ?? ''
  const effort = efforts.has(named) ? efforts.get(named) : named
  if (effort === undefined && structuredOutput === undefined) return {}
  return {
    output_config: {
      ...(effort !== undefined && { effort }),
      ...(structuredOutput !== undefined && { format: { type: 'json_schema', schema: structuredOutput.schema } }),
    },
  }
}

// The API refuses a stop sequence without a visible character.
function stopSequences({ inference }: CallSettings): JsonObject {
  const stop = (inference.stop ?? [])
    .filter((sequence) => sequence.trim() !== '')
    .map((sequence) => sequence.toWellFormed())
  return stop.length === 0 ? {} : { stop_sequences: stop }
}

/**
 * The container of the run that is going on, so that code which waits for our tools finds itself again. Not that of an
 * earlier run: it may be gone, and naming one that is gone fails the request.
 */
function container(turn: Turn): JsonObject {
  const prompt = turn.blocks.findLastIndex((block) => block.kind === 'user')
  for (const block of turn.blocks.slice(prompt + 1).toReversed()) {
    const result = read(blockResultKey, block)
    const known = result?.provider === 'anthropic' ? object(result.extra ?? {}, 'container') : undefined
    const id = known === undefined ? undefined : text(known, 'id')
    if (id !== undefined) return { container: id }
  }
  return {}
}
