import { GeppettoError } from '../errors.ts'
import type { Engine } from '../inference/engine.ts'
import { anthropic } from './anthropic/protocol.ts'
import type { ProviderSettings } from './provider-settings.ts'
import { gemini } from './gemini/protocol.ts'
import { openai } from './openai/protocol.ts'
import { openaiResponses } from './openai-responses/protocol.ts'
import { scripted, type ScriptedSettings } from './scripted/engine.ts'

export const engineNames = ['openai', 'openai-responses', 'anthropic', 'gemini', 'scripted'] as const
export type EngineName = (typeof engineNames)[number]

const aliases: ReadonlyMap<string, EngineName> = new Map([
  ...engineNames.map((name) => [name, name] as const),
  ['open-responses', 'openai-responses'],
  ['claude', 'anthropic'],
])

/** The model that an engine calls when none is named. */
export const defaultModels: Readonly<Record<EngineName, string>> = {
  openai: 'gpt-5-mini',
  'openai-responses': 'gpt-5-mini',
  anthropic: 'claude-sonnet-4-5',
  gemini: 'gemini-2.5-flash',
  scripted: 'scripted-1',
}

/** The settings of any engine: those of a provider, and those of the scripted engine. */
export type EngineSettings = Omit<ProviderSettings, 'model'> & ScriptedSettings

/** The engine that is meant by `name`, which may be an alias. Throws PROVIDER_UNKNOWN. */
export function engineNameOf(name: string): EngineName {
  const found = aliases.get(name.trim().toLowerCase())
  if (found !== undefined) return found
  throw new GeppettoError(
    'PROVIDER_UNKNOWN',
    `There is no engine ${JSON.stringify(name)}; the engines are ${engineNames.join(', ')} (and claude for anthropic, open-responses for openai-responses).`,
    { details: { name } },
  )
}

/**
 * The engine of this name, or of this alias. Throws PROVIDER_UNKNOWN for another name, and PROVIDER_KEY_MISSING when a
 * provider's own API is to be called and nothing says how to be let in.
 */
export function createEngine(name: string, settings: EngineSettings = {}): Engine {
  const engine = engineNameOf(name)
  const { script, pace, model = defaultModels[engine], ...shared } = settings
  if (engine === 'scripted') {
    return scripted({ model, ...(script !== undefined && { script }), ...(pace !== undefined && { pace }) })
  }
  const { apiKey = '', baseUrl, headers, fetch } = shared
  if (apiKey === '' && baseUrl === undefined && headers === undefined && fetch === undefined) {
    throw new GeppettoError('PROVIDER_KEY_MISSING', `The engine ${engine} needs a key: give it as apiKey.`, {
      details: { engine },
    })
  }
  return providers[engine]({ ...shared, model })
}

const providers: Readonly<Record<Exclude<EngineName, 'scripted'>, (settings: ProviderSettings) => Engine>> = {
  openai,
  'openai-responses': openaiResponses,
  anthropic,
  gemini,
}
