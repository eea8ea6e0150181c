import * as v from 'valibot'
import { GeppettoError } from '../errors.ts'
import { stack, viewTurn, type Engine, type Middleware } from '../inference/engine.ts'
import type { ModelCost } from '../inference/result.ts'
import type { StepController } from '../inference/steps.ts'
import type { ToolLoopOptions } from '../inference/tool-loop-options.ts'
import { toolLoop } from '../inference/tool-loop.ts'
import { jsonSchemaInput, type ClientTool, type Tool } from '../inference/tool.ts'
import { canonicalJson, type Json } from '../json.ts'
import { systemPrompt } from '../middleware/system-prompt.ts'
import { systemText } from '../turns/block.ts'
import { runtimeKey } from '../turns/keys.ts'
import { toolChoices } from '../turns/values.ts'

/** Who answers, under a name that callers choose by. */
export interface Profile {
  /** Lower-case letters, digits, `.`, `_` and `-`; stands in addresses. */
  readonly slug: string
  readonly description?: string
  /** The engine that is asked: one of a provider, without a tool loop. */
  readonly model: Engine
  readonly systemPrompt?: string
  /** What the model may call; nothing else is run under this profile. */
  readonly tools?: readonly Tool[]
  /** Middleware by name, of which a caller may ask for some. */
  readonly middleware?: Readonly<Record<string, (config: Json | undefined) => Middleware>>
  /** The names of those that are there when the caller asks for none. */
  readonly defaultMiddleware?: readonly string[]
  /** Whether a caller may change the prompt, the tools and the middleware for a session. Default false. */
  readonly allowsOverrides?: boolean
  /** What the model costs, for those who want to know what an answer did. */
  readonly cost?: ModelCost
  readonly loop?: Omit<ToolLoopOptions, 'allowedTools' | 'steps'>
}

/** Tools that the caller runs itself, as callers send them. */
export const clientToolsSchema = v.pipe(
  v.array(
    v.object({
      name: v.pipe(v.string(), v.regex(/^[\w-]{1,64}$/, 'must be 1 to 64 letters, digits, "_" or "-"')),
      description: v.optional(v.string(), ''),
      /** The JSON Schema of its input. */
      parameters: v.optional(v.record(v.string(), v.any()), { type: 'object' }),
    }),
  ),
  v.maxLength(128),
)

const runtimeSchema = v.object({
  profile: v.optional(v.string()),
  system_prompt: v.optional(v.string()),
  /** Names; a subset of the profile's tools. */
  tools: v.optional(v.array(v.string())),
  /** Tools that the caller runs itself. */
  client_tools: v.optional(
    v.array(v.object({ name: v.string(), description: v.string(), parameters: v.record(v.string(), v.any()) })),
  ),
  middlewares: v.optional(v.array(v.object({ name: v.string(), config: v.optional(v.any()) }))),
  /** What the caller tells the model for this turn alone, beside the profile's prompt. */
  instructions: v.optional(v.string()),
  tool_choice: v.optional(v.picklist(toolChoices)),
})

/** Which profile answers a turn, and what the caller changed of it: what `geppetto.runtime@v1` of the turn says. */
export type Runtime = v.InferOutput<typeof runtimeSchema> & { readonly profile: string }

/** The profiles of a server, and the engine that answers each turn as its runtime says. */
export class Profiles {
  readonly all: readonly Profile[]
  readonly default: Profile
  readonly #steps: StepController
  readonly #bySlug: ReadonlyMap<string, Profile>
  /** Composed engines, by what they were composed from. */
  readonly #engines = new Map<string, Engine>()

  /** The first profile is the default. Throws PROFILE_INVALID for a name that is none, or is two profiles'. */
  constructor(profiles: readonly [Profile, ...(readonly Profile[])], steps: StepController) {
    this.#steps = steps
    for (const { slug } of profiles) {
      if (
        !/^[a-z0-9](?:[a-z0-9._-]{0,126}[a-z0-9])?$/.test(slug) ||
        profiles.filter((other) => other.slug === slug).length > 1
      )
        throw new GeppettoError(
          'PROFILE_INVALID',
          `A profile cannot be named ${JSON.stringify(slug)}: lower-case letters, digits, '.', '_' and '-', each name once.`,
        )
    }
    this.all = profiles
    this.default = profiles[0]
    this.#bySlug = new Map(profiles.map((profile) => [profile.slug, profile]))
  }

  /** The profile of this name, the default one without a name. Throws PROFILE_UNKNOWN. */
  named(slug: string | undefined): Profile {
    const profile = slug === undefined ? this.default : this.#bySlug.get(slug)
    if (profile !== undefined) return profile
    throw new GeppettoError(
      'PROFILE_UNKNOWN',
      `There is no profile ${JSON.stringify(slug)} here; there are ${[...this.#bySlug.keys()].join(', ')}.`,
    )
  }

  /** Answers any turn: the turn itself says under which profile. A turn that says nothing gets the default one. */
  readonly engine: Engine = (turn, context) => this.#engineFor(this.runtimeOf(runtimeKey.get(turn)))(turn, context)

  /** The runtime that a turn's metadata tell of, in any form that was ever written. */
  runtimeOf(value: Json | undefined): Runtime {
    if (typeof value === 'string') return { profile: value }
    const parsed = v.safeParse(runtimeSchema, value)
    const runtime = parsed.success ? parsed.output : {}
    return { ...runtime, profile: runtime.profile ?? this.default.slug }
  }

  #engineFor(runtime: Runtime): Engine {
    const key = canonicalJson(runtime)
    const known = this.#engines.get(key)
    if (known !== undefined) return known
    const engine = compose(this.named(runtime.profile), runtime, this.#steps)
    // Callers who may override could make any number of them.
    if (this.#engines.size >= 256) this.#engines.clear()
    this.#engines.set(key, engine)
    return engine
  }
}

function compose(profile: Profile, runtime: Runtime, steps: StepController): Engine {
  const tools = (profile.tools ?? []).filter(({ name }) => runtime.tools?.includes(name) ?? true)
  const mayOverride = profile.allowsOverrides === true // the turn may have come to this profile after it was asked for
  const prompt = (mayOverride ? runtime.system_prompt : undefined) ?? profile.systemPrompt ?? ''
  const chosen = runtime.middlewares ?? (profile.defaultMiddleware ?? []).map((name) => ({ name, config: undefined }))
  const middleware = chosen.map(({ name, config }) => {
    const { middleware: known = {} } = profile
    const make = Object.hasOwn(known, name) ? known[name] : undefined // a caller may say any name
    if (make !== undefined) return make(config as Json | undefined) // it came out of JSON
    throw new GeppettoError('PROFILE_INVALID', `Profile ${profile.slug} has no middleware ${JSON.stringify(name)}.`)
  })
  const clientTools = (runtime.client_tools ?? []).map(({ name, description, parameters }): ClientTool => ({
    name,
    description: description.trim() === '' ? name : description,
    input: jsonSchemaInput(parameters),
    runsOn: 'client',
  }))
  const model = stack(profile.model, systemPrompt(prompt), instructions(runtime.instructions), ...middleware)
  const { tool_choice: toolChoice } = runtime
  const offered = [...tools, ...clientTools.filter(({ name }) => !tools.some((own) => own.name === name))]
  // Also without tools: the loop is what marks the phases of a turn and lets a person look in between.
  return toolLoop(model, offered, { ...profile.loop, ...(toolChoice !== undefined && { toolChoice }), steps })
}

/** Shows the model `text` behind the system prompt, and leaves nothing of it in the turn. */
function instructions(text = ''): Middleware {
  return viewTurn((turn) => {
    if (text === '') return turn
    const at = turn.blocks[0]?.kind === 'system' ? 1 : 0
    return { ...turn, blocks: turn.blocks.toSpliced(at, 0, systemText(text)) }
  })
}
