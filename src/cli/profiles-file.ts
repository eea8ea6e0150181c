import * as v from 'valibot'
import { GeppettoError, isGeppettoError } from '../errors.ts'
import type { Profile } from '../server/profile.ts'
import { readDocument } from '../turns/document-reader.ts'
import { requireTool } from './conversation.ts'
import { chooseEngine } from './engine-options.ts'
import { readText } from './files.ts'
import type { Io } from './io.ts'

export type Profiles = readonly [Profile, ...(readonly Profile[])]

const profileSchema = v.strictObject({
  slug: v.string(),
  description: v.optional(v.string()),
  engine: v.optional(v.string(), 'scripted'),
  model: v.optional(v.string()),
  base_url: v.optional(v.string()),
  /** The environment variable that holds the key: keys themselves do not belong in a file that is passed around. */
  api_key_env: v.optional(v.string()),
  system_prompt: v.optional(v.string()),
  tools: v.optional(v.array(v.string()), []),
  allows_overrides: v.optional(v.boolean(), false),
})
const fileSchema = v.pipe(v.array(profileSchema), v.minLength(1, 'there is no profile in it'))

/**
 * The profiles that a YAML or JSON file lists, the first of them the default; `note` hears which keys they use. Throws
 * FILE_ACCESS, PROFILE_INVALID, and what an engine has against its settings.
 */
export async function readProfiles(file: string, io: Io, note: (sentence: string) => void): Promise<Profiles> {
  const [first, ...more] = parse(file, await readText(file, io))
  if (first === undefined) throw invalid(file, 'there is no profile in it')
  const profiles: [Profile, ...Profile[]] = [await profileOf(first, file, io, note)]
  for (const each of more) profiles.push(await profileOf(each, file, io, note))
  return profiles
}

type ProfileEntry = v.InferOutput<typeof profileSchema>

function parse(file: string, text: string): readonly ProfileEntry[] {
  const result = v.safeParse(fileSchema, valueOf(file, text))
  if (result.success) return result.output
  const problems = result.issues.map((issue) => `${v.getDotPath(issue) ?? 'it'}: ${issue.message}`)
  throw invalid(file, problems.slice(0, 5).join('; '))
}

function valueOf(file: string, text: string): unknown {
  try {
    return readDocument(text)
  } catch (error) {
    if (isGeppettoError(error)) throw invalid(file, error.message, error)
    throw error
  }
}

async function profileOf(
  entry: ProfileEntry,
  file: string,
  io: Io,
  note: (sentence: string) => void,
): Promise<Profile> {
  const { slug, description, engine: name, model, base_url, api_key_env, system_prompt, tools } = entry
  const settings = {
    engine: name,
    ...(model !== undefined && { model }),
    ...(base_url !== undefined && { baseUrl: base_url }),
    ...(api_key_env !== undefined && { apiKeyEnv: api_key_env }),
  }
  try {
    const { engine } = await chooseEngine(settings, io, (sentence) => note(`Profile ${slug}: ${sentence}`))
    return {
      slug,
      model: engine,
      tools: [...new Set(tools)].map(requireTool),
      allowsOverrides: entry.allows_overrides,
      ...(description !== undefined && { description }),
      ...(system_prompt !== undefined && { systemPrompt: system_prompt }),
    }
  } catch (error) {
    if (!isGeppettoError(error)) throw error
    throw new GeppettoError(error.code, `Profile ${slug} of ${file}: ${error.message}`, { cause: error })
  }
}

function invalid(file: string, problem: string, cause?: unknown): GeppettoError {
  return new GeppettoError('PROFILE_INVALID', `${file} is no list of profiles: ${problem}.`.replace(/\.\.$/, '.'), {
    cause,
  })
}
