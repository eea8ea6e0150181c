import type { Clock } from '../clock.ts'
import { GeppettoError, messageOf } from '../errors.ts'
import type { InferenceScope } from '../events/event.ts'
import { findNonJson, isJsonObject, type Json, type JsonObject } from '../json.ts'
import type { ToolInputSchema, ToolSpec } from './engine.ts'

/** What a tool is given beside its input. */
export interface ToolContext {
  /** Aborts when the run is cancelled and when the tool's time is up. */
  readonly signal: AbortSignal
  readonly ids: InferenceScope & { readonly toolCallId: string }
  /** The same for every execution of this call, after a crash too, and for no other call. */
  readonly idempotencyKey: string
  readonly clock: Clock
  /** Shows how far the call is, as a `tool-progress` event. Does nothing once the call has ended. */
  report(progress: Json): void
}

/** A tool as a program runs it. */
export interface Tool<Input = unknown> extends ToolSpec<Input> {
  /**
   * Does the work with the validated input. What it returns is the result that the model sees: JSON; `undefined` counts
   * as null. What it throws becomes an error result that carries the message.
   */
  execute(input: Input, context: ToolContext): Json | Promise<Json>
  /** How long one attempt may take; then its signal aborts and the call has failed. Default: the loop's. */
  readonly timeoutMs?: number
  /** The input as events show it, without its secrets. Default: the arguments as the model wrote them. */
  mask?(input: Input): Json
  /**
   * What a second execution of the same call would do: `read` changes nothing, `idempotent` changes nothing more than
   * the first did. Left out: neither is known, and a call that may have run is never run again after a crash.
   */
  readonly effect?: 'read' | 'idempotent'
  /** Whether a person must allow this call before it runs. Default: no call needs that. */
  needsApproval?(input: Input): boolean | Promise<boolean>
}

/**
 * A tool that the program of the caller runs, as a browser does that shows a map. A call of it is put to whoever follows
 * the run, as an approval with the reason `client-tool` is, and whoever decides on that gives the result.
 */
export interface ClientTool<Input = unknown> extends ToolSpec<Input> {
  readonly runsOn: 'client'
}

const toolName = /^[A-Za-z0-9_-]{1,64}$/

/**
 * Checks a tool and gives it back. Throws TOOL_INVALID when its name is not 1–64 letters, digits, `_` and `-`, when it
 * has no description, or when its input is not described by a JSON Schema of an object.
 */
export function defineTool<Input>(tool: Tool<Input>): Tool<Input> {
  requireValidSpec(tool)
  return tool
}

/** Throws TOOL_INVALID unless every provider can take the tool. */
export function requireValidSpec(spec: ToolSpec): void {
  if (!toolName.test(spec.name)) {
    throw invalid(spec, 'its name must be 1 to 64 letters, digits, underscores or hyphens')
  }
  if (spec.description.trim() === '') throw invalid(spec, 'it needs a description that tells the model when to call it')
  if (toolParameters(spec)['type'] !== 'object') {
    throw invalid(spec, 'the JSON Schema of its input must have an object at its root')
  }
}

// The schema of an input never changes, and deriving it costs more than looking it up before every request.
const derived = new WeakMap<ToolInputSchema, JsonObject>()

/**
 * The JSON Schema (2020-12) of a tool's input, as providers are shown it: without `$schema`, keywords in sorted order
 * and properties in the order of their declaration, so that equal tools give equal bytes. Throws TOOL_INVALID when the
 * input cannot be described.
 */
export function toolParameters(spec: ToolSpec): JsonObject {
  const known = derived.get(spec.input)
  if (known !== undefined) return known
  const { $schema: _draft, ...schema } = describe(spec)
  const problem = findNonJson(schema)
  if (problem !== undefined) throw invalid(spec, `the JSON Schema of its input is not JSON at ${problem}`)
  const parameters = inStableOrder(schema as JsonObject) // findNonJson found nothing
  derived.set(spec.input, parameters)
  return parameters
}

function describe(spec: ToolSpec): Readonly<Record<string, unknown>> {
  try {
    return spec.input['~standard'].jsonSchema.input({ target: 'draft-2020-12' })
  } catch (error) {
    throw invalid(spec, `its input cannot be described as JSON Schema (${messageOf(error)})`, error)
  }
}

// A model writes arguments in the order of the properties, so that order is the author's; the rest has none of its own.
function inStableOrder(schema: JsonObject): JsonObject {
  const keywords = Object.keys(schema).filter((keyword) => schema[keyword] !== undefined)
  return Object.fromEntries(
    keywords.toSorted().map((keyword) => {
      const value = schema[keyword] as Json // the key comes from the schema itself
      return [keyword, keyword === 'properties' && isJsonObject(value) ? mapValues(value, inner) : inner(value)]
    }),
  )
}

function inner(value: Json): Json {
  if (Array.isArray(value)) return value.map(inner)
  return isJsonObject(value) ? inStableOrder(value) : value
}

function mapValues(record: JsonObject, map: (value: Json) => Json): JsonObject {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
}

/**
 * The input of a tool that is known only by its JSON Schema, such as one that another process offers. It validates that
 * the arguments are an object and nothing more: whoever runs the tool must check them against the schema.
 */
export function jsonSchemaInput(schema: JsonObject): ToolInputSchema<JsonObject> {
  return {
    '~standard': {
      version: 1,
      vendor: 'geppetto',
      validate: (value) =>
        isJsonObject(value) ? { value } : { issues: [{ message: 'the arguments must be a JSON object' }] },
      jsonSchema: { input: () => schema, output: () => schema },
    },
  }
}

function invalid(spec: ToolSpec, problem: string, cause?: unknown): GeppettoError {
  return new GeppettoError('TOOL_INVALID', `The tool ${JSON.stringify(spec.name)} cannot be offered: ${problem}.`, {
    details: { toolName: spec.name },
    ...(cause !== undefined && { cause }),
  })
}
