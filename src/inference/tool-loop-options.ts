import { GeppettoError } from '../errors.ts'
import {
  durationOf,
  type ToolChoice,
  type ToolConfig,
  type ToolDefinition,
  type ToolErrorPolicy,
} from '../turns/values.ts'
import type { StepController } from './steps.ts'
import type { ToolBatchSettings } from './tool-batch.ts'
import type { RetryOptions } from './tool-execution.ts'
import { requireValidSpec, toolParameters, type ClientTool, type Tool } from './tool.ts'

export interface ToolLoopOptions {
  /** Model calls of one run. Default 20. */
  readonly maxIterations?: number
  /** Tools that run at the same time. Default 3. */
  readonly maxParallel?: number
  /** The time of one attempt of a tool that names none of its own. Default 30 000. */
  readonly timeoutMs?: number
  /** Characters of a result, as JSON; a longer one is cut, with a note. Default 200 000. */
  readonly maxResultChars?: number
  /**
   * What a failed call does: `continue` shows the model the error; `retry` runs the tool again before it does; `abort`
   * ends the run with TOOL_FAILED. A call that asks for what is not there or not allowed has failed too, but is never
   * retried. Default `continue`.
   */
  readonly onError?: ToolErrorPolicy
  readonly retry?: RetryOptions
  /** `required` holds for the first model call of a run, or it could never end. Default `auto`. */
  readonly toolChoice?: ToolChoice
  /** Names of the tools that are offered and run; default: all. */
  readonly allowedTools?: readonly string[]
  /**
   * What becomes of a call that may have run when its process died, of a tool that does not say that a second time does
   * no harm. `ask` waits for a person; `continue` tells the model that the outcome is unknown. Default `ask`.
   */
  readonly onUnknownOutcome?: 'ask' | 'continue'
  /** How long an approval is waited for, in milliseconds; then the call is answered as refused. Default 24 hours. */
  readonly approvalTimeoutMs?: number
  /** Holds a run where its sessions want to be held: between the steps. */
  readonly steps?: StepController
}

/** The options of a loop, checked and with their defaults. */
export interface Loop extends ToolBatchSettings {
  /** By name, so that equal tools give equal requests. */
  readonly offered: readonly (Tool | ClientTool)[]
  readonly definitions: ToolDefinition[]
  readonly maxIterations: number
  readonly config: ToolConfig
}

/** Throws TOOL_INVALID and SETTINGS_INVALID for what cannot work. */
export function readToolLoop(tools: readonly (Tool | ClientTool)[], options: ToolLoopOptions): Loop {
  const { maxIterations = 20, maxParallel = 3, timeoutMs = 30_000, maxResultChars = 200_000 } = options
  const { onError = 'continue', toolChoice = 'auto', allowedTools, steps } = options
  const { onUnknownOutcome = 'ask', approvalTimeoutMs = 86_400_000 } = options
  const { maxRetries = 2, backoffMs = 1000, backoffFactor = 2 } = options.retry ?? {}
  for (const [name, count] of Object.entries({
    maxIterations,
    maxParallel,
    timeoutMs,
    maxResultChars,
    approvalTimeoutMs,
  })) {
    if (Number.isInteger(count) && count >= 1) continue
    throw new GeppettoError(
      'SETTINGS_INVALID',
      `The tool loop's ${name} must be a whole number from 1 up, not ${count}.`,
    )
  }
  const allowed = allowedTools === undefined ? undefined : new Set(allowedTools)
  const byName = toolsByName(tools)
  const offered = [...byName.values()].filter((tool) => allowed?.has(tool.name) ?? true)
  return {
    tools: byName,
    offered,
    definitions: offered.map((tool) => ({
      name: tool.name,
      description: tool.description,
      parameters: toolParameters(tool),
    })),
    // A model that calls a tool although it was told to call none is not obeyed.
    isAllowed: (name) => toolChoice !== 'none' && (allowed?.has(name) ?? true),
    maxIterations,
    maxParallel,
    timeoutMs,
    maxResultChars,
    stopOnError: onError === 'abort',
    retry: { maxRetries: onError === 'retry' ? maxRetries : 0, backoffMs, backoffFactor },
    onUnknownOutcome,
    approvalTimeoutMs,
    steps,
    config: {
      enabled: true,
      tool_choice: toolChoice,
      max_iterations: maxIterations,
      execution_timeout: durationOf(timeoutMs),
      max_parallel_tools: maxParallel,
      tool_error_handling: onError,
      retry_config: { max_retries: maxRetries, backoff_base: durationOf(backoffMs), backoff_factor: backoffFactor },
    },
  }
}

function toolsByName(tools: readonly (Tool | ClientTool)[]): ReadonlyMap<string, Tool | ClientTool> {
  const byName = new Map<string, Tool | ClientTool>()
  for (const tool of tools.toSorted((left, right) => (left.name < right.name ? -1 : 1))) {
    requireValidSpec(tool)
    if (byName.has(tool.name))
      throw new GeppettoError('TOOL_INVALID', `Two tools are named ${tool.name}; a name must be one tool's.`)
    byName.set(tool.name, tool)
  }
  return byName
}
