import type { ProjectionRepair } from '../../events/event.ts'
import type { ToolSpec } from '../../inference/engine.ts'
import type { CallSettings } from '../../inference/settings.ts'
import { toolParameters } from '../../inference/tool.ts'
import type { JsonObject } from '../../json.ts'
import { text } from '../wire.ts'
import type { Message } from './message.ts'

export interface ToolFields {
  readonly tools: readonly JsonObject[]
  readonly choice?: JsonObject
  readonly repairs: readonly ProjectionRepair[]
}

export function toTool(spec: ToolSpec): JsonObject {
  return { name: spec.name, description: spec.description.toWellFormed(), input_schema: toolParameters(spec) }
}

/**
 * The tools and how they may be chosen. Without tools there are no tool fields, but for a conversation that has called
 * some: "Requests which include `tool_use` or `tool_result` blocks must define tools". Those are named, and
 * cannot be called.
 */
export function toolFields(
  settings: CallSettings,
  tools: readonly JsonObject[],
  messages: readonly Message[],
  isThinking: boolean,
): ToolFields {
  if (tools.length > 0) {
    const choice = toolChoice(settings, isThinking)
    return { tools, repairs: [], ...(choice !== undefined && { choice }) }
  }
  const calls = messages.flatMap((message) => message.parts).filter(({ content }) => content['type'] === 'tool_use')
  const first = calls[0]
  if (first === undefined) return { tools: [], repairs: [] }
  const names = new Set(calls.map(({ content }) => text(content, 'name') ?? ''))
  return {
    tools: [...names].map((name) => ({ name, description: 'No longer available.', input_schema: { type: 'object' } })),
    choice: { type: 'none' },
    repairs: [
      {
        repair: 'undeclared-tools',
        block: first.block,
        detail: `tools that were called and are not offered now: ${[...names].join(', ')}`,
      },
    ],
  }
}

function toolChoice({ toolConfig }: CallSettings, isThinking: boolean): JsonObject | undefined {
  const single = toolConfig?.max_parallel_tools === 1 ? { disable_parallel_tool_use: true } : undefined
  switch (toolConfig?.tool_choice) {
    case 'none':
      return { type: 'none' }
    case 'required':
      return { type: isThinking ? 'auto' : 'any', ...single }
    case 'auto':
      return { type: 'auto', ...single }
    case undefined:
      return single === undefined ? undefined : { type: 'auto', ...single }
  }
}
