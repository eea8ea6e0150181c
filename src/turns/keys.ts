import * as v from 'valibot'
import type { Json } from '../json.ts'
import { blockMeta, turnData, turnMeta } from './key.ts'
import {
  claudeInferenceConfigSchema,
  inferenceConfigSchema,
  inferenceResultSchema,
  openaiInferenceConfigSchema,
  sidecarSchema,
  structuredOutputSchema,
  toolConfigSchema,
  toolDefinitionSchema,
  usageSchema,
} from './values.ts'

// The one manifest of the keys that Geppetto itself reads and writes. docs/turns.md lists them from here.

const json = v.custom<Json>((value) => value !== undefined, 'must be a value')
const text = v.string()
const texts = v.array(v.string())

// Facts about a turn.
export const sessionIdKey = turnMeta('geppetto', 'session_id', 1, text)
export const inferenceIdKey = turnMeta('geppetto', 'inference_id', 1, text)
export const traceIdKey = turnMeta('geppetto', 'trace_id', 1, text)
/** Which runtime answered: a name, or an object with `runtime_key`, `runtime_fingerprint` and `profile`. */
export const runtimeKey = turnMeta('geppetto', 'runtime', 1, json)
export const inferenceResultKey = turnMeta('geppetto', 'inference_result', 1, inferenceResultSchema)
/** Written by older versions; `inference_result` replaces these four. */
export const providerKey = turnMeta('geppetto', 'provider', 1, text)
export const modelKey = turnMeta('geppetto', 'model', 1, text)
export const stopReasonKey = turnMeta('geppetto', 'stop_reason', 1, text)
export const usageKey = turnMeta('geppetto', 'usage', 1, usageSchema)

// Inputs that carry over.
export const toolConfigKey = turnData('geppetto', 'tool_config', 1, toolConfigSchema)
export const toolDefinitionsKey = turnData('geppetto', 'tool_definitions', 1, v.array(toolDefinitionSchema))
export const structuredOutputKey = turnData('geppetto', 'structured_output_config', 1, structuredOutputSchema)
export const inferenceConfigKey = turnData('geppetto', 'inference_config', 1, inferenceConfigSchema)
export const claudeInferenceConfigKey = turnData('geppetto', 'claude_inference_config', 1, claudeInferenceConfigSchema)
export const openaiInferenceConfigKey = turnData('geppetto', 'openai_inference_config', 1, openaiInferenceConfigSchema)
export const agentModeKey = turnData('geppetto', 'agent_mode', 1, text)
export const agentModeAllowedToolsKey = turnData('geppetto', 'agent_mode_allowed_tools', 1, texts)
/** Server tools of OpenAI Responses, sent as they are. */
export const responsesServerToolsKey = turnData('geppetto', 'responses_server_tools', 1, v.array(json))
/** Server tools of Anthropic, sent as they are. */
export const anthropicServerToolsKey = turnData('geppetto', 'anthropic_server_tools', 1, v.array(json))
/** Server tools of Gemini (`googleSearch`, `codeExecution`, …), sent as they are. */
export const geminiServerToolsKey = turnData('geppetto', 'gemini_server_tools', 1, v.array(json))
export const sqliteDsnKey = turnData('pinocchio', 'sqlite_dsn', 1, text)
export const sqlitePromptsKey = turnData('pinocchio', 'sqlite_prompts', 1, texts)

// Facts about a block.
/** Which middleware inserted or changed the block last. */
export const middlewareKey = blockMeta('geppetto', 'middleware', 1, text)
/** The outcome of the provider call that made the block. */
export const blockResultKey = blockMeta('geppetto', 'inference_result', 1, inferenceResultSchema)
/** True for text that a cancel or an error cut off. */
export const partialKey = blockMeta('geppetto', 'partial', 1, v.boolean())
export const sidecarKey = blockMeta('geppetto', 'sidecar', 1, sidecarSchema)
export const claudeOriginalContentKey = blockMeta('geppetto', 'claude_original_content', 1, json)
export const legacyToolCallsKey = blockMeta('geppetto', 'tool_calls', 1, json)
export const agentModeTagKey = blockMeta('geppetto', 'agentmode_tag', 1, text)
export const agentModeNameKey = blockMeta('geppetto', 'agentmode', 1, text)
export const responseIdKey = blockMeta('openai_responses', 'response_id', 1, text)
export const outputIndexKey = blockMeta('openai_responses', 'output_index', 1, v.number())
export const itemTypeKey = blockMeta('openai_responses', 'item_type', 1, text)
export const itemStatusKey = blockMeta('openai_responses', 'status', 1, text)
export const thoughtSignatureKey = blockMeta('gemini', 'thought_signature', 1, text)
export const thoughtKey = blockMeta('gemini', 'thought', 1, v.boolean())

/** Every key of the catalogue, to check a turn against and to list in the documents. */
export const keyCatalogue = {
  'turn.metadata': [
    sessionIdKey,
    inferenceIdKey,
    traceIdKey,
    runtimeKey,
    inferenceResultKey,
    providerKey,
    modelKey,
    stopReasonKey,
    usageKey,
  ],
  'turn.data': [
    toolConfigKey,
    toolDefinitionsKey,
    structuredOutputKey,
    inferenceConfigKey,
    claudeInferenceConfigKey,
    openaiInferenceConfigKey,
    agentModeKey,
    agentModeAllowedToolsKey,
    responsesServerToolsKey,
    anthropicServerToolsKey,
    geminiServerToolsKey,
    sqliteDsnKey,
    sqlitePromptsKey,
  ],
  'block.metadata': [
    middlewareKey,
    blockResultKey,
    partialKey,
    sidecarKey,
    claudeOriginalContentKey,
    legacyToolCallsKey,
    agentModeTagKey,
    agentModeNameKey,
    responseIdKey,
    outputIndexKey,
    itemTypeKey,
    itemStatusKey,
    thoughtSignatureKey,
    thoughtKey,
  ],
} as const
