import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { geppetto, type CommandResult, type ProcessOptions } from '../../test/support/command-line.ts'
import { startProviderServer, type ProviderServer } from '../../test/support/provider-server.ts'

// The command line as a shell starts it: a process of its own, and providers behind HTTP. Each start takes a while, so
// what needs no process is in program.test.ts.

let server: ProviderServer
let closed: string
let folder: string
beforeAll(async () => {
  const stopped = await startProviderServer()
  closed = stopped.url('ok')
  await stopped[Symbol.asyncDispose]()
  server = await startProviderServer()
  folder = await mkdtemp(join(tmpdir(), 'geppetto-'))
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

interface StoredTurn {
  readonly blocks: readonly {
    readonly kind: string
    readonly payload: Record<string, unknown>
    readonly metadata?: Record<string, unknown>
  }[]
  readonly metadata: Readonly<Record<string, { readonly [name: string]: unknown }>>
}
const turnOf = ({ stdout }: CommandResult) => JSON.parse(stdout) as StoredTurn
const resultOf = (result: CommandResult) => turnOf(result).metadata['geppetto.inference_result@v1']

describe('the engines', { timeout: 30_000 }, () => {
  const engines: readonly (readonly [engine: string, variable: string])[] = [
    ['openai', 'OPENAI_API_KEY'],
    ['openai-responses', 'OPENAI_API_KEY'],
    ['claude', 'ANTHROPIC_API_KEY'],
    ['gemini', 'GEMINI_API_KEY'],
  ]

  test.each(engines)('%s answers, with the key that the environment has', async (engine, variable) => {
    const args = ['run', 'Hi', '--engine', engine, '--base-url', server.url('ok'), '--output', 'json']
    const key = `key-of-${engine}`
    const answered = await geppetto(args, { env: { [variable]: key } })
    expect([answered.exitCode, answered.stderr]).toEqual([0, `geppetto: The key is from ${variable}.\n`])
    expect(turnOf(answered).blocks.at(-1)).toMatchObject({ kind: 'llm_text', payload: { text: 'Hello' } })
    expect(resultOf(answered)).toMatchObject({
      finish_class: 'completed',
      usage: { input_tokens: 3, output_tokens: 2 },
    })
    expect(answered.stdout).not.toContain(key)
    expect(server.keys).toContain(key)
  })

  test.each(engines)('%s, cut off in the middle, keeps what it said and fails', async (engine) => {
    const cut = await geppetto(['run', 'Hi', '--engine', engine, '--base-url', server.url('cut')])
    expect([cut.exitCode, cut.stdout.trimEnd()]).toEqual([1, expect.stringMatching(/^Hel/)])
    expect(cut.stderr).toMatch(/No key is sent: \w+ is not set\.\ngeppetto: PROVIDER_STREAM_TRUNCATED: .*\n$/)
  })
})

describe('what can go wrong on the way', { timeout: 30_000 }, () => {
  const run = (url: string, options?: ProcessOptions, ...args: readonly string[]) =>
    geppetto(['run', 'Hi', '--engine', 'anthropic', '--base-url', url, ...args], options)

  test('a wrong key is said to be one, and is not repeated', async () => {
    const file = join(folder, 'key')
    await writeFile(file, 'sk-very-secret\n')
    const refused = await run(server.url('refusing'), {}, '--api-key-file', file, '--output', 'json')
    expect([refused.exitCode, resultOf(refused)]).toEqual([1, expect.objectContaining({ finish_class: 'error' })])
    expect(refused.stderr).toMatch(
      /The key is from the file .*key\.\ngeppetto: PROVIDER_AUTH: anthropic answered HTTP 401/,
    )
    expect(refused.stdout + refused.stderr).not.toContain('sk-very-secret')
  })

  const failures: readonly (readonly [what: string, url: () => string, says: RegExp])[] = [
    [
      'a page of a proxy',
      () => server.url('portal'),
      /PROVIDER_NOT_A_STREAM: .*an HTML page \("Sign in to the proxy"\)/,
    ],
    [
      'a proxy without its server',
      () => server.url('broken'),
      /PROVIDER_HTTP: anthropic answered HTTP 502: an HTML page/,
    ],
    ['another address', () => server.url('nowhere'), /PROVIDER_HTTP: anthropic answered HTTP 404/],
    [
      'a closed port',
      () => closed,
      /PROVIDER_UNREACHABLE: anthropic cannot be reached at 127\.0\.0\.1:\d+ \(ECONNREFUSED\)/,
    ],
  ]
  test.each(failures)('%s is told in one sentence', async (_what, url, says) => {
    const { exitCode, stdout, stderr } = await run(url())
    expect([exitCode, stdout]).toEqual([1, ''])
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringContaining('No key is sent'),
      expect.stringMatching(says),
    ])
  })
})

describe('the process', { timeout: 30_000 }, () => {
  test('runs tools, and reads the prompt from a pipe', async () => {
    const { exitCode, stdout, stderr } = await geppetto(['run', '--tool', 'calculator', '--pace', '0'], {
      stdin: 'What is 17 * 23?\n',
    })
    expect([exitCode, stdout, stderr]).toEqual([0, '17 * 23 = 391\n', ''])
  })

  test('tells the model of arguments that do not fit, and goes on', async () => {
    const result = await geppetto([
      'run',
      'call calculator {"wrong": 1}',
      '--tool',
      'calculator',
      '--pace',
      '0',
      '--output',
      'json',
    ])
    expect(result.exitCode).toBe(0)
    const [, , use, answer] = turnOf(result).blocks
    expect(use).toMatchObject({ kind: 'tool_use', payload: { error: expect.stringContaining('expression') as string } })
    expect(answer).toMatchObject({ kind: 'llm_text' })
  })

  const endless = async () => {
    const script = join(folder, 'endless.yaml')
    await writeFile(script, '- reply: [{text: So far}, {pause_ms: 600000}, {text: never}]\n')
    return ['run', 'Hi', '--script', script, '--pace', '0']
  }

  test.each(['SIGINT', 'SIGTERM'] as const)('on %s stops, and what has come is printed', async (signal) => {
    const stopped = await geppetto(await endless(), { onFirstOutput: (child) => child.kill(signal) })
    expect([stopped.exitCode, stopped.stdout]).toEqual([130, 'So far\n'])
    expect(stopped.stderr).toMatch(/^geppetto: INFERENCE_CANCELLED: .*\n$/)
  })

  test('on SIGTERM ends the answer in its stored session too, and the session goes on', async () => {
    const env = { GEPPETTO_DB: join(folder, 'terminated.db') }
    const session = ['--session', 'told']
    const args = [...(await endless()), ...session]
    const stopped = await geppetto(args, { env, onFirstOutput: (child) => child.kill('SIGTERM') })
    expect([stopped.exitCode, stopped.stdout]).toEqual([130, 'So far\n'])
    expect((await geppetto(['trace', 'told'], { env })).stdout).toMatch(/inference-stopped .*reason=SIGTERM/)
    const next = await geppetto(['run', 'Say hello', '--pace', '0', '-o', 'json', ...session], { env })
    expect([next.exitCode, turnOf(next).blocks[1]]).toMatchObject([0, { payload: { text: 'So far' } }])
  })

  test('ends the log of events in order when it is cancelled', async () => {
    const args = [...(await endless()), '--output', 'events']
    const { exitCode, stdout } = await geppetto(args, { onFirstOutput: (child) => child.kill('SIGINT') })
    const types = stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { type: string }).type)
    expect([exitCode, types[0], types.at(-1)]).toEqual([130, 'inference-started', 'inference-stopped'])
  })

  test('ends quietly when the reader of its output leaves', async () => {
    const { exitCode, stderr } = await geppetto(['run', 'Tell me a long story.', '--pace', '1000'], {
      onFirstOutput: (child) => child.closeOutput(),
    })
    expect([exitCode, stderr]).toEqual([130, ''])
  })

  test('says its version', async () => {
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string
    }
    expect(await geppetto(['--version'])).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' })
  })
})
