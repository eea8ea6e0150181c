import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { command, type TerminalOptions } from '../../test/support/command-line.ts'
import { startProviderServer } from '../../test/support/provider-server.ts'
import { engineNames } from '../providers/factory.ts'
import { keyVariables } from './engine-options.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geppetto-cassette-'))
})
afterAll(() => rm(folder, { recursive: true }))

const file = (name: string) => join(folder, name)
const run = (args: readonly string[], options?: TerminalOptions) => command(['run', ...args], options)

describe('A replay prints what the recorded run printed, with the same exit code', () => {
  test.each<[string, readonly string[], string]>([
    ['the answer', ['What is 17 * 23?', '--tool', 'calculator', '--pace', '0'], ''],
    ['the events', ['Hello', '-o', 'events', '--pace', '0', '--session', 's-1'], ''],
    ['the turn, with a system prompt', ['Hello', '-o', 'yaml', '--pace', '0', '--system', 'Be kind.'], ''],
    ['a piped prompt', ['--pace', '0', '-o', 'json'], 'Hello from a pipe'],
    ['a piped turn', ['--turn', '-', '--pace', '0', '-o', 'json'], 'blocks:\n- {kind: user, payload: {text: Hi}}\n'],
  ])('%s', async (name, args, stdin) => {
    const path = file(name.replaceAll(' ', '-'))
    const recorded = await run([...args, '--record', path], { stdin })
    const replayed = await run(['--replay', path])
    expect(recorded.exitCode).toBe(0)
    expect(replayed).toEqual(recorded)
  })

  test.each(
    engineNames
      .filter((name) => name !== 'scripted')
      .flatMap((name) => (['ok', 'cut', 'broken'] as const).map((how) => [name, how] as const)),
  )('of %s over HTTP (%s), without the key and after the server is gone', async (name, how) => {
    const path = file(`${name}-${how}`)
    const secret = 'sk-canary-4711'
    const recorded = await (async () => {
      await using server = await startProviderServer()
      const args = ['Hi', '-e', name, '--base-url', server.url(how), '-o', 'events', '--record', path]
      return await run(args, { env: { [keyVariables[name]]: secret } })
    })()
    const replayed = await run(['--replay', path])
    expect(recorded.exitCode).toBe(how === 'ok' ? 0 : 1)
    expect(replayed.stdout).toBe(recorded.stdout)
    expect(replayed.exitCode).toBe(recorded.exitCode)
    expect(await readFile(path, 'utf8')).not.toContain(secret)
  })

  test('of a script and a turn that are not there any more', async () => {
    await writeFile(file('script.yaml'), '- reply: [{text: From the script.}]\n')
    await writeFile(file('turn.yaml'), 'blocks:\n- {kind: user, payload: {text: Hi}}\n')
    const args = ['--script', file('script.yaml'), '--turn', file('turn.yaml'), '--record', file('files')]
    const recorded = await run(args)
    await rm(file('script.yaml'))
    await rm(file('turn.yaml'))
    expect(recorded.stdout).toContain('From the script.')
    expect(await run(['--replay', file('files')])).toEqual(recorded)
  })
})

test('An option that is given holds, and what differs is told', async () => {
  await using server = await startProviderServer()
  const path = file('differs')
  await run(['Hi', '-e', 'openai', '--base-url', server.url('ok'), '--record', path])
  const yaml = await run(['--replay', path, '-o', 'yaml'])
  expect([yaml.exitCode, yaml.stdout.includes('kind: llm_text')]).toEqual([0, true])
  const other = await run(['Ho', '--replay', path])
  expect(other.exitCode).toBe(1)
  expect(other.stderr).toContain('geppetto: CASSETTE_DIVERGED: The replay differs from the recording: at request 1')
  expect(other.stderr).toContain('message 1 differs. At $.messages[0].content, "Hi" was recorded and "Ho" came.')
  expect(other.stderr.match(/CASSETTE_DIVERGED/g)).toHaveLength(1)
})

test('A recording that would hold the key is not written', async () => {
  await using server = await startProviderServer()
  const path = file('never')
  const args = ['Hi', '-e', 'openai', '--base-url', server.url('refusing'), '--record', path]
  const { exitCode, stderr } = await run(args, { env: { OPENAI_API_KEY: 'sk-canary-4711' } })
  expect(exitCode).toBe(1)
  expect(stderr).toContain('CASSETTE_SECRET: The recording was given up')
  expect(stderr).not.toContain('4711')
  await expect(readFile(path)).rejects.toThrow('ENOENT')
})

test('Wrong use ends with 2', async () => {
  await writeFile(file('no-cassette'), 'hello\n')
  const cases: readonly (readonly [readonly string[], string])[] = [
    [['Hi', '--record', 'a', '--replay', 'b'], 'USAGE: '],
    [['--replay', file('no-cassette')], 'CASSETTE_INVALID: This cassette cannot be replayed'],
    [['--replay', file('not-there')], 'FILE_ACCESS: '],
  ]
  for (const [args, says] of cases) {
    const { exitCode, stdout, stderr } = await run(args)
    expect([exitCode, stdout]).toEqual([2, ''])
    expect(stderr).toContain(says)
  }
})
