import type { ToolSpec } from '../../inference/engine.ts'
import type { CallSettings } from '../../inference/settings.ts'
import { toolParameters } from '../../inference/tool.ts'
import { isJsonObject, type JsonObject } from '../../json.ts'
import { geminiServerToolsKey } from '../../turns/keys.ts'
import type { Turn } from '../../turns/turn.ts'
import type { ToolChoice } from '../../turns/values.ts'
import { generationOf } from './model.ts'

const modes: Readonly<Record<ToolChoice, string>> = { auto: 'AUTO', required: 'ANY', none: 'NONE' }

/** The fields of a request that offer tools: ours with their whole schema, the provider's own as they are. */
export function toolFields(turn: Turn, { model, toolConfig }: CallSettings, tools: readonly ToolSpec[]): JsonObject {
  const serverTools = (geminiServerToolsKey.get(turn) ?? []).filter(isJsonObject)
  const functionDeclarations = tools.map((spec) => ({
    name: spec.name,
    description: spec.description,
    parametersJsonSchema: toolParameters(spec),
  }))
  const offered = [...(tools.length > 0 ? [{ functionDeclarations }] : []), ...serverTools]
  if (offered.length === 0) return {}
  if (tools.length === 0) return { tools: offered }
  const choice = toolConfig?.tool_choice ?? 'auto'
  if (serverTools.length === 0 || (generationOf(model) ?? 0) < 3)
    return { tools: offered, toolConfig: { functionCallingConfig: { mode: modes[choice] } } }
  return { tools: offered, toolConfig: mixedConfig(choice) }
}

// Functions beside tools that Gemini runs itself: "Please enable tool_config.include_server_side_tool_invocations to use
// Built-in tools with Function calling", and AUTO is then no mode. ai.google.dev/gemini-api/docs/tool-combination
function mixedConfig(choice: ToolChoice): JsonObject {
  const mode = choice === 'auto' ? 'VALIDATED' : modes[choice]
  return { functionCallingConfig: { mode }, includeServerSideToolInvocations: true }
}
