import type { Cassette } from '../cassette/cassette.ts'
import { GeppettoError } from '../errors.ts'
import type { Engine } from '../inference/engine.ts'
import { checkUrl, type NetworkPolicy } from '../providers/address-guard.ts'
import { createEngine, defaultModels, engineNameOf, type EngineName } from '../providers/factory.ts'
import { UsageError } from './exit.ts'
import { readText } from './files.ts'
import type { Io } from './io.ts'

/** Which engine answers, as the options name it. */
export interface EngineOptions {
  readonly engine: string
  readonly model?: string
  readonly baseUrl?: string
  readonly apiKeyFile?: string
  /** The environment variable that holds the key; default: the provider's own. */
  readonly apiKeyEnv?: string
  readonly pace?: number
  readonly script?: string
  /** What the file of `script` says, when that is known. */
  readonly scriptText?: string
  /** Where requests go instead of to the network. */
  readonly cassette?: Cassette
  /** Whether no key is needed, since nobody is asked. */
  readonly keyless?: boolean
}

export interface ChosenEngine {
  readonly engine: Engine
  readonly name: EngineName
  readonly model: string
}

/** Where each engine's key is when no file holds it. */
export const keyVariables: Readonly<Record<Exclude<EngineName, 'scripted'>, string>> = {
  openai: 'OPENAI_API_KEY',
  'openai-responses': 'OPENAI_API_KEY',
  anthropic: 'ANTHROPIC_API_KEY',
  gemini: 'GEMINI_API_KEY',
}

/**
 * The engine that the options ask for; `note` hears which key it uses and which options mean nothing to it. Throws for
 * an unknown engine, a missing key, an address that is none, a file that cannot be read.
 */
export async function chooseEngine(
  options: EngineOptions,
  io: Io,
  note: (sentence: string) => void,
): Promise<ChosenEngine> {
  const name = engineNameOf(options.engine)
  const model = options.model ?? defaultModels[name]
  for (const sentence of unusedOptions(name, options)) note(sentence)
  if (name === 'scripted') {
    const script = options.scriptText ?? (options.script === undefined ? undefined : await readText(options.script, io))
    const { pace } = options
    return {
      name,
      model,
      engine: createEngine(name, {
        model,
        ...(script !== undefined && { script }),
        ...(pace !== undefined && { pace }),
      }),
    }
  }
  const { baseUrl, cassette } = options
  if (baseUrl !== undefined) requireUrl(baseUrl)
  const key = options.keyless === true ? undefined : await findKey(name, options, io)
  if (options.keyless !== true)
    note(
      key === undefined
        ? `No key is sent: ${keyVariable(name, options)} is not set.`
        : `The key is from ${key.source}.`,
    )
  const settings = {
    model,
    ...(key !== undefined && { apiKey: key.key }),
    ...(baseUrl !== undefined && { baseUrl, network: networkOf(options) }),
    ...(cassette !== undefined && { fetch: cassette.fetch }),
  }
  return { name, model, engine: createEngine(name, settings) }
}

/** Which addresses may be reached: what the user typed is meant, wherever it is. */
export function networkOf({ baseUrl }: EngineOptions): NetworkPolicy {
  return baseUrl === undefined ? {} : givenByHand
}

const givenByHand: NetworkPolicy = { allowHttp: true, allowPrivate: true }

function unusedOptions(name: EngineName, options: EngineOptions): readonly string[] {
  const unused =
    name === 'scripted'
      ? [options.baseUrl !== undefined && '--base-url', options.apiKeyFile !== undefined && '--api-key-file']
      : [options.script !== undefined && '--script', options.pace !== undefined && '--pace']
  return unused.flatMap((flag) =>
    flag === false ? [] : [`${flag} means nothing to the engine ${name}; choose another with --engine.`],
  )
}

function requireUrl(baseUrl: string): void {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new UsageError(
      `--base-url must be an address such as https://example.com/v1, not ${JSON.stringify(baseUrl)}.`,
    )
  }
  checkUrl(url, givenByHand)
}

interface FoundKey {
  readonly key: string
  readonly source: string
}

// A server given by hand may need no key; a provider's own API always does.
async function findKey(
  name: Exclude<EngineName, 'scripted'>,
  options: EngineOptions,
  io: Io,
): Promise<FoundKey | undefined> {
  const variable = keyVariable(name, options)
  if (options.apiKeyFile !== undefined)
    // A name that no file has is not printed: it may be the key itself, given by mistake.
    return readKey(
      await readText(options.apiKeyFile, io, 'the file that --api-key-file names'),
      `the file ${options.apiKeyFile}`,
    )
  const value = io.env[variable] ?? ''
  if (value.trim() !== '') return readKey(value, variable)
  if (options.baseUrl !== undefined) return undefined
  throw new GeppettoError(
    'PROVIDER_KEY_MISSING',
    `The engine ${name} needs a key: set ${variable}, or name a file that holds it with --api-key-file.`,
  )
}

function keyVariable(name: Exclude<EngineName, 'scripted'>, { apiKeyEnv }: EngineOptions): string {
  return apiKeyEnv ?? keyVariables[name]
}

function readKey(text: string, source: string): FoundKey {
  const key = text.trim()
  if (key === '') throw new GeppettoError('PROVIDER_KEY_MISSING', `There is no key in ${source}; it is empty.`)
  if (!/^[\u0021-\u007e]+$/.test(key))
    throw new UsageError(`What is in ${source} is no key: a key is one word of plain characters.`)
  return { key, source }
}
