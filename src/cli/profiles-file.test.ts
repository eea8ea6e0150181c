import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readProfiles } from './profiles-file.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geppetto-profiles-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function read(text: string, env: Readonly<Record<string, string>> = {}) {
  const file = join(folder, 'profiles.yaml')
  await writeFile(file, text)
  const notes: string[] = []
  const stream = () => new PassThrough()
  const io = { env, stdin: stream(), stdout: stream(), stderr: stream() }
  return { profiles: await readProfiles(file, io, (note) => notes.push(note)), notes }
}

test('profiles are read in their order, with the key that each names', async () => {
  const { profiles, notes } = await read(
    `
- slug: quick
  description: Answers at once.
  tools: [calculator, calculator]
- slug: careful
  engine: claude
  model: claude-opus-4-5
  api_key_env: CAREFUL_KEY
  system_prompt: Think first.
  allows_overrides: true
`,
    { CAREFUL_KEY: 'sk-canary', ANTHROPIC_API_KEY: 'sk-other' },
  )
  expect(profiles).toMatchObject([
    { slug: 'quick', description: 'Answers at once.', tools: [{ name: 'calculator' }], allowsOverrides: false },
    { slug: 'careful', systemPrompt: 'Think first.', tools: [], allowsOverrides: true },
  ])
  expect(profiles[0].tools).toHaveLength(1)
  expect(notes).toEqual(['Profile careful: The key is from CAREFUL_KEY.'])
})

test.each<readonly [why: string, text: string, code: string, says: RegExp]>([
  ['no list', 'slug: x', 'PROFILE_INVALID', /is no list of profiles/],
  ['an empty list', '[]', 'PROFILE_INVALID', /there is no profile in it/],
  ['no YAML', '- [', 'PROFILE_INVALID', /is no list of profiles/],
  ['aliases without end', `a: &a [x]\nb: [${'*a,'.repeat(60)}]`, 'PROFILE_INVALID', /is no list of profiles/],
  ['no slug', '- engine: openai', 'PROFILE_INVALID', /0\.slug/],
  ['a key in the file', '- {slug: x, api_key: sk-1}', 'PROFILE_INVALID', /0\.api_key/],
  ['an unknown engine', '- {slug: x, engine: nope}', 'PROVIDER_UNKNOWN', /^Profile x of .*There is no engine "nope"/],
  ['an unknown tool', '- {slug: x, tools: [nope]}', 'USAGE', /^Profile x of .*There is no tool "nope"/],
  [
    'a variable that is not set',
    '- {slug: x, engine: openai, api_key_env: MY_KEY}',
    'PROVIDER_KEY_MISSING',
    /^Profile x of .*set MY_KEY/,
  ],
])('%s is refused', async (_why, text, code, says) => {
  await expect(read(text)).rejects.toMatchObject({ code, message: expect.stringMatching(says) as unknown })
})
